import type { MessageId } from '../../../../topology/message';
import { integer, list, NOW_MS, text } from '../../sql/literals';
import type { Pool } from '../../sql/pool';
import { channelsIn } from '../channel-names';

/** Up to where nothing was found. */
export interface Mark {
  readonly messageId: MessageId;
  /** Of the ledger. */
  readonly attemptId: number;
  /** Epoch milliseconds by the database's clock. */
  readonly verifiedAt: number;
}

/** Messages to read at once, as SQL, and how far that is, from 0 to 1. */
export interface Part {
  readonly condition: string;
  readonly share: number;
}

const ROWS_PER_PART = 2_000;
/** Channels whose overdue messages are found by the index. */
const MAX_CHANNELS = 100;

export async function readMark(pool: Pool): Promise<Mark | null> {
  const [row] = await pool.rows<[number, number, number]>(
    'SELECT message_id, attempt_id, verified_at FROM verify_mark WHERE id=1',
  );
  return row === undefined ? null : { messageId: row[0], attemptId: row[1], verifiedAt: row[2] };
}

export async function writeMark(pool: Pool, { messageId, attemptId, verifiedAt }: Mark): Promise<void> {
  const values = `message_id=${integer(messageId)}, attempt_id=${integer(attemptId)}, verified_at=${integer(verifiedAt)}`;
  await pool.run(`INSERT INTO verify_mark SET id=1, ${values} ON DUPLICATE KEY UPDATE ${values}`);
}

/** The mark for the next time, if nothing is found now. Attempts of the last while are left for it. */
export async function nextMark(pool: Pool, mark: Mark | null, overlapMs: number): Promise<Mark> {
  const after = mark?.attemptId ?? 0;
  const [row] = await pool.rows<[number | null, number | null, number]>(
    'SELECT (SELECT MAX(id) FROM scheduled_messages), (SELECT MIN(id) FROM delivery_attempts ' +
      `WHERE id > ${integer(after)} AND recorded_at >= NOW(6) - INTERVAL ${integer(Math.round(overlapMs * 1_000))} MICROSECOND), ${NOW_MS}`,
  );
  const [lastMessage, firstYoung, verifiedAt] = row as [number | null, number | null, number];
  const lastAttempt = await greatest(pool, 'delivery_attempts');
  return {
    messageId: lastMessage ?? 0,
    attemptId: Math.max(after, firstYoung === null ? lastAttempt : firstYoung - 1),
    verifiedAt,
  };
}

/**
 * What has to be read: with a mark the messages after it, those that have attempts after it, and those that are overdue;
 * no message twice. Without one all of them.
 */
export async function* partsOf(pool: Pool, mark: Mark | null, next: Mark): AsyncGenerator<Part> {
  yield* newMessages(pool, mark?.messageId ?? 0, next.messageId);
  if (mark === null) return;
  yield* attempted(pool, mark);
  yield* overdue(pool, mark);
}

async function* newMessages(pool: Pool, after: MessageId, until: MessageId): AsyncGenerator<Part> {
  for (let from = after; from < until; ) {
    const [row] = await pool.rows<[number]>(
      `SELECT id FROM scheduled_messages WHERE id > ${integer(from)} ORDER BY id LIMIT 1 OFFSET ${ROWS_PER_PART - 1}`,
    );
    const to = Math.min(until, row?.[0] ?? until);
    yield { condition: `id > ${integer(from)} AND id <= ${integer(to)}`, share: to / until };
    from = to;
  }
}

async function* attempted(pool: Pool, mark: Mark): AsyncGenerator<Part> {
  const last = await greatest(pool, 'delivery_attempts');
  for (let after = mark.attemptId; after < last; ) {
    const rows = await pool.rows<[attempt: number, message: number]>(
      `SELECT id, message_id FROM delivery_attempts WHERE id > ${integer(after)} ORDER BY id LIMIT ${ROWS_PER_PART}`,
    );
    const to = rows.at(-1)?.[0];
    if (to === undefined) return;
    // A message is read with the first of its new attempts.
    const condition =
      `id <= ${integer(mark.messageId)} AND id IN (SELECT DISTINCT a.message_id FROM delivery_attempts a ` +
      `WHERE a.id > ${integer(after)} AND a.id <= ${integer(to)} AND NOT EXISTS (SELECT 1 FROM delivery_attempts b ` +
      `WHERE b.message_id=a.message_id AND b.id > ${integer(mark.attemptId)} AND b.id <= ${integer(after)}))`;
    yield { condition, share: to / last };
    after = to;
  }
}

async function* overdue(pool: Pool, mark: Mark): AsyncGenerator<Part> {
  const { names, more } = await channelsIn(pool, 'open_by_wake', 'open=1', MAX_CHANNELS);
  if (more) {
    yield* overdueAmongAll(pool, mark);
    return;
  }
  for (const channel of names) {
    for (let shard = 0; shard < 256; shard += 1) yield* overdueOf(pool, channel, shard, mark);
  }
}

/** Without the index, which would be asked for each channel and shard. */
async function* overdueAmongAll(pool: Pool, mark: Mark): AsyncGenerator<Part> {
  for await (const { condition, share } of newMessages(pool, 0, mark.messageId)) {
    // The others were read already.
    const unread = `id NOT IN (SELECT message_id FROM delivery_attempts WHERE id > ${integer(mark.attemptId)})`;
    yield { condition: `${condition} AND open=1 AND wake_at <= ${NOW_MS} AND ${unread}`, share };
  }
}

async function* overdueOf(pool: Pool, channel: string, shard: number, mark: Mark): AsyncGenerator<Part> {
  for (let [wake, id] = [0, 0]; ; ) {
    const rows = await pool.rows<[id: number, wake: number, isNew: number]>(
      `SELECT m.id, m.wake_at, m.id > ${integer(mark.messageId)} OR EXISTS (SELECT 1 FROM delivery_attempts a ` +
        `WHERE a.message_id=m.id AND a.id > ${integer(mark.attemptId)}) FROM scheduled_messages m FORCE INDEX (open_by_wake) ` +
        `WHERE m.open=1 AND m.channel=${text(channel)} AND m.shard=${integer(shard)} ` +
        // Two ranges of the index, which ends with the id: one range would pass again over all that wakes at the same instant.
        `AND ((m.wake_at = ${integer(wake)} AND m.id > ${integer(id)}) OR (m.wake_at > ${integer(wake)} AND m.wake_at <= ${NOW_MS})) ` +
        `ORDER BY m.wake_at, m.id LIMIT ${ROWS_PER_PART}`,
    );
    // The others were read already.
    const ids = rows.flatMap(([one, , isNew]) => (isNew === 1 ? [] : [one]));
    if (ids.length > 0) yield { condition: `id IN ${list(ids, integer)}`, share: (shard + 1) / 256 };
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_PER_PART) return;
    [id, wake] = last;
  }
}

async function greatest(pool: Pool, table: 'delivery_attempts'): Promise<number> {
  const [[last] = [null]] = await pool.rows<[number | null]>(`SELECT MAX(id) FROM ${table}`);
  return last ?? 0;
}
