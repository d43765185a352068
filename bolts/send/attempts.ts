import type { Clock, DatabaseClock } from '../../topology/core/clock';
import { reasonOf, Unavailable } from '../../topology/core/errors';
import type { Lease } from '../../topology/core/lease';
import type { Pauses } from '../../topology/core/pauses';
import { type BackOff, backOff, type RetryPolicy } from '../../topology/core/retry-policy';
import {
  type Attempted,
  type ChannelClass,
  type GivenBackReason,
  idempotencyKey,
  type LedgerOutcome,
  type Outcome,
  type Settlement,
  settle,
} from '../../topology/message';
import type { Channel } from '../channel';
import type { HeldRow } from '../held-row';
import type { AttemptResult, SendRows } from '../send-rows';
import type { Verdict } from '../slots/line';
import { classFor, sendsAgainAtOnce } from './doubt';
import { IdKeepings } from './id-keeping';
import type { Lateness } from './lateness';
import type { LimitGates } from './limit-gates';
import { type UnbegunAttempt, UnbegunAttempts } from './unbegun-attempts';
import { lookedUp, verdictOf } from './verdict';

export interface AttemptsOptions {
  readonly channel: Channel;
  readonly rows: Pick<SendRows, 'kept' | 'keep'>;
  readonly retry: RetryPolicy;
  readonly late: Lateness;
  readonly gates: LimitGates;
  readonly lease: Lease;
  readonly pauses: Pick<Pauses, 'paused' | 'awaited'>;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  /** Of the database whose messages are sent, 32 hex digits; known when the worker runs. */
  readonly deploymentId: () => string;
  readonly random: () => number;
  readonly onError: (what: string, error: unknown) => void;
}

/** How an attempt ended. */
export type Ended =
  | { readonly kind: 'result'; readonly result: AttemptResult; readonly verdict: Verdict; readonly elapsedMs: number }
  /** No request was made: the lease is out, the wake has not come, the time is over or it is paused, so it is looked at again. */
  | { readonly kind: 'later' }
  /** No request was made, and somebody waits until nothing of its channel or account is being sent. */
  | { readonly kind: 'paused' }
  /** No request was made, and the channel does not say why. */
  | { readonly kind: 'not_started' };

/** Delays of rows that are given back without a request. */
const GIVEN_BACK_OFF: BackOff = { baseMs: 500, capMs: 500 };
/** Claims in a row that come to no outcome, before the row is given up: it may be what ends its workers. */
const MAX_RECOVERIES = 12;

/** Makes attempts: from a claimed row to the result that is written. */
export class Attempts {
  private readonly keepings: IdKeepings;
  private readonly unbegun = new UnbegunAttempts<Ended>();

  constructor(private readonly options: AttemptsOptions) {
    const { channel, rows, lease } = options;
    this.keepings = new IdKeepings(rows, lease.session);
    if (channel.class === 'lookup' && channel.lookup === undefined) {
      throw new TypeError(`channel ${channel.name} is of class lookup and has no lookup`);
    }
    if (channel.class !== 'idempotent' && channel.keyLifetimeMs !== undefined) {
      throw new TypeError(`channel ${channel.name} is of class ${channel.class} and has a lifetime of keys`);
    }
  }

  /**
   * The result of a claimed row for which no request may be made: its payload can never be sent, it is in doubt where the
   * provider neither de-duplicates nor can be asked and no person wants it sent again, its time is over, or too many workers
   * ended while they had it claimed.
   */
  withoutRequest(row: HeldRow): AttemptResult | undefined {
    const { defect, inDoubt } = row;
    if (defect !== undefined) return this.resultOf(row, { kind: 'rejected', reason: defect }, inDoubt, null);
    if (this.isDoubtful(row)) {
      const reason = 'an earlier attempt may have been accepted';
      return this.resultOf(row, { kind: 'retry', reason }, inDoubt, null);
    }
    const late = this.tooLate(row);
    if (late !== undefined || !this.isDeadly(row)) return late;
    const reason = `${row.recoveries} workers ended with it, and no attempt has had an outcome since`;
    const error = `gave up after ${row.attempts + 1} attempts: ${reason}`;
    return this.written(row, { kind: 'retry', reason }, { state: 'uncertain', inDoubt, error }, null);
  }

