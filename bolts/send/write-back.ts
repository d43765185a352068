import type { Clock, Timer } from '../../topology/core/clock';
import type { Lease } from '../../topology/core/lease';
import { type BackOff, backOff } from '../../topology/core/retry-policy';
import type { AttemptResult, SendRows, Unwritten } from '../send-rows';
import { RefusedResults, UNANSWERED_FOR_MS } from './refused-results';
import { batchOf, MAX_ROWS_PER_BATCH } from './result-batch';

export interface WriteBackOptions {
  readonly rows: SendRows;
  readonly session: string;
  readonly lease: Pick<Lease, 'holds'>;
  readonly clock: Clock;
  readonly random: () => number;
  /** Results that may be unwritten before claims stop. */
  readonly maxUnwritten: number;
  /** Requests wait for a slot, and writing may wait for them without a risk. */
  readonly isCrowded: () => boolean;
  readonly onError: (what: string, error: unknown) => void;
  /** For how long a request may still be accepted, milliseconds; 0 where another one beside it does no harm. */
  readonly acceptedWithin: () => number;
  /** What the payload of a claimed row takes, roughly. */
  readonly bytesOf: (id: number) => number;
  /** Takes results that are written, or whose rows were released. */
  readonly onWritten: (results: readonly AttemptResult[]) => void;
}

/** How long a result may wait for others to be written with it. */
const LINGER_MS = 100;
/** The same, while requests are crowded. */
const CROWDED_LINGER_MS = 1_000;
/** The second batch is written while the first waits for a row that an application has locked. */
const MAX_BATCHES_AT_A_TIME = 2;
/** After a batch that could not be written nothing is written for so long. */
const FAILED_BACK_OFF: BackOff = { baseMs: 100, capMs: 2_000 };
/** A result that failed for so long, with whatever others, goes apart if the lease holds: then the database answers. */
const MAX_FAILING_MS = 30_000;

/**
 * Writes the results of attempts.
 *
 * 1. *A result is kept until it is written*: while the database is away the write is retried. What is unwritten is bounded by
 *    what was claimed, because claims stop while too much is unwritten.
 * 2. *One bad row holds nobody else*: its result is set aside, and so is that of a locked row. What failed in a batch that could not
 *    be written at all waits with all others, so that no batch is tried again and again as it is: beside others the database can tell
 *    which of them it refuses.
 * 3. *Requests first*: results of a crowd wait up to a second, or until three quarters of `maxUnwritten` are reached. They wait
 *    even when no request of this worker waits any more, because requests of other workers may.
 */
export class WriteBack {
  private waiting: AttemptResult[] = [];
  private batchesOnTheWay = 0;
  private timer: Timer | undefined;
  private lingerMs = LINGER_MS;
  /** Results of a crowd are among `waiting`. */
  private ofCrowd = false;
  /** Until when the first of `waiting` may wait at most, monotonic milliseconds. */
  private waitsUntil = 0;
  /** Results in `waiting`, on the way, and of locked or refused rows that wait to be written again. */
  private unwritten = 0;
  /** Batches that could not be written, since one was. */
  private failures = 0;
  /** Since when results fail, monotonic milliseconds. */
  private readonly failingSince = new Map<AttemptResult, number>();
  /** Since when the bolt drains, monotonic milliseconds. */
  private hurriedSince = Number.POSITIVE_INFINITY;
  /** The timer is that of a back-off. */
  private isResting = false;
  private isClosed = false;

  private readonly refused: RefusedResults;

  constructor(private readonly options: WriteBackOptions) {
    this.refused = new RefusedResults({ ...options, onDone: (results) => this.done(results) });
  }

  get size(): number {
    return this.unwritten;
  }

  get backlogged(): boolean {
    return this.unwritten >= this.options.maxUnwritten;
  }

  add(result: AttemptResult): void {
    this.unwritten++;
    this.put(result);
  }

  /** From now on results are written at once. */
  hurry(): void {
    this.lingerMs = 0;
    this.hurriedSince = this.options.clock.monotonic();
    this.refused.hurry();
    this.timer?.cancel();
    this.timer = undefined;
    this.isResting = false;
    this.writeAll();
  }

