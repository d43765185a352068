import type { Clock, Timer } from '../../topology/core/clock';
import { type BackOff, backOff } from '../../topology/core/retry-policy';
import type { AttemptResult, SendRows, Unwritten } from '../send-rows';
import { Journal } from './journal';
import { RefusedResults } from './refused-results';
import { WaitingAccounts } from './waiting-accounts';

export interface WriteBackOptions {
  readonly rows: SendRows;
  readonly session: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** Results that may be unwritten before claims stop. */
  readonly maxUnwritten: number;
  /** Memory that results may take which only the ledger has. */
  readonly maxJournaledBytes: number;
  /** Requests wait for a slot, and writing may wait for them without a risk. */
  readonly isCrowded: () => boolean;
  /** What is journaled by a session that may be dead is of no use: its rows are not settled by it any more. */
  readonly holdsLease: () => boolean;
  readonly onError: (what: string, error: unknown) => void;
  /** For how long a request may still be accepted, milliseconds; 0 where another one beside it does no harm. */
  readonly acceptedWithin: () => number;
  /** What the payload of a claimed row takes, roughly. */
  readonly bytesOf: (id: number) => number;
  /** Others of its kind are not claimed before it is written. */
  readonly isAwaited: (id: number) => boolean;
  /** Whose row it is, of a claimed row or one that the ledger has. */
  readonly accountOf: (id: number) => string | undefined;
  /** Takes results that the ledger has. */
  readonly onJournaled: (results: readonly AttemptResult[]) => void;
  /** Takes results that the database refuses, or whose rows are locked, while it takes others. */
  readonly onRefused: (results: readonly AttemptResult[]) => void;
  /** Takes results that are written, or whose rows were released. */
  readonly onWritten: (results: readonly AttemptResult[]) => void;
}

const MAX_ROWS_PER_BATCH = 500;
/** So many results within `LINGER_MS` are a crowd's, or this part of those that may be unwritten. */
const CROWD_ROWS = 100;
const CROWD_PART = 1 / 4;
/** Payloads of one batch: an update logs a row twice, and a replication group refuses transactions of more than 150 MB. */
const MAX_BYTES_PER_BATCH = 32 * 1024 * 1024;
/** How long a result may wait for others to be written with it. */
const LINGER_MS = 100;
/** The same, while requests are crowded. */
const CROWDED_LINGER_MS = 2_000;
/** A crowd has lasted until so long after the last look that found one, and the rows of what was journaled are settled from then on. */
const CROWD_MS = 1_000;
/** The second batch is written while the first waits for a row that an application has locked. */
const MAX_BATCHES_AT_A_TIME = 2;
/** Batches in a row of which nothing could be written, after which a bolt that has drained for as long as it may waits for no other. */
const MAX_FAILURES_AT_END = 5;
/** After a batch of which nothing could be written nothing is written for so long. */
const FAILED_BACK_OFF: BackOff = { baseMs: 100, capMs: 2_000 };

/**
 * Writes the results of attempts.
 *
 * 1. *A result is kept until it is written*: while the database is away the write is retried. What is unwritten is bounded by
 *    what was claimed, because claims stop while too much is unwritten.
 * 2. *One bad row holds nobody else*: its result is set aside and tried by itself, and so is that of a locked row. When a batch is
 *    refused as a whole one of its results shows whether that is an outage. If it is, the batch waits with all others; otherwise it
 *    is set aside as it is. Up to half of `maxUnwritten` refused results stop no claims.
 * 3. *One account whose results wait holds nobody else*: what was not tried because of them goes first in the next batch, and results of
 *    such an account are written apart from then on.
 * 4. *Requests first*: results of a crowd wait up to two seconds, or until three quarters of `maxUnwritten` are reached, or what was
 *    delivered keeps so much memory that rows of others find little. They wait even when no request of this worker waits any more, because
 *    requests of other workers may. *But no retry*, whose delay begins when it is written, nor what others wait for.
 * 5. *Then the ledger before the rows*: while the crowd lasts, only the entry of the ledger is written of what was delivered, which
 *    costs a fourth of what writing the row costs. The rows are settled after it, or after half a minute, a batch at a time with as
 *    long a rest, while nothing else is written. A crowd has lasted until a second after the last look that found one.
 * 6. *What the ledger has stops no claims*, and is lost with no worker: its rows are settled by the ledger when the session has ended.
 */
