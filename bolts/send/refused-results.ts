import { Heap } from '../../topology/core/heap';
import { type BackOff, backOff } from '../../topology/core/retry-policy';
import type { AttemptResult, SendRows, Unwritten, WrittenAlone } from '../send-rows';
import { BesideOthers, type BesideOthersOptions, HURRIED_RETRY_MS } from './beside-others';

export interface RefusedResultsOptions extends BesideOthersOptions {
  readonly rows: SendRows;
  readonly session: string;
  readonly random: () => number;
  readonly onError: (what: string, error: unknown) => void;
  /** For how long a request may still be accepted, milliseconds; 0 where another one beside it does no harm. */
  readonly acceptedWithin: () => number;
  /** Takes results that wait for no outage: others could be written. Those that stay together are given together, each time they failed. */
  readonly onRefused: (results: readonly AttemptResult[]) => void;
  /** Takes results that are written, whose rows were released, or that are let go of. */
  readonly onDone: (results: readonly AttemptResult[]) => void;
}

/** Results that failed together, or one. */
interface Part {
  readonly results: readonly AttemptResult[];
  readonly tries: number;
  /** How often the database has refused it, of one result. */
  readonly refusals: number;
  /** Rows of it are locked. */
  readonly isLocked: boolean;
  /** Others could be written when it failed. */
  readonly isKnown: boolean;
  /** When it is written again, monotonic milliseconds. */
  readonly at: number;
}

/** When a refused result is written again; and one of a locked row, or several that may not all be refused. */
const REFUSED_BACK_OFF: BackOff = { baseMs: 2_000, capMs: 16_000 };
const OTHER_BACK_OFF: BackOff = { baseMs: 250, capMs: 16_000 };
/** After a try that failed like an outage nothing else is tried for so long. */
const FAILED_BACK_OFF: BackOff = { baseMs: 100, capMs: 2_000 };
/** Together some 30 s. Then the row is released. */
const MAX_REFUSALS = 5;
/** A row that is released is not tried again sooner. */
const RELEASED_FOR_MS = 60_000;
/** The same for one that the ledger has, whose row is not released. */
const DURABLE_BACK_OFF: BackOff = { baseMs: 60_000, capMs: 300_000 };
/** What is refused together is divided in so many. */
const PARTS = 8;
/** Of results that failed together so many are tried by themselves: some may be of rows that cannot be released either. */
const MAX_JUDGED = 8;

/**
 * Results that the database did not take when it took others, and those of rows that are locked. They are tried beside all others.
 *
 * 1. *A refused result is written again by itself, later and later, and at last its row is released*: it is scheduled, in doubt
 *    if it may have been accepted, so that another attempt follows, and never stays `sending` for as long as the session lives.
 *    What the ledger says is delivered needs no other attempt: it is written again, more and more rarely.
 * 2. *An outage is no refusal*: a refusal counts only if the tables took other writes just before and just after, whatever else is
 *    written or not. What fails without that is kept for as long as it takes.
 * 3. *What failed together stays together* until one of it shows that it is no outage; then it is divided. So what an outage left here
 *    is written in batches.
 * 4. *One try at a time, the rarest tried first*, so that many of them leave the database to others, and none waits for those that
 *    can be neither written nor released.
 * 5. *A drain ends*: nothing here is waited for longer than 20 s. The rows are recovered when the session has ended.
 */
export class RefusedResults extends BesideOthers<Part> {
  /** Results that are known to wait for no outage, without those that the ledger has. */
  known = 0;
  private readonly later = new Heap<Part>((one, other) => one.at < other.at);
  private readonly due = new Heap<Part>(isBefore);
  /** Tries in a row that failed like an outage, and until when nothing is tried because of them. */
  private failures = 0;
  private restsUntil = 0;

  constructor(private readonly options: RefusedResultsOptions) {
    super(options);
  }

  /** @param isKnown others were written in the same call, or just before and just after */
  add(results: readonly AttemptResult[], isLocked: boolean, isKnown: boolean): void {
    if (results.length === 0) return;
    this.put({ results, tries: 0, refusals: 0, isLocked, isKnown: false, at: 0 }, { isKnown, tries: 1 });
    this.proceed();
  }

  /** Writes one result by itself. @returns undefined when it is not known what the failure is about */
  async alone(result: AttemptResult, isRelease = false): Promise<WrittenAlone | undefined> {
    const { rows, session, acceptedWithin, onError } = this.options;
    const reason = 'the outcome of an attempt could not be written';
    // A look-up that is made earlier could find nothing although the request is accepted afterwards.
    const keepsDoubt = isNotAccepted(result);
    const release = { reason, delayMs: Math.max(RELEASED_FOR_MS, acceptedWithin()), keepsDoubt };
    try {
      const verdict = await rows.writeAlone(session, result, isRelease ? release : null);
      if (verdict === 'released') {
        const more = keepsDoubt ? '' : ', in doubt';
        onError(`write back message ${result.id}`, new Error(`${reason}: it is scheduled again${more}`));
      }
      return verdict;
    } catch (error) {
      if (!this.isClosed) onError(`write back message ${result.id}`, error);
      return undefined;
    }
  }

  /** Refused ones are released without another try. */
  protected makeAllDue(): void {
    this.restsUntil = 0;
    this.takeUp(Number.POSITIVE_INFINITY);
  }

  protected letGo(): void {
    this.takeUp(Number.POSITIVE_INFINITY);
    if (this.trying !== undefined) this.due.push(this.trying);
    this.trying = undefined;
    for (let part = this.due.pop(); part !== undefined; part = this.due.pop()) this.done(part, part.results);
  }

