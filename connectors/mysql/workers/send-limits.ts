import type { SendLimits, TakenLimits } from '../../../bolts/send-limits';
import { reasonOf, Unavailable } from '../../../topology/core/errors';
import {
  APP,
  allow,
  appsOf,
  countedOf,
  hasOpened,
  isNamedApp,
  type LimitState,
  type Limits,
  NAMED_APP,
  UNUSED,
  type Unmade,
  type Used,
  usedWithout,
  type Want,
} from '../../../topology/core/limits';
import { isDenied, isLockWaitTimeout, isSchemaError } from '../sql/failures';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';

type StateColumns = readonly [
  account: string,
  used: string | null,
  heldUntil: number,
  now: number,
  appHeldUntil: number | null,
];

interface Found {
  readonly rows: StateColumns[];
  /** Accounts that somebody else has locked. */
  readonly busy: ReadonlySet<string>;
  readonly now: number;
}

/** No rate is longer than a week, so what is older says nothing. */
const KEPT_MS = 8 * 86_400_000;
const PURGE_EVERY_MS = 600_000;
const MAX_ROWS_PER_PURGE = 1_000;
const MAX_ROWS_OPENED = 1_000;
/** Until it is asked again for an account that another worker is counting. */
const BUSY_MS = 250;
/** Until it is tried again to count, after the table was missing or might not be written. */
const COUNT_AGAIN_MS = 30_000;

/**
 * The limits of one channel.
 *
 * 1. *Workers never exceed a limit together*: the rows are locked, in one order, before they are read, until what is used is written.
 * 2. *A fixed number of statements for a batch*, however many accounts it has.
 * 3. *What nobody has used for long is deleted*, some rows at a time.
 * 4. *Whoever stands still while it counts keeps its own accounts alone waiting*: what it has locked is left out. Where an app has a limit,
 *    all of its accounts wait for that one row, for as long as the server leaves a transaction open whose client says nothing.
 * 5. *A database that is older than the worker stops nothing*: where the table is missing, or may not be written, everything is allowed.
 */
