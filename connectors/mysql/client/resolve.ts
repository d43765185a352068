import { UserError } from '../../../topology/core/errors';
import { mayRecordAudit } from '../audit/audit';
import type { Author } from '../audit/author';
import { BY_PERSON, DECIDED } from '../schema/doubt';
import { IN_TIME_FROM_NOW } from '../schema/late-rows';
import { nextPlanNumber } from '../schema/restored';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import type { Sql } from '../sql/sql';
import type { RedriveAnswer, ResolveAnswer } from './answers';
import { type CheckedResolution, checkTarget, type Target } from './input';
import { checkUpdate } from './one-transaction';
import { recordMessages } from './record';
import { lock, lockOnce, NO_MESSAGE, type Standing, unique } from './standing';

/** The session of a ledger entry that no worker wrote. */
const PERSON = hex(BY_PERSON);
/** A `failed` row is never in doubt, but plain SQL may have made it so; then the key stays, as for a person's retry. */
const NEXT_PLAN = `plan_number=IF(in_doubt=0, ${nextPlanNumber('plan_number')}, plan_number), plan_version=IF(in_doubt=0, version+1, plan_version), `;

/**
 * Settles `uncertain` messages as a person decided. The caller must have begun a transaction as the workers' user, because
 * an application's user may not write what came of a message.
 *
 * 1. *The ledger shows that a person decided*: an entry of the version that was uncertain, with a session of zeros and no
 *    beginning of a request.
 * 2. *Doubt stays*: a message that is sent again is still in doubt, so a provider that can be asked is asked first, and a
 *    failure makes the message `uncertain` again. On a blind channel the decision allows one request.
 */
export async function resolveAll(
  sql: Sql,
  author: Author,
  decisions: readonly CheckedResolution[],
): Promise<ResolveAnswer[]> {
  const targets = decisions.map(({ target }) => target);
  const standing = await lockOnce(sql, targets, 'resolve');
  const uncertain = standing.flatMap((row, index) =>
    row?.state === 'uncertain' ? [{ row, decision: decisions[index] as CheckedResolution }] : [],
  );
  checkUpdate(
    'resolve',
    uncertain.map(({ row }) => row),
  );
  const delivered = uncertain.filter(({ decision }) => decision.as === 'delivered');
  const retried = uncertain.filter(({ decision }) => decision.as === 'retry');
  if (delivered.length > 0) await settle(sql, 'delivered', delivered);
  if (retried.length > 0) await settle(sql, 'retry', retried);
  await recordMessages(
    sql,
    author,
    'messages resolve',
    uncertain.map(({ row: { id, state, version }, decision: { as, receipt } }) => ({
      id,
      before: { state, version },
      after:
        as === 'delivered' ? { state: 'delivered', version, receipt } : { state: 'scheduled', version: version + 1 },
    })),
  );
  return standing.map((row, index) => {
    if (row === null) return { result: 'not_found' };
    if (row.state !== 'uncertain') return { result: 'not_uncertain', state: row.state };
    return { result: 'resolved', version: row.version + (decisions[index]?.as === 'retry' ? 1 : 0) };
  });
}

/** Runs the statements of `resolveAll` about no message. @throws as it does where they are refused */
export async function mayResolve(sql: Sql, as: CheckedResolution['as']): Promise<void> {
  await settle(sql, as, [{ row: { id: NO_MESSAGE }, decision: { at: null, receipt: null } }]);
  await mayRecordAudit(sql);
}

/** Schedules `failed` messages for now. The caller must have begun a transaction. */
export async function redriveAll(sql: Sql, author: Author, targets: readonly Target[]): Promise<RedriveAnswer[]> {
  const standing = await lock(sql, targets.map(checkTarget));
  const failed = unique(standing).filter(({ state }) => state === 'failed');
  checkUpdate('redrive', failed);
  if (failed.length > 0) await reopen(sql, failed, NEXT_PLAN);
  await recordMessages(
    sql,
    author,
    'messages redrive',
    failed.map(({ id, state, version }) => ({
      id,
      before: { state, version },
      after: { state: 'scheduled', version: version + 1 },
    })),
  );
  return standing.map((row) => {
    if (row === null) return { result: 'not_found' };
    if (row.state !== 'failed') return { result: 'not_failed', state: row.state };
    return { result: 'redriven', version: row.version + 1 };
  });
}

/** Runs the statements of `redriveAll` about no message. @throws as it does where they are refused */
export async function mayRedrive(sql: Sql): Promise<void> {
  await reopen(sql, [{ id: NO_MESSAGE }], NEXT_PLAN);
  await mayRecordAudit(sql);
}

interface Decided {
  readonly row: Pick<Standing, 'id'>;
  readonly decision: Pick<CheckedResolution, 'at' | 'receipt'>;
}

async function settle(sql: Sql, as: CheckedResolution['as'], decided: readonly Decided[]): Promise<void> {
  const values = valuesOf(decided);
  if (as === 'retry') {
    await record(sql, values, 'retry', 'scheduled', 'a person wants it sent again');
    const rows = decided.map(({ row }) => row);
    return reopen(sql, rows, `in_doubt=IF(in_doubt=0, 0, ${DECIDED}), `);
  }
  await record(sql, values, 'delivered', 'delivered', null);
  await sql.run(
    `UPDATE ${values} STRAIGHT_JOIN scheduled_messages m FORCE INDEX (PRIMARY) ON m.id=v.id ` +
      `SET m.state='delivered', m.delivered_at=COALESCE(v.at, ${NOW_MS}), m.receipt=v.receipt, m.last_error=NULL`,
  );
}

function valuesOf(decided: readonly Decided[]): string {
  const rows = decided.map(
    ({ row, decision: { at, receipt } }) =>
      `ROW(${integer(row.id)},${at === null ? 'NULL' : integer(at)},${text(receipt)})`,
  );
  return `(VALUES ${rows.join(',')}) v(id, at, receipt)`;
}

async function record(
  sql: Sql,
  values: string,
  outcome: 'delivered' | 'retry',
  settled: 'delivered' | 'scheduled',
  error: string | null,
): Promise<void> {
  try {
    await sql.run(
      'INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, finished_at, outcome, error, receipt, settled) ' +
        `SELECT m.id, m.version, ${PERSON}, m.wake_at, UNHEX(SHA2(CONVERT(m.payload USING utf8mb4), 256)), ${NOW_MS}, ` +
        `'${outcome}', ${text(error)}, v.receipt, '${settled}' ` +
        `FROM ${values} STRAIGHT_JOIN scheduled_messages m FORCE INDEX (PRIMARY) ON m.id=v.id`,
    );
  } catch (thrown) {
    if (!(thrown instanceof UserError) || !thrown.message.includes('denied')) throw thrown;
    throw new UserError(
      'resolve: the user of this connection may not write outcomes: use OPERATOR_DATABASE_URL or WORKER_DATABASE_URL',
    );
  }
}

/**
 * Makes a new plan for now, with attempts counted from 0, and with the whole time in which it may be sent. A retry time in the future
 * stays: before it nothing may be tried.
 */
async function reopen(sql: Sql, rows: readonly Pick<Standing, 'id'>[], more: string): Promise<void> {
  await sql.run(
    `UPDATE scheduled_messages FORCE INDEX (PRIMARY) SET ${more}${IN_TIME_FROM_NOW}state='scheduled', version=version+1, attempts=0, first_attempt_at=NULL, ` +
      `retry_at=IF(retry_at > ${NOW_MS}, retry_at, NULL) WHERE id IN ${list(rows, ({ id }) => integer(id))}`,
  );
}
