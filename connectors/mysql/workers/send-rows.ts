import type { Kept } from '../../../bolts/kept-ids';
import type {
  AttemptResult,
  ClaimRow,
  RowRelease,
  SendRow,
  SendRows,
  UnclaimedResult,
  Unwritten,
  WrittenAlone,
} from '../../../bolts/send-rows';
import { PartlyClaimed, reasonOf } from '../../../topology/core/errors';
import type { OnLate } from '../../../topology/core/lateness';
import type { MessageState } from '../../../topology/message';
import { DECIDED } from '../schema/doubt';
import { InParts } from '../sql/in-parts';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import { freeAmong } from '../sql/locks';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { keep, readKept } from './kept-ids';
import { writeAlone } from './write-alone';
import { ResultWriter, settleIn } from './write-back';

/** Of an unsigned SMALLINT. */
const MAX_ATTEMPTS = 65_535;

type ReadColumns = readonly [
  id: number,
  account: string,
  channel: string,
  payload: string | null,
  payloadBytes: number,
  wakeAt: number | null,
  version: number,
  state: MessageState,
  attempts: number,
  firstAttemptAt: number | null,
  planNumber: number,
  inDoubt: number,
  updatedAt: string,
  claim: Buffer,
  recoveries: number,
  dueAt: number,
  doubtSince: number | null,
  sendWithin: number | null,
  onLate: OnLate | null,
  lateFrom: number | null,
];

/**
 * The bolt's view of the table. This is the hot path: SQL is written by hand with the values in it, many rows to a
 * statement. Ids are always in ascending order, so that overlapping batches wait for each other and never deadlock.
 *
 * 1. A claim wins a row only as it was read: version, `updated_at` and state are conditions of the one UPDATE.
 * 2. A row is claimed by one session at most in each version.
 * 3. A row that another transaction holds is left out; the others are claimed.
 * 4. A row that the database refuses to write holds no other, and is named in the error that follows. The error says how
 *    many were claimed. So it is whatever the answer was; a row whose writing waits for something else is left out, as a
 *    locked one is.
 */
export class MySqlSendRows implements SendRows {
  private readonly claims: InParts;
  private readonly results: ResultWriter;

  constructor(private readonly pool: Pool) {
    this.claims = new InParts(pool);
    this.results = new ResultWriter(pool);
  }

  async read(ids: readonly number[], maxPayloadBytes: number): Promise<SendRow[]> {
    if (ids.length === 0) return [];
    const size = 'JSON_STORAGE_SIZE(payload)';
    const payload = Number.isFinite(maxPayloadBytes)
      ? `IF(${size} <= ${integer(maxPayloadBytes)}, payload, NULL)`
      : 'payload';
    const rows = await this.pool.rows<ReadColumns>(
      `SELECT id, account, channel, ${payload}, ${size}, wake_at, version, state, attempts, first_attempt_at, ` +
        'plan_number, in_doubt, updated_at, claim, recoveries, due_at, doubt_since, send_within, on_late, late_from ' +
        `FROM scheduled_messages WHERE id IN ${list(ids, integer)}`,
    );
    return rows.map((row) => ({
      id: row[0],
      account: row[1],
      channel: row[2],
      payload: row[3],
      payloadBytes: row[4],
      wakeAt: row[5],
      version: row[6],
      state: row[7],
      attempts: row[8],
      firstAttemptAt: row[9],
      planNumber: row[10],
      inDoubt: row[11] !== 0,
      decided: row[11] === DECIDED,
      recoveries: row[14],
      dueAt: row[15],
      doubtSince: row[16],
      sendWithinMs: row[17],
      onLate: row[18],
      lateFrom: row[19],
      updatedAt: row[12],
      session: row[7] === 'sending' ? row[13].toString('hex') : null,
    }));
  }

