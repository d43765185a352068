import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Connector } from '../../../connectors/debezium/connector';
import { ConnectorHealth } from '../../../connectors/debezium/connector-health';
import { systemClock } from '../../../topology/core/clock';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { ManualClock } from '../../support/manual-clock';

type Answer = readonly [status: number, body?: unknown];

/** Answers like Kafka Connect does: what is next in line for a request, the last one again and again. */
class FakeConnect {
  readonly requests: string[] = [];
  private readonly answers = new Map<string, Answer[]>();
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const key = `${request.method} ${request.url?.replace('/connectors/c', '')}`;
      this.requests.push(key);
      const line = this.answers.get(key) ?? [[404, { message: 'unknown' }]];
      const [status, body] = (line.length > 1 ? line.shift() : line[0]) as Answer;
      request.resume().on('end', () => response.writeHead(status).end(JSON.stringify(body)));
    });
  }

  on(request: string, ...answers: readonly Answer[]): this {
    this.answers.set(request, [...answers]);
    return this;
  }

  async connector(): Promise<Connector> {
    await new Promise<void>((resolve) => {
      this.server.listen(0, '127.0.0.1', resolve);
    });
    return new Connector(`http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`, 'c', systemClock);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }
}

const state = (connector: string, task: string, trace?: string): Answer => [
  200,
  { connector: { state: connector }, tasks: [{ id: 0, state: task, trace }] },
];
const settings = { 'database.password': 'geheim' };
let connect: FakeConnect;

beforeEach(() => {
  connect = new FakeConnect();
});
afterEach(() => connect.close());

describe('Connector', () => {
  it('outlasts a rebalance and a MySQL that does not answer yet', async () => {
    connect.on('PUT /config', [409], [500, { message: 'Cannot invoke ConfigValue' }], [201, {}]);
    connect.on(
      'GET /status',
      [404],
      [200, { connector: { state: 'RUNNING' }, tasks: [] }],
      state('RUNNING', 'RUNNING'),
    );
    await (await connect.connector()).register(settings, 10_000);
    expect(connect.requests.filter((request) => request === 'PUT /config')).toHaveLength(3);
  });

  it('restarts a task that failed', async () => {
    connect.on('PUT /config', [200, {}]);
    connect.on('GET /status', state('RUNNING', 'FAILED', 'boom\n\tat x'), state('RUNNING', 'RUNNING'));
    connect.on('POST /restart?includeTasks=true&onlyFailed=true', [202]);
    await (await connect.connector()).register(settings, 10_000);
    expect(connect.requests).toContain('POST /restart?includeTasks=true&onlyFailed=true');
  });

  it('says why it did not start', async () => {
    connect.on('PUT /config', [200, {}]).on('GET /status', state('RUNNING', 'FAILED', 'boom\n\tat x'));
    const registering = (await connect.connector()).register(settings, 300);
    await expect(registering).rejects.toThrow('task 0: boom');
  });

  it('gives up at once on settings that are refused, and keeps the password to itself', async () => {
    connect.on('PUT /config', [400, { message: 'Access denied (using geheim)' }]);
    const error = await (await connect.connector()).register(settings, 10_000).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toContain('Access denied (using ***)');
    expect(connect.requests).toHaveLength(1);
  });

  it('is gone only when Connect does not know it any more', async () => {
    connect.on('DELETE ', [409], [204], [404]);
    await (await connect.connector()).remove(10_000);
    expect(connect.requests).toHaveLength(3);
  });

  it('throws Unavailable when nobody answers', async () => {
    const connector = await connect.connector();
    await connect.close();
    await expect(connector.status()).rejects.toThrow(Unavailable);
  });
});

describe('ConnectorHealth', () => {
  it('measures the time since heartbeats came, whatever the connector says', async () => {
    connect.on(
      'GET /status',
      state('RUNNING', 'RUNNING'),
      state('RUNNING', 'RUNNING'),
      state('RUNNING', 'FAILED', 'x'),
    );
    const clock = new ManualClock();
    let heartbeats = 5;
    const health = new ConnectorHealth(await connect.connector(), async () => heartbeats, clock);
    expect(await health.check()).toEqual({ silentForMs: 0, failures: [] });
    await clock.advance(4_000);
    expect(await health.check()).toEqual({ silentForMs: 4_000, failures: [] });
    heartbeats = 6;
    await clock.advance(1_000);
    expect(await health.check()).toEqual({ silentForMs: 0, failures: ['task 0: x'] });
  });
});
