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
  /** Of the requests that have one. */
  readonly bodies: unknown[] = [];
  private readonly answers = new Map<string, Answer[]>();
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const key = `${request.method} ${request.url?.replace('/connectors/c', '')}`;
      this.requests.push(key);
      const line = this.answers.get(key) ?? [[404, { message: 'unknown' }]];
      const [status, body] = (line.length > 1 ? line.shift() : line[0]) as Answer;
      let content = '';
      request.on('data', (part: Buffer) => {
        content += part.toString();
      });
      request.on('end', () => {
        if (content !== '') this.bodies.push(JSON.parse(content));
        response.writeHead(status).end(JSON.stringify(body));
      });
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
    return new Connector({ url: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/` }, 'c', systemClock);
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
const runningOn = (worker: string): Answer => [
  200,
  { connector: { state: 'RUNNING' }, tasks: [{ id: 0, state: 'RUNNING', worker_id: worker }] },
];
const settings = { 'database.password': 'geheim' };
let connect: FakeConnect;

beforeEach(() => {
  connect = new FakeConnect();
});
afterEach(() => connect.close());

describe('Connector', () => {
  it.each(['PAUSED', 'STOPPED'])(
    'resumes a connector that somebody paused or stopped when it is registered: %s',
    async (halted) => {
      connect.on('PUT /config', [200, {}]).on('PUT /resume', [202]);
      connect.on('GET /status', [200, { connector: { state: halted }, tasks: [] }], state('RUNNING', 'RUNNING'));
      await (await connect.connector()).register(settings, 5_000);
      expect(connect.requests).toContain('PUT /resume');
    },
  );

  it('begins again at the present when it is registered and has lost the history of the schema', async () => {
    const lost = 'The db history topic or its content is fully or partially missing.';
    connect.on('PUT /config', [200, {}]).on('PUT /stop', [204]).on('DELETE /offsets', [200]).on('PUT /resume', [202]);
    connect.on('PATCH /config', [200, {}]);
    connect.on('GET /status', state('RUNNING', 'FAILED', lost), state('RUNNING', 'RUNNING'));
    await (await connect.connector()).register(settings, 5_000);
    expect(connect.requests.slice(-7)).toEqual([
      'PATCH /config',
      'PUT /stop',
      'DELETE /offsets',
      'PUT /resume',
      'GET /status',
      'PATCH /config',
      'GET /status',
    ]);
  });

  it('resumes a connector that begins again until its status says so, also where Connect takes an order for done and does nothing', async () => {
    connect.on('PUT /stop', [204]).on('DELETE /offsets', [200]).on('PUT /resume', [500], [409], [202]);
    connect.on('PATCH /config', [200, {}], [409], [200, {}]);
    connect.on('GET /status', state('STOPPED', 'x'), state('STOPPED', 'x'), state('RUNNING', 'RUNNING'));
    await (await connect.connector()).beginAgain(5_000);
    // Two that were not taken, two that were taken while it stayed stopped, and the one that it followed.
    expect(connect.requests.filter((request) => request === 'PUT /resume')).toHaveLength(5);
    expect(connect.bodies).toEqual([
      { 'downspout.begins.again': 'true' },
      { 'downspout.begins.again': null },
      { 'downspout.begins.again': null },
    ]);
  });

  it('begins again without a mark where Connect cannot change one setting', async () => {
    connect.on('PUT /stop', [204]).on('DELETE /offsets', [200]).on('PUT /resume', [202]).on('PATCH /config', [405]);
    connect.on('GET /status', state('RUNNING', 'RUNNING'));
    await (await connect.connector()).beginAgain(5_000);
    expect(connect.requests).toContain('DELETE /offsets');
  });

  it('resumes what it has stopped, also when what stands before Connect does not let that through at first', async () => {
    connect.on('PUT /stop', [204]).on('DELETE /offsets', [200]).on('PUT /resume', [502], [503], [202]);
    await (await connect.connector()).beginAgain(5_000);
    expect(connect.requests.filter((request) => request === 'PUT /resume')).toHaveLength(3);
  });

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

  it.each([408, 425, 429, 502, 503, 504, 521])(
    'outlasts what stands before Connect and has nobody to ask, or lets fewer through: %d',
    async (status) => {
      const page: Answer = [status, '<html>Bad Gateway</html>'];
      connect.on('PUT /config', page, page, [201, {}]).on('PUT /resume', page, [202]);
      connect.on(
        'GET /status',
        page,
        [200, { connector: { state: 'PAUSED' }, tasks: [] }],
        page,
        state('RUNNING', 'RUNNING'),
      );
      expect(await (await connect.connector()).register(settings, 10_000)).toBe(true);
      expect(connect.requests.filter((request) => request === 'PUT /config')).toHaveLength(3);
    },
  );

  it('says in the end what answers instead of Connect, as something that may pass', async () => {
    connect.on('PUT /config', [200, {}]).on('GET /status', [502]);
    const registering = (await connect.connector()).register(settings, 300);
    await expect(registering).rejects.toThrow(Unavailable);
    await expect(registering).rejects.toThrow('Connect answered 502');
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

  it.each([403, 405])('leaves a connector alone that it may not change: %d', async (status) => {
    connect.on('PUT /config', [status, {}]);
    expect(await (await connect.connector()).register(settings, 10_000)).toBe(false);
    expect(connect.requests).toEqual(['PUT /config']);
  });

  it('names how a connector of somebody else differs, secrets left out', async () => {
    const own = { 'tasks.max': '1', 'database.server.id': '100001' };
    const needed = { ...settings, ...own, 'poll.interval.ms': '10', 'snapshot.mode': 'custom' };
    // Whoever keeps it may say by which id the server knows it.
    const theirs = { ...own, 'database.password': 'other', 'database.server.id': '7', 'poll.interval.ms': '500' };
    connect.on('GET /config', [200, theirs]);
    connect.on('GET /status', [200, { connector: { state: 'PAUSED' }, tasks: [] }]);
    const connector = await connect.connector();
    const named = `connector ${connector.name}:`;
    expect(await connector.differences(needed)).toEqual([
      `${named} poll.interval.ms is 500, needs 10`,
      `${named} snapshot.mode is not set, needs custom`,
      `${named} the connector is PAUSED: \`downspout provision\` resumes it`,
    ]);
  });

  it('tells a connector that is missing from one that differs', async () => {
    connect.on('GET /config', [404]);
    const connector = await connect.connector();
    expect(await connector.differences(settings)).toEqual([`connector ${connector.name}: does not exist`]);
  });

  it('is gone only when Connect does not know it any more', async () => {
    connect.on('DELETE ', [409], [504], [204], [404]);
    await (await connect.connector()).remove(10_000);
    expect(connect.requests).toHaveLength(4);
  });

  it('throws Unavailable when nobody answers', async () => {
    const connector = await connect.connector();
    await connect.close();
    await expect(connector.status()).rejects.toThrow(Unavailable);
  });
});