  async claim(session: string, rows: readonly ClaimRow[], ahead: number): Promise<number> {
    const sorted = rows.toSorted((a, b) => a.id - b.id);
    let won = 0;
    const left = await this.claims.write(sorted, async (part, hasWaited) => {
      const claim = (sql: Sql) =>
        hasWaited ? claimFree(sql, session, part, ahead) : claimIn(sql, session, part, ahead);
      const wonOfPart = await (hasWaited ? this.pool.transaction(claim) : this.pool.use(claim));
      won += wonOfPart;
      return wonOfPart;
    });
    const refused = left.filter(({ again }) => !again);
    const [first] = refused;
    if (first === undefined) return won;
    const named = `message ${first.row.id} cannot be claimed${refused.length > 1 ? `, and ${refused.length - 1} more` : ''}`;
    throw new PartlyClaimed(`${named}: ${reasonOf(first.error)}`, won, { cause: first.error });
  }

  /**
   * In a transaction that claims and settles, so that nobody sees the claim. A row that the database refuses is left: its claim is
   * refused too, and names it.
   */
  async settleUnclaimed(session: string, results: readonly UnclaimedResult[]): Promise<readonly number[]> {
    const ended: number[] = [];
    const sorted = results.toSorted((a, b) => a.id - b.id);
    await this.claims.write(sorted, async (part) => {
      const endedOfPart = await this.pool.transaction((sql) => settleUnclaimedIn(sql, session, part));
      ended.push(...endedOfPart);
      return endedOfPart.length;
    });
    return ended;
  }

  writeBack(session: string, results: readonly AttemptResult[]): Promise<readonly Unwritten[]> {
    return this.results.write(session, results);
  }

  journal(session: string, results: readonly AttemptResult[]): Promise<void> {
    return this.results.journal(session, results);
  }

  writeAlone(session: string, result: AttemptResult, release: RowRelease | null): Promise<WrittenAlone> {
    return writeAlone(this.pool, session, result, release);
  }

  kept(id: number, planNumber: number): Promise<Kept | undefined> {
    return readKept(this.pool, id, planNumber);
  }

  keep(session: string, row: Pick<ClaimRow, 'id' | 'version'>, kept: Kept): Promise<boolean> {
    return keep(this.pool, session, row, kept);
  }
}

async function settleUnclaimedIn(sql: Sql, session: string, results: readonly UnclaimedResult[]): Promise<number[]> {
  const found = await sql.rows<[number]>(
    `SELECT id FROM scheduled_messages FORCE INDEX (PRIMARY) WHERE ${asRead(results)} AND wake_at <= ${NOW_MS} AND in_doubt=0 ` +
      'ORDER BY id FOR UPDATE SKIP LOCKED',
  );
  const ids = new Set(found.map(([id]) => id));
  const free = results.filter(({ id }) => ids.has(id));
  if (free.length === 0) return [];
  await claimIn(sql, session, free, 0);
  await settleIn(sql, session, free);
  return [...ids];
}

/** Leaves out rows that another transaction holds. @param rows in ascending order of their ids */
async function claimFree(sql: Sql, session: string, rows: readonly ClaimRow[], ahead: number): Promise<number> {
  const free = new Set(
    await freeAmong(
      sql,
      rows.map(({ id }) => id),
    ),
  );
  const rest = rows.filter(({ id }) => free.has(id));
  return rest.length === 0 ? 0 : claimIn(sql, session, rest, ahead);
}

async function claimIn(sql: Sql, session: string, rows: readonly ClaimRow[], ahead: number): Promise<number> {
  const { affectedRows } = await sql.run(claimStatement(session, rows, ahead));
  return affectedRows;
}

/** @param rows in ascending order of their ids */
export function claimStatement(session: string, rows: readonly ClaimRow[], ahead: number): string {
  return (
    `UPDATE scheduled_messages FORCE INDEX (PRIMARY) SET state='sending', claim=${hex(session)}, attempts=LEAST(attempts, ${MAX_ATTEMPTS - 1}) + 1 ` +
    `WHERE ${asRead(rows)} AND wake_at <= ${NOW_MS} + ${integer(Math.floor(ahead))}`
  );
}

/** Of rows that still wait as they were read, as SQL. */
function asRead(rows: readonly ClaimRow[]): string {
  const read = list(rows, (row) => `(${integer(row.id)},${integer(row.version)},${text(row.updatedAt)})`);
  return `(id, version, updated_at) IN ${read} AND state='scheduled'`;
}
