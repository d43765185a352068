import { openPerSecond, RollLedger } from '../../../../connectors/mysql/operators/roll-figures';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { givenBackReasons } from '../../../../topology/message';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const BOUNDS = { lateMs: 1_000, veryLateMs: 5_000 };
const NOW = 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)';

let world: World;
let admin: Pool;
let pool: Pool;
let ledger: RollLedger;

beforeEach(async () => {
  world = await freshDatabase();
  const open = (name: 'WORKER_DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  [admin, pool] = [open('ADMIN_DATABASE_URL'), open('WORKER_DATABASE_URL')];
  ledger = new RollLedger(pool, BOUNDS);
});
afterEach(async () => {
  await Promise.all([admin.close(), pool.close()]);
  await world.close();
});

/** A message that woke a minute ago. @returns its id */
async function message(account: string, channel = 'webhook'): Promise<number> {
  const { insertId } = await admin.run(
    `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('${account}', '${channel}', '{}', ${NOW} - 60000)`,
  );
  return insertId;
}
const OLD = '00000000000000000000000000000001';
const FRESH = '00000000000000000000000000000002';
let attempts = 0;
const attempt = (id: number, outcome: string, { session = OLD, error = 'NULL', lateMs = 0 } = {}) =>
  admin.run(
    'INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, finished_at, outcome, error, settled) VALUES ' +
      `(${id}, ${++attempts}, x'${session}', ${NOW} - ${lateMs}, x'00', ${NOW}, '${outcome}', ${error}, 'scheduled')`,
  );
const overdue = () => ledger.overdue(['webhook'], 90_000, 30_000);
const pause = (channel: string, account: string, until = 'NULL') =>
  admin.run(
    `INSERT INTO pauses (channel, account, paused_at, until_at) VALUES ('${channel}', '${account}', ${NOW}, ${until})`,
  );

/** What came of attempts, by account: attempts, failed ones, late ones, and those of them that were very late. */
const figures = (these: Record<string, [attempts: number, failed: number, late: number, veryLate?: number]>) =>
  new Map(
    Object.entries(these).map(([account, [count, failed, late, veryLate = 0]]) => [
      `webhook/${account}`,
      { attempts: count, failed, late, veryLate },
    ]),
  );

test('what is paused now is not overdue: an account, a channel, everything', async () => {
  for (const account of ['acme', 'acme', 'shop']) await message(account);
  expect(await overdue()).toEqual(new Map([['webhook', { messages: 3, ofWorst: 2 }]]));
  await pause('webhook', 'shop', `${NOW} - 1`);
  expect(await overdue()).toEqual(new Map([['webhook', { messages: 3, ofWorst: 2 }]]));
  await pause('webhook', 'acme');
  expect(await overdue()).toEqual(new Map([['webhook', { messages: 1, ofWorst: 1 }]]));
  await pause('webhook', '');
  expect(await overdue()).toEqual(new Map());
  await admin.run('DELETE FROM pauses');
  await pause('', '');
  expect(await overdue()).toEqual(new Map());
  expect(ledger.paused).toEqual(new Set(['webhook/acme', 'webhook/', '/']));
});

test('what is overdue is counted by channel, also where two of them have the same account', async () => {
  for (const account of ['acme', 'acme', 'shop']) await message(account);
  await message('acme', 'slack');
  expect(await ledger.overdue(['webhook', 'slack', 'discord'], 90_000, 30_000)).toEqual(
    new Map([
      ['webhook', { messages: 3, ofWorst: 2 }],
      ['slack', { messages: 1, ofWorst: 1 }],
    ]),
  );
});

test('an account that failed only before the roll says nothing of a release, and one that also succeeded does', async () => {
  const [dead, flaky, well] = [await message('dead'), await message('flaky'), await message('well')];
  for (const id of [dead, dead, flaky]) await attempt(id, 'retry');
  for (const id of [flaky, well]) await attempt(id, 'delivered');
  expect(await ledger.begin(1)).toEqual(figures({ flaky: [2, 1, 0], well: [1, 0, 0] }));
  for (const id of [dead, dead, flaky, well]) await attempt(id, 'retry');
  expect((await ledger.since(1)).others).toEqual(figures({ flaky: [1, 1, 0], well: [1, 1, 0] }));
});

test('an attempt is late after a second, and very late after five', async () => {
  const well = await message('well');
  for (const lateMs of [0, 900, 2_000, 4_500, 6_000]) await attempt(well, 'delivered', { lateMs });
  expect(await ledger.begin(1)).toEqual(figures({ well: [5, 0, 3, 1] }));
});

test('what a release postpones for a fault of its own counts as failed', async () => {
  const well = await message('well');
  await attempt(well, 'delivered');
  await ledger.begin(1);
  await attempt(well, 'postponed');
  expect((await ledger.since(1)).others).toEqual(figures({ well: [1, 1, 0] }));
});

test('open messages are counted by the second in which they wake', async () => {
  for (const seconds of [-60, -5, -5, 3, 3, 3, 60]) {
    await admin.run(
      "INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'webhook', '{}', " +
        `(${NOW} DIV 1000 + ${seconds}) * 1000)`,
    );
  }
  expect((await openPerSecond(pool, ['webhook'], 30_000))?.toSorted()).toEqual([2, 3]);
  expect(await openPerSecond(pool, ['other'], 30_000)).toEqual([]);
  expect(await openPerSecond(pool, [], 30_000)).toEqual([]);
});

test('where no account failed only, all attempts are counted', async () => {
  const well = await message('well');
  await attempt(well, 'delivered');
  expect(await ledger.begin(1)).toEqual(figures({ well: [1, 0, 0] }));
  await attempt(well, 'retry');
  expect((await ledger.since(1)).others).toEqual(figures({ well: [1, 1, 0] }));
});

const freshWorker = () =>
  admin.run(
    'INSERT INTO workers (session, components, host, pid, version, release_number, started_at, lease_until) VALUES ' +
      `(x'${FRESH}', '["webhook"]', 'host-1', 1, '1', 2, ${NOW}, ${NOW})`,
  );

test('where a roll is continued, what its own workers did meanwhile is not what was before it', async () => {
  await freshWorker();
  const [ofFresh, ofOld] = [await message('fresh'), await message('old')];
  for (const _ of [1, 2, 3]) await attempt(ofFresh, 'retry', { session: FRESH });
  await attempt(ofOld, 'delivered');
  expect(await ledger.begin(2)).toEqual(figures({ old: [1, 0, 0] }));
  // Neither is its account left out because it failed only.
  await attempt(ofFresh, 'retry', { session: FRESH });
  expect((await ledger.since(2)).fresh).toEqual(figures({ fresh: [1, 1, 0] }));
});

test('what was given back is no attempt, and what failed before its request is one', async () => {
  const id = await message('acme');
  await ledger.begin(1);
  for (const reason of givenBackReasons) await attempt(id, 'retry', { error: `'${reason}'` });
  expect((await ledger.since(1)).others).toEqual(new Map());
  await attempt(id, 'retry', { error: "'a bug'" });
  expect((await ledger.since(1)).others).toEqual(figures({ acme: [1, 1, 0] }));
});

test('what was too late to be tried is no attempt of a release', async () => {
  const id = await message('acme');
  await ledger.begin(1);
  await attempt(id, 'late', { error: "'late: not sent'" });
  expect((await ledger.since(1)).others).toEqual(new Map());
});

test('what is resumed during a roll is not overdue because of it', async () => {
  await message('acme');
  await pause('webhook', 'acme');
  expect(await overdue()).toEqual(new Map());
  await admin.run('DELETE FROM pauses');
  expect(await overdue()).toEqual(new Map());
  await message('shop');
  expect(await overdue()).toEqual(new Map([['webhook', { messages: 1, ofWorst: 1 }]]));
});

test.each([
  ['failed', { old: [1, 0, 0] as const }],
  ['rolled_back', { old: [1, 0, 0] as const }],
  ['superseded', { old: [2, 1, 0] as const, well: [1, 0, 0] as const }],
])('what was before a roll is not what a release did that %s', async (outcome, before) => {
  await freshWorker();
  await admin.run(
    'INSERT INTO releases (number, specification, package_version, target, reason, who, host, created_at, outcome) VALUES ' +
      `(2, '{}', '1', 'local', 'deploy', 'ann', 'host-1', ${NOW}, '${outcome}')`,
  );
  const [old, well] = [await message('old'), await message('well')];
  await attempt(old, 'delivered');
  await attempt(old, 'retry', { session: FRESH });
  await attempt(well, 'delivered', { session: FRESH });
  expect(await ledger.begin(3)).toEqual(figures(before as never));
});
