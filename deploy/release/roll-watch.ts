import type { Clock } from '../../topology/core/clock';
import { rollRules } from '../monitoring/halt-rules';
import { added, isEnough, noAttempts, type RollFigures, troubleOf } from './roll-rules';

/** How long an attempt may wait for others to be judged with, milliseconds. */
const GATHER_MS = 30_000;

/**
 * Watches figures during a roll.
 *
 * 1. *A release is halted only by what lasts*: one bad stretch, such as a burst, passes.
 * 2. *Few attempts are judged when there are enough of them*, so a quiet system halts no roll by accident.
 */
export class RollWatch {
  private gathered: { fresh: RollFigures['fresh']; others: RollFigures['others']; sinceMs: number };
  private badSinceMs: number | null = null;

  /** @param before figures from before the roll: what `others` did, and what was overdue */
  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly before: RollFigures,
  ) {
    this.gathered = this.nothing();
  }

  /** @param latest since the last call. @returns why the roll has to be halted, or null */
  judge(latest: RollFigures): string | null {
    const now = this.clock.monotonic();
    this.gathered = {
      ...this.gathered,
      fresh: added(this.gathered.fresh, latest.fresh),
      others: added(this.gathered.others, latest.others),
    };
    const trouble = troubleOf({ ...latest, ...this.gathered }, this.before);
    const isJudged = isEnough(this.gathered.fresh);
    if (isJudged || now - this.gathered.sinceMs > GATHER_MS) this.gathered = this.nothing();
    if (trouble !== null) {
      this.badSinceMs ??= now;
      return now - this.badSinceMs >= rollRules.holdMs ? trouble : null;
    }
    // Attempts that are still too few to be judged take nothing back.
    if (isJudged || latest.fresh.attempts === 0) this.badSinceMs = null;
    return null;
  }

  private nothing() {
    return { fresh: noAttempts, others: noAttempts, sinceMs: this.clock.monotonic() };
  }
}
