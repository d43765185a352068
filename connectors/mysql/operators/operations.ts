import { UserError } from '../../../topology/core/errors';
import { APP, NAMED_APP } from '../../../topology/core/limits';
import type { MessageId } from '../../../topology/message';
import type { Schemas } from '../../../topology/payloads/given-channel';
import { checkAccount, checkChannel, checkTime, type Target, type Time } from '../client/input';
import { type Attempt, attemptsOf, getAll, type Message } from '../client/messages';
import { NO_MESSAGE } from '../client/standing';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { limitsIfThere } from './limited';
import { type MessageFilter, searchPage } from './search';
import { SmallTransactions } from './small-transactions';

export interface MessagePage {
  /** Newest first. */
  readonly messages: readonly Message[];
  /** Give it as `before` for the next page; null at the end. */
  readonly next: MessageId | null;
  /** False: the search stopped at `next` because it took long, and older messages may match. */
  readonly isFull: boolean;
}

/** What a pause stops: everything (both are null), a channel, or one account of it. */
export interface PauseScope {
  readonly channel: string | null;
  readonly account: string | null;
}

/** A pause that has not ended. Times are epoch milliseconds by the database's clock. */
export interface Pause extends PauseScope {
  readonly pausedAt: number;
  /** When it ends by itself; null: when somebody resumes it. */
  readonly untilAt: number | null;
  /** `kill` and `deploy` end their own; null: a person's. */
  readonly command: string | null;
}

/** When a pause ends by itself: at an instant, or so many milliseconds from now. */
export type PauseEnd = { readonly at: Time } | { readonly inMs: number };

export interface PurgeOptions {
  /** Called with the number deleted so far; what it throws ends the purge. */
  readonly report?: (deleted: number) => void;
  /** Rows that are read in one step. */
  readonly batch?: number;
  /** Only counts what would be deleted. */
  readonly dryRun?: boolean;
}

