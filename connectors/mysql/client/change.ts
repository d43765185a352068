import type { MessageState } from '../../../topology/message';
import type { Schemas } from '../../../topology/payloads/given-channel';
import type { Author } from '../audit/author';
import { nextPlanNumber } from '../schema/restored';
import { batchesOf } from '../sql/batches';
import { integer, list, text } from '../sql/literals';
import type { Sql } from '../sql/sql';
import type { CancelAnswer, EditAnswer, Refusal } from './answers';
import { newStates } from './backlog';
import {
  checkOnLate,
  checkPayload,
  checkSendWithin,
  checkTarget,
  checkText,
  checkTime,
  type Edit,
  type Target,
} from './input';
import { checkOneTransaction, checkUpdate, statementBound } from './one-transaction';
import { type ChangedMessage, recordMessages } from './record';
import { lock, lockOnce, type Standing, unique } from './standing';

/** A row that waits: for its time, for its account, or for a person because it was late. */
const WAITS = "m.state IN ('scheduled','suspended','late')";
/** Only a row that waits, and of which no earlier attempt may have been accepted, can be changed. */
const CHANGEABLE = `${WAITS} AND m.in_doubt=0`;

/**
 * Cancels messages. A row in doubt becomes `uncertain`, because the provider may have accepted an earlier attempt.
 * The caller must have begun a transaction.
 */
export async function cancelAll(sql: Sql, author: Author, targets: readonly Target[]): Promise<CancelAnswer[]> {
  const standing = await lock(sql, targets.map(checkTarget));
  const there = unique(standing);
  const canceled = there.filter((row) => refusalOf(row) === null);
  const doubtful = there.filter((row) => refusalOf(row)?.result === 'in_doubt');
  checkUpdate('cancel', [...canceled, ...doubtful]);
  await cancelThose(sql, 'canceled', canceled, CHANGEABLE);
  await cancelThose(sql, 'uncertain', doubtful, `${WAITS} AND m.in_doubt<>0`);
  await recordMessages(sql, author, 'messages cancel', [
    ...canceled.map((row) => nowIn('canceled', row)),
    ...doubtful.map((row) => nowIn('uncertain', row)),
  ]);
  return standing.map((row) => (row === null ? { result: 'not_found' } : (refusalOf(row) ?? { result: 'canceled' })));
}

function nowIn(state: MessageState, { id, version, state: was }: Standing): ChangedMessage {
  return { id, before: { state: was, version }, after: { state, version: version + 1 } };
}

async function cancelThose(sql: Sql, state: MessageState, rows: readonly Standing[], condition: string): Promise<void> {
  if (rows.length === 0) return;
  await sql.run(
    `UPDATE scheduled_messages m FORCE INDEX (PRIMARY) SET m.state='${state}', m.version=m.version+1 ` +
      `WHERE m.id IN ${list(rows, ({ id }) => integer(id))} AND ${condition}`,
  );
}

/**
 * Changes plans. A new due time clears the time of a retry, and attempts are counted from 0 again. A suspended row is scheduled, as far
 * as `newStates` says. So is a late one, which is late once more where the time of its new plan is over too. The caller must have begun a transaction.
 */
