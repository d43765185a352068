import type { AttemptResult } from '../../../../bolts/send-rows';
import { createClient } from '../../../../connectors/mysql/client/client';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { MySqlSendRows } from '../../../../connectors/mysql/workers/send-rows';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const SESSION = 'a'.repeat(32);
const MESSAGES = 600;

let world: World;
let admin: Pool;
let worker: Pool;
let rows: MySqlSendRows;
let results: AttemptResult[];

beforeEach(async () => {
  world = await freshDatabase();
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  worker = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 1 });
  rows = new MySqlSendRows(worker);
  const client = createClient(required(world.environment, 'DATABASE_URL'));
  const dueAt = systemClock.now();
  const payload = { url: 'http://127.0.0.1/' };
  const message = { account: 'shop', channel: 'webhook' as const, payload, dueAt };
  const planned = await client.schedule(Array.from({ length: MESSAGES }, () => message));
  await client.close();
  const ids = planned.map(({ id }) => id);
  await admin.run(`UPDATE scheduled_messages SET state='sending', claim=x'${SESSION}', attempts=1`);
  results = ids.map((id) => ({
    id,
    version: 1,
    dueAt,
    wakeAt: dueAt,
    contentHash: 'c'.repeat(64),
    startedAt: dueAt,
    finishedAt: dueAt + 5,
    outcome: { kind: 'delivered', status: 200 },
    settlement: { state: 'delivered', deliveredAt: dueAt + 5, receipt: null },
  }));
});
afterEach(async () => {
  await Promise.all([admin.close(), worker.close()]);
  await world.close();
});

/** Entries of the ledger, the numbers that were drawn for any, and rows that are delivered. */
async function counts(): Promise<readonly [entries: number, drawn: number, delivered: number]> {
  const probe = `INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, finished_at, outcome, settled)
    VALUES (0, 1, x'${'b'.repeat(32)}', 0, x'${'c'.repeat(64)}', 0, 'delivered', 'delivered')`;
  const { insertId } = await admin.run(probe);
  const [row] = await admin.rows<[number, number]>(
    "SELECT (SELECT COUNT(*) FROM delivery_attempts WHERE message_id > 0), COUNT(*) FROM scheduled_messages WHERE state='delivered'",
  );
  const [entries, delivered] = row as [number, number];
  return [entries, insertId - 1, delivered];
}

test('what the ledger has is not inserted again when its row is settled', async () => {
  await rows.journal(SESSION, results);
  expect(await rows.writeBack(SESSION, results)).toEqual([]);
  const [entries, drawn, delivered] = await counts();
  expect([entries, delivered]).toEqual([MESSAGES, MESSAGES]);
  // A statement with that many rows may draw some more numbers than rows; a second one would draw as many again.
  expect(drawn).toBeLessThan(MESSAGES * 2);
});

test('what was journaled and is not in the ledger, because a server has lost it, is written with its row', async () => {
  await rows.journal(SESSION, results);
  await admin.run(`DELETE FROM delivery_attempts ORDER BY id DESC LIMIT 1`);
  expect(await rows.writeBack(SESSION, results)).toEqual([]);
  const [entries, , delivered] = await counts();
  expect([entries, delivered]).toEqual([MESSAGES, MESSAGES]);
});

test('what was not journaled is written beside what was', async () => {
  await rows.journal(SESSION, results.slice(0, MESSAGES / 2));
  expect(await rows.writeBack(SESSION, results)).toEqual([]);
  const [entries, , delivered] = await counts();
  expect([entries, delivered]).toEqual([MESSAGES, MESSAGES]);
});
