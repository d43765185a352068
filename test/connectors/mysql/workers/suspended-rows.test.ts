import { AccountStates } from '../../../../connectors/mysql/secrets/account-states';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { MySqlSuspendedRows } from '../../../../connectors/mysql/workers/suspended-rows';
import type { Resumed } from '../../../../spouts/suspended-rows';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const at = { account: 'shop', channel: 'mastodon' };

let world: World;
let worker: Pool;
let admin: Pool;
let rows: MySqlSuspendedRows;

beforeEach(async () => {
  world = await freshDatabase();
  const open = (name: 'WORKER_DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  [worker, admin] = [open('WORKER_DATABASE_URL'), open('ADMIN_DATABASE_URL')];
  rows = new MySqlSuspendedRows(worker);
});
afterEach(async () => {
  await Promise.all([worker.close(), admin.close()]);
  await world.close();
});

/** Rows that are due at these times, in this order. @returns the id of the first one of the last thousand */
async function suspend(dueAt: readonly number[], payload = "'{}'"): Promise<number> {
  let id = 0;
  for (let from = 0; from < dueAt.length; from += 1_000) {
    const values = dueAt
      .slice(from, from + 1_000)
      .map((due) => `('shop', 'mastodon', ${payload}, ${due}, 'suspended')`)
      .join(',');
    const insert = `INSERT INTO scheduled_messages (account, channel, payload, due_at, state) VALUES ${values}`;
    id = (await admin.run(insert)).insertId;
  }
  return id;
}

const times = (count: number, from: number) => Array.from({ length: count }, (_, n) => from + n);
const say = (state: string, keptAt = 'NULL') =>
  admin.run(
    `REPLACE INTO account_states (account, channel, state, since, kept_at) VALUES ('shop', 'mastodon', '${state}', 1, ${keptAt})`,
  );
const stateOf = () => new AccountStates(admin).of(at.account, at.channel);
const counts = async () =>
  new Map(await admin.rows<[string, number]>('SELECT state, COUNT(*) FROM scheduled_messages GROUP BY state'));

/** Until an account has no more rows to look at. */
async function pass(): Promise<Resumed[]> {
  const answers: Resumed[] = [];
  do answers.push(await rows.resume(undefined));
  while (answers.at(-1)?.hasMore === true);
  return answers;
}

test('A call passes over a bounded number of rows, so that each makes progress, however many a person has kept back', async () => {
  await suspend(times(4_500, 1_700_000_000_000));
  await say('resuming', 'NOW(6)');
  await suspend(times(100, 1_700_000_100_000));
  const [first, second, ...others] = await pass();
  expect([first, second]).toEqual([
    { rows: 0, hasMore: true, at },
    { rows: 0, hasMore: true, at },
  ]);
  expect(others.reduce((sum, answer) => sum + answer.rows, 0)).toBe(100);
  expect(await counts()).toEqual(
    new Map([
      ['suspended', 4_500],
      ['scheduled', 100],
    ]),
  );
  expect(await stateOf()).toBe('resuming');
  // None waits any more, which only another pass can tell.
  expect((await pass()).map((answer) => answer.rows)).toEqual([0, 0, 0]);
  expect(await stateOf()).toBe('usable');
  expect((await counts()).get('suspended')).toBe(4_500);
}, 60_000);

test('An account is passed over until no row of it waits: one that somebody holds among those that are kept back follows', async () => {
  await suspend(times(10, 1_700_000_000_000));
  await say('resuming', 'NOW(6)');
  const held = await suspend([1_700_000_000_005]);
  await suspend([1_700_000_000_020]);
  await admin.transaction(async (sql) => {
    await sql.rows(`SELECT 1 FROM scheduled_messages WHERE id=${held} FOR UPDATE`);
    expect(await rows.resume(undefined)).toEqual({ rows: 1, hasMore: false, at });
    expect(await rows.resume(undefined)).toEqual({ rows: 0, hasMore: false, at });
    expect(await stateOf()).toBe('resuming');
  });
  expect(await rows.resume(undefined)).toEqual({ rows: 1, hasMore: false, at });
  expect(await rows.resume(undefined)).toEqual({ rows: 0, hasMore: false, at });
  expect(await stateOf()).toBe('usable');
  expect(await counts()).toEqual(
    new Map([
      ['suspended', 10],
      ['scheduled', 2],
    ]),
  );
});

test('what is too much for one transaction is left to the next one, in its order', async () => {
  await suspend(times(12, 1_700_000_000_000), "JSON_OBJECT('text', REPEAT('x', 1000000))");
  await say('resuming');
  expect(await rows.resume(undefined)).toEqual({ rows: 8, hasMore: true, at });
  const left = await admin.rows<[number]>(
    "SELECT due_at FROM scheduled_messages WHERE state='suspended' ORDER BY due_at",
  );
  expect(left.flat()).toEqual(times(4, 1_700_000_000_008));
  expect(await rows.resume(undefined)).toEqual({ rows: 4, hasMore: false, at });
  expect(await rows.resume(undefined)).toEqual({ rows: 0, hasMore: false, at });
  expect(await stateOf()).toBe('usable');
});
