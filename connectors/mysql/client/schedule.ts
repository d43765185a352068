import { Unavailable, UserError } from '../../../topology/core/errors';
import type { OnLate } from '../../../topology/core/lateness';
import type { MessageId, MessageState } from '../../../topology/message';
import type { Author } from '../audit/author';
import { nextPlanNumber } from '../schema/restored';
import { batchesOf } from '../sql/batches';
import { DUPLICATE_KEY, errnoOf } from '../sql/failures';
import { hex, integer, list, text } from '../sql/literals';
import { PAYLOAD_BYTES, pagesOfPayloads } from '../sql/payloads';
import type { Sql } from '../sql/sql';
import { newStates } from './backlog';
import { hashOf } from './content-hash';
import type { CheckedMessage } from './input';
import { type Call, checkOneTransaction, statementBound } from './one-transaction';
import { type ChangedMessage, recordMessages } from './record';
import { idsSeen, type KeyTarget, lock, nameOf, type Standing } from './standing';

/** What happens when the account has a message with this dedupe key already. */
export type OnExisting =
  /** It stays as it is, and the answer says what became of it. */
  | 'keep'
  /**
   * The same row is planned again, as given now, if it is not being sent and not in doubt. What was delivered with the same
   * content and due time stays delivered; another due time sends it again.
   */
  | 'replace';

export type ScheduleAnswer =
  /** `created` is false when the same had been scheduled before and still waits or is being sent. */
  | { readonly result: 'scheduled'; readonly id: MessageId; readonly created: boolean }
  /** The same had been scheduled before and has ended, in this state. Nothing is sent. `replace` plans it again, if given another due time when it was delivered. */
  | { readonly result: 'already'; readonly id: MessageId; readonly state: MessageState }
  /** Another message has this dedupe key: it differs in channel, payload or due time. */
  | { readonly result: 'conflict'; readonly id: MessageId; readonly state: MessageState }
  | { readonly result: 'replaced'; readonly id: MessageId; readonly version: number }
  /** It was not replaced: a worker is sending it, since `claimedAt`. */
  | { readonly result: 'too_late'; readonly id: MessageId; readonly claimedAt: number; readonly worker: string }
  /** It was not replaced: an earlier attempt may have been accepted. */
  | { readonly result: 'in_doubt'; readonly id: MessageId };

/** A message that was there before, and whether it is what is being scheduled. */
interface Existing {
  readonly row: Pick<Standing, 'id' | 'state' | 'channel'>;
  readonly scheduledHash: string | null;
  /** Of the row as it is now, which may have been edited. */
  readonly hash: string;
}

const MAX_TRIES = 5;
const INTO =
  'INSERT INTO scheduled_messages (account, channel, payload, due_at, dedupe_key, scheduled_hash, local_time, zone, send_within, on_late)';

/**
 * Inserts messages, many to a statement, and answers in their order. The caller must have begun a transaction.
 * @throws TooMuchAtOnce when it would have more of the binary log than a transaction may
 */
export async function scheduleAll(
  sql: Sql,
  author: Author,
  messages: readonly CheckedMessage[],
  onExisting: OnExisting,
): Promise<ScheduleAnswer[]> {
  const call = { messages: messages.length, logged: messages.map(({ payload }) => Buffer.byteLength(payload)) };
  checkOneTransaction('schedule', call);
  const answers: ScheduleAnswer[] = [];
  for (const batch of batchesOf(messages, sentBytes, statementBound))
    answers.push(...(await scheduleBatch(sql, author, batch, onExisting, call)));
  return answers;
}

/** Inserts no message. @throws where the database would take none, whatever it is */
export async function maySchedule(sql: Pick<Sql, 'run'>): Promise<void> {
  await sql.run(`${INTO} SELECT '', '', '{}', 0, NULL, NULL, NULL, NULL, NULL, NULL FROM DUAL WHERE FALSE`);
}

/**
 * Inserts first, where it may, and looks for duplicates afterwards, because duplicates are rare and only they cost another statement.
 * @param call to which it adds what it replaces
 */
async function scheduleBatch(
  sql: Sql,
  author: Author,
  batch: readonly CheckedMessage[],
  onExisting: OnExisting,
  call: Call,
): Promise<ScheduleAnswer[]> {
  const known = new Map<string, Existing>(sql.locksGaps === true ? await seenOf(sql, batch) : []);
  for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
    const first = new Map<string, CheckedMessage>();
    const fresh = batch.filter((message) => {
      const key = keyOf(message);
      if (key === null) return true;
      if (known.has(key) || first.has(key)) return false;
      first.set(key, message);
      return true;
    });
    try {
      const ids = await insert(sql, fresh);
      const created = new Map(fresh.map((message, index) => [message, ids[index] as MessageId]));
      const replaced = onExisting === 'replace' ? await replaceAll(sql, author, batch, known, call) : new Map();
      return batch.map((message) => replaced.get(message) ?? answerOf(message, created, first, known));
    } catch (error) {
      if (errnoOf(error) !== DUPLICATE_KEY) throw error;
    }
    for (const [key, existing] of await existingOf(sql, [...first.values()])) known.set(key, existing);
  }
  throw new Unavailable('messages with these dedupe keys are being scheduled and deleted at the same time; try again');
}

