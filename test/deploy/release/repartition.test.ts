import type { ResultSetHeader } from 'mysql2/promise';
import type { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { COUNT_MAX_AGE_MS } from '../../../connectors/kafka/kafka-streams';
import { AssignerProtocol } from '../../../connectors/kafka/kafkajs';
import type { DeployLock } from '../../../connectors/mysql/operators/deploy-lock';
import type { Pool } from '../../../connectors/mysql/sql/pool';
import type { Sql } from '../../../connectors/mysql/sql/sql';
import { untilDrained } from '../../../deploy/release/drain';
import { Repartition } from '../../../deploy/release/repartition';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { readEnvironment } from '../../../topology/settings/environment';
import { parseSpecification } from '../../../topology/settings/topology-settings';
import { ManualClock } from '../../support/manual-clock';

const TOPIC = 'due.webhook';
const settings = parseSpecification({ components: { due: {}, webhook: { timeout: '5s' } } }, 'test');
const growth = { component: 'webhook', stream: TOPIC, from: 4, to: 8 };

/** The group of the bolt and its topic. A worker owns every partition, unless the group rebalances. */
class Group {
  partitions = 4;
  workers = 1;
  isRebalancing = false;
  takesNew = true;
  /** Tuples that wait in each partition. */
  waiting = 0;
  refusal: string | null = null;
  /** How often Kafka says of new partitions that they have no leader. */
  leaderless = 0;
  readonly log: string[] = [];

  get admin(): KafkaAdmin {
    const numbers = () => Array.from({ length: this.partitions }, (_, partition) => partition);
    const owned = () => (this.isRebalancing ? [] : numbers().filter((one) => this.takesNew || one < 4));
    const assignment = () =>
      AssignerProtocol.MemberAssignment.encode({
        version: 0,
        assignment: { [TOPIC]: owned() },
        userData: Buffer.alloc(0),
      });
    const fake: Partial<KafkaAdmin> = {
      members: async () =>
        Array.from({ length: this.workers }, () => ({
          member: 'm',
          clientId: 'h/1',
          host: 'h',
          assignment: assignment(),
          metadata: Buffer.alloc(0),
        })),
      committed: async () => new Map(numbers().map((partition) => [partition, 5])),
      logs: async () => {
        if (this.partitions > 4 && this.leaderless-- > 0) throw new Unavailable('not the leader');
        return numbers().map((partition) => ({ partition, low: 0, high: 5 + this.waiting }));
      },
      enlarge: async (_, count, options) => {
        this.log.push(options?.validateOnly === true ? 'asked' : 'added');
        if (this.refusal === null && options?.validateOnly !== true) this.partitions = count;
        return this.refusal;
      },
    };
    return fake as KafkaAdmin;
  }
}

let clock: ManualClock;
let group: Group;
let interrupt: AbortController;
let isLost: boolean;

beforeEach(() => {
  clock = new ManualClock();
  group = new Group();
  interrupt = new AbortController();
  isLost = false;
  emitting = 0;
  silent = 0;
  before = [];
  isLapsed = false;
  living = 0;
});

/** Spouts that may still append to the channel's stream. */
let emitting: number;
/** Workers that do not report by which pauses they go. */
let before: [host: string, pid: number, version: string][];
/** Spouts that may be dead. */
let silent: number;
/** The pause has ended by itself. */
let isLapsed: boolean;
/** Workers of the channel that live, or were cut off from the database lately. */
let living: number;
const answers = (statement: string) => {
  if (statement.startsWith('SELECT host')) return before;
  if (statement.includes('pausesReadAt')) return [[emitting]];
  if (statement.includes('COUNT(*) FROM workers')) return [[silent]];
  return statement.includes('FROM workers') && living > 0 ? [[1]] : [];
};
const nothing: Sql = {
  rows: async <R>(statement: string) => answers(statement) as R[],
  run: async () => ({ affectedRows: 1 }) as ResultSetHeader,
};
const pool = { use: async <T>(work: (sql: Sql) => Promise<T>) => work(nothing) } as unknown as Pool;
const lock: Pick<DeployLock, 'transaction' | 'check'> = {
  check: async () => {
    if (isLost) throw new UserError('lost the right to deploy');
  },
  transaction: async (work) => {
    await lock.check();
    const run = async (statement: string) => {
      group.log.push(statement.startsWith('DELETE') ? 'resumed' : 'paused');
      if (isLapsed && statement.startsWith('UPDATE')) return { affectedRows: 0 } as ResultSetHeader;
      return nothing.run(statement);
    };
    return work({ ...nothing, run });
  },
};
const common = () => ({ environment: readEnvironment({}, {}), clock, pool, signal: interrupt.signal });

/** Lets time pass until it is over, for three minutes at most. */
async function over(work: Promise<unknown>): Promise<'done' | 'still at it' | Error> {
  const results: ('done' | Error)[] = [];
  void work.then(
    () => results.push('done'),
    (error: Error) => results.push(error),
  );
  for (let seconds = 0; results.length === 0 && seconds < 180; seconds++) await clock.advance(1_000);
  return results[0] ?? 'still at it';
}

const kafka = <T>(work: (admin: KafkaAdmin) => Promise<T>) => work(group.admin);

function grow(): Promise<'done' | 'still at it' | Error> {
  return over(new Repartition({ ...common(), settings, kafka, lock, report: () => undefined }).growDue(growth));
}
const steps = () => group.log.filter((one, index) => one !== group.log[index - 1]);

test('partitions are added while the channel is paused, and all of them have a worker before it resumes', async () => {
  expect(await grow()).toBe('done');
  expect(steps()).toEqual(['asked', 'paused', 'added', 'resumed']);
});

test('nothing is paused in vain: what Kafka refuses is thrown before', async () => {
  group.refusal = 'this user may not do it';
  expect(await grow()).toMatchObject({
    message: expect.stringContaining('Kafka does not give due.webhook 8 partitions: this user may not do it'),
  });
  expect(steps()).toEqual(['asked']);
});

test("no account's messages overtake each other: while a group rebalances, what waits is not drained", async () => {
  group.isRebalancing = true;
  group.waiting = 100;
  clock.after(8_000, () => {
    group.isRebalancing = false;
  });
  clock.after(12_000, () => {
    group.waiting = 0;
  });
  const drained = untilDrained({ ...common(), admin: group.admin, channel: 'webhook', timeoutMs: 5_000 });
  expect(await over(drained)).toBe('done');
  expect(clock.monotonic()).toBeGreaterThanOrEqual(12_000);
});

test("no account's messages overtake each other: what a spout is still appending is waited for before partitions are added", async () => {
  emitting = 1;
  clock.after(40_000, () => {
    group.log.push('appended');
    emitting = 0;
  });
  expect(await grow()).toBe('done');
  expect(steps().filter((one) => one !== 'paused')).toEqual(['asked', 'appended', 'added', 'resumed']);
});

/** Log lines with the second at which they came. */
function timedLog(): string[] {
  const lines: string[] = [];
  const { push } = group.log;
  group.log.push = (...these) => {
    for (const one of these) if (!lines.at(-1)?.endsWith(one)) lines.push(`${clock.monotonic() / 1_000} ${one}`);
    return push.apply(group.log, these);
  };
  return lines;
}

test('no pause waits for a spout that may be dead: one that was killed just before is waited for without a pause', async () => {
  [silent, emitting] = [1, 1];
  clock.after(68_000, () => {
    [silent, emitting] = [0, 0];
  });
  const log = timedLog();
  expect(await grow()).toBe('done');
  expect(log[0]).toBe('0 asked');
  expect(log[1]).toMatch(/^68.* paused$/);
  expect(log.at(-1)).toMatch(/^7[0-9.]+ resumed$/);
});

test('no pause waits for a spout that may be dead: one that is killed in it ends the pause, which begins again later', async () => {
  // Its lease lasts 10 s, and it may come back for a minute after it.
  clock.after(500, () => {
    [silent, emitting] = [1, 1];
  });
  clock.after(70_500, () => {
    [silent, emitting] = [0, 0];
  });
  const log = timedLog();
  const reports: string[] = [];
  const report = (text: string) => reports.push(text);
  expect(await over(new Repartition({ ...common(), settings, kafka, lock, report }).growDue(growth))).toBe('done');
  const [first, again] = [
    log.findIndex((one) => one.endsWith('resumed')),
    log.findLastIndex((one) => one.endsWith('paused')),
  ];
  expect(Number.parseFloat(log[first] ?? '')).toBeLessThan(12);
  expect(log.findIndex((one) => one.endsWith('added'))).toBeGreaterThan(first);
  expect(log.slice(first + 1).find((one) => one.endsWith('paused'))).toMatch(/^70/);
  expect(again).toBeGreaterThan(first);
  expect(reports[1]).toBe('A worker of due has been silent for 10 s. Sends go on until it is back or dead.');
});

test('spouts that are lost one after another keep partitions from being added, and nothing from being sent', async () => {
  silent = 1;
  expect(await grow()).toMatchObject({
    message: expect.stringMatching(/^A worker of due has been silent, or .* 90 s/),
  });
  expect(steps()).toEqual(['asked']);
});

test('spouts that are lost in a pause and never come back keep partitions from being added, and what is said is true of the pause that was', async () => {
  clock.after(500, () => {
    [silent, emitting] = [1, 1];
  });
  expect(await grow()).toMatchObject({
    message:
      'A worker of due has been silent, or several were one after another, for 90 s, so no partitions were added, and nothing is paused. `downspout status` shows them.',
  });
  expect(steps()).toEqual(['asked', 'paused', 'resumed']);
});

test('no partitions are added while workers of a version run that does not know such a pause, and nothing is paused', async () => {
  before = [['host-1', 4_711, '0.9.0']];
  const refusal =
    'Workers of Downspout 0.9.0 run, such as process 4711 on host-1, which would reorder messages while due.webhook gets more partitions. ' +
    'Deploy first with as many partitions as there are, and add partitions with the deploy after it.';
  expect(await grow()).toMatchObject({ name: 'UserError', message: refusal });
  const changes = { component: 'due', stream: 'schedule-changes', from: 4, to: 8 };
  const called: string[] = [];
  const call = (name: string) => async () => void called.push(name);
  const repartition = new Repartition({ ...common(), settings, kafka, lock, report: () => undefined });
  expect(await over(repartition.growChanges(changes, call('register'), call('restart')))).toMatchObject({
    message: refusal.replace('due.webhook', 'schedule-changes'),
  });
  expect([...steps(), ...called]).toEqual([]);
});

test('a worker that has just started reports soon by which pauses it goes, and is waited for', async () => {
  before = [['host-1', 4_711, '1.0.0']];
  clock.after(3_000, () => {
    before = [];
  });
  expect(await grow()).toBe('done');
});

test('a spout that never says that it emits nothing keeps partitions from being added', async () => {
  emitting = 1;
  expect(await grow()).toMatchObject({
    message: expect.stringMatching(/^Not every worker of due has said within 90 s that it emits nothing to webhook/),
  });
  expect(group.log).not.toContain('added');
});

test('a pause that has ended by itself while the database was away keeps partitions from being added', async () => {
  group.waiting = 1;
  clock.after(4_000, () => {
    isLapsed = true;
    group.waiting = 0;
  });
  expect(await grow()).toMatchObject({ message: expect.stringContaining('The pause of webhook has ended by itself') });
  expect(group.log).not.toContain('added');
});

test('once partitions were added, the pause outlasts what spouts know of their number, also when the command is interrupted', async () => {
  group.takesNew = false;
  const growing = grow();
  let addedMs = 0;
  let resumedMs = 0;
  const { push } = group.log;
  group.log.push = (...lines) => {
    if (lines.includes('added')) {
      addedMs = clock.monotonic();
      interrupt.abort(new UserError('interrupted'));
    }
    if (lines.includes('resumed')) resumedMs = clock.monotonic();
    return push.apply(group.log, lines);
  };
  expect(await growing).toMatchObject({ message: 'interrupted' });
  expect(resumedMs - addedMs).toBeGreaterThanOrEqual(COUNT_MAX_AGE_MS);
});

test('what waits where no worker runs is not waited for, once nobody has come for a while', async () => {
  group.workers = 0;
  group.waiting = 100;
  expect(await over(untilDrained({ ...common(), admin: group.admin, channel: 'webhook', timeoutMs: 5_000 }))).toBe(
    'done',
  );
  expect(clock.monotonic()).toBeGreaterThanOrEqual(10_000);
});

/** For how long all sends pause when the stream of changes grows, milliseconds. */
async function changesPause(components: object): Promise<number> {
  const all = parseSpecification({ components }, 'test');
  const repartition = new Repartition({ ...common(), settings: all, kafka, lock, report: () => undefined });
  let tookMs = Number.NaN;
  const changes = { component: 'due', stream: 'schedule-changes', from: 4, to: 8 };
  const growing = repartition
    .growChanges(
      changes,
      async () => undefined,
      async () => undefined,
    )
    .then((took) => {
      tookMs = took;
    });
  expect(await over(growing)).toBe('done');
  return tookMs;
}

test('the pause for the stream of changes is as long for all channels as for one: spouts are waited for once', async () => {
  const ofOne = await changesPause({ due: {}, webhook: {} });
  expect(ofOne).toBeGreaterThan(0);
  expect(await changesPause({ due: {}, webhook: {}, mastodon: {}, bluesky: {}, telegram: {}, slack: {} })).toBe(ofOne);
});

test('what is said not to have changed is the stream that was to grow, because others of the deploy may have grown before it', async () => {
  group.waiting = 100;
  const repartition = new Repartition({ ...common(), settings, kafka, lock, report: () => undefined });
  const changes = { component: 'due', stream: 'schedule-changes', from: 4, to: 8 };
  const growing = repartition.growChanges(
    changes,
    async () => undefined,
    async () => undefined,
  );
  expect(await over(growing)).toMatchObject({
    message: expect.stringMatching(
      /^webhook was not drained within 90 s\..* schedule-changes has the partitions that it had/,
    ),
  });
});

test("no account's messages overtake each other: workers that are cut off from the database come back to what waits", async () => {
  group.workers = 0;
  living = 1;
  group.waiting = 100;
  expect(await grow()).toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(
      /^webhook was not drained within 90 s\..* due\.webhook has the partitions that it had, sends go on, and so does the release that runs\. Deploy again/,
    ),
  });
  expect(group.log).not.toContain('added');
  expect(group.log.at(-1)).toBe('resumed');
});

