import type { Clock, Timer } from '../../topology/core/clock';
import type { RetryUntilDone } from '../retry-until-done';
import type { AttemptResult, SendRows } from '../send-rows';
import { RefusedResults } from './refused-results';

export interface WriteBackOptions {
  readonly rows: SendRows;
  readonly session: string;
  readonly persistence: RetryUntilDone;
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

const MAX_ROWS_PER_BATCH = 500;
/** Payloads of one batch: an update logs a row twice, and a replication group refuses transactions of more than 150 MB. */
const MAX_BYTES_PER_BATCH = 32 * 1024 * 1024;
/** How long a result may wait for others to be written with it. */
const LINGER_MS = 100;
/** The same, while requests are crowded. */
const CROWDED_LINGER_MS = 1_000;
/** The second batch is written while the first waits for a row that an application has locked. */
const MAX_BATCHES_AT_A_TIME = 2;
/** When the result of a row that an application has locked is written again. */
const LOCKED_RETRY_MS = 250;

/**
 * Writes the results of attempts.
 *
 * 1. *A result is kept until it is written*: while the database is away the write is retried. What is unwritten is bounded by
 *    what was claimed, because claims stop while too much is unwritten.
 * 2. *One bad row holds nobody else*: its result is set aside and tried by itself. A locked row is written again later.
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

  private readonly refused: RefusedResults;

  constructor(private readonly options: WriteBackOptions) {
    this.refused = new RefusedResults({ ...options, onDone: (result) => this.done([result]) });
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
    this.refused.hurry();
    this.timer?.cancel();
    this.timer = undefined;
    this.writeAll();
  }

  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private put(result: AttemptResult): void {
    if (this.waiting.length === 0) this.waitsUntil = this.options.clock.monotonic() + CROWDED_LINGER_MS;
    this.waiting.push(result);
    if (this.waiting.length >= MAX_ROWS_PER_BATCH && !this.mayWait()) this.writeAll();
    else this.timer ??= this.options.clock.after(this.lingerMs, () => this.elapsed());
  }

  private elapsed(): void {
    this.timer = undefined;
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
      const batch = this.waiting.splice(0, this.nextCount());
      this.batchesOnTheWay++;
      void this.write(batch);
    }
  }

  /** How many of `waiting` are one batch. */
  private nextCount(): number {
    let count = 0;
    let bytes = 0;
    for (const { id } of this.waiting) {
      bytes += this.options.bytesOf(id);
      if (count === MAX_ROWS_PER_BATCH || (count > 0 && bytes > MAX_BYTES_PER_BATCH)) break;
      count++;
    }
    return count;
  }

  private async write(batch: AttemptResult[]): Promise<void> {
    const { rows, session, persistence, onError } = this.options;
    const bad = await persistence
      .until('write back', () => rows.writeBack(session, batch))
      .finally(() => {
        this.batchesOnTheWay--;
      });
    if (bad === undefined) return;
    const unwritten = new Map(bad.map((one) => [one.id, one]));
    const locked: AttemptResult[] = [];
    for (const result of unwritten.size === 0 ? [] : batch) {
      const one = unwritten.get(result.id);
      if (one?.again === true) locked.push(result);
      if (one?.again !== false) continue;
      onError(`write back message ${one.id}`, new Error(one.reason));
      this.refused.add(result);
    }
    if (locked.length > 0) void this.writeAgain(locked);
    this.done(unwritten.size === 0 ? batch : batch.filter(({ id }) => !unwritten.has(id)));
    if (this.waiting.length >= MAX_ROWS_PER_BATCH || (this.waiting.length > 0 && this.timer === undefined))
      this.writeAll();
  }

  private done(results: readonly AttemptResult[]): void {
    this.unwritten -= results.length;
    this.options.onWritten(results);
  }

  private async writeAgain(results: readonly AttemptResult[]): Promise<void> {
    if (await this.options.persistence.rest(LOCKED_RETRY_MS)) for (const result of results) this.put(result);
  }
}
