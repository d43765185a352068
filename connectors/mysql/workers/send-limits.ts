import type { SendLimits, TakenLimits } from '../../../bolts/send-limits';
import {
  APP,
  allow,
  type LimitState,
  type Limits,
  UNUSED,
  type Unmade,
  type Used,
  usedWithout,
  type Want,
} from '../../../topology/core/limits';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';

type StateColumns = readonly [account: string, used: string | null, heldUntil: number, gateUntil: number, now: number];

/** No rate is longer than a week, so what is older says nothing. */
const KEPT_MS = 8 * 86_400_000;
const PURGE_EVERY_MS = 600_000;
const MAX_ROWS_PER_PURGE = 1_000;

/**
 * The limits of one channel.
 *
 * 1. *Workers never exceed a limit together*: the rows are locked, in one order, before they are read, until what is used is written.
 * 2. *A fixed number of statements for a batch*, however many accounts it has.
 * 3. *What nobody has used for long is deleted*, some rows at a time.
 */
export class MySqlSendLimits implements SendLimits {
  private purgedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly pool: Pick<Pool, 'transaction' | 'run' | 'clock'>,
    private readonly channel: string,
  ) {}

  async take(limits: Limits, wants: readonly Want[]): Promise<TakenLimits> {
    const taken = await this.pool.transaction((sql) => this.takeIn(sql, limits, wants));
    const now = this.pool.clock.monotonic();
    if (now - this.purgedAt >= PURGE_EVERY_MS) {
      this.purgedAt = now;
      // What was allowed is counted already, so it is not lost because of this. Another time will do.
      await this.purge().catch(() => undefined);
    }
    return taken;
  }

  async hold(account: string, ms: number): Promise<void> {
    const until = `${NOW_MS} + ${integer(Math.ceil(ms))}`;
    await this.pool.run(
      'INSERT INTO account_limits (channel, account, held_until, gate_until, changed_at) VALUES ' +
        `(${text(this.channel)}, ${text(account)}, ${until}, ${until}, ${NOW_MS}) AS n ON DUPLICATE KEY UPDATE ` +
        `held_until=${laterOf('held_until')}, gate_until=${laterOf('gate_until')}, changed_at=n.changed_at`,
    );
  }

  async giveBack(limits: Limits, unmade: readonly Unmade[]): Promise<void> {
    await this.pool.transaction(async (sql) => {
      const channel = text(this.channel);
      const accounts = new Set(unmade.map(({ account }) => account));
      const found = await sql.rows<StateColumns>(
        `SELECT account, used, held_until, gate_until, ${NOW_MS} FROM account_limits FORCE INDEX (PRIMARY) ` +
          `WHERE channel=${channel} AND account IN ${list([APP, ...accounts].toSorted(), text)} ORDER BY account FOR UPDATE`,
      );
      const states = new Map(found.map((row) => [row[0], stateOf(row)]));
      const changed = [...usedWithout(states, limits, unmade)];
      if (changed.length === 0) return;
      const rows = changed.map(
        ([account, used]) => `(${channel}, ${text(account)}, ${text(JSON.stringify(used))}, ${NOW_MS})`,
      );
      await sql.run(
        `INSERT INTO account_limits (channel, account, used, changed_at) VALUES ${rows.join(',')} AS n ` +
          'ON DUPLICATE KEY UPDATE used=n.used, gate_until=account_limits.held_until',
      );
    });
  }

  private async purge(): Promise<void> {
    const isOver = `(gate_until < ${NOW_MS} OR gate_until > ${NOW_MS} + ${integer(KEPT_MS)})`;
    await this.pool.run(
      `DELETE FROM account_limits WHERE changed_at < ${NOW_MS} - ${integer(KEPT_MS)} AND ${isOver} LIMIT ${MAX_ROWS_PER_PURGE}`,
    );
  }

  private async takeIn(sql: Sql, limits: Limits, wants: readonly Want[]): Promise<TakenLimits> {
    const accounts = wants.map(({ account }) => account);
    const counted = [
      ...(limits.perApp === undefined ? [] : [APP]),
      ...(limits.perAccount === undefined ? [] : accounts),
    ];
    const channel = text(this.channel);
    if (counted.length > 0) {
      const rows = counted.toSorted().map((account) => `(${channel}, ${text(account)}, ${NOW_MS})`);
      await sql.run(
        `INSERT INTO account_limits (channel, account, changed_at) VALUES ${rows.join(',')} AS n ON DUPLICATE KEY UPDATE changed_at=n.changed_at`,
      );
    }
    const found = await sql.rows<StateColumns>(
      `SELECT account, used, held_until, gate_until, ${NOW_MS} FROM account_limits FORCE INDEX (PRIMARY) ` +
        `WHERE channel=${channel} AND account IN ${list([APP, ...accounts], text)}`,
    );
    const now = found[0]?.[4] ?? 0;
    const states = new Map(found.map((row) => [row[0], stateOf(row)]));
    const { allowed, used, opensAt, gates } = allow(states, limits, wants, now);
    const changed = counted.filter((account) => used.has(account) || gates.has(account)).toSorted();
    if (changed.length > 0) {
      const rows = changed.map((account) => {
        const json = JSON.stringify(used.get(account) ?? states.get(account)?.used);
        return `(${channel}, ${text(account)}, ${text(json)}, ${integer(gates.get(account) ?? 0)}, ${integer(now)})`;
      });
      await sql.run(
        `INSERT INTO account_limits (channel, account, used, gate_until, changed_at) VALUES ${rows.join(',')} AS n ` +
          `ON DUPLICATE KEY UPDATE used=n.used, gate_until=${laterOf('gate_until')}`,
      );
    }
    return { allowed, opensAt, at: now };
  }
}

/** The later one of what is there and what is new; what a clock far ahead has written is not kept. */
function laterOf(column: 'held_until' | 'gate_until'): string {
  const own = `account_limits.${column}`;
  return `IF(${own} > ${NOW_MS} + ${integer(KEPT_MS)}, n.${column}, GREATEST(${own}, n.${column}))`;
}

function stateOf([, used, heldUntil]: StateColumns): LimitState {
  return { used: used === null ? UNUSED.used : (JSON.parse(used) as Used), heldUntil };
}