test('a request ends within the time-out with which its worker was started, which may be longer than that of the release that comes', async () => {
  const running = [parseSpecification({ components: { due: {}, webhook: { timeout: '150s' } } }, 'test')];
  group.waiting = 1;
  clock.after(120_000, () => {
    group.waiting = 0;
  });
  const options = { ...common(), settings, running, kafka, lock, report: () => undefined };
  expect(await over(new Repartition(options).growDue(growth))).toBe('done');
  expect(clock.monotonic()).toBeGreaterThanOrEqual(120_000);
});

test("no account's messages overtake each other: where nobody can see whether anything is being sent, what made ready when its channel was paused is waited for too", async () => {
  const outOfTime = Object.assign(new Error('too slow'), { errno: 3_024, sqlState: 'HY000' });
  const rows = async <R>(statement: string) => {
    if (statement.includes('open_by_wake')) throw outOfTime;
    return answers(statement) as R[];
  };
  const slow = { clock, use: async <T>(work: (sql: Sql) => Promise<T>) => work({ ...nothing, rows }) };
  const options = { ...common(), pool: slow as unknown as Pool, admin: group.admin };
  expect(await over(untilDrained({ ...options, channel: 'webhook', timeoutMs: 5_000 }))).toBe('done');
  // It begins its request after 10 s at the latest, which takes 5 s.
  expect(clock.monotonic()).toBeGreaterThan(15_000);
});