const healthOf = async (clock: ManualClock, heartbeats: () => number, faults: readonly string[] = []) =>
  new ConnectorHealth({
    connector: await connect.connector(),
    countHeartbeats: async () => heartbeats(),
    binlogFaults: async () => faults,
    clock,
  });

describe('ConnectorHealth', () => {
  it('1. Its freshness is measured by heartbeats, because a connector that lost MySQL goes on saying RUNNING.', async () => {
    connect.on(
      'GET /status',
      state('RUNNING', 'RUNNING'),
      state('RUNNING', 'RUNNING'),
      state('RUNNING', 'FAILED', 'x'),
    );
    const clock = new ManualClock();
    let heartbeats = 5;
    const health = await healthOf(clock, () => heartbeats);
    expect(await health.check()).toEqual({ silentForMs: 0, unchangedForMs: 0, failures: [], obstacles: [] });
    await clock.advance(4_000);
    expect(await health.check()).toEqual({ silentForMs: 4_000, unchangedForMs: 4_000, failures: [], obstacles: [] });
    heartbeats = 6;
    await clock.advance(1_000);
    expect(await health.check()).toEqual({ silentForMs: 0, unchangedForMs: 0, failures: ['task 0: x'], obstacles: [] });
  });

  it.each([
    'different column size',
    // The same row, when the task reads it for the first time after a restart.
    'Error processing row in scheduled_messages, internal schema size 28, but row size 1',
  ])(
    '2. What failed is restarted; a connector that can never read on from where it was begins again at the present: %s',
    async (cause) => {
      const failed = state('RUNNING', 'FAILED', `An exception\n\tat x\nCaused by: ${cause}\n\tat y`);
      connect.on('GET /status', failed).on('POST /restart?includeTasks=true&onlyFailed=true', [204]);
      connect.on('PUT /stop', [204]).on('PUT /resume', [202]).on('DELETE /offsets', [409], [200, {}]);
      connect.on('PATCH /config', [200, {}]).on('GET /config', [200, {}]);
      let heartbeats = 5;
      const health = await healthOf(new ManualClock(), () => heartbeats++);
      for (let round = 0; round < 3; round++) {
        const { failures } = await health.check();
        expect(failures).toEqual([
          expect.stringContaining(`task 0: An exception – Caused by: ${cause}. A program has`),
        ]);
        expect(failures).toEqual([expect.stringContaining('binlog_row_image other than FULL')]);
        await health.restart();
      }
      const restart = 'POST /restart?includeTasks=true&onlyFailed=true';
      expect(connect.requests.filter((request) => !request.startsWith('GET'))).toEqual([
        restart,
        restart,
        'PATCH /config',
        'PUT /stop',
        'DELETE /offsets',
        'DELETE /offsets',
        'PUT /resume',
        'PATCH /config',
      ]);
    },
  );

  it('2. What failed is restarted, for as long as a restart may help.', async () => {
    connect.on('GET /status', state('RUNNING', 'FAILED', 'Communications link failure'));
    connect.on('POST /restart?includeTasks=true&onlyFailed=true', [204]);
    const health = await healthOf(new ManualClock(), () => 5);
    for (let round = 0; round < 10; round++) {
      await health.check();
      await health.restart();
    }
    expect(connect.requests.filter((request) => request.startsWith('PUT'))).toEqual([]);
  });

  it('1. Its freshness is measured by heartbeats, and a task that another worker of Connect has taken over is another one.', async () => {
    connect.on('GET /status', runningOn('a:8083'), runningOn('a:8083'), runningOn('b:8083'));
    const clock = new ManualClock();
    const health = await healthOf(clock, () => 5);
    await health.check();
    await clock.advance(20_000);
    expect(await health.check()).toMatchObject({ silentForMs: 20_000, unchangedForMs: 20_000 });
    await clock.advance(5_000);
    expect(await health.check()).toMatchObject({ silentForMs: 25_000, unchangedForMs: 0 });
  });

  it('3. One that says RUNNING and is asked to restart all the same does so as a whole.', async () => {
    connect.on('GET /status', state('RUNNING', 'RUNNING'));
    connect.on('POST /restart?includeTasks=true&onlyFailed=false', [202]);
    const health = await healthOf(new ManualClock(), () => 5);
    await health.check();
    await health.restart();
    expect(connect.requests.filter((request) => request.startsWith('POST'))).toEqual([
      'POST /restart?includeTasks=true&onlyFailed=false',
    ]);
  });

  it.each(['PAUSED', 'STOPPED'])(
    '4. A connector that somebody paused or stopped stays so, and is reported as an obstacle: %s.',
    async (halted) => {
      connect.on('GET /status', [200, { connector: { state: halted }, tasks: [] }]);
      const health = await healthOf(new ManualClock(), () => 5, ['binlog_row_image is MINIMAL']);
      expect((await health.check()).obstacles).toEqual([
        `the connector is ${halted}: \`downspout provision\` resumes it`,
        'binlog_row_image is MINIMAL',
      ]);
    },
  );

  it('5. One that a spout has stopped so that it begins again, and that it could not resume, begins again.', async () => {
    connect.on('GET /status', [200, { connector: { state: 'STOPPED' }, tasks: [] }], state('RUNNING', 'RUNNING'));
    connect.on('GET /config', [200, { 'downspout.begins.again': 'true' }], [200, {}]);
    connect.on('PUT /stop', [204]).on('DELETE /offsets', [200]).on('PUT /resume', [202]).on('PATCH /config', [200, {}]);
    const health = await healthOf(new ManualClock(), () => 5);
    const left = await health.check();
    expect(left.obstacles).toEqual([]);
    expect(left.failures).toEqual([expect.stringContaining('to begin again at the present')]);
    await health.restart();
    expect(connect.requests.filter((request) => !request.startsWith('GET'))).toEqual([
      'PATCH /config',
      'PUT /stop',
      'DELETE /offsets',
      'PUT /resume',
      'PATCH /config',
    ]);
    expect(await health.check()).toMatchObject({ failures: [], obstacles: [] });
  });

  it('4. A connector that does not exist is reported as an obstacle.', async () => {
    const health = await healthOf(new ManualClock(), () => 5);
    expect(await health.check()).toMatchObject({
      failures: [],
      obstacles: ['the connector does not exist: `downspout provision` makes it'],
    });
  });
});

describe('what answers instead of Connect', () => {
  it.each([
    ['a page', 200, '<html>Please log in</html>', 'it sends no JSON'],
    ['other JSON', 200, '{"status":"ok"}', 'is not Kafka Connect'],
    ['a state that is none', 200, '{"connector":{},"tasks":[]}', 'is not Kafka Connect'],
    ['a refusal', 401, '', 'set CONNECT_USERNAME and CONNECT_PASSWORD'],
  ])('is Unavailable, never a bug: %s', async (_what, status, text, reason) => {
    const server = createServer((_request, response) => response.writeHead(status).end(text));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const asked = new Connector({ url }, 'c', systemClock).status();
      await expect(asked).rejects.toThrow(Unavailable);
      await expect(asked).rejects.toThrow(reason);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    }
  });
});