export async function editAll(
  sql: Sql,
  author: Author,
  edits: readonly Edit[],
  schemas: Schemas,
): Promise<EditAnswer[]> {
  for (const edit of edits) checkTimes(edit);
  const standing = await lockOnce(sql, edits.map(checkTarget), 'edit');
  const answers = standing.map((row, index) => answerOf(row, edits[index] as Edit));
  const edited = standing.flatMap((row, index) =>
    row === null || answers[index]?.result !== 'edited' ? [] : [{ row, edit: edits[index] as Edit }],
  );
  const states = await newStates(
    sql,
    edited.map(({ row, edit }) => ({ row, dueAt: dueOf(row, edit) })),
  );
  const changed: ChangedMessage[] = [];
  const values = edited.map(({ row, edit }) => {
    const state = states.get(row.id) ?? 'scheduled';
    const due = edit.dueAt === undefined ? 'NULL' : integer(checkTime('dueAt', edit.dueAt));
    const payload = edit.payload === undefined ? null : checkPayload(row.channel, edit.payload, schemas);
    changed.push(editedOf(row, edit, state));
    const value =
      `ROW(${integer(row.id)},${integer(row.version + 1)},'${state}',${due},${text(payload)},${text(edit.localTime ?? null)},` +
      `${text(edit.zone ?? null)},${changeOf(edit.sendWithin, checkSendWithin)},${changeOf(edit.onLate, checkOnLate)})`;
    const bytes = payload === null ? row.payloadBytes : Buffer.byteLength(payload);
    return { value, bytes: Buffer.byteLength(value), logged: row.payloadBytes + bytes };
  });
  checkOneTransaction('edit', { messages: values.length, logged: values.map(({ logged }) => logged) });
  for (const batch of batchesOf(values, ({ bytes }) => bytes, statementBound)) {
    // `local_time` and `zone` describe the due time, so a new due time replaces or clears them.
    await sql.run(
      `UPDATE (VALUES ${batch.map(({ value }) => value).join(',')}) v(id, version, state, due_at, payload, local_time, zone, sets_within, send_within, sets_on_late, on_late) ` +
        'STRAIGHT_JOIN scheduled_messages m FORCE INDEX (PRIMARY) ON m.id=v.id SET m.state=v.state, m.due_at=COALESCE(v.due_at, m.due_at), ' +
        'm.retry_at=IF(v.due_at IS NULL, m.retry_at, NULL), m.payload=IF(v.payload IS NULL, m.payload, v.payload), ' +
        'm.local_time=IF(v.due_at IS NULL, m.local_time, v.local_time), m.zone=IF(v.due_at IS NULL, m.zone, v.zone), ' +
        'm.send_within=IF(v.sets_within, v.send_within, m.send_within), m.on_late=IF(v.sets_on_late, v.on_late, m.on_late), ' +
        `m.version=v.version, m.plan_version=v.version, m.plan_number=${nextPlanNumber('m.plan_number')}, m.attempts=0, m.first_attempt_at=NULL WHERE ${CHANGEABLE}`,
    );
  }
  await recordMessages(sql, author, 'messages edit', changed);
  return answers;
}

/** Whether an edit changes a value, and the new one, as SQL. */
function changeOf<T>(given: T | undefined, check: (value: T) => string | number | null): string {
  if (given === undefined) return '0,NULL';
  const value = check(given);
  return `1,${typeof value === 'number' ? integer(value) : text(value)}`;
}

function editedOf(row: Standing, edit: Edit, next: MessageState): ChangedMessage {
  const { id, state, version, dueAt } = row;
  const payload = edit.payload === undefined ? {} : { payload: 'changed' };
  const { sendWithin, onLate } = edit;
  const policy = {
    ...(sendWithin === undefined ? {} : { sendWithin: checkSendWithin(sendWithin) }),
    ...(onLate === undefined ? {} : { onLate: checkOnLate(onLate) }),
  };
  const after = { state: next, version: version + 1, dueAt: dueOf(row, edit), ...payload, ...policy };
  return { id, before: { state, version, dueAt }, after };
}

function dueOf({ dueAt }: Standing, edit: Edit): number {
  return edit.dueAt === undefined ? dueAt : checkTime('dueAt', edit.dueAt);
}

/** Checks what does not depend on the row. @throws UserError */
function checkTimes(edit: Edit): void {
  if (edit.dueAt !== undefined) checkTime('dueAt', edit.dueAt);
  if (edit.localTime !== undefined) checkText('localTime', edit.localTime, 32);
  if (edit.zone !== undefined) checkText('zone', edit.zone, 64);
  if (edit.sendWithin !== undefined) checkSendWithin(edit.sendWithin);
  if (edit.onLate !== undefined) checkOnLate(edit.onLate);
}

function answerOf(row: Standing | null, edit: Edit): EditAnswer {
  if (row === null) return { result: 'not_found' };
  const refusal = refusalOf(row);
  if (refusal !== null) return refusal;
  if (edit.version !== undefined && edit.version !== row.version) return { result: 'changed', version: row.version };
  return { result: 'edited', version: row.version + 1 };
}

function refusalOf(row: Standing): Refusal | null {
  if (row.state === 'sending') return { result: 'too_late', claimedAt: row.updatedAt, worker: row.worker };
  if (!['scheduled', 'suspended', 'late'].includes(row.state)) return { result: 'already', state: row.state };
  return row.inDoubt ? { result: 'in_doubt' } : null;
}
