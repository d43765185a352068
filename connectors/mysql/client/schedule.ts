import { isDeepStrictEqual } from 'node:util';
import { Unavailable } from '../../../topology/core/errors';
import { readJson } from '../../../topology/core/json-text';
import type { MessageId } from '../../../topology/message';
import { DUPLICATE_KEY, errnoOf } from '../sql/failures';
import { integer, list, text } from '../sql/literals';
import type { Sql } from '../sql/sql';
import type { CheckedMessage } from './input';

export type ScheduleAnswer =
  /** `created` is false when it had been scheduled before, with the same content. */
  | { readonly result: 'scheduled'; readonly id: MessageId; readonly created: boolean }
  /** Another message has this dedupe key: it differs in channel, payload or due time. */
  | { readonly result: 'conflict'; readonly id: MessageId };

const MAX_ROWS_PER_STATEMENT = 1_000;
/** Well below the server's max_allowed_packet. */
const MAX_STATEMENT_CHARACTERS = 8 * 1024 * 1024;
const MAX_TRIES = 5;

/** Inserts messages, many to a statement, and answers in their order. The caller must have begun a transaction. */
export async function scheduleAll(sql: Sql, messages: readonly CheckedMessage[]): Promise<ScheduleAnswer[]> {
  const answers: ScheduleAnswer[] = [];
  for (const batch of batches(messages)) answers.push(...(await scheduleBatch(sql, batch)));
  return answers;
}

function* batches(messages: readonly CheckedMessage[]): Generator<CheckedMessage[]> {
  let batch: CheckedMessage[] = [];
  let characters = 0;
  for (const message of messages) {
    if (
      batch.length > 0 &&
      (batch.length === MAX_ROWS_PER_STATEMENT || characters + message.payload.length > MAX_STATEMENT_CHARACTERS)
    ) {
      yield batch;
      batch = [];
      characters = 0;
    }
    batch.push(message);
    characters += message.payload.length;
  }
  if (batch.length > 0) yield batch;
}

/** Inserts first and looks for duplicates afterwards, because duplicates are rare and only they cost another statement. */
async function scheduleBatch(sql: Sql, batch: readonly CheckedMessage[]): Promise<ScheduleAnswer[]> {
  const known = new Map<
    string,
    { readonly id: MessageId; readonly message: CheckedMessage; readonly created: boolean }
  >();
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
      return answersOf(batch, fresh, ids, known);
    } catch (error) {
      if (errnoOf(error) !== DUPLICATE_KEY) throw error;
    }
    for (const { id, message } of await existing(sql, [...first.values()])) {
      known.set(keyOf(message) as string, { id, message, created: false });
    }
  }
  throw new Unavailable('messages with these dedupe keys are being scheduled and deleted at the same time; try again');
}

function answersOf(
  batch: readonly CheckedMessage[],
  fresh: readonly CheckedMessage[],
  ids: readonly MessageId[],
  known: ReadonlyMap<string, { readonly id: MessageId; readonly message: CheckedMessage }>,
): ScheduleAnswer[] {
  const created = new Map(fresh.map((message, index) => [message, ids[index] as MessageId]));
  const byKey = new Map<string, { id: MessageId; message: CheckedMessage }>(known);
  for (const [message, id] of created) {
    const key = keyOf(message);
    if (key !== null) byKey.set(key, { id, message });
  }
  return batch.map((message) => {
    const id = created.get(message);
    if (id !== undefined) return { result: 'scheduled', id, created: true };
    const earlier = byKey.get(keyOf(message) as string) as { id: MessageId; message: CheckedMessage };
    return sameContent(message, earlier.message)
      ? { result: 'scheduled', id: earlier.id, created: false }
      : { result: 'conflict', id: earlier.id };
  });
}

/** A multi-row INSERT gets consecutive ids in the order of its rows, `auto_increment_increment` apart. */
async function insert(sql: Sql, messages: readonly CheckedMessage[]): Promise<MessageId[]> {
  if (messages.length === 0) return [];
  const { insertId } = await sql.run(
    'INSERT INTO scheduled_messages (account, channel, payload, due_at, dedupe_key, local_time, zone) VALUES ' +
      messages
        .map(
          (one) =>
            `(${text(one.account)},${text(one.channel)},${text(one.payload)},${integer(one.dueAt)},` +
            `${text(one.dedupeKey)},${text(one.localTime)},${text(one.zone)})`,
        )
        .join(','),
  );
  const [[step]] = [await sql.rows<[number | string]>('SELECT @@SESSION.auto_increment_increment')];
  return messages.map((_, index) => insertId + index * Number(step?.[0] ?? 1));
}

/** Reads what is committed now, even if the caller's transaction reads an earlier state. */
async function existing(
  sql: Sql,
  messages: readonly CheckedMessage[],
): Promise<{ id: MessageId; message: CheckedMessage }[]> {
  if (messages.length === 0) return [];
  const rows = await sql.rows<[string | number, string, string, string, string | number, string]>(
    'SELECT id, account, dedupe_key, channel, due_at, CAST(payload AS CHAR) FROM scheduled_messages FORCE INDEX (dedupe) ' +
      `WHERE (account, dedupe_key) IN ${list(messages, (one) => `(${text(one.account)},${text(one.dedupeKey)})`)} FOR SHARE`,
  );
  return rows.map(([id, account, dedupeKey, channel, dueAt, payload]) => ({
    id: Number(id),
    message: { account, dedupeKey, channel, dueAt: Number(dueAt), payload, localTime: null, zone: null },
  }));
}

function keyOf({ account, dedupeKey }: CheckedMessage): string | null {
  return dedupeKey === null ? null : JSON.stringify([account, dedupeKey]);
}

/** MySQL changes the order of the keys of JSON objects, so payloads are compared as values. */
function sameContent(a: CheckedMessage, b: CheckedMessage): boolean {
  if (a.channel !== b.channel || a.dueAt !== b.dueAt) return false;
  return a.payload === b.payload || isDeepStrictEqual(readJson(a.payload), readJson(b.payload));
}
