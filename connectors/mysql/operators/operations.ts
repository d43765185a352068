import { UserError } from '../../../topology/core/errors';
import type { MessageId } from '../../../topology/message';
import { checkAccount, checkChannel, type Target } from '../client/input';
import {
  type Attempt,
  attemptsOf,
  getAll,
  listMessages,
  type Message,
  type MessageFilter,
  type MessagePage,
} from '../client/messages';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';

export interface Pause {
  readonly channel: string;
  /** Null: the whole channel. */
  readonly account: string | null;
  /** Epoch milliseconds. */
  readonly pausedAt: number;
}

/** Rows looked at in one step of a purge, and deleted in one transaction at most. */
const PURGE_BATCH = 1_000;
const ENDED = "('delivered','failed','canceled','uncertain')";

/** What operators do with messages, beside what applications do through the client. */
export class Operations {
  constructor(private readonly pool: Pool) {}

  /** A message with its ledger, or null. */
  show(target: Target): Promise<{ readonly message: Message; readonly attempts: readonly Attempt[] } | null> {
    return this.pool.use(async (session) => {
      const [message] = await getAll(session, [target]);
      return message === null || message === undefined
        ? null
        : { message, attempts: await attemptsOf(session, message.id) };
    });
  }

  /** A page of messages, newest first. */
  list(filter: MessageFilter, page: { readonly before?: MessageId; readonly limit: number }): Promise<MessagePage> {
    return this.pool.use((session) => listMessages(session, filter, page));
  }

  /**
   * Deletes messages that ended more than `age` milliseconds ago, and their attempts, in small transactions, in the order
   * of their ids: nothing waits for it, and it can be broken off at any time.
   * @param report told the number deleted so far
   * @returns how many were deleted
   */
  async purge(age: number, report: (deleted: number) => void = () => {}, batch = PURGE_BATCH): Promise<number> {
    if (!Number.isFinite(age) || age < 0) throw new UserError(`age: expected milliseconds, 0 or more, got ${age}`);
    const seconds = Math.floor(age / 1000);
    let deleted = 0;
    for (let after = 0; ; ) {
      const rows = await this.pool.rows<[id: number, old: number]>(
        `SELECT id, state IN ${ENDED} AND updated_at <= NOW(6) - INTERVAL ${seconds} SECOND FROM scheduled_messages ` +
          `WHERE id > ${integer(after)} ORDER BY id LIMIT ${integer(batch)}`,
      );
      const last = rows.at(-1);
      if (last === undefined) return deleted;
      [after] = last;
      const old = rows.flatMap(([id, isOld]) => (isOld === 1 ? [id] : []));
      if (old.length > 0) deleted += await this.remove(old);
      report(deleted);
    }
  }

  /** The channel, or one of its accounts, sends nothing until it is resumed. Pausing twice is pausing once. */
  async pause(channel: string, account?: string): Promise<void> {
    const of = account === undefined ? '' : checkAccount(account);
    await this.pool.run(
      `INSERT INTO pauses (channel, account, paused_at) VALUES (${text(checkChannel(channel))}, ${text(of)}, ${NOW_MS}) ` +
        'ON DUPLICATE KEY UPDATE paused_at=paused_at',
    );
  }

  /** @returns false when it was not paused */
  async resume(channel: string, account?: string): Promise<boolean> {
    const of = account === undefined ? '' : checkAccount(account);
    const { affectedRows } = await this.pool.run(
      `DELETE FROM pauses WHERE channel=${text(channel)} AND account=${text(of)}`,
    );
    return affectedRows === 1;
  }

  async pauses(): Promise<Pause[]> {
    const rows = await this.pool.rows<[string, string, number]>(
      'SELECT channel, account, paused_at FROM pauses ORDER BY channel, account',
    );
    return rows.map(([channel, account, pausedAt]) => ({
      channel,
      account: account === '' ? null : account,
      pausedAt,
    }));
  }

  /** The states are asked again: somebody may have changed a row since it was read. */
  private remove(ids: readonly MessageId[]): Promise<number> {
    return this.pool.transaction(async (session) => {
      const locked = await session.rows<[MessageId]>(
        `SELECT id FROM scheduled_messages WHERE id IN ${list(ids, integer)} AND state IN ${ENDED} ORDER BY id FOR UPDATE SKIP LOCKED`,
      );
      if (locked.length === 0) return 0;
      const these = list(locked, ([id]) => integer(id));
      await session.run(`DELETE FROM delivery_attempts WHERE message_id IN ${these}`);
      const { affectedRows } = await session.run(`DELETE FROM scheduled_messages WHERE id IN ${these}`);
      return affectedRows;
    });
  }
}
