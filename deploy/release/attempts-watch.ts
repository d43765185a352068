import type { Clock } from '../../topology/core/clock';
import { rollRules } from '../monitoring/halt-rules';
import {
  type AttemptFigures,
  type AttemptsRule,
  added,
  attemptsTrouble,
  noAttempts,
  type RollFigures,
} from './roll-rules';

/** How long an attempt may wait for others to be judged with, milliseconds. */
const GATHER_MS = 30_000;

type Attempts = Pick<RollFigures, 'fresh' | 'others'>;

/** Watches the attempts of one channel during a roll, or those of all channels together, by one rule. */
export class AttemptsWatch {
  private gathered: Attempts & { readonly sinceMs: number };
  /** Since when the attempts have been bad; null while they are not. */
  private failingSinceMs: number | null = null;
  private readonly accounts = new Set<string>();

  /** @param before what all workers did before the roll */
  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly before: AttemptFigures,
    private readonly rule: AttemptsRule,
  ) {
    this.gathered = this.nothing();
    this.see(before);
  }

  /** There is more than one account: only then does one alone halt no roll. */
  get hasSeveral(): boolean {
    return this.accounts.size > 1;
  }

  /** Attempts that are too few to be judged take nothing back. @param latest since the last call */
  judge(latest: Attempts): string | null {
    this.see(latest.fresh);
    this.see(latest.others);
    const now = this.clock.monotonic();
    const { fresh, others, sinceMs } = this.gathered;
    this.gathered = { fresh: added(fresh, latest.fresh), others: added(others, latest.others), sinceMs };
    const { leastAttempts, confirmingAttempts } = rollRules;
    const least = this.failingSinceMs === null ? leastAttempts : confirmingAttempts;
    const trouble = attemptsTrouble(this.rule, this.gathered, this.before, this.hasSeveral, least);
    const isJudged = trouble !== undefined;
    if (isJudged) this.failingSinceMs = trouble === null ? null : (this.failingSinceMs ?? now);
    if (isJudged || now - sinceMs > GATHER_MS) this.gathered = this.nothing();
    const hasHeld = this.failingSinceMs !== null && now - this.failingSinceMs >= this.rule.holdMs;
    return hasHeld ? (trouble ?? null) : null;
  }

  /** Attempts by which nothing can be judged: what was bad has to last from here on. */
  pass(latest: Attempts): void {
    this.see(latest.fresh);
    this.see(latest.others);
    this.failingSinceMs = null;
    this.gathered = this.nothing();
  }

  /** Two are enough to know that there are several. */
  private see(figures: AttemptFigures): void {
    for (const account of figures.keys()) if (!this.hasSeveral) this.accounts.add(account);
  }

  private nothing() {
    return { fresh: noAttempts, others: noAttempts, sinceMs: this.clock.monotonic() };
  }
}