  /**
   * The result of a claimed row whose time is over; undefined while it may be sent, and while its provider is to be asked whether it
   * has it. What the provider does not find may be listed late, so the row stays in doubt and ends `uncertain`.
   * @param wasAsked the provider has just been asked, and found nothing
   */
  tooLate(row: HeldRow, wasAsked = false): AttemptResult | undefined {
    if (!this.options.late.isOver(row)) return undefined;
    if (row.inDoubt && !wasAsked && this.asksFirst(row)) return undefined;
    const { outcome, settlement } = this.options.late.ended(row);
    return this.written(row, outcome, settlement, null);
  }

  /** The row goes back as it was, for another worker or a later time. */
  givenBack(row: HeldRow, reason: GivenBackReason): AttemptResult {
    const delayMs = backOff(GIVEN_BACK_OFF, 1, this.options.random());
    const { inDoubt } = row;
    const settlement: Settlement = { state: 'scheduled', inDoubt, error: reason, delayMs, without: 'given_back' };
    return this.written(row, { kind: 'retry', reason }, settlement, null);
  }

  /** The result of a claimed row whose origin takes no connections from others: no request is made. */
  unreached(row: HeldRow): AttemptResult {
    const { clock, random } = this.options;
    const { name, lastError } = row.lane.origin;
    const error = lastError.startsWith(`${name}: `) ? lastError.slice(name.length + 2) : lastError;
    const reason = `${name} takes no connections: ${error}`;
    const leastMs = row.lane.origin.comeBackMs(clock.monotonic(), random());
    return this.resultOf(row, { kind: 'retry', reason, unreachable: true }, row.inDoubt, null, { leastMs });
  }

  /** Makes the attempt; `done` is called once, never within this call. */
  make(row: HeldRow, done: (ended: Ended) => void): void {
    const { channel, pauses } = this.options;
    const attempt = this.unbegun.add(() => pauses.awaited(channel.name, row.account), done);
    if (row.inDoubt && this.asksFirst(row)) void this.askThenSend(row, attempt);
    else if (this.isDoubtful(row)) void this.end(row, attempt);
    else this.send(row, false, attempt);
  }

  /**
   * Attempts of what was paused for a while, also by a command that adds partitions, end as `paused` if they have begun no request. What
   * comes before one, such as a video, may take a quarter of an hour, and everybody's sends would wait for one account's.
   */
  endAwaited(): void {
    this.unbegun.endAwaited(this.options.clock.monotonic(), { kind: 'paused' });
  }

  /** The bolt stops: attempts that have begun no request end as `later`, and none begins one any more. */
  stop(): void {
    this.unbegun.stop({ kind: 'later' });
  }

  /**
   * The row may be what ends its workers. No outcome is written then, at which a plan of its age would be given up, so that
   * is looked at here too. Not after one death: most workers end for another reason, and the row may only have waited since.
   */
  private isDeadly({ recoveries, firstAttemptAt }: HeldRow): boolean {
    if (recoveries <= 1 || recoveries >= MAX_RECOVERIES) return recoveries > 1;
    const { databaseClock, retry } = this.options;
    return firstAttemptAt !== null && databaseClock.earliest() - firstAttemptAt >= retry.giveUpAfterMs;
  }

  private isDoubtful(row: HeldRow): boolean {
    return row.inDoubt && !row.decided && this.classOf(row) === 'blind';
  }

  private classOf(row: HeldRow): ChannelClass {
    const { channel, databaseClock } = this.options;
    if (!row.inDoubt) return channel.class;
    const latest = databaseClock.latest();
    // While the clock is unknown nothing starts, so nothing needs to be decided.
    return classFor(channel, row, Number.isFinite(latest) ? latest : Number.NEGATIVE_INFINITY);
  }

  /**
   * The provider of a row in doubt is asked before anything else. While a key lives it need not be, because sending again settles the
   * doubt. That ends with the row's time: what was not accepted then would be sent late.
   */
  private asksFirst(row: HeldRow): boolean {
    const { channel, late } = this.options;
    const own = this.classOf(row);
    return own === 'lookup' || (own === 'idempotent' && channel.lookup !== undefined && late.isOver(row));
  }

