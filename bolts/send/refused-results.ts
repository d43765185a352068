import type { Clock, Timer } from '../../topology/core/clock';
import { type BackOff, backOff } from '../../topology/core/retry-policy';
import type { AttemptResult, SendRows, Unwritten } from '../send-rows';
import { batchOf, MAX_ROWS_PER_BATCH } from './result-batch';

export interface RefusedResultsOptions {
  readonly rows: SendRows;
  readonly session: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onError: (what: string, error: unknown) => void;
  /** For how long a request may still be accepted, milliseconds; 0 where another one beside it does no harm. */
  readonly acceptedWithin: () => number;
  /** What the payload of a claimed row takes, roughly. */
  readonly bytesOf: (id: number) => number;
  /** Takes results that are written, whose rows were released, or that are let go of. */
  readonly onDone: (results: readonly AttemptResult[]) => void;
}

interface Refused {
  readonly result: AttemptResult;
  readonly tries: number;
  /** Those of the tries that the database refused, although it took others. */
  readonly refusals: number;
  /** Tries in a row of which it could not be told what the database takes. */
  readonly unanswered: number;
  /** When it is written again, monotonic milliseconds. */
  readonly at: number;
  /** Nobody waits for it any more, because its row could not be released either. */
  readonly isLetGo: boolean;
}

/** When the result of a locked row is written again, or one that nothing is known of, and a refused one. */
const LOCKED_BACK_OFF: BackOff = { baseMs: 250, capMs: 16_000 };
const REFUSED_BACK_OFF: BackOff = { baseMs: 2_000, capMs: 16_000 };
/** The same of a row that can neither be written nor released. */
const LET_GO_BACK_OFF: BackOff = { baseMs: 2_000, capMs: 60_000 };
/** Refusals before the row is released; together some 30 s. */
const MAX_REFUSALS = 5;
/** Then results are tried one by one. */
const MAX_UNANSWERED = 9;
/** A row that is released is not tried again sooner. */
const RELEASED_FOR_MS = 60_000;
/** Each waits for a lock for a second, if the row is locked. */
const MAX_FAILED_RELEASES = 3;
/** Results without anybody who waits for them. Beyond that the oldest are forgotten, and their rows recovered when the session has ended. */
const MAX_LET_GO = 1_000;
/** While the bolt drains: between two tries, and for how long. */
const HURRIED_RETRY_MS = 500;
const HURRIED_FOR_MS = 8_000;
/** For how long a drain waits for what the database does not take, and may take yet. Within the limit of any bolt. */
export const UNANSWERED_FOR_MS = 24_000;

/**
 * Results of rows that the database refused to write as they are, that are locked, or that failed for long with whatever others.
 *
 * 1. *A refused result is written again apart from all others, later and later, and at last its row is released*: it is scheduled
 *    in doubt, so that another attempt follows. A locked row is written when it is free.
 * 2. *A row that cannot be released either holds no other*: a round tries to release three such rows at most, the others have their turn
 *    in the next. It counts as unwritten no more, and is still tried. Only a thousand of them are kept.
 * 3. *A drain ends*: it waits for such results for eight seconds, and for what fails for 24. Their rows are recovered when the session
 *    has ended.
 * 4. *An outage is no refusal*: only what the database has refused while it took others is released. What failed together is tried in
 *    ever smaller parts, and waits for as long as it takes.
 */
export class RefusedResults {
  private waiting: Refused[] = [];
  private timer: Timer | undefined;
  private isBusy = false;
  private isClosed = false;
  /** Since when the bolt drains, monotonic milliseconds. */
  private hurriedSince: number | undefined;

  constructor(private readonly options: RefusedResultsOptions) {}

  /** @param isRefused although others were written; otherwise it may be written as it is later */
  add(result: AttemptResult, isRefused: boolean): void {
    this.put({ result, tries: 0, refusals: 0, unanswered: 0, at: 0, isLetGo: false }, isRefused);
    this.setTimer();
  }

  /** From now on results are tried at once, and refused ones released without another try. */
  hurry(): void {
    const now = this.options.clock.monotonic();
    this.hurriedSince = now;
    this.waiting = this.waiting.flatMap((one) => (one.isLetGo ? [] : [{ ...one, at: now }]));
    this.setTimer();
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
  }

  private put(one: Refused, isRefused: boolean): void {
    const { clock, random } = this.options;
    const [tries, refusals] = [one.tries + 1, one.refusals + (isRefused ? 1 : 0)];
    const pace = one.isLetGo ? LET_GO_BACK_OFF : isRefused ? REFUSED_BACK_OFF : LOCKED_BACK_OFF;
    const delayMs = this.hurriedSince === undefined ? backOff(pace, tries, random()) : HURRIED_RETRY_MS;
    this.waiting.push({ ...one, tries, refusals, at: clock.monotonic() + delayMs });
  }

