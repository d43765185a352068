import type { Clock } from '../../topology/core/clock';
import { rollRules } from '../monitoring/halt-rules';
import {
  type AttemptFigures,
  added,
  attemptsTrouble,
  canBeJudged,
  noAttempts,
  type RollFigures,
  type WaitingFigures,
  waitingTrouble,
} from './roll-rules';

/** How long an attempt may wait for others to be judged with, milliseconds. */
const GATHER_MS = 30_000;

/**
 * Watches figures during a roll.
 *
 * 1. *A release is halted only by what lasts*: one bad stretch, such as a burst, passes.
 * 2. *Few attempts are judged when there are enough of them*, so a quiet system halts no roll by accident.
 * 3. *An account whose receiver dies during a roll does not halt it*, however much it sends, where there are other accounts.
 */
export class RollWatch {
  private gathered: Pick<RollFigures, 'fresh' | 'others'> & { readonly sinceMs: number };
  /** Since when the attempts, and what waits, have been bad; null while they are not. */
  private failingSinceMs: number | null = null;
  private waitingSinceMs: number | null = null;
  /** The first account that was seen, and whether there are others: only then does one alone halt no roll. */
  private firstAccount: string | null = null;
  private hasSeveral = false;

  /** @param before from before the roll: what all workers did, and what waited */
  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private before: WaitingFigures & { readonly others: AttemptFigures },
  ) {
    this.gathered = this.nothing();
    this.see(before.others);
  }

  /** @param latest since the last call. @returns why the roll has to be halted, or null */
  judge(latest: RollFigures): string | null {
    this.see(latest.fresh);
    this.see(latest.others);
    return this.judgeAttempts(latest) ?? this.judgeWaiting(latest);
  }

  /** Attempts that are too few to be judged take nothing back. */
  private judgeAttempts({ fresh, others }: RollFigures): string | null {
    const now = this.clock.monotonic();
    const { sinceMs } = this.gathered;
    this.gathered = { fresh: added(this.gathered.fresh, fresh), others: added(this.gathered.others, others), sinceMs };
    const { leastAttempts, confirmingAttempts } = rollRules;
    const least = this.failingSinceMs === null ? leastAttempts : confirmingAttempts;
    const isJudged = canBeJudged(this.gathered.fresh, this.hasSeveral, least);
    const trouble = isJudged ? attemptsTrouble(this.gathered, this.before.others, this.hasSeveral) : null;
    if (isJudged) this.failingSinceMs = trouble === null ? null : (this.failingSinceMs ?? now);
    if (isJudged || now - sinceMs > GATHER_MS) this.gathered = this.nothing();
    return this.isLasting(this.failingSinceMs) ? trouble : null;
  }

  private judgeWaiting(latest: WaitingFigures): string | null {
    // What could not be counted before the roll is not taken for nothing.
    if (this.before.overdue === null) this.before = { ...this.before, overdue: latest.overdue };
    const trouble = waitingTrouble(latest, this.before, this.hasSeveral);
    this.waitingSinceMs = trouble === null ? null : (this.waitingSinceMs ?? this.clock.monotonic());
    return this.isLasting(this.waitingSinceMs) ? trouble : null;
  }

  private see(figures: AttemptFigures): void {
    for (const account of figures.keys()) {
      if (this.hasSeveral) return;
      this.firstAccount ??= account;
      this.hasSeveral = account !== this.firstAccount;
    }
  }

  private isLasting(sinceMs: number | null): boolean {
    return sinceMs !== null && this.clock.monotonic() - sinceMs >= rollRules.holdMs;
  }

  private nothing() {
    return { fresh: noAttempts, others: noAttempts, sinceMs: this.clock.monotonic() };
  }
}
