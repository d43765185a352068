import type { MessageId, MessageState } from '../../../topology/message';
import { mayRecordAudit } from '../audit/audit';
import type { Author } from '../audit/author';
import { checkTarget, checkTime, type Target } from '../client/input';
import { getAll } from '../client/messages';
import { checkUpdate } from '../client/one-transaction';
import { recordMessages } from '../client/record';
import { lock, NO_MESSAGE, unique } from '../client/standing';
import { LATE } from '../schema/late-rows';
import { reschedule } from '../schema/reschedule';
import { integer, list, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import type { Selection } from './bulk';
import { channelsIn } from './channel-names';
import { conditionOf, type MessageFilter } from './search';
import { type BulkCounts, changeAll } from './small-transactions';

/** The answer to a request to resume a message. */
export type ResumeAnswer =
  | { readonly result: 'resumed'; readonly version: number }
  | { readonly result: 'not_suspended'; readonly state: MessageState }
  /** It would only be suspended again. */
  | { readonly result: 'account_blocked'; readonly account: string; readonly channel: string }
  | { readonly result: 'not_found' };

interface SuspendedRow {
  readonly id: MessageId;
  readonly version: number;
  readonly dueAt: number;
  readonly state: MessageState;
}

interface AccountOf {
  readonly account: string;
  readonly channel: string;
}

const SAMPLE = 5;
/** Rows that one statement reads, whether they match the filter or not. */
const ROWS_PER_STEP = 1_000;
const MAX_CHANNELS = 1_000;

/**
 * Resumes messages that wait for a person: suspended ones that stay so although their account can be used, because they were kept back;
 * or late ones, where the filter asks for them, so that nobody sends old ones without meaning to. Of each account it goes in the order
 * in which they are due, in small transactions, and rests after each. An interrupted run has resumed the earlier
 * ones; the next one continues.
 */
export class SuspendedMessages {
  constructor(
    private readonly pool: Pool,
    private readonly author: Author,
  ) {}

  async select(filter: MessageFilter, report: (count: number) => void = () => {}): Promise<Selection> {
    let count = 0;
    const first: MessageId[] = [];
    for await (const rows of this.steps(filter)) {
      count += rows.length;
      first.push(...rows.slice(0, SAMPLE - first.length).map(({ id }) => id));
      report(count);
    }
    const sample = await this.pool.use((sql) =>
      getAll(
        sql,
        first.map((id) => ({ id })),
      ),
    );
    return { count, sample: sample.filter((message) => message !== null), isFirst: true };
  }

  resume(filter: MessageFilter, report?: (counts: BulkCounts) => void): Promise<BulkCounts> {
    const write = (sql: Sql, rows: readonly SuspendedRow[]) => this.reschedule(sql, rows);
    return changeAll(this.pool, this.steps(filter), rowsOf(filter).state, { write, check: mayResume }, report);
  }

  /** The same for messages by name. */
  resumeThese(targets: readonly Target[]): Promise<ResumeAnswer[]> {
    const checked = targets.map(checkTarget);
    return this.pool.transaction(async (sql) => {
      const standing = await lock(sql, checked);
      const suspended = unique(standing).filter(({ state }) => waits(state));
      const blocked = await blockedAmong(sql, suspended);
      const ready = suspended.filter((row) => !blocked.has(nameOf(row)));
      checkUpdate('resume', ready);
      await this.reschedule(sql, ready);
      return standing.map((row): ResumeAnswer => {
        if (row === null) return { result: 'not_found' };
        const { account, channel, state } = row;
        if (!waits(state)) return { result: 'not_suspended', state };
        if (blocked.has(nameOf(row))) return { result: 'account_blocked', account, channel };
        return { result: 'resumed', version: row.version + 1 };
      });
    });
  }

  /** Accounts whose messages the filter selects and that cannot be used, up to a number. */
  async blocked(filter: MessageFilter, most: number): Promise<AccountOf[]> {
    const found: AccountOf[] = [];
    for await (const { isBlocked, ...of } of this.accounts(filter)) {
      if (isBlocked) found.push(of);
      if (found.length === most) break;
    }
    return found;
  }

  private async reschedule(sql: Sql, rows: readonly SuspendedRow[]): Promise<number> {
    const inOrder = rows.toSorted((a, b) => a.dueAt - b.dueAt || a.id - b.id);
    const done = await reschedule(
      sql,
      inOrder.map(({ id }) => id),
      'person',
    );
    await recordMessages(
      sql,
      this.author,
      'messages resume',
      inOrder.map(({ id, state, version }) => ({
        id,
        before: { state, version },
        after: { state: 'scheduled', version: version + 1 },
      })),
    );
    return done;
  }

  /** Rows that the filter selects, step by step, account by account, in the order in which they are due. */
  private async *steps(filter: MessageFilter): AsyncGenerator<readonly SuspendedRow[]> {
    const { state, index, where } = rowsOf(filter);
    const condition = conditionOf({ ...filter, state });
    const from = filter.dueFrom === undefined ? '' : `AND due_at >= ${integer(checkTime('dueFrom', filter.dueFrom))} `;
    for await (const { account, channel, isBlocked } of this.accounts(filter)) {
      if (isBlocked) continue;
      for (let after = from; ; ) {
        const rows = await this.pool.rows<[id: number, version: number, dueAt: number, isSelected: number]>(
          `SELECT id, version, due_at, ${condition} FROM scheduled_messages FORCE INDEX (${index}) ` +
            `WHERE ${where} AND channel=${text(channel)} AND account=${text(account)} ${after}ORDER BY due_at, id LIMIT ${ROWS_PER_STEP}`,
        );
        yield rows.flatMap(([id, version, dueAt, isSelected]) =>
          isSelected === 1 ? [{ id, version, dueAt, state }] : [],
        );
        const last = rows.at(-1);
        if (last === undefined || rows.length < ROWS_PER_STEP) break;
        after = `AND (due_at > ${integer(last[2])} OR (due_at=${integer(last[2])} AND id > ${integer(last[0])})) `;
      }
    }
  }

  /** Accounts that have suspended messages, or late ones as the filter asks: one look-up in the index for each. */
  private async *accounts(filter: MessageFilter): AsyncGenerator<AccountOf & { readonly isBlocked: boolean }> {
    const { index, where } = rowsOf(filter);
    const channels =
      filter.channel === undefined ? (await channelsIn(this.pool, index, where, MAX_CHANNELS)).names : [filter.channel];
    for (const channel of channels) {
      for (let after = filter.account === undefined ? '' : `AND account=${text(filter.account)} `; ; ) {
        const [row] = await this.pool.rows<[string]>(
          `SELECT account FROM scheduled_messages FORCE INDEX (${index}) ` +
            `WHERE ${where} AND channel=${text(channel)} ${after}ORDER BY account LIMIT 1`,
        );
        if (row === undefined) break;
        const of = { account: row[0], channel };
        yield { ...of, isBlocked: (await blockedAmong(this.pool, [of])).size > 0 };
        if (filter.account !== undefined) break;
        after = `AND account > ${text(of.account)} `;
      }
    }
  }
}

/** Runs the statements of a resumption about no message. @throws where they are refused */
async function mayResume(sql: Sql): Promise<void> {
  await reschedule(sql, [NO_MESSAGE], 'person');
  await mayRecordAudit(sql);
}

/** Those of the accounts that cannot be used, by name. */
async function blockedAmong(sql: Pick<Sql, 'rows'>, accounts: readonly AccountOf[]): Promise<ReadonlySet<string>> {
  if (accounts.length === 0) return new Set();
  const rows = await sql.rows<[string, string]>(
    "SELECT account, channel FROM account_states WHERE state IN ('unusable','disabled') AND (account, channel) IN " +
      list(accounts, ({ account, channel }) => `(${text(account)},${text(channel)})`),
  );
  return new Set(rows.map(([account, channel]) => nameOf({ account, channel })));
}

/** Late ones have an index of their own. */
function rowsOf({ state, isLate }: MessageFilter) {
  return state === 'late' || (state === undefined && isLate === true)
    ? ({ state: 'late', index: 'late_by_due', where: LATE } as const)
    : ({ state: 'suspended', index: 'suspended_by_due', where: 'suspended=1' } as const);
}

function waits(state: MessageState): boolean {
  return state === 'suspended' || state === 'late';
}

function nameOf({ account, channel }: AccountOf): string {
  return JSON.stringify([channel, account]);
}
