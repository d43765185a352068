import type { MessageId } from '../../../../topology/message';
import { integer, NOW_MS } from '../../sql/literals';
import type { Pool } from '../../sql/pool';
import { inTransaction, type Sql } from '../../sql/sql';
import type { Seen, SeenAttempt, SeenRow, SeenSession } from './seen';

/** Messages, their attempts and the workers, all read at the same moment. */
export interface Snapshot {
  /** Epoch milliseconds by the database's clock, not before that moment. */
  readonly now: number;
  readonly messages: readonly Seen[];
  readonly sessions: ReadonlyMap<string, SeenSession>;
}

/**
 * Reads the next messages in the order of their ids. Workers write row and ledger in one transaction, and both are read in
 * one snapshot here, so they agree while the system runs.
 */
export function readSnapshot(pool: Pool, after: MessageId, until: MessageId, limit: number): Promise<Snapshot> {
  return pool.use(async (sql) => {
    await sql.run('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    return inTransaction(sql, async () => {
      const rows = await readRows(sql, after, until, limit);
      const [first, last] = [rows[0]?.id, rows.at(-1)?.id];
      const attempts = first === undefined || last === undefined ? [] : await readAttempts(sql, first, last);
      const byMessage = new Map<MessageId, SeenAttempt[]>(rows.map(({ id }) => [id, []]));
      for (const attempt of attempts) byMessage.get(attempt.id)?.push(attempt);
      const sessions = await readSessions(sql);
      const [[now] = [0]] = await sql.rows<[number]>(`SELECT ${NOW_MS}`);
      return { now, sessions, messages: rows.map((row) => ({ row, attempts: byMessage.get(row.id) ?? [] })) };
    });
  });
}

/** The greatest id there is; 0 when there is none. */
export async function lastId(pool: Pool): Promise<MessageId> {
  const [[last] = [null]] = await pool.rows<[number | null]>('SELECT MAX(id) FROM scheduled_messages');
  return last ?? 0;
}

async function readRows(sql: Sql, after: number, until: number, limit: number): Promise<SeenRow[]> {
  type Columns = [
    id: number,
    account: string,
    channel: string,
    dueAt: number,
    wakeAt: number | null,
    state: SeenRow['state'],
    version: number,
    attempts: number,
    inDoubt: number,
    claim: Buffer,
    deliveredAt: number | null,
    receipt: string | null,
    createdAt: string,
    updatedAt: string,
    payloadHash: string,
    planNumber: number,
    planVersion: number,
  ];
  const rows = await sql.rows<Columns>(
    'SELECT id, account, channel, due_at, wake_at, state, version, attempts, in_doubt, claim, delivered_at, receipt, ' +
      'UNIX_TIMESTAMP(created_at), UNIX_TIMESTAMP(updated_at), SHA2(CAST(payload AS CHAR CHARACTER SET utf8mb4), 256), ' +
      'plan_number, plan_version ' +
      `FROM scheduled_messages WHERE id > ${integer(after)} AND id <= ${integer(until)} ORDER BY id LIMIT ${integer(limit)}`,
  );
  return rows.map((row) => ({
    id: row[0],
    account: row[1],
    channel: row[2],
    dueAt: row[3],
    wakeAt: row[4],
    state: row[5],
    version: row[6],
    attempts: row[7],
    inDoubt: row[8] !== 0,
    session: row[9].toString('hex'),
    deliveredAt: row[10],
    receipt: row[11],
    createdAt: milliseconds(row[12]),
    updatedAt: milliseconds(row[13]),
    payloadHash: row[14],
    planNumber: row[15],
    planVersion: row[16],
  }));
}

async function readAttempts(sql: Sql, first: MessageId, last: MessageId): Promise<SeenAttempt[]> {
  type Columns = [
    id: number,
    version: number,
    session: Buffer,
    wakeAt: number,
    contentHash: Buffer,
    startedAt: number | null,
    finishedAt: number,
    outcome: SeenAttempt['outcome'],
    settled: SeenAttempt['settled'],
    receipt: string | null,
    recordedAt: string,
  ];
  const rows = await sql.rows<Columns>(
    'SELECT message_id, version, session, wake_at, content_hash, started_at, finished_at, outcome, settled, receipt, ' +
      'UNIX_TIMESTAMP(recorded_at) FROM delivery_attempts ' +
      `WHERE message_id BETWEEN ${integer(first)} AND ${integer(last)} ORDER BY message_id, version, id`,
  );
  return rows.map((row) => ({
    id: row[0],
    version: row[1],
    session: row[2].toString('hex'),
    wakeAt: row[3],
    contentHash: row[4].toString('hex'),
    startedAt: row[5],
    finishedAt: row[6],
    outcome: row[7],
    settled: row[8],
    receipt: row[9],
    recordedAt: milliseconds(row[10]),
  }));
}

async function readSessions(sql: Sql): Promise<ReadonlyMap<string, SeenSession>> {
  type Columns = [Buffer, string, number, number, number, number | null];
  const rows = await sql.rows<Columns>(
    'SELECT session, components, started_at, lease_until, dead, left_at FROM workers',
  );
  return new Map(
    rows.map(([name, components, startedAt, leaseUntil, dead, leftAt]) => [
      name.toString('hex'),
      {
        session: name.toString('hex'),
        components: JSON.parse(components) as string[],
        startedAt,
        leaseUntil,
        dead: dead === 1,
        left: leftAt !== null,
      },
    ]),
  );
}

function milliseconds(seconds: string): number {
  return Math.floor(Number(seconds) * 1000);
}