export class MySqlSendLimits implements SendLimits {
  private purgedAt = Number.NEGATIVE_INFINITY;
  private countsFrom = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly pool: Pick<Pool, 'transaction' | 'run' | 'clock'>,
    private readonly channel: string,
  ) {}

  async take(limits: Limits, wants: readonly Want[]): Promise<TakenLimits> {
    const now = this.pool.clock.monotonic();
    if (now < this.countsFrom) return everything(wants);
    let taken: TakenLimits;
    try {
      taken = await this.pool.transaction((sql) => this.takeIn(sql, limits, wants));
    } catch (error) {
      if (!this.isUncountable(error)) throw error;
      const why = `limits of ${this.channel} are not counted, because account_limits cannot be written: ${reasonOf(error)}`;
      return { ...everything(wants), uncounted: new Unavailable(why, { cause: error }) };
    }
    if (now - this.purgedAt >= PURGE_EVERY_MS) {
      this.purgedAt = now;
      // What was allowed is counted already, so it is not lost because of this. Another time will do.
      await this.purge().catch(() => undefined);
    }
    return taken;
  }

  async hold(account: string, ms: number): Promise<void> {
    if (this.pool.clock.monotonic() < this.countsFrom) return;
    const until = `${NOW_MS} + ${integer(Math.ceil(ms))}`;
    // Spouts do not know whose a named app is: each of its accounts is gated when it wants something.
    const gate = isNamedApp(account) ? '0' : until;
    await this.pool.run(
      'INSERT INTO account_limits (channel, account, held_until, gate_until, changed_at) VALUES ' +
        `(${text(this.channel)}, ${text(account)}, ${until}, ${gate}, ${NOW_MS}) AS n ON DUPLICATE KEY UPDATE ` +
        `held_until=${laterOf('held_until')}, gate_until=${laterOf('gate_until')}, changed_at=n.changed_at`,
    );
  }

  async giveBack(limits: Limits, unmade: readonly Unmade[]): Promise<void> {
    const opened = await this.pool.transaction(async (sql) => {
      const channel = text(this.channel);
      const names = new Set([...appsOf(unmade), ...unmade.map(({ account }) => account)]);
      const found = await sql.rows<StateColumns>(
        `SELECT account, used, held_until, ${NOW_MS}, NULL FROM account_limits FORCE INDEX (PRIMARY) ` +
          `WHERE channel=${channel} AND account IN ${list([...names].toSorted(), text)} ORDER BY account FOR UPDATE`,
      );
      const states = new Map(found.map((row) => [row[0], stateOf(row)]));
      const changed = [...usedWithout(states, limits, unmade)];
      if (changed.length === 0) return false;
      const rows = changed.map(
        ([account, used]) => `(${channel}, ${text(account)}, ${text(JSON.stringify(used))}, ${NOW_MS})`,
      );
      await sql.run(
        `INSERT INTO account_limits (channel, account, used, changed_at) VALUES ${rows.join(',')} AS n ` +
          `ON DUPLICATE KEY UPDATE used=n.used, gate_until=IF(${isApp('account_limits.account')}, 0, account_limits.held_until)`,
      );
      return hasOpened(states, limits, unmade, found[0]?.[3] ?? 0);
    });
    if (opened) await this.open();
  }

  /**
   * A named app can be used again that could not be: its accounts were gated in its place, and nobody knows whose an account is. So no account
   * is gated any more for what was sent, and those that are at a limit of their own are gated again as soon as they want something.
   */
  private async open(): Promise<void> {
    const those = `channel=${text(this.channel)} AND NOT ${isApp('account')} AND account <> ${text(APP)} AND gate_until > held_until`;
    // In their order, as all who lock several of them do.
    const statement = `UPDATE account_limits SET gate_until=held_until WHERE ${those} ORDER BY account LIMIT ${MAX_ROWS_OPENED}`;
    for (;;) {
      const { affectedRows } = await this.pool.run(statement);
      if (affectedRows < MAX_ROWS_OPENED) return;
    }
  }

  private isUncountable(error: unknown): boolean {
    if (!isDenied(error) && !isSchemaError(error)) return false;
    this.countsFrom = this.pool.clock.monotonic() + COUNT_AGAIN_MS;
    return true;
  }

  private async purge(): Promise<void> {
    const isOver = `(gate_until < ${NOW_MS} OR gate_until > ${NOW_MS} + ${integer(KEPT_MS)})`;
    await this.pool.run(
      `DELETE FROM account_limits WHERE changed_at < ${NOW_MS} - ${integer(KEPT_MS)} AND ${isOver} LIMIT ${MAX_ROWS_PER_PURGE}`,
    );
  }

  private async takeIn(sql: Sql, limits: Limits, wants: readonly Want[]): Promise<TakenLimits> {
    const countsAccounts = countedOf(limits) !== undefined;
    // Without a limit of the app its row is nobody's to lock: all read there is what a provider has said.
    const app = limits.perApp === undefined ? [] : appsOf(wants);
    if (app.length > 0) await this.lock(sql, app);
    const accounts = wants.map(({ account }) => account);
    const { rows, busy, now } = countsAccounts
      ? await this.lockFree(sql, [...app, ...accounts])
      : nothingBusy(await this.states(sql, [...app, ...accounts], ''));
    // Nothing is counted there, but its provider may have said something of it.
    const named = app.length > 0 ? [] : appsOf(wants).filter(isNamedApp);
    const said = named.length > 0 ? await this.states(sql, named, '') : [];
    const states = new Map([
      [APP, { ...UNUSED, heldUntil: rows[0]?.[4] ?? 0 }],
      ...[...said, ...rows].map((row) => [row[0], stateOf(row)] as const),
    ]);
    const free = wants.filter(({ account }) => !busy.has(account));
    const { allowed, used, opensAt, gates } = allow(states, limits, free, now);
    // Those of a named app are gated in its place.
    const gated = wants.filter((want) => countsAccounts || want.app !== undefined);
    const counted = [...app, ...gated.map(({ account }) => account)];
    const changed = counted.filter((account) => used.has(account) || gates.has(account)).toSorted();
    if (changed.length > 0) {
      const values = changed.map((account) => {
        const json = JSON.stringify(used.get(account) ?? states.get(account)?.used ?? UNUSED.used);
        const gate = integer(gates.get(account) ?? 0);
        return `(${text(this.channel)}, ${text(account)}, ${text(json)}, ${gate}, ${integer(now)})`;
      });
      await sql.run(
        `INSERT INTO account_limits (channel, account, used, gate_until, changed_at) VALUES ${values.join(',')} AS n ` +
          `ON DUPLICATE KEY UPDATE used=n.used, gate_until=${laterOf('gate_until')}, changed_at=n.changed_at`,
      );
    }
    const again = [...busy].map((account) => [account, now + BUSY_MS] as const);
    return { allowed, opensAt: new Map([...opensAt, ...again]), at: now };
  }

  /** Locks accounts, of which rows are made where there are none. Those that somebody else has locked are left out. */
  private async lockFree(sql: Sql, names: readonly string[]): Promise<Found> {
    const skipLocked = ' FOR UPDATE SKIP LOCKED';
    const rows = await this.states(sql, names, skipLocked);
    const rest = without(names, rows);
    if (rest.length === 0) return nothingBusy(rows);
    const there = await this.states(sql, rest, '');
    const missing = without(rest, there);
    if (missing.length > 0) {
      try {
        await this.lock(sql, missing);
        rows.splice(0, rows.length, ...(await this.states(sql, names, skipLocked)));
      } catch (error) {
        // The statement alone is undone: somebody else is making the same rows.
        if (!isLockWaitTimeout(error)) throw error;
      }
    }
    const [any] = [...rows, ...there];
    if (any === undefined) throw new Unavailable('the limits of all accounts are locked');
    return { rows, busy: new Set(without(names, rows)), now: any[3] };
  }

  /** Makes rows where there are none, and waits for those that are locked. */
  private async lock(sql: Sql, accounts: readonly string[]): Promise<void> {
    const rows = accounts.toSorted().map((account) => `(${text(this.channel)}, ${text(account)}, ${NOW_MS})`);
    await sql.run(
      `INSERT INTO account_limits (channel, account, changed_at) VALUES ${rows.join(',')} AS n ON DUPLICATE KEY UPDATE changed_at=n.changed_at`,
    );
  }

  private states(sql: Sql, names: readonly string[], locking: string): Promise<StateColumns[]> {
    const channel = text(this.channel);
    return sql.rows<StateColumns>(
      `SELECT account, used, held_until, ${NOW_MS}, ` +
        `(SELECT a.held_until FROM account_limits a WHERE a.channel=${channel} AND a.account=${text(APP)}) ` +
        `FROM account_limits FORCE INDEX (PRIMARY) WHERE channel=${channel} AND account IN ${list(names, text)}${locking}`,
    );
  }
}

/** The row is one of an app that credentials name. */
function isApp(column: string): string {
  return `(LEFT(${column}, 1)=${text(NAMED_APP)})`;
}

function nothingBusy(rows: StateColumns[]): Found {
  return { rows, busy: new Set(), now: rows[0]?.[3] ?? 0 };
}

function without(accounts: readonly string[], rows: readonly StateColumns[]): string[] {
  const names = new Set(rows.map(([account]) => account));
  return accounts.filter((account) => !names.has(account));
}

/** The later one of what is there and what is new; what a clock far ahead has written is not kept. */
function laterOf(column: 'held_until' | 'gate_until'): string {
  const own = `account_limits.${column}`;
  return `IF(${own} > ${NOW_MS} + ${integer(KEPT_MS)}, n.${column}, GREATEST(${own}, n.${column}))`;
}

function everything(wants: readonly Want[]): TakenLimits {
  return { allowed: new Map(wants.map(({ account, count }) => [account, count])), opensAt: new Map(), at: undefined };
}

function stateOf([, used, heldUntil]: StateColumns): LimitState {
  return { used: used === null ? UNUSED.used : (JSON.parse(used) as Used), heldUntil };
}
