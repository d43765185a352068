import type { SendLimits } from '../../../bolts/send-limits';
import {
  APP,
  allow,
  appsOf,
  countedOf,
  hasOpened,
  isNamedApp,
  type LimitState,
  UNUSED,
  usedWithout,
} from '../../../topology/core/limits';
import type { LimitedAccount } from '../../../topology/runtime/worker-registry';

interface MemoryLimit extends LimitState {
  readonly gateUntil: number;
}

/** The rows of `account_limits`. Every call is a transaction. */
export class MemoryLimits {
  private readonly rows = new Map<string, Map<string, MemoryLimit>>();

  constructor(private readonly now: () => number) {}

  /** @param run does one operation, as the database does all of its own */
  of(channel: string, run: <T>(effect: () => T) => Promise<T> = async (effect) => effect()): SendLimits {
    return {
      take: (limits, wants) =>
        run(() => {
          const rows = this.rowsOf(channel);
          const { allowed, used, opensAt, gates } = allow(rows, limits, wants, this.now());
          for (const account of [
            ...(limits.perApp ? appsOf(wants) : []),
            ...wants.filter(({ app }) => countedOf(limits) || app !== undefined).map((one) => one.account),
          ]) {
            const row = rows.get(account) ?? { ...UNUSED, gateUntil: 0 };
            const gateUntil = Math.max(row.gateUntil, gates.get(account) ?? 0);
            rows.set(account, { ...row, used: used.get(account) ?? row.used, gateUntil });
          }
          return { allowed, opensAt, at: this.now() };
        }),
      giveBack: (limits, unmade) =>
        run(() => {
          const rows = this.rowsOf(channel);
          const opened = hasOpened(rows, limits, unmade, this.now());
          for (const [account, used] of usedWithout(rows, limits, unmade)) {
            const row = rows.get(account) ?? { ...UNUSED, gateUntil: 0 };
            rows.set(account, { ...row, used, gateUntil: isNamedApp(account) ? 0 : row.heldUntil });
          }
          if (!opened) return;
          for (const [account, row] of rows) {
            if (account !== APP && !isNamedApp(account))
              rows.set(account, { ...row, gateUntil: Math.min(row.gateUntil, row.heldUntil) });
          }
        }),
      hold: (account, ms) =>
        run(() => {
          const rows = this.rowsOf(channel);
          const row = rows.get(account) ?? { ...UNUSED, gateUntil: 0 };
          const until = this.now() + Math.ceil(ms);
          rows.set(account, {
            ...row,
            heldUntil: Math.max(row.heldUntil, until),
            gateUntil: Math.max(row.gateUntil, isNamedApp(account) ? 0 : until),
          });
        }),
    };
  }

  /** What a person does: the provider is asked again. */
  endHold(channel: string, account: string): void {
    const row = this.rowsOf(channel).get(account);
    if (row !== undefined) this.rowsOf(channel).set(account, { ...row, heldUntil: 0, gateUntil: 0 });
  }

  /** Who is at a limit now. */
  get limited(): LimitedAccount[] {
    return [...this.rows].flatMap(([channel, rows]) =>
      [...rows].flatMap(([account, { gateUntil, heldUntil }]) =>
        gateUntil > this.now() ? [{ channel, account, gateUntil, heldUntil }] : [],
      ),
    );
  }

  /** Accounts of which there is a row. */
  accounts(channel: string): string[] {
    return [...this.rowsOf(channel).keys()].toSorted();
  }

  private rowsOf(channel: string): Map<string, MemoryLimit> {
    const rows = this.rows.get(channel) ?? new Map<string, MemoryLimit>();
    this.rows.set(channel, rows);
    return rows;
  }
}