export class WriteBack {
  private waiting: AttemptResult[] = [];
  private batchesOnTheWay = 0;
  private timer: Timer | undefined;
  private lingerMs = LINGER_MS;
  /** Results of a crowd are among `waiting`. */
  private ofCrowd = false;
  /** What the rows of `waiting` keep, roughly. */
  private waitingBytes = 0;
  /** Until when the first of `waiting` may wait at most, monotonic milliseconds. */
  private waitsUntil = 0;
  /** When a crowd was seen, monotonic milliseconds. */
  private crowdedAt = Number.NEGATIVE_INFINITY;
  /** Results in `waiting`, on the way, and of locked or refused rows that wait to be written again. Not those that the ledger has. */
  unwritten = 0;
  /** Batches in a row of which nothing could be written. */
  private failures = 0;
  /** The timer is that of a back-off. */
  private isResting = false;
  private isClosed = false;

  private readonly refused: RefusedResults;
  private readonly apart: WaitingAccounts;
  private readonly journal: Journal;
  private settler: Timer | undefined;
  private isSettling = false;

  constructor(private readonly options: WriteBackOptions) {
    const onDone = (results: readonly AttemptResult[]) => this.done(results);
    const isDurable = (result: AttemptResult) => this.journal.has(result);
    this.refused = new RefusedResults({ ...options, isDurable, onDone });
    this.apart = new WaitingAccounts({
      ...options,
      isDurable,
      sizeOf: (results) => this.countOf(results),
      onFailed: (results, isKnown) => this.refused.add(results, false, isKnown),
      onDone,
    });
    this.journal = new Journal({ ...options, maxBytes: options.maxJournaledBytes });
  }

  /** All results that are not in the rows of their messages. */
  get size(): number {
    return this.unwritten + this.journal.size;
  }

  get journaled(): number {
    return this.journal.size;
  }

  get backlogged(): boolean {
    const { maxUnwritten } = this.options;
    const setAside = this.refused.known + this.apart.size;
    return this.unwritten - Math.min(setAside, maxUnwritten >> 1) >= maxUnwritten;
  }

  add(result: AttemptResult): void {
    this.unwritten++;
    if (!this.goesApart(result)) this.put(result);
  }

  /** From now on results are written at once. */
  hurry(): void {
    this.lingerMs = 0;
    this.refused.hurry();
    this.apart.hurry();
    this.timer?.cancel();
    this.timer = undefined;
    this.isResting = false;
    this.waiting = this.waiting.concat(this.takeJournaled(Number.POSITIVE_INFINITY));
    this.writeAll();
  }

  close(): void {
    this.isClosed = true;
    this.refused.close();
    this.apart.close();
    this.timer?.cancel();
    this.timer = undefined;
    this.settler?.cancel();
  }

  /** @returns whether its account is written apart */
  private goesApart(result: AttemptResult): boolean {
    const account = this.options.accountOf(result.id);
    if (account === undefined || !this.apart.has(account)) return false;
    this.apart.add(account, [result]);
    return true;
  }

  private put(result: AttemptResult): void {
    if (this.waiting.length === 0) this.waitsUntil = this.options.clock.monotonic() + CROWDED_LINGER_MS;
    this.waiting.push(result);
    this.waitingBytes += this.options.bytesOf(result.id);
    if (this.waiting.length >= MAX_ROWS_PER_BATCH && !this.isResting && !this.mayWait()) this.writeAll();
    else this.timer ??= this.options.clock.after(this.lingerMs, () => this.elapsed());
  }

  private elapsed(): void {
    this.timer = undefined;
    this.isResting = false;
    if (!this.mayWait()) return this.writeAll();
    this.writeUrgent();
    this.timer ??= this.options.clock.after(this.lingerMs, () => this.elapsed());
  }

  /** Writes what is not to wait with the others of a crowd. */
  private writeUrgent(): void {
    const isUrgent = ({ id, settlement }: AttemptResult) =>
      settlement.state !== 'delivered' || this.options.isAwaited(id);
    const urgent = this.waiting.filter(isUrgent);
    if (urgent.length === 0) return;
    const others = this.waiting.filter((result) => !isUrgent(result));
    this.write(urgent);
    this.waiting = [...urgent, ...others];
    this.weigh();
    // What comes next is of this crowd only if it is found to be.
    if (this.waiting.length === 0) this.ofCrowd = false;
  }