test('what waits where the only worker was killed is not waited for, once it cannot come back any more', async () => {
  group.workers = 0;
  living = 1;
  group.waiting = 100;
  // A lease lasts 10 s, and a worker may come back for a minute after it.
  clock.after(70_000, () => {
    living = 0;
  });
  expect(await grow()).toBe('done');
  expect(group.log).toContain('added');
});

test('new partitions that no worker takes are said, and the channel resumes', async () => {
  group.takesNew = false;
  expect(await grow()).toMatchObject({ message: expect.stringContaining('not all of them have a worker') });
  expect(group.log.at(-1)).toBe('resumed');
});

test('new partitions have no leader for a moment, which is waited for, and not for ever', async () => {
  group.leaderless = 5;
  expect(await grow()).toBe('done');
  expect(steps()).toEqual(['asked', 'paused', 'added', 'resumed']);
  Object.assign(group, { partitions: 4, leaderless: 1_000 });
  expect(await grow()).toMatchObject({ name: 'Unavailable', message: 'not the leader' });
  expect(group.log.at(-1)).toBe('resumed');
});

test('a command that has lost the right to deploy adds nothing', async () => {
  group.waiting = 1;
  clock.after(4_000, () => {
    isLost = true;
    group.waiting = 0;
  });
  expect(await grow()).toMatchObject({ message: 'lost the right to deploy' });
  expect(group.log).not.toContain('added');
});
