import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stackInDocker } from '../../../deploy/stack/compose-project';
import { ComposeStack } from '../../../deploy/stack/compose-stack';
import type { MembersOptions } from '../../../deploy/stack/members';
import type { Reservations } from '../../../deploy/stack/port-choice';
import type { PartEvent } from '../../../deploy/stack/stack';
import { settled } from '../../support/manual-clock';

let root: string;
let folder: string;
let calls: string[];
let environment: string;
let joined: MembersOptions[];
/** Ports of this machine that something listens on, by the project whose container it is. */
let listening: Map<number, string>;
let reserved: Set<number>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'compose-'));
  folder = folderOf('one');
  calls = [];
  joined = [];
  listening = new Map();
  reserved = new Set();
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const projectIn = (call = '') => / --project-name (\S+) /.exec(call)?.[1] ?? 'none';
const portsIn = (text: string) => [...text.matchAll(/^\w+_PORT='(\d+)'$/gm)].map(([, port]) => Number(port));
const idIn = () => /^KAFKA_CLUSTER_ID='(.*)'$/m.exec(environment)?.[1];
const silent = () => undefined;
const state = () => JSON.parse(readFileSync(join(folder, 'stack.json'), 'utf8')) as Record<string, unknown>;
const isFree = async (port: number) => !listening.has(port);

/** The folder of a stack in a checkout of its own. */
function folderOf(checkout: string): string {
  mkdirSync(join(root, checkout));
  return join(root, checkout, '.downspout');
}

/** The ports of a machine on which nothing listens but what a test says, reserved by one start after the other. */
function reservations(): Reservations & { end(): void } {
  const own = new Set<number>();
  const reserve = async (port: number) => {
    if (own.has(port)) return true;
    if (reserved.has(port)) return false;
    own.add(port);
    reserved.add(port);
    return true;
  };
  const end = () => own.forEach((port) => reserved.delete(port));
  return { isFree, reserve, take: async (port) => (await reserve(port)) && (await isFree(port)), end };
}