  private setTimer(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (this.waiting.length === 0 || this.isBusy || this.isClosed) return;
    const { clock } = this.options;
    const at = Math.min(...this.waiting.map((one) => one.at));
    this.timer = clock.after(Math.max(0, at - clock.monotonic()), () => void this.round());
  }

  /** Tries what is due. One round at a time, so that many of them leave the database to others. */
  private async round(): Promise<void> {
    const { rows, session, clock, onError, bytesOf } = this.options;
    this.isBusy = true;
    const now = clock.monotonic();
    const due = this.waiting.filter(({ at }) => at <= now).toSorted((one, other) => one.at - other.at);
    const maxRows = Math.max(1, MAX_ROWS_PER_BATCH >> Math.max(0, ...due.map(({ unanswered }) => unanswered)));
    const batch = batchOf(due, ({ result }) => bytesOf(result.id)).slice(0, maxRows);
    const taken = new Set(batch);
    this.waiting = this.waiting.filter((one) => !taken.has(one));
    const results = batch.map(({ result }) => result);
    let bad: ReadonlyMap<number, Unwritten> | undefined;
    try {
      bad = new Map((await rows.writeBack(session, results)).map((one) => [one.id, one]));
    } catch (error) {
      if (!this.isClosed) onError('write back', error);
    }
    if (this.isClosed) return;
    this.done(batch.filter(({ result }) => bad !== undefined && !bad.has(result.id)));
    await this.tryAgain(
      batch.filter(({ result }) => bad?.has(result.id) !== false),
      bad,
    );
    this.isBusy = false;
    this.boundLetGo();
    this.setTimer();
  }

  /** @param bad undefined when the database took none of them, or did not answer */
  private async tryAgain(left: readonly Refused[], bad: ReadonlyMap<number, Unwritten> | undefined): Promise<void> {
    let releasesLeft = MAX_FAILED_RELEASES;
    for (const one of left) {
      const isRefused = bad?.get(one.result.id)?.again === false;
      const isToRelease = isRefused && (this.hurriedSince !== undefined || one.refusals >= MAX_REFUSALS);
      const tried = { ...one, unanswered: bad === undefined ? Math.min(one.unanswered + 1, MAX_UNANSWERED) : 0 };
      if (isToRelease && releasesLeft > 0) {
        if (await this.release(one)) continue;
        if (this.isClosed) return;
        releasesLeft--;
        this.putLetGo(tried, isRefused);
      } else if (this.isOver(tried)) this.done([one]);
      else this.put(tried, isRefused);
    }
  }

  private isOver({ unanswered, refusals }: Refused): boolean {
    if (this.hurriedSince === undefined) return false;
    const forMs = unanswered > 0 && refusals === 0 ? UNANSWERED_FOR_MS : HURRIED_FOR_MS;
    return this.options.clock.monotonic() - this.hurriedSince >= forMs;
  }

  private async release({ result, isLetGo }: Refused): Promise<boolean> {
    const { rows, session, acceptedWithin, onError } = this.options;
    const { id, version } = result;
    const reason = 'the outcome of an attempt could not be written';
    try {
      // A look-up that is made earlier could find nothing although the request is accepted afterwards.
      await rows.release(session, { id, version }, reason, Math.max(RELEASED_FOR_MS, acceptedWithin()));
    } catch (error) {
      if (!this.isClosed && !isLetGo) onError('release', error);
      return false;
    }
    onError(`write back message ${id}`, new Error(`${reason}: it is scheduled again, in doubt`));
    this.done([{ result, isLetGo }]);
    return true;
  }

  /** Nobody waits for the result any more. It is still tried, unless the bolt drains. */
  private putLetGo(one: Refused, isRefused: boolean): void {
    this.done([one]);
    if (this.hurriedSince === undefined)
      this.put({ ...one, isLetGo: true, tries: one.isLetGo ? one.tries : 0 }, isRefused);
  }

  private done(some: readonly Pick<Refused, 'result' | 'isLetGo'>[]): void {
    const results = some.flatMap(({ result, isLetGo }) => (isLetGo ? [] : [result]));
    if (results.length > 0) this.options.onDone(results);
  }

  private boundLetGo(): void {
    let excess = this.waiting.filter(({ isLetGo }) => isLetGo).length - MAX_LET_GO;
    if (excess > 0) this.waiting = this.waiting.filter(({ isLetGo }) => !isLetGo || excess-- <= 0);
  }
}
