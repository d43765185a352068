import type { AttemptResult, RowRelease, WrittenAlone } from '../../../bolts/send-rows';
import { Unavailable } from '../../../topology/core/errors';
import { DOUBT_SINCE_CLAIM } from '../schema/doubt';
import { errnoOf, isExhausted, isLocked } from '../sql/failures';
import { hex, integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { dropKeptStatement } from './kept-ids';
import { markStatement } from './refused-accounts';
import { prepare, write } from './write-back';

/** Of an unsigned INT. */
const MAX_VERSION = 2 ** 32 - 1;
const MARK = 'SAVEPOINT before_result';
const UNDO = 'ROLLBACK TO SAVEPOINT before_result';

/**
 * Writes one result, and if MySQL refuses it releases its row, in one transaction.
 *
 * 1. *An outage is no refusal*: a result is refused only if all tables that it needs took a write of the same transaction just before it
 *    and just after it: an entry of the ledger for no message, the release of this row, and where it suspends its row the mark of an
 *    account that there is not. Whatever else fails is thrown, and nothing is changed. So nothing need be known of other results, and nothing of the past. They name all columns that a result has, because
 *    one may be missing while a table is exchanged for another.
 * 2. *What waits for a lock, or for space, is not refused*, whoever has it.
 * 3. *What can be written is*, also where that cannot be shown because the row could not be released.
 */
export async function writeAlone(
  pool: Pool,
  session: string,
  result: AttemptResult,
  release: RowRelease | null,
): Promise<WrittenAlone> {
  const others = [
    entryForNone(session, result),
    ...(result.settlement.state === 'suspended' ? [markOfNone(session, result)] : []),
  ];
  const released = releaseStatement(session, result, release ?? { reason: '', delayMs: 0 });
  return pool.transaction(async (sql) => {
    await sql.run(MARK);
    const isProvable = await takes(sql, [...others, released]);
    await sql.run(UNDO);
    try {
      await writeOne(sql, session, result);
      return 'written';
    } catch (error) {
      if (!isProvable || !isRefusal(error)) throw error;
    }
    await sql.run(UNDO);
    for (const statement of others) await sql.run(statement);
    await sql.run(UNDO);
    await sql.run(released);
    if (release !== null) return 'released';
    await sql.run(UNDO);
    return 'refused';
  });
}

/** @returns false when the database refuses one of the statements, of which the result has none */
async function takes(sql: Sql, statements: readonly string[]): Promise<boolean> {
  try {
    for (const statement of statements) await sql.run(statement);
    return true;
  } catch (error) {
    if (errnoOf(error) === undefined || isLocked(error)) throw error;
    return false;
  }
}

async function writeOne(sql: Sql, session: string, result: AttemptResult): Promise<void> {
  const row = prepare(hex(session), result);
  const [held] = await write(sql, session, [{ ...row, dropsKept: false }]);
  if (held !== undefined) throw new Unavailable(held.reason);
  if (row.dropsKept) await dropKept(sql, row.id);
}

/** Ids that were kept are in a third table, which refuses no result: those that it does not give up go with their message. */
async function dropKept(sql: Sql, id: number): Promise<void> {
  try {
    await sql.run(dropKeptStatement([id]));
  } catch (error) {
    if (errnoOf(error) === undefined || isLocked(error) || isExhausted(error)) throw error;
  }
}

/** A value that is no SQL is a RangeError. */
function isRefusal(error: unknown): boolean {
  if (error instanceof RangeError) return true;
  return errnoOf(error) !== undefined && !isLocked(error) && !isExhausted(error);
}

/** It is always taken back. No message has the id 0. Its key is that of this result alone, so that another one beside it is not waited for. */
function entryForNone(session: string, { id }: AttemptResult): string {
  return (
    'INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, started_at, finished_at, ' +
    'outcome, status, error, receipt, settled) ' +
    `VALUES (0,${integer(id % (MAX_VERSION + 1))},${hex(session)},0,${hex('00'.repeat(32))},NULL,0,'late',NULL,NULL,NULL,'late')`
  );
}

/** It is always taken back. No channel has the name of a session, so nobody else writes it, and no account is found by it. */
function markOfNone(session: string, { id }: AttemptResult): string {
  return markStatement([{ account: String(id), channel: session, generation: 0, reason: '' }]);
}

function releaseStatement(session: string, { id, version }: AttemptResult, release: RowRelease): string {
  const { reason, delayMs, keepsDoubt = false } = release;
  const doubt = keepsDoubt ? '' : `${DOUBT_SINCE_CLAIM}, in_doubt=1, `;
  // A version that cannot rise must not keep the row from being released. Columns of a result that stay as they are show that they are there.
  return (
    "UPDATE scheduled_messages FORCE INDEX (PRIMARY) SET state='scheduled', " +
    `${doubt}recoveries=LEAST(recoveries, 254) + 1, ` +
    `version=LEAST(version, ${MAX_VERSION - 1}) + 1, retry_at=${NOW_MS} + ${integer(Math.ceil(delayMs))}, last_error=${text(reason)}, ` +
    'attempts=attempts, first_attempt_at=first_attempt_at, delivered_at=delivered_at, receipt=receipt, late=late ' +
    `WHERE id=${integer(id)} AND version=${integer(version)} AND claim=${hex(session)} AND state='sending'`
  );
}