function stack(variables: Readonly<Record<string, string>> = {}, ha = false, of = folder): ComposeStack {
  return new ComposeStack(
    { folder: of, variables, ha },
    async (command, args) => {
      if (args[0] === 'ps') {
        const project = args[2]?.replace('label=com.docker.compose.project=', '');
        const own = [...listening].filter(([, owner]) => owner === project);
        return own.map(([port]) => `9094/tcp, 127.0.0.1:${port}->9092/tcp\n`).join('');
      }
      calls.push([command, ...args].join(' '));
      environment = readFileSync(join(of, 'compose.env'), 'utf8');
      if (args.includes('up')) for (const port of portsIn(environment)) listening.set(port, projectIn(calls.at(-1)));
      return '';
    },
    async (options) => void joined.push(options),
    reservations,
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

  it('has a Kafka with an id of its own, which all its brokers have, and keeps it', async () => {
    await stack().up(silent);
    const own = idIn();
    expect(own).toMatch(/^[A-Za-f][\w-]{21}$/);
    await stack({}, true).up(silent);
    expect(idIn()).toBe(own);
    await stack().down(false, silent);
    expect(idIn()).toBe(own);
    expect(stackInDocker(folder, {}).variables).toMatchObject({ KAFKA_CLUSTER_ID: own });
    await stack({}, false, folderOf('other')).up(silent);
    expect(idIn()).toMatch(/^[A-Za-f][\w-]{21}$/);
    expect(idIn()).not.toBe(own);
  });

  it('begins with the id that is given, because volumes that are there already hold it, and keeps that', async () => {
    const made = 'ZG93bnNwb3V0LXN0YWNrLQ';
    await stack({ KAFKA_CLUSTER_ID: made }).up(silent);
    expect(state()).toMatchObject({ clusterId: made });
    await stack({ KAFKA_CLUSTER_ID: 'AAAAAAAAAAAAAAAAAAAAAA' }).up(silent);
    expect(environment).toContain(`KAFKA_CLUSTER_ID='${made}'\n`);
    const other = stack({ KAFKA_CLUSTER_ID: "mine'" }, false, folderOf('other'));
    await expect(other.up(silent)).rejects.toThrow(/KAFKA_CLUSTER_ID is mine', which is no id of a Kafka/);
  });

  it('goes on with the id that every Kafka had when it was started before each had its own', async () => {
    await stack().up(silent);
    const { clusterId: _own, ...before } = state();
    writeFileSync(join(folder, 'stack.json'), JSON.stringify(before));
    await stack().up(silent);
    expect(environment).toContain("KAFKA_CLUSTER_ID='ZG93bnNwb3V0LXN0YWNrLQ'\n");
    expect(state()).toMatchObject({ clusterId: 'ZG93bnNwb3V0LXN0YWNrLQ' });
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
    const one = () => new ComposeStack({ folder, variables: {} }, docker, undefined, reservations);
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

  describe('1. Two folders run side by side', () => {
    it('with projects and ports of their own, each of which the stack keeps', async () => {
      const other = folderOf('other');
      const first = await stack().up(silent);
      const second = await stack({}, false, other).up(silent);
      const [one, two] = calls.map(projectIn);
      expect([one, two]).toEqual(Array(2).fill(expect.stringMatching(/^downspout-[0-9a-f]{8}$/)));
      expect(one).not.toBe(two);
      expect(first['KAFKA_BROKERS']).toBe('127.0.0.1:9092');
      expect(second['KAFKA_BROKERS']).toMatch(/^127\.0\.0\.1:[23]\d{4}$/);
      expect(new Set(listening.keys()).size).toBe(2 * portsIn(environment).length);
      expect(await stack().up(silent)).toEqual(first);
      expect(await stack({}, false, other).up(silent)).toEqual(second);
      await stack({}, false, other).down(false, silent);
      expect(calls.map(projectIn)).toEqual([one, two, one, two, two]);
    });

    it('also when both start at one moment', async () => {
      const other = folderOf('other');
      await Promise.all([stack().up(silent), stack({}, false, other).up(silent)]);
      const ports = [folder, other].flatMap((of) => portsIn(readFileSync(join(of, 'compose.env'), 'utf8')));
      expect(ports).toHaveLength(12);
      expect(new Set(ports).size).toBe(12);
    });

    it('and a port that a variable names is not changed for another one', async () => {
      listening.set(4406, 'mysqld');
      await expect(stack({ MYSQL_PORT: '4406' }).up(silent)).rejects.toThrow('MYSQL_PORT: port 4406 is taken');
      expect(reserved.size).toBe(0);
    });

    it('the project depends on where the folder really is', async () => {
      await stack().up(silent);
      const { project } = stackInDocker(folder, {});
      rmSync(folder, { recursive: true });
      symlinkSync(join(root, 'one'), join(root, 'link'));
      await stack({}, false, join(root, 'link', '.downspout')).up(silent);
      expect(stackInDocker(folder, {}).project).toBe(project);
    });
  });

  describe('2. A stack keeps its project for as long as it has data', () => {
    it('also one that was started before each had its own, with its ports', async () => {
      await stack().up(silent);
      const { project: _own, ...before } = state();
      writeFileSync(join(folder, 'stack.json'), JSON.stringify({ ...before, ports: {} }));
      listening = new Map([...listening.keys()].map((port) => [port, 'downspout']));
      expect(stackInDocker(folder, {}).project).toBe('downspout');
      expect(await stack().up(silent)).toMatchObject({ KAFKA_BROKERS: '127.0.0.1:9092' });
      await stack().down(false, silent);
      expect(calls.slice(1).map(projectIn)).toEqual(['downspout', 'downspout']);
      expect(state()).toMatchObject({ project: 'downspout' });
    });

    it('and has the one that COMPOSE_PROJECT_NAME names when it begins, but no other one later', async () => {
      await stack({ COMPOSE_PROJECT_NAME: 'mine' }).up(silent);
      await stack().down(false, silent);
      expect(calls.map(projectIn)).toEqual(['mine', 'mine']);
      const other = { COMPOSE_PROJECT_NAME: 'other' };
      for (const refused of [() => stack(other).up(silent), () => stack(other).down(true, silent)]) {
        await expect(refused()).rejects.toThrow(
          /COMPOSE_PROJECT_NAME is other, .* started as the project mine\. Unset it/,
        );
      }
      expect(calls).toHaveLength(2);
    });

    it('and does not begin with a name that Compose does not take', async () => {
      await expect(stack({ COMPOSE_PROJECT_NAME: 'Mine' }).up(silent)).rejects.toThrow(
        /is Mine, which .* does not take/,
      );
      await stack().up(silent);
      expect(projectIn(calls[0])).toMatch(/^downspout-/);
    });

    it('and begins with one of its own after its data is removed', async () => {
      await stack({ COMPOSE_PROJECT_NAME: 'mine' }).up(silent);
      await stack().down(true, silent);
      await stack().up(silent);
      expect(projectIn(calls.at(-1))).toMatch(/^downspout-/);
    });
  });

  it('tells others its project and ports, and people by compose.env', async () => {
    expect(stackInDocker(folder, { KAFKA_PORT: '4711' })).toEqual({
      project: undefined,
      variables: { KAFKA_PORT: '4711' },
    });
    await stack({ KAFKA_PORT: '4711' }).up(silent);
    const { project, variables } = stackInDocker(folder, {});
    expect(variables).toMatchObject({ KAFKA_PORT: '4711', MYSQL_PORT: '3306' });
    expect(environment).toContain(`COMPOSE_PROJECT_NAME='${project}'\n`);
  });
});
