import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ComposeStack } from '../../../deploy/stack/compose-stack';
import type { MembersOptions } from '../../../deploy/stack/members';
import type { PartEvent } from '../../../deploy/stack/stack';
import { settled } from '../../support/manual-clock';

let folder: string;
let calls: string[];
let environment: string;
let joined: MembersOptions[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compose-'));
  calls = [];
  joined = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function stack(variables: Readonly<Record<string, string>> = {}, ha = false): ComposeStack {
  return new ComposeStack(
    { folder, variables, ha },
    async (command, args) => {
      calls.push([command, ...args].join(' '));
      environment = readFileSync(join(folder, 'compose.env'), 'utf8');
      return '';
    },
    async (options) => void joined.push(options),
  );
}

describe('ComposeStack', () => {
  it('starts the containers, waits for their health, and knows both sides of their addresses', async () => {
    const events: PartEvent[] = [];
    const settings = await stack({ MYSQL_PORT: '4406', MYSQL_ROOT_PASSWORD: 'it is secret' }).up((event) =>
      events.push(event),
    );
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatch(/^docker compose .*docker-compose\.yml .* up --detach --wait/);
    expect(environment).toContain("MYSQL_PORT='4406'");
    expect(environment).toMatch(/^DOWNSPOUT_CDC_PASSWORD='[\w-]{20,}'$/m);
    expect(settings).toMatchObject({
      ADMIN_DATABASE_URL: 'mysql://root:it%20is%20secret@127.0.0.1:4406/downspout',
      KAFKA_BROKERS: '127.0.0.1:9092',
      CONNECT_KAFKA_BROKERS: 'kafka:9094',
      KAFKA_UI_URL: 'http://127.0.0.1:8080',
      GRAFANA_URL: 'http://127.0.0.1:3000',
    });
    expect(settings['CDC_DATABASE_URL']).toContain('@mysql:3306/');
    expect(events.filter(({ stage }) => stage === 'ready').map(({ part }) => part)).toEqual(
      expect.arrayContaining(['mysql', 'kafka', 'connect', 'kafka-ui', 'prometheus', 'grafana']),
    );
  });

  it('runs three servers and brokers and two Connect workers when asked, and keeps them from then on', async () => {
    const first = await stack({}, true).up(() => undefined);
    expect(first).toMatchObject({
      DATABASE_URL: expect.stringContaining('@127.0.0.1:3326/'),
      CDC_DATABASE_URL: expect.stringContaining('@haproxy:3306/'),
      KAFKA_BROKERS: '127.0.0.1:9092,127.0.0.1:9192,127.0.0.1:9292',
      CONNECT_KAFKA_BROKERS: 'kafka:9094,kafka-b:9094,kafka-c:9094',
      CONNECT_URL: 'http://127.0.0.1:8283',
    });
    expect(environment).toContain("KAFKA_REPLICATION='3'");
    expect(await stack().up(() => undefined)).toEqual(first);
    await stack().down(false, () => undefined);
    expect(calls.map((call) => / --profile ha (up|down)/.exec(call)?.[1])).toEqual(['up', 'up', 'down']);
    expect(joined.map(({ at }) => ['mysql', 'mysql-b', 'mysql-c', 'haproxy'].map(at).join())).toEqual(
      Array(2).fill('127.0.0.1:3306,127.0.0.1:3316,127.0.0.1:3336,127.0.0.1:3326'),
    );
    await joined[0]?.restart('mysql-b');
    expect(calls.at(-1)).toMatch(/ start mysql-b$/);
  });

  it('has one server when nothing is asked', async () => {
    const settings = await stack().up(() => undefined);
    expect(settings).toMatchObject({ KAFKA_BROKERS: '127.0.0.1:9092', CONNECT_URL: 'http://127.0.0.1:8083' });
    expect(joined).toEqual([]);
    expect(calls[0]).not.toContain('--profile');
    expect(environment).not.toContain('KAFKA_REPLICATION');
  });

  it('keeps the passwords from one start to the next', async () => {
    const first = await stack().up(() => undefined);
    expect(await stack().up(() => undefined)).toEqual(first);
  });

  it('is started and stopped once at a time', async () => {
    let underWay = 0;
    let most = 0;
    const docker = async () => {
      most = Math.max(most, ++underWay);
      await settled();
      underWay--;
      return '';
    };
    const one = () => new ComposeStack({ folder, variables: {} }, docker);
    const [first, second] = await Promise.all([one().up(() => undefined), one().up(() => undefined)]);
    expect(first).toEqual(second);
    await Promise.all([one().down(false, () => undefined), one().up(() => undefined)]);
    expect(most).toBe(1);
  });

  it('keeps what holds passwords for its owner alone', async () => {
    await stack().up(() => undefined);
    for (const name of ['stack.json', 'env.json', 'secret.key', 'compose.env']) {
      expect([name, statSync(join(folder, name)).mode & 0o777]).toEqual([name, 0o600]);
    }
  });

  it('stops the containers, and removes their volumes only when told to', async () => {
    await stack().up(() => undefined);
    await stack().down(false, () => undefined);
    expect(calls.at(-1)).toMatch(/ down$/);
    expect(existsSync(join(folder, 'env.json'))).toBe(true);
    await stack().down(true, () => undefined);
    expect(calls.at(-1)).toMatch(/ down --volumes$/);
    expect(existsSync(join(folder, 'env.json'))).toBe(false);
  });
});
