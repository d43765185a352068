import type { HeldRow } from '../held-row';
import type { RetryUntilDone } from '../retry-until-done';
import type { AttemptResult, SendRows } from '../send-rows';
import { TO_START } from '../slots/line';
import type { Host } from '../slots/resources';
import type { SendSlots } from '../slots/send-slots';
import { WakeQueue } from '../slots/wake-queue';
import { Attempts, type AttemptsOptions, type Ended } from './attempts';
import { WriteBack } from './write-back';

export interface ClaimedRowsOptions extends AttemptsOptions {
  readonly rows: SendRows;
  readonly slots: SendSlots;
  /** Outcomes that may be unwritten before nothing new should be claimed. */
  readonly backlog: number;
  readonly persistence: RetryUntilDone;
  /** Rows that have woken wait to be claimed. */
  readonly claimsWait: () => boolean;
  /** The row takes no slot any more, or less than before. */
  readonly onFreed: (row: HeldRow) => void;
  /** The host is known as quick now. */
  readonly onQuick: (host: Host) => void;
  /** An attempt ended, so others may go on. */
  readonly onEnded: () => void;
  /** What came of these rows is written: they are out of our hands. */
  readonly onDone: (rows: readonly HeldRow[]) => void;
}

/** How long a claimed row may wait for its account or host before others may have it. Milliseconds. */
const PATIENCE = 10_000;

/** Claimed rows, from the claim to the written outcome. */
export class ClaimedRows {
  private readonly toStart: WakeQueue;
  private readonly attempts: Attempts;
  private readonly writeBack: WriteBack;
  /** Claimed and not written yet, by id. */
  private readonly claimed = new Map<number, HeldRow>();

  constructor(private readonly options: ClaimedRowsOptions) {
    const { rows, lease, persistence, clock, backlog, onError } = options;
    this.toStart = new WakeQueue(TO_START, options.slots);
    this.attempts = new Attempts(options);
    this.writeBack = new WriteBack({
      rows,
      session: lease.session,
      persistence,
      clock,
      backlog,
      isCrowded: () => this.isCrowded,
      onError,
      onWritten: (results) => this.written(results),
    });
  }

  /** Rows that are claimed and not written yet. */
  get size(): number {
    return this.claimed.size;
  }

  /** Rows that are claimed and not started. */
  get waiting(): number {
    return this.toStart.size;
  }

  /**
   * Claimed rows wait while nearly all slots are taken, or others wait to be claimed. Only where sending again is harmless:
   * what is unwritten when the worker dies is in doubt.
   */
  private get isCrowded(): boolean {
    const { slots, channel, claimsWait } = this.options;
    return channel.class === 'idempotent' && ((this.toStart.size > 0 && slots.isCrowded) || claimsWait());
  }

  get unwritten(): number {
    return this.writeBack.size;
  }

  /** So much is unwritten that nothing new should be claimed. */
  get backlogged(): boolean {
    return this.writeBack.backlogged;
  }

  get nextAt(): number | undefined {
    return this.toStart.nextAt();
  }

  /** Rows that could start now if there were slots; an upper bound. */
  ready(now: number): number {
    return this.toStart.readyAt(now);
  }

  has(id: number, version: number): boolean {
    return this.claimed.get(id)?.version === version;
  }

  /** Takes a row that was just claimed. */
  add(row: HeldRow, now: number): void {
    const earlier = this.claimed.get(row.id);
    // An earlier plan of it, whose outcome took effect though the answer to that was lost.
    if (earlier !== undefined) this.options.onDone([earlier]);
    this.claimed.set(row.id, row);
    row.since = Math.max(row.wakeAt, now);
    const result = this.attempts.withoutRequest(row);
    if (result === undefined) this.toStart.add(row);
    else this.finish(row, result);
  }

  /** Starts what has woken, as far as there are slots. */
  start(now: number): void {
    const { slots, lease } = this.options;
    if (!lease.holds()) return;
    while (slots.free > 0) {
      const row = this.toStart.next(now);
      if (row === undefined) return;
      slots.begin(row);
      this.attempts.make(row, (ended) => this.ended(row, ended));
    }
  }

  /** Something of the row's lane ended. */
  wake(row: HeldRow): void {
    if (this.toStart.ready === this.toStart.size) return;
    for (const resource of this.options.slots.resourcesOf(row.lane)) this.toStart.wake(resource);
  }

  wakeHost(host: Host): void {
    this.toStart.wakeHost(host);
  }

  /** Gives back what its account or host keeps waiting. */
  sweep(now: number): void {
    for (const row of this.toStart.parked()) {
      if (now - row.since > PATIENCE) this.giveBack(row, 'its account or host had no room');
    }
  }

  /** Gives back all that is not started: the lease is out and nobody will wait for it. */
  giveUp(): void {
    for (const row of this.toStart.parked()) this.giveBack(row, 'its worker stopped');
    for (let row = this.toStart.next(Number.POSITIVE_INFINITY); row !== undefined; ) {
      this.finish(row, this.attempts.givenBack(row, 'its worker stopped'));
      row = this.toStart.next(Number.POSITIVE_INFINITY);
    }
  }

  /** Outcomes are written at once from now on. */
  hurry(): void {
    this.writeBack.hurry();
  }

  close(): void {
    this.writeBack.close();
  }

  private giveBack(row: HeldRow, reason: string): void {
    this.toStart.remove(row);
    this.finish(row, this.attempts.givenBack(row, reason));
  }

  private ended(row: HeldRow, ended: Ended): void {
    const { slots, lease, clock } = this.options;
    const now = clock.monotonic();
    if (ended.kind === 'result') {
      if (slots.end(row, ended.verdict, ended.elapsed, now)) this.options.onQuick(row.lane.host);
      this.finish(row, ended.result);
    } else {
      slots.end(row, 'nothing', 0, now);
      // Still ours. It starts when its time comes and the lease holds again; if the session was marked dead meanwhile,
      // the lease never holds again and the spouts have it.
      if (ended.kind === 'later' || !lease.holds()) {
        this.toStart.add(row);
        this.options.onFreed(row);
      } else this.finish(row, this.attempts.givenBack(row, 'the channel did not start it'));
    }
    this.options.onEnded();
  }

  /** The row takes no slot any more; what came of it is to be written. */
  private finish(row: HeldRow, result: AttemptResult): void {
    this.options.slots.release(row);
    this.options.onFreed(row);
    this.writeBack.add(result);
  }

  private written(results: readonly AttemptResult[]): void {
    const done: HeldRow[] = [];
    for (const { id, version } of results) {
      const row = this.claimed.get(id);
      if (row?.version !== version) continue;
      this.claimed.delete(id);
      done.push(row);
    }
    this.options.onDone(done);
  }
}
