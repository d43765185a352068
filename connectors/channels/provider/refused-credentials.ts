import type { Clock } from '../../../topology/core/clock';
import { putNewest } from '../../../topology/core/newest';

/**
 * How long after a refusal credentials are tried once more, by how often they were refused: providers refuse good ones when something
 * of theirs is broken for a moment. After the last of these trials the refusal is believed.
 */
const TRIED_AFTER_MS: readonly number[] = [60_000, 240_000];
/** How long no other request is made while a trial is on the way. It may end without an answer. */
const TRIAL_MS = 30_000;
/**
 * When a message looks again while a trial is on the way, and how much later the next one does: each look is a claim, and writes the
 * message back.
 */
const TRIAL_LOOK_MS = 2_000;
const LOOKS_APART_MS = 500;
/** After a trial without an answer; twice as long after each further one, up to LOOK_MS. A provider that hangs is not asked all the time. */
const NEXT_TRIAL_MS = 2_000;
/** When a message looks again at the latest: a person may set other credentials meanwhile. */
const LOOK_MS = 60_000;
/** How long a worker does not try credentials again by itself whose refusal it believes. By then the database has the mark, where it answers. */
const REFUSED_MS = 60_000;
/** Beyond it the accounts that were refused longest ago are forgotten. */
const MAX_ACCOUNTS = 100_000;

interface Refusal {
  readonly generation: number;
  readonly reason: string;
  /** Requests that were refused, as far as they were apart. */
  readonly count: number;
  readonly isBelieved: boolean;
  readonly isOnTrial: boolean;
  /** No request is made before, monotonic milliseconds. */
  readonly until: number;
  /** Before this no other refusal counts, monotonic milliseconds: a trial may outlast TRIAL_MS, and be refused beside the next one. */
  readonly countsFrom: number;
  /** Trials in a row that had no answer. */
  readonly unanswered: number;
  /** Messages that looked while the last trial was on the way, or since it had no answer. */
  looks: number;
}

/** What a refusal means for a message of the account. */
export interface Refused {
  readonly reason: string;
  /** When the message is to look again; undefined when the refusal is believed. */
  readonly afterMs: number | undefined;
}

/** A request that the provider refused. */
export interface RefusedRequest {
  readonly account: string;
  readonly generation: number;
  readonly reason: string;
  /** The provider's words rule out a mistake. */
  readonly isFinal: boolean;
  /** It was made to see whether the provider refuses the credentials still. */
  readonly isTrial: boolean;
}

/**
 * Credentials of accounts that their provider refused a short time ago.
 *
 * 1. *One refusal is not believed unless it is final*: the credentials are tried again, twice, within five minutes.
 * 2. *One request at a time tries them*: the messages of the account wait meanwhile.
 * 3. *A provider that does not answer is no flood*: however many messages wait, few look again within a minute.
 */
export class RefusedCredentials {
  private readonly refusals = new Map<string, Refusal>();

  /** @param triedAfterMs instead of those of this file */
  constructor(
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly triedAfterMs = TRIED_AFTER_MS,
  ) {}

  add({ account, generation, reason, isFinal, isTrial }: RefusedRequest): Refused {
    const now = this.clock.monotonic();
    const before = this.of(account, generation);
    // What was on the way when the first of them was refused confirms nothing.
    const isCounted = before === undefined || (isTrial && now >= before.countsFrom);
    const count = (before?.count ?? 0) + (isCounted ? 1 : 0);
    const waitMs = this.triedAfterMs[count - 1];
    const isBelieved = isFinal || before?.isBelieved === true || waitMs === undefined;
    const until = isBelieved ? now + REFUSED_MS : isCounted ? now + waitMs : before.until;
    const isOnTrial = !isBelieved && !isCounted && before.isOnTrial;
    const kept = isCounted ? { countsFrom: until, unanswered: 0, looks: 0 } : before;
    const refusal = { ...kept, generation, reason, count, isBelieved, isOnTrial, until };
    this.put(account, refusal);
    return this.meaningOf(refusal, now);
  }

  /** What messages of the account are to do; a trial when this one is to be sent, and undefined when all of them are. */
  look(account: string, generation: number): Refused | 'trial' | undefined {
    const refusal = this.of(account, generation);
    if (refusal === undefined) return undefined;
    const now = this.clock.monotonic();
    if (now < refusal.until) return this.meaningOf(refusal, now);
    if (refusal.isBelieved) {
      this.refusals.delete(account);
      return undefined;
    }
    this.put(account, { ...refusal, isOnTrial: true, until: now + TRIAL_MS, looks: 0 });
    return 'trial';
  }

  /** The provider has taken them. */
  forget(account: string, generation: number): void {
    if (this.of(account, generation) !== undefined) this.refusals.delete(account);
  }

  /** A trial has ended, and says nothing of them: the next message is one, after a while where the provider has not answered. */
  tryNext(account: string, generation: number, isAnswered: boolean): void {
    const refusal = this.of(account, generation);
    if (refusal?.isOnTrial !== true) return;
    const now = this.clock.monotonic();
    if (isAnswered) {
      this.put(account, { ...refusal, isOnTrial: false, until: now, unanswered: 0 });
      return;
    }
    const until = now + Math.min(LOOK_MS, NEXT_TRIAL_MS * 2 ** refusal.unanswered);
    this.put(account, { ...refusal, isOnTrial: false, until, unanswered: refusal.unanswered + 1 });
  }

  private of(account: string, generation: number): Refusal | undefined {
    const refusal = this.refusals.get(account);
    return refusal?.generation === generation ? refusal : undefined;
  }

  private put(account: string, refusal: Refusal): void {
    putNewest(this.refusals, account, refusal, MAX_ACCOUNTS);
  }

  private meaningOf(refusal: Refusal, now: number): Refused {
    const { reason, isBelieved, isOnTrial, until, unanswered } = refusal;
    if (isBelieved) return { reason, afterMs: undefined };
    const untilMs = Math.min(LOOK_MS, Math.ceil(until - now));
    if (!isOnTrial && unanswered === 0) return { reason, afterMs: untilMs };
    const soonMs = (isOnTrial ? TRIAL_LOOK_MS : untilMs) + LOOKS_APART_MS * refusal.looks;
    refusal.looks += 1;
    return { reason, afterMs: Math.min(LOOK_MS, soonMs) };
  }
}