  close(): void {
    this.isClosed = true;
    this.refused.close();
    this.timer?.cancel();
    this.timer = undefined;
  }

  private put(result: AttemptResult): void {
    if (this.waiting.length === 0) this.waitsUntil = this.options.clock.monotonic() + CROWDED_LINGER_MS;
    this.waiting.push(result);
    if (this.waiting.length >= MAX_ROWS_PER_BATCH && !this.isResting && !this.mayWait()) this.writeAll();
    else this.timer ??= this.options.clock.after(this.lingerMs, () => this.elapsed());
  }

  private elapsed(): void {
    this.timer = undefined;
    this.isResting = false;
    if (this.mayWait()) this.timer = this.options.clock.after(this.lingerMs, () => this.elapsed());
    else this.writeAll();
  }

  private mayWait(): boolean {
    const { isCrowded, maxUnwritten, clock } = this.options;
    // Fewer results than a batch in this time do not come from a crowd, but from an origin that hangs.
    this.ofCrowd ||= this.waiting.length >= MAX_ROWS_PER_BATCH && isCrowded();
    return (
      this.ofCrowd && this.lingerMs > 0 && this.unwritten * 4 < maxUnwritten * 3 && clock.monotonic() < this.waitsUntil
    );
  }

  private writeAll(): void {
    this.ofCrowd = false;
    while (this.waiting.length > 0 && this.batchesOnTheWay < MAX_BATCHES_AT_A_TIME) {
      const batch = batchOf(this.waiting, ({ id }) => this.options.bytesOf(id));
      this.waiting.splice(0, batch.length);
      this.batchesOnTheWay++;
      void this.write(batch);
    }
  }

  private async write(batch: readonly AttemptResult[]): Promise<void> {
    const { rows, session, onError } = this.options;
    let bad: ReadonlyMap<number, Unwritten> | undefined;
    try {
      bad = new Map((await rows.writeBack(session, batch)).map((one) => [one.id, one]));
    } catch (error) {
      if (!this.isClosed) onError('write back', error);
    }
    this.batchesOnTheWay--;
    if (this.isClosed) return;
    if (bad === undefined) this.failed(batch);
    else this.written(batch, bad);
    if (this.isResting) return;
    if (this.waiting.length >= MAX_ROWS_PER_BATCH || (this.waiting.length > 0 && this.timer === undefined))
      this.writeAll();
  }

  /** @param bad what of it is not written */
  private written(batch: readonly AttemptResult[], bad: ReadonlyMap<number, Unwritten>): void {
    this.failures = 0;
    for (const result of batch) this.failingSince.delete(result);
    for (const result of bad.size === 0 ? [] : batch) {
      const one = bad.get(result.id);
      if (one === undefined) continue;
      if (!one.again) this.options.onError(`write back message ${one.id}`, new Error(one.reason));
      this.refused.add(result, !one.again);
    }
    this.done(bad.size === 0 ? batch : batch.filter(({ id }) => !bad.has(id)));
  }

  /** Nothing of it is written: the database, its table or its ledger is away, or refuses all of it. */
  private failed(batch: readonly AttemptResult[]): void {
    const { clock, random, lease } = this.options;
    const now = clock.monotonic();
    // A drain ends. The rows are recovered when the session has ended.
    if (now - this.hurriedSince >= UNANSWERED_FOR_MS && lease.holds()) return this.done(batch);
    this.failures++;
    for (const result of batch) {
      const since = this.failingSince.get(result) ?? now;
      if (now - since >= MAX_FAILING_MS && lease.holds()) {
        this.failingSince.delete(result);
        this.refused.add(result, false);
        continue;
      }
      this.failingSince.set(result, since);
      this.waiting.push(result);
    }
    this.timer?.cancel();
    this.isResting = true;
    this.timer = clock.after(backOff(FAILED_BACK_OFF, this.failures, random()), () => this.elapsed());
  }

  private done(results: readonly AttemptResult[]): void {
    this.unwritten -= results.length;
    this.options.onWritten(results);
  }
}