/** An account is held for so much longer at most than the app in whose place it is. */
const HELD_LATER_MS = 30_000;
/** A purge reads this many rows in one step. */
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
   * Deletes messages that ended more than `ageMs` ago, their attempts and kept ids, in small transactions in the order of their
   * ids, no more than PURGED_PER_SECOND. Nothing waits for long, and the purge may be interrupted at any time.
   * @returns how many were deleted
   * @throws UserError when the database refuses rows, after all others were deleted
   */
  async purge(
    ageMs: number,
    { report = () => {}, batch = ROWS_PER_PURGE_STEP, dryRun = false }: PurgeOptions = {},
  ): Promise<number> {
    if (!Number.isFinite(ageMs) || ageMs < 0)
      throw new UserError(`age: expected milliseconds, 0 or more, got ${ageMs}`);
    const seconds = Math.floor(ageMs / 1000);
    const transactions = new SmallTransactions(this.pool, {
      write: deleteEnded,
      check: (sql) => deleteRows(sql, [NO_MESSAGE]),
    });
    let deleted = 0;
    for (let after = 0; ; ) {
      const rows = await this.pool.rows<[id: number, old: number]>(
        `SELECT id, state IN ${ENDED} AND updated_at <= NOW(6) - INTERVAL ${seconds} SECOND FROM scheduled_messages ` +
          `WHERE id > ${integer(after)} ORDER BY id LIMIT ${integer(batch)}`,
      );
      const last = rows.at(-1);
      if (last === undefined) {
        if (!dryRun) await this.dropForlorn(batch);
        transactions.finish();
        return deleted;
      }
      [after] = last;
      const old = rows.flatMap(([id, isOld]) => (isOld === 1 ? [{ id }] : []));
      if (dryRun) deleted += old.length;
      else {
        for await (const { written, tookMs } of transactions.write(old)) {
          deleted += written;
          await this.pool.clock.sleep(Math.max(0, (written / PURGED_PER_SECOND) * 1_000 - tookMs));
        }
      }
      report(deleted);
    }
  }

  /**
   * Stops what the scope names until it is resumed, or until `end`. Pausing what is paused changes its end only.
   * @returns the pause as it was before, null when there was none, and as it is now
   * @param schemas of the channels that there are; our own unless given
   * @throws UserError for an end that has passed already, or a channel that there is not
   */
  async pause(
    scope: PauseScope,
    end?: PauseEnd,
    schemas?: Schemas,
  ): Promise<{ readonly before: Pause | null; readonly after: Pause }> {
    const channel = scope.channel === null ? '' : checkChannel(scope.channel, schemas);
    const account = scope.account === null ? '' : checkAccount(scope.account);
    const until =
      end === undefined
        ? 'NULL'
        : 'at' in end
          ? integer(checkTime('until', end.at))
          : `${NOW_MS} + ${integer(end.inMs)}`;
    return this.pool.transaction(async (sql) => {
      // Workers count a pause that has ended no more; nobody needs its row.
      await sql.run(`DELETE FROM pauses WHERE until_at <= ${NOW_MS}`);
      const before = (await pausesIn(sql)).find((pause) => isOf(pause, scope) && pause.command === null) ?? null;
      await sql.run(
        `INSERT INTO pauses (channel, account, paused_at, until_at) VALUES (${text(channel)}, ${text(account)}, ${NOW_MS}, ${until}) ` +
          `ON DUPLICATE KEY UPDATE until_at=${until}`,
      );
      const after = (await pausesIn(sql)).find((pause) => isOf(pause, scope) && pause.command === null);
      if (after === undefined)
        throw new UserError('until: this time has passed already, by the clock of the database.');
      return { before, after };
    });
  }

  /** Ends what a person, or `kill`, has paused. @returns the pause that was ended; null when there was none */
  resume(scope: PauseScope): Promise<Pause | null> {
    return this.pool.transaction(async (sql) => {
      const before = (await pausesIn(sql)).find((pause) => isOf(pause, scope) && pause.command !== 'deploy') ?? null;
      await sql.run(
        `DELETE FROM pauses WHERE channel=${text(scope.channel ?? '')} AND account=${text(scope.account ?? '')} ` +
          "AND command <> 'deploy'",
      );
      return before;
    });
  }

  /**
   * Ends what a provider has said, that it takes nothing of an account, or of the whole channel, for a while: it is asked again. What was
   * sent counts towards limits all the same.
   * @returns until when that was, epoch milliseconds by the database's clock; null when there was nothing
   */
  endHold({ channel, account }: PauseScope): Promise<number | null> {
    return this.pool.transaction(async (sql) => {
      const its = `channel=${text(channel ?? '')}`;
      const whose =
        account === null
          ? `(account=${text(APP)} OR account LIKE ${text(`${NAMED_APP}%`)})`
          : `account=${text(account)}`;
      const these = `${its} AND ${whose} AND held_until > ${NOW_MS}`;
      const [row] = await limitsIfThere<[heldUntil: number | null, ofNamedApps: number | null]>(
        sql,
        `SELECT MAX(held_until), MAX(IF(account=${text(APP)}, NULL, held_until)) FROM account_limits WHERE ${these}`,
      );
      const [heldUntil, ofNamedApps] = row ?? [null, null];
      if (heldUntil === null) return null;
      // A gate that is due to what was sent is written again as soon as something is to be sent.
      await sql.run(`UPDATE account_limits SET held_until=0, gate_until=0 WHERE ${these}`);
      if (account === null && ofNamedApps !== null) {
        // Its accounts are gated, and held too, in its place. What one is held for itself that ends no later is not told from that.
        const own = `IF(held_until > ${integer(ofNamedApps + HELD_LATER_MS)}, held_until, 0)`;
        await sql.run(
          `UPDATE account_limits SET gate_until=${own}, held_until=${own} WHERE ${its} AND account <> ${text(APP)} AND gate_until > ${NOW_MS}`,
        );
      }
      return heldUntil;
    });
  }

  /** What is paused now. */
  pauses(): Promise<Pause[]> {
    return this.pool.use((sql) => pausesIn(sql));
  }

  /** Deletes ids that were kept of messages which somebody has deleted with plain SQL. */
  private async dropForlorn(batch: number): Promise<void> {
    for (let after = 0; ; ) {
      const rows = await this.pool.rows<[id: number, isForlorn: number]>(
        'SELECT k.message_id, m.id IS NULL FROM kept_ids k LEFT JOIN scheduled_messages m ON m.id=k.message_id ' +
          `WHERE k.message_id > ${integer(after)} ORDER BY k.message_id LIMIT ${integer(batch)}`,
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      [after] = last;
      const forlorn = rows.filter(([, isForlorn]) => isForlorn === 1);
      if (forlorn.length > 0) {
        await this.pool.run(`DELETE FROM kept_ids WHERE message_id IN ${list(forlorn, ([id]) => integer(id))}`);
      }
    }
  }
}

/** The states are checked again, because somebody may have changed a row since it was read. */
async function deleteEnded(sql: Sql, rows: readonly { readonly id: MessageId }[]): Promise<number> {
  const locked = await sql.rows<[MessageId]>(
    `SELECT id FROM scheduled_messages WHERE id IN ${list(rows, ({ id }) => integer(id))} AND state IN ${ENDED} ORDER BY id FOR UPDATE SKIP LOCKED`,
  );
  return locked.length === 0 ? 0 : deleteRows(sql, locked.flat());
}

async function deleteRows(sql: Sql, ids: readonly MessageId[]): Promise<number> {
  const these = list(ids, integer);
  await sql.run(`DELETE FROM delivery_attempts WHERE message_id IN ${these}`);
  await sql.run(`DELETE FROM kept_ids WHERE message_id IN ${these}`);
  const { affectedRows } = await sql.run(`DELETE FROM scheduled_messages WHERE id IN ${these}`);
  return affectedRows;
}

async function pausesIn(sql: Sql): Promise<Pause[]> {
  const rows = await sql.rows<[string, string, number, number | null, string]>(
    'SELECT channel, account, paused_at, until_at, command FROM pauses ' +
      `WHERE until_at IS NULL OR until_at > ${NOW_MS} ORDER BY channel, account, command`,
  );
  return rows.map(([channel, account, pausedAt, untilAt, command]) => ({
    channel: channel === '' ? null : channel,
    account: account === '' ? null : account,
    pausedAt,
    untilAt,
    command: command === '' ? null : command,
  }));
}

function isOf(pause: Pause, { channel, account }: PauseScope): boolean {
  return pause.channel === channel && pause.account === account;
}
