import type { Clock, Timer } from '../../topology/core/clock';
import type { RetryUntilDone } from '../retry-until-done';
import type { AttemptResult, SendRows } from '../send-rows';

export interface WriteBackOptions {
  readonly rows: SendRows;
  readonly session: string;
  readonly persistence: RetryUntilDone;
  readonly clock: Clock;
  /** Results that may be unwritten before nothing new should be claimed. */
  readonly backlog: number;
  /** Requests wait for a slot, and writing could wait for them without a risk. */
  readonly isCrowded: () => boolean;
  readonly onError: (what: string, error: unknown) => void;
  /** These are written, or can never be. */
  readonly onWritten: (results: readonly AttemptResult[]) => void;
}

const BATCH = 500;
/** How long a result may wait for company, milliseconds. */
const LINGER = 100;
/** How long it may wait in a crowd, milliseconds. */
const CROWDED_LINGER = 1_000;
/** Batches on the way at a time: the second goes on while the first waits for a row that somebody has locked. */
const AT_A_TIME = 2;
/** When a row that somebody has locked is tried again, milliseconds. */
const LOCKED = 250;

/**
 * Writes down what came of attempts.
 *
 * 1. *A result is kept until it is written*: while the database is away it is tried again. What is unwritten is bounded by
 *    what was claimed, because claims stop while the backlog is large.
 * 2. *One bad row holds nobody else*: it is reported and given up; a locked one is handed in again.
 * 3. *Requests first*: results of a crowd wait up to a second, or until the backlog is three quarters full, even when no request
 *    of this worker waits any more: those of others may.
 */
export class WriteBack {
  private waiting: AttemptResult[] = [];
  private onTheWay = 0;
  private timer: Timer | undefined;
  private linger = LINGER;
  /** Results of a crowd are among `waiting`. */
  private ofCrowd = false;
  /** When the first of `waiting` may wait no longer, whoever is crowded; monotonic milliseconds. */
  private until = 0;
  /** Results in `waiting`, on the way, and locked ones that wait to be handed in again. */
  private unwritten = 0;

  constructor(private readonly options: WriteBackOptions) {}

  get size(): number {
    return this.unwritten;
  }

  get backlogged(): boolean {
    return this.unwritten >= this.options.backlog;
  }

  add(result: AttemptResult): void {
    this.unwritten++;
    this.put(result);
  }

  /** From now on results are written at once. */
  hurry(): void {
    this.linger = 0;
    this.timer?.cancel();
    this.timer = undefined;
    this.go();
  }

  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private put(result: AttemptResult): void {
    if (this.waiting.length === 0) this.until = this.options.clock.monotonic() + CROWDED_LINGER;
    this.waiting.push(result);
    if (this.waiting.length >= BATCH && !this.mayWait()) this.go();
    else this.timer ??= this.options.clock.after(this.linger, () => this.elapsed());
  }

  private elapsed(): void {
    this.timer = undefined;
    if (this.mayWait()) this.timer = this.options.clock.after(this.linger, () => this.elapsed());
    else this.go();
  }

  private mayWait(): boolean {
    const { isCrowded, backlog, clock } = this.options;
    // Fewer than a batch in this time are no crowd, but a host that hangs.
    this.ofCrowd ||= this.waiting.length >= BATCH && isCrowded();
    return this.ofCrowd && this.linger > 0 && this.unwritten * 4 < backlog * 3 && clock.monotonic() < this.until;
  }

  private go(): void {
    this.ofCrowd = false;
    while (this.waiting.length > 0 && this.onTheWay < AT_A_TIME) {
      const batch = this.waiting.splice(0, BATCH);
      this.onTheWay++;
      void this.write(batch);
    }
  }

  private async write(batch: AttemptResult[]): Promise<void> {
    const { rows, session, persistence, onWritten } = this.options;
    const bad = await persistence.until('write back', () => rows.writeBack(session, batch));
    this.onTheWay--;
    if (bad === undefined) return;
    const locked = new Set<number>();
    for (const { id, reason, again } of bad) {
      if (again) locked.add(id);
      else this.options.onError(`write back message ${id}`, new Error(reason));
    }
    const written = locked.size === 0 ? batch : batch.filter(({ id }) => !locked.has(id));
    if (locked.size > 0) void this.handInAgain(batch.filter(({ id }) => locked.has(id)));
    this.unwritten -= written.length;
    onWritten(written);
    if (this.waiting.length >= BATCH || (this.waiting.length > 0 && this.timer === undefined)) this.go();
  }

  private async handInAgain(results: readonly AttemptResult[]): Promise<void> {
    if (await this.options.persistence.rest(LOCKED)) for (const result of results) this.put(result);
  }
}
