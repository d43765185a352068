import type { Outcome } from '../../../topology/message';
import type { Api, GatedApi } from '../provider/api';

/**
 * The requests of one message that can make it visible, while the code of a package runs.
 *
 * 1. *Where the provider does not know a request again, none is made while an earlier one may have been taken.* A provider that forgets
 *    keys looks a key up and writes it afterwards, so of two requests that overlap it would take both.
 */
export class Publications {
  private readonly underWay = new Set<{ isWritten: boolean }>();
  /** One was written and not answered. */
  private isLost = false;
  /** One was answered; what that means, only the code knows, and a later one does not change it. */
  private isAnswered = false;
  /** An answer did not say by its status that nothing was taken. */
  private isOpen = false;
  /** The last one was not begun, because the bolt or the guard said no. */
  private isRefused = false;

  /** @param mayOverlap the provider takes one of the requests, however they overlap */
  constructor(private readonly mayOverlap: boolean) {}

  /** @param refuse in place of a request that may not be made */
  around(publish: GatedApi, refuse: Api): GatedApi {
    return async (request, may) => {
      if (!this.mayOverlap && (this.isLost || this.underWay.size > 0)) return refuse(request);
      const one = { isWritten: false };
      this.underWay.add(one);
      const begin = () => {
        one.isWritten = may?.() !== false;
        return one.isWritten;
      };
      try {
        const ended = await publish(request, begin);
        this.isRefused = ended === 'not_started';
        if (ended === 'not_started') return ended;
        this.isLost ||= ended.kind === 'unknown';
        if (ended.kind !== 'answered') return ended;
        this.isAnswered = true;
        this.isOpen ||= ended.status < 400 || ended.status >= 500 || ended.status === 409;
        return ended;
      } catch (error) {
        this.isLost ||= one.isWritten;
        throw error;
      } finally {
        this.underWay.delete(one);
      }
    };
  }

  /** Whether one may have been taken, of which the code has said nothing. */
  get mayBeTaken(): boolean {
    return this.isWithoutAnswer || this.isAnswered;
  }

  /** What the code says of the message. With a request that has no answer, only that it was delivered counts. */
  allow(told: Outcome | 'not_started'): Outcome | 'not_started' {
    if (told === 'not_started') {
      // Who publishes again after an answer has read that nothing was taken. Only a status that refuses is believed, because the row
      // goes back without doubt.
      return this.isWithoutAnswer || this.isOpen || (this.isAnswered && !this.isRefused)
        ? { kind: 'unknown', reason: 'the channel says that it did not begin, and it had' }
        : told;
    }
    if (!this.isWithoutAnswer || told.kind === 'delivered' || told.kind === 'unknown') return told;
    const { reason } = told;
    return { kind: 'unknown', reason, ...('afterMs' in told ? { afterMs: told.afterMs } : {}) };
  }

  private get isWithoutAnswer(): boolean {
    return this.isLost || [...this.underWay].some(({ isWritten }) => isWritten);
  }
}
