import type { Clock } from '../../topology/core/clock';
import { rollRules } from '../monitoring/halt-rules';
import { AttemptsWatch } from './attempts-watch';
import {
  type AttemptFigures,
  byChannel,
  noAttempts,
  type RollFigures,
  type WaitingFigures,
  waitingTrouble,
} from './roll-rules';

/**
 * Watches figures during a roll.
 *
 * 1. *A release is halted only by what lasts*: one bad stretch, such as a burst, passes.
 * 2. *Few attempts are judged when there are enough of them*, so a quiet system halts no roll by accident.
 * 3. *An account whose receiver dies during a roll does not halt it*, however much it sends, where its channel has other
 *    accounts.
 * 4. *A release that breaks one channel is halted*, also where that channel has only one account.
 */
export class RollWatch {
  /** Channels that send little are also judged together. */
  private readonly together: AttemptsWatch;
  private readonly channels = new Map<string, AttemptsWatch>();
  /** Since when what waits has been bad; null while it is not. */
  private waitingSinceMs: number | null = null;

  /** @param before from before the roll: what all workers did, and what waited */
  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private before: WaitingFigures & { readonly others: AttemptFigures },
  ) {
    this.together = new AttemptsWatch(clock, before.others);
    for (const [channel, figures] of byChannel(before.others)) {
      this.channels.set(channel, new AttemptsWatch(clock, figures));
    }
  }

  /** @param latest since the last call. @returns why the roll has to be halted, or null */
  judge(latest: RollFigures): string | null {
    // All of them see every look, so that none of them misses attempts.
    return this.judgeAttempts(latest).find((reason) => reason !== null) ?? this.judgeWaiting(latest);
  }

  private judgeAttempts({ fresh, others }: RollFigures): (string | null)[] {
    const [ofFresh, ofOthers] = [byChannel(fresh), byChannel(others)];
    for (const channel of [...ofFresh.keys(), ...ofOthers.keys()]) {
      if (!this.channels.has(channel)) this.channels.set(channel, new AttemptsWatch(this.clock, noAttempts));
    }
    const reasons = [...this.channels].map(([channel, watch]) =>
      watch.judge({ fresh: ofFresh.get(channel) ?? noAttempts, others: ofOthers.get(channel) ?? noAttempts }),
    );
    return [...reasons, this.together.judge({ fresh, others })];
  }

  private judgeWaiting(latest: WaitingFigures): string | null {
    // What could not be counted before the roll is not taken for nothing.
    if (this.before.overdue === null) this.before = { ...this.before, overdue: latest.overdue };
    const hasSeveral = (channel: string) => this.channels.get(channel)?.hasSeveral ?? false;
    const trouble = waitingTrouble(latest, this.before, hasSeveral);
    const now = this.clock.monotonic();
    this.waitingSinceMs = trouble === null ? null : (this.waitingSinceMs ?? now);
    return this.waitingSinceMs !== null && now - this.waitingSinceMs >= rollRules.holdMs ? trouble : null;
  }
}