  private mayWait(): boolean {
    const { isCrowded, maxUnwritten, maxJournaledBytes, clock } = this.options;
    const now = clock.monotonic();
    const isTimeToLook = !this.ofCrowd || now - this.crowdedAt >= LINGER_MS;
    // Fewer results in this time do not come from a crowd, but from an origin that hangs.
    const areMany = this.waiting.length >= Math.min(CROWD_ROWS, maxUnwritten * CROWD_PART);
    if (isTimeToLook && areMany && isCrowded()) {
      if (!this.isCrowd(now)) this.journal.crowdBegins(now);
      this.ofCrowd = true;
      this.crowdedAt = now;
    }
    const hasRoom = this.unwritten * 4 < maxUnwritten * 3 && this.waitingBytes * 2 < maxJournaledBytes;
    return this.ofCrowd && this.lingerMs > 0 && hasRoom && now < this.waitsUntil;
  }

  private isCrowd(now: number): boolean {
    return now - this.crowdedAt < CROWD_MS;
  }

  private writeAll(): void {
    this.ofCrowd = false;
    // The ledger has them, and settles their rows when the session has ended.
    if (this.refused.isOver) this.letGoOfJournaled();
    this.write(this.waiting);
    this.weigh();
  }

  /** Takes out the first of these, as many as may be on the way, and writes them. */
  private write(results: AttemptResult[]): void {
    while (results.length > 0 && this.batchesOnTheWay < MAX_BATCHES_AT_A_TIME) {
      const batch = results.splice(0, this.countOf(results));
      this.batchesOnTheWay++;
      void this.writeOrJournal(batch);
    }
  }

  private weigh(): void {
    this.waitingBytes = this.waiting.reduce((sum, { id }) => sum + this.options.bytesOf(id), 0);
  }

  private letGoOfJournaled(): void {
    const journaled = this.waiting.filter((result) => this.journal.has(result));
    this.waiting = this.waiting.filter((result) => !this.journal.has(result));
    this.done(journaled);
  }

  private async writeOrJournal(batch: readonly AttemptResult[]): Promise<void> {
    const now = this.options.clock.monotonic();
    const mayJournal = this.isCrowd(now) && this.lingerMs > 0 && this.options.holdsLease();
    const some = mayJournal ? batch.filter((result) => this.journal.hasRoomFor(result, now)) : [];
    const journaled = new Set((await this.tryJournal(some)) ? some : []);
    if (this.isClosed) return;
    await this.writeBatch(batch.filter((result) => !journaled.has(result)));
  }

  /** @returns false when they are not in the ledger, or it is not known */
  private async tryJournal(results: readonly AttemptResult[]): Promise<boolean> {
    const { rows, session, holdsLease, onError, onJournaled } = this.options;
    if (results.length === 0) return false;
    try {
      await rows.journal(session, results);
    } catch (error) {
      if (!this.isClosed) onError('journal', error);
      return false;
    }
    if (this.isClosed) return true;
    // Their rows may be in doubt by now, and are settled at once.
    if (!holdsLease()) return false;
    this.journal.add(results);
    this.unwritten -= results.length;
    onJournaled(results);
    // What came meanwhile is written at once, and so are these.
    if (this.lingerMs === 0) this.waiting.push(...this.takeJournaled(results.length));
    else this.settleIn(CROWD_MS);
    return true;
  }

  private settleIn(delayMs: number): void {
    if (this.isClosed || this.lingerMs === 0 || this.isSettling) return;
    this.settler ??= this.options.clock.after(delayMs, () => {
      this.settler = undefined;
      void this.settle();
    });
  }

  /** Settles rows of results that the ledger has, if it is time. */
  private async settle(): Promise<void> {
    const { clock } = this.options;
    const began = clock.monotonic();
    if (this.journal.left === 0) return;
    const isOver = this.journal.isOver(began);
    if (this.isResting || (!isOver && (this.isCrowd(began) || this.batchesOnTheWay > 0))) {
      this.settleIn(LINGER_MS);
      return;
    }
    this.batchesOnTheWay++;
    this.isSettling = true;
    try {
      await this.writeBatch(this.takeJournaled(MAX_ROWS_PER_BATCH));
    } finally {
      this.isSettling = false;
    }
    this.settleIn(clock.monotonic() - began);
  }

  /** Takes out the first results that the ledger has, but those of accounts that are written apart. */
  private takeJournaled(most: number): AttemptResult[] {
    return this.journal.take(most).filter((result) => !this.goesApart(result));
  }

  /** How many of these are one batch. */
  private countOf(results: readonly AttemptResult[]): number {
    let count = 0;
    let bytes = 0;
    for (const { id } of results) {
      bytes += this.options.bytesOf(id);
      if (count === MAX_ROWS_PER_BATCH || (count > 0 && bytes > MAX_BYTES_PER_BATCH)) break;
      count++;
    }
    return count;
  }

