import type { GivenBackReason } from '../../topology/message';
import type { HeldRow } from '../held-row';
import type { InHand } from '../in-hand';
import type { AttemptResult, SendRows } from '../send-rows';
import type { SendSlots } from '../slots/send-slots';
import type { WakeQueue } from '../slots/wake-queue';
import { Attempts, type AttemptsOptions, type Ended } from './attempts';
import { sendsAgainAtOnce } from './doubt';
import { WriteBack } from './write-back';

export interface ClaimedRowsOptions extends AttemptsOptions {
  readonly rows: SendRows;
  readonly inHand: InHand;
  readonly slots: SendSlots<HeldRow>;
  /** Outcomes that may be unwritten before claims stop. */
  readonly maxUnwritten: number;
  /** Memory that outcomes may take which only the ledger has. */
  readonly maxJournaledBytes: number;
  /** Called when an attempt ended or outcomes were written, so that other rows may proceed. */
  readonly advance: () => void;
}

/** How long a claimed row may wait for its account or origin before it is given back. */
const MAX_WAIT_MS = 10_000;
/** And where these answer quickly and go on answering: a crowd that is too large for the machine goes no faster by going round again. */
const MAX_WAIT_QUICK_MS = 30_000;

/** Claimed rows, from the claim to the written outcome. */
export class ClaimedRows {
  private readonly toStart: WakeQueue<HeldRow>;
  private readonly attempts: Attempts;
  private readonly writeBack: WriteBack;

  constructor(private readonly options: ClaimedRowsOptions) {
    const { lease, slots, channel } = options;
    this.toStart = slots.toStart;
    this.attempts = new Attempts(options);
    this.writeBack = new WriteBack({
      ...options,
      session: lease.session,
      isCrowded: () => this.isCrowded,
      acceptedWithin: () => (sendsAgainAtOnce(channel) ? 0 : channel.acceptedWithin),
      holdsLease: () => lease.holds(),
      bytesOf: (id) => options.inHand.claimedBytesOf(id),
      isAwaited: (id) => options.inHand.isClaimedSuspect(id),
      accountOf: (id) => options.inHand.accountOf(id),
      onJournaled: (results) => this.onJournaled(results),
      onRefused: (results) => options.inHand.refused(results),
      onWritten: (results) => this.written(results),
    });
  }

  /** Rows that are claimed and not started. */
  get waiting(): number {
    return this.toStart.size;
  }

  get unwritten(): number {
    return this.writeBack.unwritten;
  }

  /** Outcomes that only the ledger has. */
  get journaled(): number {
    return this.writeBack.journaled;
  }

  /** So much is unwritten that nothing new should be claimed. */
  get backlogged(): boolean {
    return this.writeBack.backlogged;
  }

  get nextAt(): number | undefined {
    return this.toStart.nextAt();
  }

  /** Nothing waits for room, and there is room for all that is claimed. */
  allBeginAtTheirWake(now: number): boolean {
    const { size, ready } = this.toStart;
    if (size === 0) return true;
    const { slots, inHand } = this.options;
    const isEarly = ready === size && this.toStart.readyAt(now) === 0;
    return isEarly && size <= slots.free && slots.allFit(inHand.claimedInHand());
  }

  /** Nothing is claimed, and every outcome is written. */
  get idle(): boolean {
    return this.options.inHand.claimedRows === 0 && this.writeBack.size === 0;
  }

  /** Takes a row that was just claimed. */
  add(row: HeldRow, now: number): void {
    this.options.inHand.addClaimed(row);
    row.since = Math.max(row.wakeAt, now);
    const result = this.attempts.withoutRequest(row);
    if (result === undefined) this.toStart.add(row);
    else this.finish(row, result);
  }

  /**
   * Starts what has woken, as far as there are slots. What is too late by now, or cannot reach its origin, ends without a request, and
   * so does what was paused meanwhile, or what its provider has said that it does not take.
   */
  start(now: number): void {
    const { slots, lease, clock } = this.options;
    if (!lease.holds()) return;
    const begunAt = clock.monotonic();
    while (slots.free > 0) {
      const row = this.toStart.next(now);
      if (row === undefined) return;
      const late = this.attempts.tooLate(row);
      if (late !== undefined || slots.isUnreachable(row)) {
        this.finish(row, late ?? this.attempts.unreached(row));
        continue;
      }
      const stopped = this.whyStopped(row);
      if (stopped !== undefined) {
        this.finish(row, this.attempts.givenBack(row, stopped));
        continue;
      }
      slots.begin(row, begunAt);
      this.attempts.make(row, (ended) => this.ended(row, ended));
    }
  }

