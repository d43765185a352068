import { type Client, createClient, type MessageOutcome } from '../../../../connectors/mysql/client/client';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import type { Sql } from '../../../../connectors/mysql/sql/sql';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const DUE = Date.UTC(2026, 0, 1);

let world: World;
let client: Client;
let admin: Pool;

beforeEach(async () => {
  world = await freshDatabase();
  client = createClient(required(world.environment, 'DATABASE_URL'));
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 4 });
});
afterEach(async () => {
  await Promise.all([client.close(), admin.close()]);
  await world.close();
});

const scheduled = async (count: number) => {
  const answers = await client.schedule(
    Array.from({ length: count }, (_, n) => ({
      account: 'shop',
      channel: 'webhook' as const,
      payload: { url: 'http://127.0.0.1/', body: n },
      dueAt: DUE,
    })),
  );
  return answers.map(({ id }) => id);
};

/** Ends a message, as a worker does; the attempt was written `age` seconds ago. */
const end = async (sql: Sql, id: number, state = 'delivered', age = 60, version = 1) => {
  await sql.run(
    'INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, finished_at, outcome, settled, recorded_at) ' +
      `VALUES (${id}, ${version}, x'${'ab'.repeat(16)}', 0, x'${'00'.repeat(32)}', 0, '${state === 'delivered' ? 'delivered' : 'retry'}', ` +
      `'${state}', NOW(6) - INTERVAL ${age} SECOND)`,
  );
  await sql.run(`UPDATE scheduled_messages SET state='${state}', delivered_at=7, receipt='r' WHERE id=${id}`);
};

const everything = async (from?: string, limit = 2) => {
  const outcomes: MessageOutcome[] = [];
  for (let since = from; ; ) {
    const page = await client.outcomes(since, limit);
    outcomes.push(...page.outcomes);
    since = page.next;
    if (!page.more) return { ids: outcomes.map(({ id }) => id), next: since, outcomes };
  }
};

test('tells what became of every message, page by page', async () => {
  const ids = await scheduled(5);
  for (const id of ids) await end(admin, id);
  const all = await everything();
  expect(all.ids).toEqual(ids);
  expect(all.outcomes[0]).toEqual({
    id: ids[0],
    account: 'shop',
    channel: 'webhook',
    dedupeKey: null,
    state: 'delivered',
    dueAt: DUE,
    deliveredAt: 7,
    receipt: 'r',
    lastError: null,
    isLate: false,
  });
  expect((await everything(all.next)).ids).toEqual([]);
  const [more] = await scheduled(1);
  await end(admin, more as number, 'failed');
  expect((await everything(all.next)).ids).toEqual([more]);
});

test('what the ledger says is delivered is an outcome before its row says so, because no other entry follows', async () => {
  const ids = (await scheduled(2)) as [number, number];
  for (const id of ids) await end(admin, id);
  await admin.run(`UPDATE scheduled_messages SET state='sending', last_error='busy' WHERE id=${ids[0]}`);
  await admin.run(`UPDATE scheduled_messages SET state='scheduled', version=2, in_doubt=1 WHERE id=${ids[1]}`);
  const { outcomes, next } = await everything();
  expect(outcomes.map(({ id }) => id)).toEqual(ids);
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ state: 'delivered', deliveredAt: 0, receipt: null, lastError: null });
  await admin.run("UPDATE scheduled_messages SET state='delivered'");
  expect((await everything(next)).ids).toEqual([]);
});

test('a retry is no outcome', async () => {
  const [retried, done] = await scheduled(2);
  await end(admin, retried as number, 'scheduled');
  await end(admin, done as number);
  expect((await everything()).ids).toEqual([done]);
});

test('an attempt that only suspended its message is no outcome, whatever became of the message later', async () => {
  const [id] = (await scheduled(1)) as [number];
  await end(admin, id, 'suspended');
  await end(admin, id, 'delivered', 60, 2);
  expect((await everything(undefined, 1)).ids).toEqual([id]);
});

test('a plan that failed has neither time nor receipt of an earlier one that was delivered', async () => {
  const [id] = (await scheduled(1)) as [number];
  await end(admin, id);
  await end(admin, id, 'failed', 60, 2);
  const { outcomes } = await client.outcomes();
  expect(outcomes).toMatchObject([{ id, state: 'failed', deliveredAt: null, receipt: null }]);
});

test('does not go past an attempt whose transaction is still open', async () => {
  const [early, slow, late] = (await scheduled(3)) as [number, number, number];
  await end(admin, early);
  const before = await admin.transaction(async (sql) => {
    await end(sql, slow);
    await end(admin, late);
    const seen = await everything();
    expect(seen.ids).toEqual([early]);
    return seen;
  });
  expect((await everything(before.next)).ids).toEqual([slow, late]);
});

test('an attempt that was rolled back holds nothing up', async () => {
  const [gone, kept] = (await scheduled(2)) as [number, number];
  await expect(
    admin.transaction(async (sql) => {
      await end(sql, gone);
      throw new Error('rolled back');
    }),
  ).rejects.toThrow('rolled back');
  await end(admin, kept);
  expect((await everything()).ids).toEqual([kept]);
});

test('an attempt that was just written is left for later, and what comes after it too', async () => {
  const [old, young, older] = (await scheduled(3)) as [number, number, number];
  await end(admin, old);
  await end(admin, young, 'delivered', -3_600);
  await end(admin, older);
  const seen = await everything();
  expect(seen.ids).toEqual([old]);
  await admin.run(`UPDATE delivery_attempts SET recorded_at=NOW(6) - INTERVAL 1 MINUTE WHERE message_id=${young}`);
  expect((await everything(seen.next)).ids).toEqual([young, older]);
});

test('refuses a cursor that is none', async () => {
  await expect(client.outcomes('yesterday')).rejects.toThrow('since: expected the `next` of a page, got "yesterday"');
  await expect(client.outcomes(undefined, 0)).rejects.toThrow('limit: expected 1 to 10000, got 0');
});