  /** Its key has ended since it was claimed. */
  private async end(row: HeldRow, attempt: UnbegunAttempt<Ended>): Promise<void> {
    const result = this.withoutRequest(row);
    await Promise.resolve();
    attempt.end(
      result === undefined ? { kind: 'later' } : { kind: 'result', result, verdict: 'nothing', elapsedMs: 0 },
    );
  }

  private async askThenSend(row: HeldRow, attempt: UnbegunAttempt<Ended>): Promise<void> {
    const { channel, clock } = this.options;
    const asked = clock.monotonic();
    const { id, account, doubtSince, dueAt, prepared } = row;
    let outcome: Outcome;
    try {
      const { now } = this;
      const key = this.keyOf(row);
      const kept = this.keepings.ofDoubt(row);
      const notBefore = doubtSince ?? dueAt;
      const context = { id, account, idempotencyKey: key, dueAt, inDoubt: true, now, notBefore, kept };
      const answer = await channel.lookup?.(prepared, context);
      if (answer?.kind === 'absent' && !row.decided) {
        const result = this.tooLate(row, true);
        const elapsedMs = clock.monotonic() - asked;
        if (result !== undefined) attempt.end({ kind: 'result', result, verdict: 'nothing', elapsedMs });
        else if (!attempt.isOver) this.send(row, true, attempt);
        return;
      }
      outcome = lookedUp(answer);
    } catch (error) {
      const said = this.unable('look up', row, error);
      outcome = { ...said, reason: `looked up: ${said.reason}` };
    }
    const result = this.resultOf(row, outcome, true, null, { isLookup: true });
    // A question without an answer does not say that anybody was reached.
    attempt.end({ kind: 'result', result, verdict: verdictOf(outcome, null), elapsedMs: clock.monotonic() - asked });
  }

  /** @param wasAsked the provider has just been asked, and found nothing */
  private send(row: HeldRow, wasAsked: boolean, attempt: UnbegunAttempt<Ended>): void {
    const { channel, clock, databaseClock, lease, late, pauses } = this.options;
    let startedAt: number | null = null;
    const taken = clock.monotonic();
    let begun = taken;
    let refused = false;
    // The channel asks in the tick of the write, so nothing can change between this answer and the request.
    const mayStart = () => {
      // Some channel's code may go on although it has said what came of the attempt, and the row may be another session's by now.
      if (attempt.isOver) return false;
      const now = databaseClock.earliest();
      refused =
        this.unbegun.isStopped ||
        now < row.wakeAt ||
        !lease.holds() ||
        // What comes before the request, such as a video, may take longer than whoever pauses waits.
        pauses.paused(channel.name, row.account) ||
        late.isOver(row) ||
        (row.inDoubt && !wasAsked && this.isOutlived(row));
      if (refused) return false;
      attempt.begin();
      startedAt = Math.floor(now);
      begun = clock.monotonic();
      return true;
    };
    const end = (outcome: Outcome, verdict: Verdict) => {
      // What a lookup did not find may be listed late. So only a request that was taken ends doubt: after any other outcome the next
      // attempt asks again, and a refusal, which may be of the second post because the first one is there, is for a person to see.
      const result = this.resultOf(row, outcome, row.inDoubt, startedAt);
      // Of what a provider makes ready first, that is the longer part of the time for which it holds a slot.
      const since = this.keepings.has(row) ? taken : begun;
      attempt.end({ kind: 'result', result, verdict, elapsedMs: clock.monotonic() - since });
    };
    this.sent(row, mayStart).then(
      (outcome) => {
        if (outcome === 'not_started') attempt.end({ kind: refused ? 'later' : 'not_started' });
        else end(outcome, verdictOf(outcome, startedAt));
      },
      (error: unknown) => {
        const said = this.unable('send', row, error);
        const outcome: Outcome = startedAt === null ? said : { kind: 'unknown', reason: said.reason };
        // Without a request it was a bug of ours, which says nothing about a receiver.
        end(outcome, startedAt === null ? 'nothing' : 'failed');
      },
    );
  }