  protected tryNext(now: number): number | undefined {
    this.takeUp(now);
    const next = now < this.restsUntil ? undefined : this.due.pop();
    if (next !== undefined) {
      void this.tryOne(next);
      return undefined;
    }
    const at = this.due.size > 0 ? now : this.later.peek()?.at;
    return at === undefined ? undefined : Math.max(at, this.restsUntil);
  }

  private takeUp(until: number): void {
    for (let next = this.later.peek(); next !== undefined && next.at <= until; next = this.later.peek()) {
      this.later.pop();
      this.due.push(next);
    }
  }

  private async tryOne(part: Part): Promise<void> {
    this.trying = part;
    const [one, ...others] = part.results as [AttemptResult, ...AttemptResult[]];
    const isAlone = others.length === 0 && !part.isLocked;
    const isAnswered = await (isAlone ? this.writeAlone(part, one) : this.writeTogether(part));
    if (this.isGone(part)) return;
    const { random } = this.options;
    this.failures = isAnswered ? 0 : this.failures + 1;
    const restMs = isAnswered || this.isHurried ? 0 : backOff(FAILED_BACK_OFF, this.failures, random());
    this.restsUntil = this.now + restMs;
    this.trying = undefined;
    this.proceed();
  }

  /** @returns false when it may be an outage */
  private async writeAlone(part: Part, result: AttemptResult): Promise<boolean> {
    const isDurable = this.options.isDurable(result);
    const isLast = this.isHurried || part.refusals >= MAX_REFUSALS;
    const verdict = await this.alone(result, isLast && !isDurable);
    if (this.trying !== part) return true;
    const isLeft = verdict === 'refused' && this.isHurried;
    if (verdict === 'written' || verdict === 'released' || isLeft) this.done(part, [result]);
    else if (verdict === 'refused') this.put(part, { refusals: part.refusals + 1, isKnown: true });
    else this.put(part, {});
    return verdict !== undefined;
  }

  /** @returns false when it may be an outage */
  private async writeTogether(part: Part): Promise<boolean> {
    const { rows, session, onError } = this.options;
    const { results } = part;
    let bad: readonly Unwritten[] | undefined;
    try {
      bad = await rows.writeBack(session, results);
    } catch (error) {
      if (!this.isClosed) onError('write back', error);
    }
    if (this.trying !== part) return true;
    if (bad !== undefined && bad.length < results.length) {
      this.divide(part, results, bad);
      return true;
    }
    if (bad?.every(({ again }) => again) === true) {
      this.put(part, { isLocked: true });
      return true;
    }
    return this.judge(part);
  }

  /** Nothing of it was written. If one of its results is, or is refused, it is no outage. Others are tried the next time. */
  private async judge(part: Part): Promise<boolean> {
    const { results } = part;
    for (const one of results.slice(0, MAX_JUDGED)) {
      const verdict = await this.alone(one);
      if (this.trying !== part) return true;
      if (verdict === undefined) continue;
      const left = verdict === 'written' ? results.filter((result) => result !== one) : results;
      if (verdict === 'written') this.done(part, [one]);
      const size = Math.ceil(left.length / PARTS);
      const untried = { isKnown: true, isLocked: false, tries: 0 };
      for (let from = 0; from < left.length; from += size) {
        this.put({ ...part, results: left.slice(from, from + size) }, untried);
      }
      return true;
    }
    const others = [...results.slice(MAX_JUDGED), ...results.slice(0, MAX_JUDGED)];
    this.put(part, { results: others, isLocked: false });
    return false;
  }

  /** Some of it was written. @param bad the others */
  private divide(part: Part, results: readonly AttemptResult[], bad: readonly Unwritten[]): void {
    const again = new Map(bad.map((one) => [one.id, one.again]));
    this.done(
      part,
      results.filter(({ id }) => !again.has(id)),
    );
    for (const isLocked of [false, true]) {
      const left = results.filter(({ id }) => again.get(id) === isLocked);
      if (left.length > 0) this.put({ ...part, results: left }, { isLocked, isKnown: true, tries: 1 });
    }
  }

  /** @param change `tries` is one more unless given; what was not tried is tried at once */
  private put(part: Part, change: Partial<Part>): void {
    const { random, onRefused } = this.options;
    const next = { ...part, tries: part.tries + 1, ...change, isKnown: part.isKnown || change.isKnown === true };
    if (next.isKnown && !part.isKnown) this.known += this.countOf(next.results);
    if (next.isKnown) onRefused(next.results);
    // Once the drain is over each is tried once.
    if (this.isOver && next.tries > 1) return this.done(next, next.results);
    const { tries } = next;
    const pace = next.refusals > MAX_REFUSALS ? DURABLE_BACK_OFF : refusedPace(next);
    const laterMs = this.isHurried ? (tries > 1 ? HURRIED_RETRY_MS : 0) : backOff(pace, tries, random());
    this.later.push({ ...next, at: this.now + (tries === 0 ? 0 : laterMs) });
  }

  private done({ isKnown }: Part, results: readonly AttemptResult[]): void {
    if (isKnown) this.known -= this.countOf(results);
    this.options.onDone(results);
  }
}

function refusedPace({ results, isLocked }: Part): BackOff {
  return results.length > 1 || isLocked ? OTHER_BACK_OFF : REFUSED_BACK_OFF;
}

/** No request was made, or the provider has taken none. A decision of a person allows one request. */
function isNotAccepted({ outcome, settlement, startedAt }: AttemptResult): boolean {
  if (outcome.kind === 'delivered' || outcome.kind === 'unknown' || settlement.state === 'delivered') return false;
  return startedAt === null || !settlement.inDoubt;
}

function isBefore(one: Part, other: Part): boolean {
  return one.tries < other.tries || (one.tries === other.tries && one.at < other.at);
}