function answerOf(
  message: CheckedMessage,
  created: ReadonlyMap<CheckedMessage, MessageId>,
  first: ReadonlyMap<string, CheckedMessage>,
  known: ReadonlyMap<string, Existing>,
): ScheduleAnswer {
  const id = created.get(message);
  if (id !== undefined) return { result: 'scheduled', id, created: true };
  const key = keyOf(message) as string;
  const existing = known.get(key);
  if (existing !== undefined) {
    const { id: earlier, state } = existing.row;
    if (!isSame(message, existing)) return { result: 'conflict', id: earlier, state };
    const waits = state === 'scheduled' || state === 'sending' || state === 'suspended' || state === 'late';
    return waits ? { result: 'scheduled', id: earlier, created: false } : { result: 'already', id: earlier, state };
  }
  // The same key twice in this call.
  const twin = first.get(key) as CheckedMessage;
  const earlier = created.get(twin) as MessageId;
  return hashOf(twin) === hashOf(message)
    ? { result: 'scheduled', id: earlier, created: false }
    : { result: 'conflict', id: earlier, state: 'scheduled' };
}

/** A multi-row INSERT gets consecutive ids in the order of its rows, `auto_increment_increment` apart. */
async function insert(sql: Sql, messages: readonly CheckedMessage[]): Promise<MessageId[]> {
  if (messages.length === 0) return [];
  const { insertId } = await sql.run(
    `${INTO} VALUES ` +
      messages
        .map(
          (one) =>
            `(${text(one.account)},${text(one.channel)},${text(one.payload)},${integer(one.dueAt)},` +
            `${text(one.dedupeKey)},${one.dedupeKey === null ? 'NULL' : hex(hashOf(one))},${text(one.localTime)},${text(one.zone)},${policyOf(one)})`,
        )
        .join(','),
  );
  const [[step]] = [await sql.rows<[number | string]>('SELECT @@SESSION.auto_increment_increment')];
  return messages.map((_, index) => insertId + index * Number(step?.[0] ?? 1));
}

/** As SQL. */
function policyOf({ sendWithin, onLate }: Pick<CheckedMessage, 'sendWithin' | 'onLate'>): string {
  return `${sendWithin === null ? 'NULL' : integer(sendWithin)},${text(onLate)}`;
}

/** Reads what is committed now, even if the caller's transaction reads an earlier state. By the message's key. */
async function existingOf(sql: Sql, messages: readonly CheckedMessage[]): Promise<[key: string, Existing][]> {
  if (messages.length === 0) return [];
  return readExisting(sql, 'dedupe', `(account, dedupe_key) IN ${list(messages, keyLiteral)}`);
}

/**
 * The same, of those that the transaction sees. An INSERT that meets a duplicate, and a key that is looked for in vain, lock gaps, so a
 * transaction that keeps such locks looks first.
 */
async function seenOf(sql: Sql, messages: readonly CheckedMessage[]): Promise<[key: string, Existing][]> {
  const keyed = messages.filter(({ dedupeKey }) => dedupeKey !== null);
  const ids = await idsSeen(sql, keyed.map(keyTargetOf));
  return ids.length === 0 ? [] : readExisting(sql, 'PRIMARY', `id IN ${list(ids, integer)}`);
}

/** Only their hashes are kept, because a thousand payloads may be a gigabyte. */
async function readExisting(sql: Sql, index: string, condition: string): Promise<[key: string, Existing][]> {
  type Columns = readonly [
    id: string | number,
    account: string,
    dedupeKey: string,
    channel: string,
    dueAt: string | number,
    payload: string | null,
    state: MessageState,
    scheduledHash: string | null,
    sendWithin: string | number | null,
    onLate: OnLate | null,
    payloadBytes: string | number,
  ];
  const read = async (which: string, payload: string) => {
    const rows = await sql.rows<Columns>(
      `SELECT id, account, dedupe_key, channel, due_at, ${payload}, state, LOWER(HEX(scheduled_hash)), send_within, on_late, ${PAYLOAD_BYTES} ` +
        `FROM scheduled_messages ${which} FOR SHARE`,
    );
    return rows.map((row) => ({ id: Number(row[0]), payload: row[5], payloadBytes: Number(row[10]), row }));
  };
  const existing: [key: string, Existing][] = [];
  for await (const page of pagesOfPayloads(`FORCE INDEX (${index}) WHERE ${condition}`, read)) {
    for (const { id, payload, row } of page) {
      const [, account, dedupeKey, channel, dueAt, , state, scheduledHash, within, onLate] = row;
      const sendWithin = within === null ? null : Number(within);
      const hash = hashOf({ channel, dueAt: Number(dueAt), payload: payload as string, sendWithin, onLate });
      existing.push([nameOf({ account, dedupeKey }), { row: { id, channel, state }, scheduledHash, hash }]);
    }
  }
  return existing;
}

/**
 * Plans existing rows again as they are given now. A row that is the same already and waits, or was delivered, stays as it
 * is, so that repeating the call is harmless.
 */