  /** A channel that throws is treated like one whose promise rejects. */
  private sent(row: HeldRow, mayStart: () => boolean): Promise<Outcome | 'not_started'> {
    try {
      const { id, account, dueAt } = row;
      const key = this.keyOf(row);
      // After a lookup that found nothing too: what the provider then calls a duplicate is what it did not list yet.
      const kept = this.keepings.ofAttempt(row);
      const attempt = { id, account, idempotencyKey: key, dueAt, inDoubt: row.inDoubt, mayStart, now: this.now, kept };
      return this.options.channel.send(row.prepared, attempt);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A request in doubt would be one of its own by now. */
  private isOutlived(row: HeldRow): boolean {
    return !row.decided && this.classOf(row) !== 'idempotent';
  }

  private keyOf({ id, planNumber }: HeldRow): string {
    return idempotencyKey(this.options.deploymentId(), id, planNumber);
  }

  /** @param more `leastMs`: before the row wakes again, if it does */
  private resultOf(
    row: HeldRow,
    outcome: Outcome,
    inDoubt: boolean,
    startedAt: number | null,
    { leastMs = 0, isLookup = false }: { readonly leastMs?: number; readonly isLookup?: boolean } = {},
  ): AttemptResult {
    const { channel, retry, random, databaseClock, gates } = this.options;
    const earliest = databaseClock.earliest();
    const now = this.asRecorded(earliest);
    // What it waited at a limit since its wake says nothing of its provider.
    const waitedMs = gates.areKnown && row.firstAttemptAt !== null ? Math.max(0, (startedAt ?? now) - row.wakeAt) : 0;
    // A plan's age is one by the database's clock. While that is unknown nothing is given up for its age.
    const isKnown = Number.isFinite(earliest);
    const attempted: Attempted = {
      channelClass: this.classOf(row),
      attempts: row.attempts + 1,
      inDoubt,
      isLookup,
      firstAttemptAt: ((isKnown ? (row.firstAttemptAt ?? startedAt) : undefined) ?? now) + waitedMs,
    };
    const settlement = settle(attempted, outcome, retry, now, random());
    if (settlement.state !== 'scheduled') return this.written(row, outcome, settlement, startedAt, now);
    // A lookup that is made earlier could find nothing although the message is accepted afterwards, and a key may not be known
    // yet. A person's decision may come that early too.
    const isEarly = !sendsAgainAtOnce(channel) && (outcome.kind === 'unknown' || row.decided);
    const delayMs = Math.max(settlement.delayMs, leastMs, isEarly ? channel.acceptedWithin : 0);
    const asked = waitedMs === 0 ? {} : { askedMs: (settlement.askedMs ?? 0) + waitedMs };
    const planned = { ...settlement, delayMs, ...asked };
    const late = isKnown ? this.options.late.insteadOfRetry(row, planned, now + delayMs) : undefined;
    return this.written(row, outcome, late ?? planned, startedAt, now);
  }

  private written(
    row: HeldRow,
    outcome: LedgerOutcome,
    settlement: Settlement,
    startedAt: number | null,
    finishedAt = this.now(),
  ): AttemptResult {
    const { id, version, dueAt, wakeAt, contentHash } = row;
    const result = { id, version, dueAt, wakeAt, contentHash, startedAt, finishedAt, outcome, settlement };
    return this.keepings.has(row) ? { ...result, hasKept: true } : result;
  }

  /** The database's clock, or this machine's while the database's is unknown. For records only. */
  private readonly now = (): number => this.asRecorded(this.options.databaseClock.earliest());

  private asRecorded(earliest: number): number {
    return Number.isFinite(earliest) ? Math.floor(earliest) : this.options.clock.now();
  }

  /** What an error means of which no request came: that kept ids cannot be had now says nothing of the message. */
  private unable(what: string, row: HeldRow, error: unknown): Extract<Outcome, { kind: 'retry' | 'postponed' }> {
    this.options.onError(`${what} message ${row.id}`, error);
    return { kind: error instanceof Unavailable ? 'postponed' : 'retry', reason: reasonOf(error) };
  }
}