  private async writeBatch(batch: readonly AttemptResult[]): Promise<void> {
    const { rows, session, onError } = this.options;
    let bad: readonly Unwritten[] | undefined;
    try {
      bad = batch.length === 0 ? [] : await rows.writeBack(session, batch);
    } catch (error) {
      if (!this.isClosed) onError('write back', error);
    }
    const isOutage = bad === undefined && !(await this.isRefused(batch));
    this.batchesOnTheWay--;
    if (this.isClosed) return;
    if (isOutage) this.failed(batch);
    else if (batch.length > 0) this.failures = 0;
    if (bad !== undefined) this.written(batch, bad);
    if (this.isResting) return;
    if (this.timer !== undefined && this.mayWait()) return this.writeUrgent();
    if (this.waiting.length >= MAX_ROWS_PER_BATCH || (this.waiting.length > 0 && this.timer === undefined))
      this.writeAll();
  }

  /** Nothing of the batch was written. @returns false when that may be an outage; otherwise it is set aside */
  private async isRefused(batch: readonly AttemptResult[]): Promise<boolean> {
    if (this.isClosed) return false;
    const one = batch[Math.floor(this.options.random() * batch.length)] as AttemptResult;
    const verdict = await this.refused.alone(one);
    if (verdict === undefined || this.isClosed) return false;
    const left = verdict === 'written' ? batch.filter((result) => result !== one) : batch;
    this.refused.add(left, false, true);
    if (verdict === 'written') this.done([one]);
    return true;
  }

  /** @param bad what of the batch is not written */
  private written(batch: readonly AttemptResult[], bad: readonly Unwritten[]): void {
    if (bad.length === 0) return this.done(batch);
    const unwritten = new Map(bad.map((one) => [one.id, one]));
    for (const { id, again, reason } of bad)
      if (!again) this.options.onError(`write back message ${id}`, new Error(reason));
    const isKnown = bad.length < batch.length;
    const left = this.setApart(batch, bad);
    for (const isLocked of [false, true])
      this.refused.add(
        left.filter(({ id }) => unwritten.get(id)?.again === isLocked),
        isLocked,
        isKnown,
      );
    this.done(batch.filter(({ id }) => !unwritten.has(id)));
  }

  /**
   * Takes results of accounts that wait out of the way of others, and puts those that only had no turn back in front.
   * @returns the others that are not written
   */
  private setApart(batch: readonly AttemptResult[], bad: readonly Unwritten[]): readonly AttemptResult[] {
    const unwritten = new Map(bad.map((one) => [one.id, one]));
    const accountOf = ({ id }: AttemptResult) => this.options.accountOf(id);
    const waited = new Set(batch.filter(({ id }) => unwritten.get(id)?.wait === 'own').map(accountOf));
    const untried: AttemptResult[] = [];
    const others: AttemptResult[] = [];
    const apart = new Map<string, AttemptResult[]>();
    const takeOut = (result: AttemptResult) => {
      const account = accountOf(result);
      if (account === undefined || !(waited.has(account) || this.apart.has(account))) return false;
      const own = apart.get(account);
      if (own === undefined) apart.set(account, [result]);
      else own.push(result);
      return true;
    };
    for (const result of batch) {
      const one = unwritten.get(result.id);
      if (one === undefined || (one.again && takeOut(result))) continue;
      (one.wait === 'others' ? untried : others).push(result);
    }
    this.waiting = [...untried, ...this.waiting].filter((result) => !takeOut(result));
    for (const [account, results] of apart) {
      if (waited.has(account)) this.apart.addWaited(account, results);
      else this.apart.add(account, results);
    }
    if (untried.length > 0 && !this.isResting) {
      // They are written now.
      this.timer?.cancel();
      this.timer = undefined;
    }
    return others;
  }

  private failed(batch: readonly AttemptResult[]): void {
    const { clock, random } = this.options;
    this.failures++;
    // The rows are recovered when the session has ended.
    if (this.refused.isOver && this.failures > MAX_FAILURES_AT_END) return this.done(batch);
    this.waiting.push(...batch);
    this.weigh();
    this.timer?.cancel();
    this.isResting = true;
    this.timer = clock.after(backOff(FAILED_BACK_OFF, this.failures, random()), () => this.elapsed());
  }

  private done(results: readonly AttemptResult[]): void {
    if (results.length === 0) return;
    for (const result of results) if (!this.journal.delete(result)) this.unwritten--;
    this.options.onWritten(results);
  }
}