async function replaceAll(
  sql: Sql,
  author: Author,
  batch: readonly CheckedMessage[],
  known: ReadonlyMap<string, Existing>,
  call: Call,
): Promise<Map<CheckedMessage, ScheduleAnswer>> {
  const wanted = new Map<string, CheckedMessage>();
  for (const message of batch) {
    const key = keyOf(message);
    if (key === null || !known.has(key)) continue;
    const other = wanted.get(key);
    if (other !== undefined && hashOf(other) !== hashOf(message)) {
      throw new UserError(
        `dedupeKey: ${message.dedupeKey} is given twice with different content, so neither replaces it`,
      );
    }
    wanted.set(key, message);
  }
  const messages = [...wanted.values()];
  const standing = await lock(
    sql,
    messages.map((message) => ({ id: (known.get(keyOf(message) as string) as Existing).row.id })),
  );
  const answers = new Map<string, ScheduleAnswer>();
  const replaced: { readonly row: Standing; readonly message: CheckedMessage; readonly version: number }[] = [];
  for (const [index, row] of standing.entries()) {
    const message = messages[index] as CheckedMessage;
    const key = keyOf(message) as string;
    if (row === null) throw new Unavailable('a message with this dedupe key was deleted just now; try again');
    const answer = replacementOf(message, row, known.get(key) as Existing);
    answers.set(key, answer);
    if (answer.result === 'replaced') replaced.push({ row, message, version: answer.version });
  }
  // As they were; as they are given is counted already.
  call.logged.push(...replaced.map(({ row }) => row.payloadBytes));
  checkOneTransaction('schedule', call);
  const states = await newStates(
    sql,
    replaced.map(({ row, message }) => ({ row, dueAt: message.dueAt })),
  );
  const changed: ChangedMessage[] = [];
  const values = replaced.map(({ row, message, version }) => {
    const { id, dueAt } = row;
    const state = states.get(id) ?? 'scheduled';
    changed.push({
      id,
      before: { state: row.state, version: row.version, dueAt },
      after: { state, version, dueAt: message.dueAt },
    });
    return (
      `ROW(${integer(id)},${integer(version)},'${state}',${text(message.payload)},${integer(message.dueAt)},` +
      `${hex(hashOf(message))},${text(message.localTime)},${text(message.zone)},${policyOf(message)})`
    );
  });
  if (values.length > 0) {
    await sql.run(
      `UPDATE (VALUES ${values.join(',')}) v(id, version, state, payload, due_at, hash, local_time, zone, send_within, on_late) ` +
        'STRAIGHT_JOIN scheduled_messages m FORCE INDEX (PRIMARY) ON m.id=v.id ' +
        `SET m.state=v.state, m.version=v.version, m.plan_version=v.version, m.plan_number=${nextPlanNumber('m.plan_number')}, ` +
        'm.payload=v.payload, m.due_at=v.due_at, m.retry_at=NULL, m.scheduled_hash=v.hash, m.attempts=0, ' +
        'm.first_attempt_at=NULL, m.local_time=v.local_time, m.zone=v.zone, m.send_within=v.send_within, m.on_late=v.on_late',
    );
    await recordMessages(sql, author, 'messages replace', changed);
  }
  return new Map(
    batch.flatMap((message) => {
      const key = keyOf(message);
      const answer = key === null ? undefined : answers.get(key);
      return answer === undefined ? [] : [[message, answer]];
    }),
  );
}

function replacementOf(message: CheckedMessage, row: Standing, existing: Existing): ScheduleAnswer {
  const { id, state } = row;
  if (state === 'sending') return { result: 'too_late', id, claimedAt: row.updatedAt, worker: row.worker };
  if (row.inDoubt) return { result: 'in_doubt', id };
  // A row stays on its channel: spouts and bolts know it by that.
  if (row.channel !== message.channel) return { result: 'conflict', id, state };
  if (existing.hash === hashOf(message)) {
    if (state === 'scheduled' || state === 'suspended' || state === 'late')
      return { result: 'scheduled', id, created: false };
    // The answer of an earlier call may have been lost: planned again, it would be accepted twice, under two keys.
    if (state === 'delivered') return { result: 'already', id, state };
  }
  return { result: 'replaced', id, version: row.version + 1 };
}

/** An edit does not matter: a producer that repeats what it scheduled is right, and so is one that schedules what is there. */
function isSame(message: CheckedMessage, { scheduledHash, hash }: Existing): boolean {
  const own = hashOf(message);
  return own === scheduledHash || own === hash;
}

/** Of the payload as a statement has it, with each of its quotes escaped. */
function sentBytes({ payload }: CheckedMessage): number {
  return Buffer.byteLength(text(payload));
}

function keyOf({ account, dedupeKey }: CheckedMessage): string | null {
  return dedupeKey === null ? null : nameOf({ account, dedupeKey });
}

function keyTargetOf({ account, dedupeKey }: CheckedMessage): KeyTarget {
  return { account, dedupeKey: dedupeKey as string };
}

function keyLiteral({ account, dedupeKey }: CheckedMessage): string {
  return `(${text(account)},${text(dedupeKey)})`;
}
