import type { MessageId } from '../../../../topology/message';
import { hex, integer, list, NOW_MS } from '../../sql/literals';
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
 * Reads the messages that fulfil the condition, which is SQL, in the order of their ids. Workers write row and ledger in one transaction, or in a crowd the
 * ledger first, and both are read in one snapshot here, so they agree while the system runs.
 */
export function readSnapshot(pool: Pool, condition: string, sessions: Sessions): Promise<Snapshot> {
  return pool.use(async (sql) => {
    await sql.run('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    return inTransaction(sql, async () => {
      const rows = await readRows(sql, condition);
      const ids = rows.map(({ id }) => id);
      const attempts = ids.length === 0 ? [] : await readAttempts(sql, ids);
      const byMessage = new Map<MessageId, SeenAttempt[]>(ids.map((id) => [id, []]));
      for (const attempt of attempts) byMessage.get(attempt.id)?.push(attempt);
      const named = [...rows, ...attempts].map(({ session }) => session);
      await sessions.read(sql, named);
      const [[now] = [0]] = await sql.rows<[number]>(`SELECT ${NOW_MS}`);
      const messages = rows.map((row) => ({ row, attempts: byMessage.get(row.id) ?? [] }));
      return { now, sessions: sessions.known, messages };
    });
  });
}

/** The workers. The register is read once; after that only those that may have changed, because death is for ever. */
export class Sessions {
  readonly known = new Map<string, SeenSession>();
  private begun = false;

  /** @param named sessions that must be known if the register has them */
  async read(sql: Sql, named: readonly string[]): Promise<void> {
    const alive = [...this.known.values()].filter(({ dead }) => !dead).map(({ session }) => session);
    const unknown = named.filter((session) => !this.known.has(session));
    const wanted = [...new Set([...alive, ...unknown])];
    const where = this.begun && wanted.length > 0 ? `WHERE session IN ${list(wanted, hex)}` : '';
    if (this.begun && wanted.length === 0) return;
    for (const session of await readSessions(sql, where)) this.known.set(session.session, session);
    this.begun = true;
  }
}

async function readRows(sql: Sql, condition: string): Promise<SeenRow[]> {
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
      `FROM scheduled_messages FORCE INDEX (PRIMARY) WHERE ${condition} ORDER BY id`,
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

async function readAttempts(sql: Sql, ids: readonly MessageId[]): Promise<SeenAttempt[]> {
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
      `WHERE message_id IN ${list(ids, integer)} ORDER BY message_id, version, id`,
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

async function readSessions(sql: Sql, where: string): Promise<SeenSession[]> {
  type Columns = [Buffer, string, number, number, number, number | null];
  const rows = await sql.rows<Columns>(
    `SELECT session, components, started_at, lease_until, dead, left_at FROM workers ${where}`,
  );
  return rows.map(([name, components, startedAt, leaseUntil, dead, leftAt]) => ({
    session: name.toString('hex'),
    components: JSON.parse(components) as string[],
    startedAt,
    leaseUntil,
    dead: dead === 1,
    left: leftAt !== null,
  }));
}

function milliseconds(seconds: string): number {
  return Math.floor(Number(seconds) * 1000);
}
