import type { Clock } from '../../topology/core/clock';
import { rollRules } from '../monitoring/halt-rules';
import { AttemptsWatch } from './attempts-watch';
import {
  type AttemptFigures,
  attemptsRules,
  byChannel,
  noAttempts,
  type RollFigures,
  type WaitingFigures,
  waitingTrouble,
  withoutPaused,
} from './roll-rules';

/** One channel, or all together, by each rule. */
type Watched = { readonly [Rule in keyof typeof attemptsRules]: AttemptsWatch };
type Attempts = Pick<RollFigures, 'fresh' | 'others'>;

/**
 * Watches figures during a roll.
 *
 * 1. *A release is halted only by what lasts*: one bad stretch, such as a burst, passes.
 * 2. *Few attempts are judged when there are enough of them*, so a quiet system halts no roll by accident.
 * 3. *An account whose receiver dies during a roll does not halt it*, however much it sends, where its channel has other
 *    accounts.
 * 4. *A release that breaks one channel is halted*, also where that channel has only one account.
 * 5. *A release that makes messages somewhat late is halted, and a crowd halts none*: it is late by itself.
 * 6. *Accounts that were as late before halt no roll*, nor do those that were paused in it, whichever worker has them.
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
    const watch = (rule: keyof Watched) => new AttemptsWatch(this.clock, before, attemptsRules[rule]);
    return { failed: watch('failed'), veryLate: watch('veryLate'), late: watch('late') };
  }

  private judgeAttempts({ fresh, others, isCrowded, paused }: RollFigures): (string | null)[] {
    const now = this.clock.monotonic();
    if (isCrowded) this.crowdedMs = now;
    const isCalm = now - this.crowdedMs > rollRules.crowdSeconds * 1_000;
    const judge = ({ failed, veryLate, late }: Watched, attempts: Attempts) => {
      const unpaused = {
        fresh: withoutPaused(attempts.fresh, paused),
        others: withoutPaused(attempts.others, paused),
      };
      if (!isCalm) late.pass(unpaused);
      const reasons = [failed.judge(attempts), veryLate.judge(unpaused), isCalm ? late.judge(unpaused) : null];
      return reasons.find((reason) => reason !== null) ?? null;
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
    const hasSeveral = (channel: string) => this.channels.get(channel)?.failed.hasSeveral ?? false;
    const trouble = waitingTrouble(latest, this.before, hasSeveral);
    const now = this.clock.monotonic();
    this.waitingSinceMs = trouble === null ? null : (this.waitingSinceMs ?? now);
    return this.waitingSinceMs !== null && now - this.waitingSinceMs >= rollRules.holdMs ? trouble : null;
  }
}
