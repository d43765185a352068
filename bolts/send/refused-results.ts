import { type BackOff, backOff } from '../../topology/core/retry-policy';
import type { RetryUntilDone } from '../retry-until-done';
import type { AttemptResult, SendRows } from '../send-rows';

export interface RefusedResultsOptions {
  readonly rows: SendRows;
  readonly session: string;
  readonly persistence: RetryUntilDone;
  readonly random: () => number;
  readonly onError: (what: string, error: unknown) => void;
  /** For how long a request may still be accepted, milliseconds; 0 where another one beside it does no harm. */
  readonly acceptedWithin: () => number;
  /** Takes a result that is written, or whose row was released. */
  readonly onDone: (result: AttemptResult) => void;
}

interface Refused {
  readonly result: AttemptResult;
  readonly tries: number;
}

/** When refused results are written again; together some 30 s. */
const REFUSED_BACK_OFF: BackOff = { baseMs: 2_000, capMs: 16_000 };
const MAX_TRIES = 5;
/** A row that is released is not tried again sooner. */
const RELEASED_FOR_MS = 60_000;

/**
 * Results that the database refused as they are.
 *
 * 1. *A refused result is written again by itself, later and later, and at last its row is released*: it is scheduled in doubt,
 *    so that another attempt follows, and never stays `sending` for as long as the session lives.
 */
export class RefusedResults {
  private waiting: Refused[] = [];
  private isBusy = false;
  private isHurried = false;

  constructor(private readonly options: RefusedResultsOptions) {}

  add(result: AttemptResult): void {
    this.waiting.push({ result, tries: 1 });
    if (this.isBusy) return;
    this.isBusy = true;
    void this.writeAll();
  }

  /** From now on rows are released without another try. */
  hurry(): void {
    this.isHurried = true;
  }

  /** One by one, so that many of them leave the database to others. */
  private async writeAll(): Promise<void> {
    const { persistence, random } = this.options;
    while (this.waiting.length > 0) {
      const round = this.waiting;
      this.waiting = [];
      const tries = Math.min(...round.map((one) => one.tries));
      if (!this.isHurried && !(await persistence.rest(backOff(REFUSED_BACK_OFF, tries, random())))) return;
      for (const one of round) if (!(await this.write(one))) return;
    }
    this.isBusy = false;
  }

  /** @returns false when the bolt was closed */
  private async write({ result, tries }: Refused): Promise<boolean> {
    const { rows, session, persistence, acceptedWithin, onError, onDone } = this.options;
    const { id, version } = result;
    if (this.isHurried || tries > MAX_TRIES) {
      const reason = 'the outcome of an attempt could not be written';
      const released = await persistence.until('release', async () => {
        // A look-up that is made earlier could find nothing although the request is accepted afterwards.
        await rows.release(session, { id, version }, reason, Math.max(RELEASED_FOR_MS, acceptedWithin()));
        return true;
      });
      if (released === undefined) return false;
      onError(`write back message ${id}`, new Error(`${reason}: it is scheduled again, in doubt`));
      onDone(result);
      return true;
    }
    const bad = await persistence.until('write back', () => rows.writeBack(session, [result]));
    if (bad === undefined) return false;
    const [refused] = bad;
    if (refused === undefined) onDone(result);
    else this.waiting.push({ result, tries: refused.again ? tries : tries + 1 });
    return true;
  }
}
