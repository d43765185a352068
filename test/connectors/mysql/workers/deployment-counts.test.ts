import { createClient } from '../../../../connectors/mysql/client/client';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { deploymentCounts } from '../../../../connectors/mysql/workers/deployment-counts';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const NOW = 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)';

let world: World;
let worker: Pool;
let admin: Pool;

beforeEach(async () => {
  world = await freshDatabase();
  const open = (name: 'WORKER_DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  worker = open('WORKER_DATABASE_URL');
  admin = open('ADMIN_DATABASE_URL');
});
afterEach(async () => {
  await Promise.all([worker.close(), admin.close()]);
  await world.close();
});

const counts = () => deploymentCounts(worker, ['webhook', 'other']);
const suspended = async () => (await deploymentCounts(worker, ['mastodon'])).channels.get('mastodon')?.suspended;
const overdue = async () => (await counts()).channels.get('webhook')?.overdueMs;

const none = {
  overdueMs: 0,
  uncertain: 0,
  suspended: 0,
  unusable: 0,
  lateWaiting: 0,
  limited: 0,
  refreshesFailing: 0,
  credentialsEndMs: undefined,
};

test('an empty deployment has nothing of anything', async () => {
  expect(await counts()).toEqual({
    workersAlive: 0,
    workersLost: 0,
    crashLooping: 0,
    placed: 0,
    databaseMembers: undefined,
    channels: new Map([
      ['webhook', none],
      ['other', none],
    ]),
  });
});

test('workers that live, that were lost lately, and that left are told apart', async () => {
  const session = (name: string, dead: number, lease: string, left: string) =>
    `('${name.padEnd(16)}', '["due"]', 'host', 1, '1', 0, ${NOW} + ${lease}, ${dead}, ${left})`;
  await admin.run(
    'INSERT INTO workers (session, components, host, pid, version, started_at, lease_until, dead, left_at) VALUES ' +
      [
        session('alive', 0, '9000', 'NULL'),
        session('late', 0, '-1000', 'NULL'),
        session('died', 1, '-300000', 'NULL'),
        session('died long ago', 1, '-700000', 'NULL'),
        session('left', 1, '-1000', NOW),
      ].join(', '),
  );
  await admin.run(
    `INSERT INTO placements (component, replica, release_number, observed) VALUES
     ('due', 1, 1, '{"state": "crash_looping"}'), ('due', 2, 1, '{"state": "ready"}'), ('due', 3, 1, NULL)`,
  );
  expect(await counts()).toMatchObject({ workersAlive: 1, workersLost: 2, crashLooping: 1, placed: 3 });
});

test('the oldest row that waits counts, also one that is being sent; paused ones do not', async () => {
  const client = createClient(required(world.environment, 'DATABASE_URL'));
  const now = await worker.rows<[number]>(`SELECT ${NOW}`).then(([row]) => row?.[0] as number);
  const schedule = (account: string, ageMs: number) =>
    client.schedule({ account, channel: 'webhook', dueAt: now - ageMs, payload: { url: 'https://example.com' } });
  await schedule('a', 60_000);
  const { id } = await schedule('b', 120_000);
  await schedule('c', -60_000);
  await client.close();
  await admin.run(`UPDATE scheduled_messages SET state='sending' WHERE id=${id}`);
  expect(await overdue()).toBeGreaterThanOrEqual(120_000);
  await admin.run(`INSERT INTO pauses (channel, account, paused_at) VALUES ('webhook', 'b', 0)`);
  expect(await overdue()).toBeLessThan(120_000);
  expect(await overdue()).toBeGreaterThanOrEqual(60_000);
  await admin.run(`UPDATE pauses SET until_at=${NOW} - 1`);
  expect(await overdue()).toBeGreaterThanOrEqual(120_000);
  await admin.run(`INSERT INTO pauses (channel, account, paused_at) VALUES ('', '', 0)`);
  expect(await overdue()).toBe(0);
});

test('thousands of paused accounts are left out, by a statement that does not grow with them', async () => {
  const insert = 'INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ';
  const accounts = Array.from({ length: 3_000 }, (_, index) => `customer-${index}`);
  await admin.run(
    insert +
      [
        ...accounts.map((name) => `('${name}', 'webhook', '{}', ${NOW} - 600000)`),
        `('other', 'webhook', '{}', ${NOW} - 60000)`,
      ].join(', '),
  );
  const pauses = accounts.map((name, index) => `('${index % 2 === 0 ? 'webhook' : ''}', '${name}', 0)`);
  await admin.run(`INSERT INTO pauses (channel, account, paused_at) VALUES ${pauses.join(', ')}`);
  const asked = jest.spyOn(worker, 'use');
  const lengths: number[] = [];
  asked.mockImplementation(
    (work) =>
      Pool.prototype.use.call(worker, (sql) =>
        work({
          ...sql,
          rows: (statement: string) => {
            lengths.push(statement.length);
            return sql.rows(statement);
          },
        } as typeof sql),
      ) as never,
  );
  const overdueMs = await overdue();
  expect(overdueMs).toBeGreaterThanOrEqual(60_000);
  expect(overdueMs).toBeLessThan(600_000);
  expect(Math.max(...lengths)).toBeLessThan(200_000);
});

test('uncertain rows are counted by channel, and no more than matters', async () => {
  const rows = Array.from({ length: 300 }, () => `('a', 'webhook', '{}', 1800000000000, 'uncertain')`);
  const insert = 'INSERT INTO scheduled_messages (account, channel, payload, due_at, state) VALUES ';
  await admin.run(insert + rows.join(', '));
  expect((await counts()).channels.get('webhook')?.uncertain).toBe(300);
  expect((await counts()).channels.get('other')?.uncertain).toBe(0);
  await admin.run(
    'INSERT INTO scheduled_messages (account, channel, payload, due_at, state) ' +
      'SELECT m.account, m.channel, m.payload, m.due_at, m.state FROM scheduled_messages m CROSS JOIN (SELECT id FROM scheduled_messages LIMIT 40) n',
  );
  expect((await counts()).channels.get('webhook')?.uncertain).toBe(10_000);
}, 60_000);

test('suspended rows are counted by channel while their account is unusable, and not when a person keeps them', async () => {
  const insert = 'INSERT INTO scheduled_messages (account, channel, payload, due_at, state) VALUES ';
  await admin.run(
    `${insert}('b', 'mastodon', '{}', 1800000000000, 'suspended'), ('b', 'mastodon', '{}', 1800000000000, 'failed')`,
  );
  await admin.run("INSERT INTO account_states (account, channel, state) VALUES ('b', 'mastodon', 'unusable')");
  expect(await suspended()).toBe(1);
  await admin.run(
    "INSERT INTO scheduled_messages (account, channel, payload, due_at, state) VALUES ('b', 'mastodon', '{}', 1800000000000, 'late')",
  );
  // It waits for a person, not for the account.
  expect(await suspended()).toBe(1);
  for (const state of ['usable', 'disabled']) {
    await admin.run(`UPDATE account_states SET state='${state}'`);
    expect(await suspended()).toBe(0);
  }
});

test('late rows that wait for a person are counted by channel, and no more than matters; skipped ones wait for nobody', async () => {
  const insert = 'INSERT INTO scheduled_messages (account, channel, payload, due_at, state, late) VALUES ';
  const rows = Array.from({ length: 300 }, (_, n) => `('a${n}', 'webhook', '{}', 1800000000000, 'late', 0)`);
  await admin.run(insert + rows.join(', '));
  await admin.run(
    `${insert}('a', 'webhook', '{}', 1800000000000, 'failed', 1), ('a', 'webhook', '{}', 1800000000000, 'suspended', 0)`,
  );
  expect((await counts()).channels.get('webhook')).toMatchObject({ lateWaiting: 300, suspended: 0 });
  expect((await counts()).channels.get('other')?.lateWaiting).toBe(0);
  await admin.run(
    'INSERT INTO scheduled_messages (account, channel, payload, due_at, state, late) ' +
      "SELECT m.account, m.channel, m.payload, m.due_at, m.state, m.late FROM scheduled_messages m CROSS JOIN (SELECT id FROM scheduled_messages LIMIT 40) n WHERE m.state='late'",
  );
  expect((await counts()).channels.get('webhook')?.lateWaiting).toBe(10_000);
}, 60_000);

const unusable = async () => (await counts()).channels.get('webhook')?.unusable;

/** To the minute. */
async function figures(): Promise<(number | undefined)[]> {
  const { refreshesFailing, credentialsEndMs } = (await counts()).channels.get('webhook') ?? {};
  return [refreshesFailing, credentialsEndMs === undefined ? undefined : Math.round(credentialsEndMs / 60_000)];
}

test('credentials that are refreshed in time do not count, those that fail or that nothing refreshes do', async () => {
  const add = (account: string, endsInMinutes: number, refreshAt: string, more: string) =>
    admin.run(
      'INSERT INTO account_refreshes (account, channel, expires_at, refresh_at, failures, refused) VALUES ' +
        `('${account}', 'webhook', ${NOW} + ${endsInMinutes * 60_000}, ${refreshAt}, ${more})`,
    );
  await add('fine', 5, NOW, '0, 0');
  expect(await figures()).toEqual([0, undefined]);
  await add('nothing refreshes it', 90, 'NULL', '0, 0');
  expect(await figures()).toEqual([0, 90]);
  await add('fails', 30, NOW, '3, 0');
  expect(await figures()).toEqual([1, 30]);
  // Its account is unusable by now, which is said elsewhere.
  await add('over', -10, 'NULL', '0, 1');
  expect(await figures()).toEqual([1, 30]);
  await add('ended', -10, 'NULL', '0, 0');
  expect(await figures()).toEqual([1, -10]);
});

test('accounts that are disabled or unusable are not counted among those whose refresh fails, and the unusable ones are by themselves', async () => {
  await admin.run(
    'INSERT INTO account_refreshes (account, channel, expires_at, refresh_at, failures) VALUES ' +
      `('gone', 'webhook', ${NOW} - 600000, ${NOW}, 3), ('next', 'webhook', ${NOW} + 600000, ${NOW}, 1)`,
  );
  expect(await figures()).toEqual([2, -10]);
  await admin.run("INSERT INTO account_states (account, channel, state) VALUES ('gone', 'webhook', 'disabled')");
  expect(await figures()).toEqual([1, 10]);
  expect(await unusable()).toBe(0);
  await admin.run("UPDATE account_states SET state='unusable' WHERE account='gone'");
  expect(await figures()).toEqual([1, 10]);
  expect(await unusable()).toBe(1);
  await admin.run("UPDATE account_states SET state='resuming' WHERE account='gone'");
  expect(await figures()).toEqual([2, -10]);
});

test('a worker without the right to see the group says nothing of it', async () => {
  const { username } = new URL(required(world.environment, 'WORKER_DATABASE_URL'));
  const right = 'SELECT ON performance_schema.replication_group_members';
  await admin.run(`REVOKE ${right} FROM '${username}'@'%'`);
  try {
    expect((await counts()).databaseMembers).toBeUndefined();
  } finally {
    await admin.run(`GRANT ${right} TO '${username}'@'%'`);
  }
});