  /** Gives back rows that waited too long for their account or origin, or have been paused for a while as they are made ready. */
  sweep(now: number): void {
    this.attempts.endAwaited();
    const monotonic = this.options.clock.monotonic();
    for (const row of this.toStart.parked((one) => now - one.since > MAX_WAIT_MS)) {
      const goesOn = row.lane.isKnownQuick && monotonic - row.lane.origin.answeredAt < MAX_WAIT_MS;
      if (!goesOn || now - row.since > MAX_WAIT_QUICK_MS) this.giveBack(row, 'its account or origin had no room');
    }
  }

  /** The bolt drains: no request begins any more, so what has begun none waits again, to be given back. */
  stop(): void {
    this.attempts.stop();
  }

  /**
   * The bolt drains: gives back rows that could have started since this time and had no room.
   * @param since +Infinity for every row that is not started
   */
  giveBackWaiting(since: number): void {
    for (const row of this.toStart.parked((one) => one.since <= since)) this.giveBack(row, 'its worker stopped');
    for (let row = this.toStart.next(since); row !== undefined; row = this.toStart.next(since)) {
      this.finish(row, this.attempts.givenBack(row, 'its worker stopped'));
    }
  }

  /** Outcomes are written at once from now on. */
  hurry(): void {
    this.writeBack.hurry();
  }

  close(): void {
    this.writeBack.close();
  }

  /**
   * Outcomes wait while claimed rows wait because nearly all slots are taken, or while rows wait to be claimed. Only where
   * sending again is harmless: when the worker dies, what is unwritten is in doubt.
   */
  private get isCrowded(): boolean {
    const { slots, channel, databaseClock } = this.options;
    if (!sendsAgainAtOnce(channel)) return false;
    return (this.toStart.size > 0 && slots.isCrowded) || slots.toClaim.readyAt(databaseClock.earliest()) > 0;
  }

  private whyStopped({ account }: HeldRow): GivenBackReason | undefined {
    const { pauses, channel, gates } = this.options;
    if (gates.isHeld(account)) return 'its provider takes nothing for now';
    return pauses.paused(channel.name, account) ? 'its channel or account is paused' : undefined;
  }

  private giveBack(row: HeldRow, reason: GivenBackReason): void {
    this.toStart.remove(row);
    this.finish(row, this.attempts.givenBack(row, reason));
  }

  private ended(row: HeldRow, ended: Ended): void {
    const { slots, lease, clock, advance } = this.options;
    const now = clock.monotonic();
    if (ended.kind === 'result') {
      const { outcome } = ended.result;
      if (ended.verdict === 'unreachable' && outcome.kind === 'retry') row.lane.origin.lastError = outcome.reason;
      // Before the slot is free: the next request of the account must not begin.
      if ('hold' in outcome && outcome.hold !== undefined)
        this.options.gates.hold(row.account, outcome.hold, outcome.kind !== 'delivered');
      slots.end(row, ended.verdict, ended.elapsedMs, now);
      this.finish(row, ended.result);
    } else {
      slots.end(row, 'nothing', 0, now);
      // The row is still claimed. It starts when its time comes and the lease holds again. If the session was marked dead
      // meanwhile, the lease never holds again and a spout recovers the row.
      if (ended.kind === 'later' || !lease.holds()) this.toStart.add(row);
      else {
        const isPaused = ended.kind === 'paused';
        const reason = isPaused ? 'its channel or account is paused' : 'the channel did not start it';
        this.finish(row, this.attempts.givenBack(row, reason));
      }
    }
    advance();
  }

  /** The row takes no slot any more, and its outcome is to be written. */
  private finish(row: HeldRow, result: AttemptResult): void {
    if (result.startedAt === null) this.options.gates.unused(row);
    this.options.slots.release(row);
    this.writeBack.add(result);
  }

  private onJournaled(results: readonly AttemptResult[]): void {
    this.options.inHand.journal(results);
    this.options.advance();
  }

  private written(results: readonly AttemptResult[]): void {
    this.options.inHand.written(results);
    this.options.advance();
  }
}
