import type { Clock } from '../../topology/core/clock';
import { rollRules } from '../monitoring/halt-rules';
import { type AttemptsRule, AttemptsWatch } from './attempts-watch';
import {
  type AttemptFigures,
  attemptsTrouble,
  byChannel,
  latenessTrouble,
  noAttempts,
  type RollFigures,
  type WaitingFigures,
  waitingTrouble,
} from './roll-rules';

const ALWAYS: AttemptsRule = { trouble: attemptsTrouble, holdMs: rollRules.holdMs };
const OUTSIDE_OF_CROWDS: AttemptsRule = { trouble: latenessTrouble, holdMs: rollRules.lateHoldMs };

/** One channel, or all together, by both rules. */
interface Watched {
  readonly always: AttemptsWatch;
  readonly outsideOfCrowds: AttemptsWatch;
}

/**
 * Watches figures during a roll.
 *
 * 1. *A release is halted only by what lasts*: one bad stretch, such as a burst, passes.
 * 2. *Few attempts are judged when there are enough of them*, so a quiet system halts no roll by accident.
 * 3. *An account whose receiver dies during a roll does not halt it*, however much it sends, where its channel has other
 *    accounts.
 * 4. *A release that breaks one channel is halted*, also where that channel has only one account.
 * 5. *A release that makes messages somewhat late is halted, and a crowd halts none*: it is late by itself.
 */
export class RollWatch {
  /** Channels that send little are also judged together. */
  private readonly together: Watched;
  private readonly channels = new Map<string, Watched>();
  /** When a crowd was last seen. */
  private crowdedMs = Number.NEGATIVE_INFINITY;
  /** Since when what waits has been bad; null while it is not. */
  private waitingSinceMs: number | null = null;

  /** @param before from before the roll: what all workers did, and what waited */
  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private before: WaitingFigures & { readonly others: AttemptFigures },
  ) {
    this.together = this.watched(before.others);
    for (const [channel, figures] of byChannel(before.others)) this.channels.set(channel, this.watched(figures));
  }

  /** @param latest since the last call. @returns why the roll has to be halted, or null */
  judge(latest: RollFigures): string | null {
    // All of them see every look, so that none of them misses attempts.
    return this.judgeAttempts(latest).find((reason) => reason !== null) ?? this.judgeWaiting(latest);
  }

  private watched(before: AttemptFigures): Watched {
    return {
      always: new AttemptsWatch(this.clock, before, ALWAYS),
      outsideOfCrowds: new AttemptsWatch(this.clock, before, OUTSIDE_OF_CROWDS),
    };
  }

  private judgeAttempts({ fresh, others, isCrowded }: RollFigures): (string | null)[] {
    const now = this.clock.monotonic();
    if (isCrowded) this.crowdedMs = now;
    const isCalm = now - this.crowdedMs > rollRules.crowdSeconds * 1_000;
    const judge = ({ always, outsideOfCrowds }: Watched, attempts: Pick<RollFigures, 'fresh' | 'others'>) => {
      if (!isCalm) outsideOfCrowds.pass(attempts);
      const late = isCalm ? outsideOfCrowds.judge(attempts) : null;
      return always.judge(attempts) ?? late;
    };
    const [ofFresh, ofOthers] = [byChannel(fresh), byChannel(others)];
    for (const channel of [...ofFresh.keys(), ...ofOthers.keys()]) {
      if (!this.channels.has(channel)) this.channels.set(channel, this.watched(noAttempts));
    }
    const reasons = [...this.channels].map(([channel, watch]) =>
      judge(watch, { fresh: ofFresh.get(channel) ?? noAttempts, others: ofOthers.get(channel) ?? noAttempts }),
    );
    return [...reasons, judge(this.together, { fresh, others })];
  }

  private judgeWaiting(latest: WaitingFigures): string | null {
    // What could not be counted before the roll is not taken for nothing.
    if (this.before.overdue === null) this.before = { ...this.before, overdue: latest.overdue };
    const hasSeveral = (channel: string) => this.channels.get(channel)?.always.hasSeveral ?? false;
    const trouble = waitingTrouble(latest, this.before, hasSeveral);
    const now = this.clock.monotonic();
    this.waitingSinceMs = trouble === null ? null : (this.waitingSinceMs ?? now);
    return this.waitingSinceMs !== null && now - this.waitingSinceMs >= rollRules.holdMs ? trouble : null;
  }
}
