import { UserError } from '../../../topology/core/errors';
import type { MessageId } from '../../../topology/message';
import { checkAccount, checkChannel, type Target } from '../client/input';
import { type Attempt, attemptsOf, getAll, type Message } from '../client/messages';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import { type MessageFilter, searchPage } from './search';

export interface MessagePage {
  /** Newest first. */
  readonly messages: readonly Message[];
  /** Give it as `before` for the next page; null at the end. */
  readonly next: MessageId | null;
  /** False: the search stopped at `next` because it took long, and older messages may match. */
  readonly isFull: boolean;
}

export interface Pause {
  readonly channel: string;
  /** Null: the whole channel. */
  readonly account: string | null;
  /** Epoch milliseconds. */
  readonly pausedAt: number;
}

/** A purge reads this many rows in one step, and deletes those that are old in one transaction. */
const ROWS_PER_PURGE_STEP = 1_000;
/** The search of one page: with the last step under way it still ends within half a second. */
const SEARCH_MS = 250;
/** Each deleted row is a change event; this leaves most of CDC's speed to the applications. */
const PURGED_PER_SECOND = 5_000;
const ENDED = "('delivered','failed','canceled','uncertain')";

/** What operators do with messages, beside what applications do through the client. */
export class Operations {
  constructor(private readonly pool: Pool) {}

  /** A message with its ledger, or null. */
  show(target: Target): Promise<{ readonly message: Message; readonly attempts: readonly Attempt[] } | null> {
    return this.pool.use(async (sql) => {
      const [message] = await getAll(sql, [target]);
      return message === null || message === undefined
        ? null
        : { message, attempts: await attemptsOf(sql, message.id) };
    });
  }

  /** A page of messages, newest first. A filter that no index serves gives what a moment's search finds. */
  list(filter: MessageFilter, page: { readonly before?: MessageId; readonly limit: number }): Promise<MessagePage> {
    return this.pool.use(async (sql) => {
      const { ids, searchedTo } = await searchPage(sql, filter, {
        ...page,
        budgetMs: SEARCH_MS,
        clock: this.pool.clock,
      });
      const messages = await getAll(
        sql,
        ids.map((id) => ({ id })),
      );
      return {
        messages: messages.filter((message) => message !== null),
        next: searchedTo,
        isFull: searchedTo === null || ids.length === page.limit,
      };
    });
  }

  /**
   * Deletes messages that ended more than `ageMs` ago, and their attempts, in small transactions in the order of their
   * ids, no more than PURGED_PER_SECOND. Nothing waits for long, and the purge may be interrupted at any time.
   * @param report called with the number deleted so far
   * @returns how many were deleted
   */
  async purge(
    ageMs: number,
    report: (deleted: number) => void = () => {},
    batch = ROWS_PER_PURGE_STEP,
  ): Promise<number> {
    if (!Number.isFinite(ageMs) || ageMs < 0)
      throw new UserError(`age: expected milliseconds, 0 or more, got ${ageMs}`);
    const seconds = Math.floor(ageMs / 1000);
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
      if (old.length > 0) {
        const { clock } = this.pool;
        const beganAt = clock.monotonic();
        const removed = await this.remove(old);
        deleted += removed;
        await clock.sleep(Math.max(0, (removed / PURGED_PER_SECOND) * 1_000 - (clock.monotonic() - beganAt)));
      }
      report(deleted);
    }
  }

  /** Stops a channel, or one of its accounts, until it is resumed. Pausing twice is pausing once. */
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

  /** The states are checked again, because somebody may have changed a row since it was read. */
  private remove(ids: readonly MessageId[]): Promise<number> {
    return this.pool.transaction(async (sql) => {
      const locked = await sql.rows<[MessageId]>(
        `SELECT id FROM scheduled_messages WHERE id IN ${list(ids, integer)} AND state IN ${ENDED} ORDER BY id FOR UPDATE SKIP LOCKED`,
      );
      if (locked.length === 0) return 0;
      const these = list(locked, ([id]) => integer(id));
      await sql.run(`DELETE FROM delivery_attempts WHERE message_id IN ${these}`);
      const { affectedRows } = await sql.run(`DELETE FROM scheduled_messages WHERE id IN ${these}`);
      return affectedRows;
    });
  }
}
