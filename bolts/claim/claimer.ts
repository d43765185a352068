import type { Clock } from '../../topology/core/clock';
import { PartlyClaimed } from '../../topology/core/errors';
import { type HeldRow, isApart } from '../held-row';
import type { RetryUntilDone } from '../retry-until-done';
import type { LimitGates } from '../send/limit-gates';
import type { SendRow, SendRows } from '../send-rows';
import type { ClaimAhead } from './claim-ahead';

export interface ClaimerOptions {
  readonly settings: { readonly claimBatch: number };
  readonly rows: SendRows;
  readonly session: string;
  readonly persistence: RetryUntilDone;
  readonly clock: Clock;
  /** Is given the measured rate of claims. */
  readonly ahead: ClaimAhead;
  readonly gates: LimitGates;
  readonly onError: (what: string, error: unknown) => void;
}

/** What became of a batch. Every row is in exactly one of the lists, or in none when the bolt was closed meanwhile. */
export interface Claimed {
  readonly won: readonly HeldRow[];
  /** Rows that were not won, and as the table has them now; undefined when deleted. */
  readonly others: readonly { readonly row: HeldRow; readonly now: SendRow | undefined }[];
  /** Rows that a limit does not let begin now. They were not claimed. */
  readonly refused: readonly HeldRow[];
  /** No answer came to the claim itself, so it may take effect after the rows were read. */
  readonly unsure: boolean;
}

/** The second claim proceeds while the first waits for a row that an application has locked. */
const MAX_CLAIMS_AT_A_TIME = 2;
/** A claim of fewer rows is not measured: it says how much there was to claim, not how much can be claimed. */
const MIN_MEASURED_ROWS = 50;

/**
 * Claims rows.
 *
 * 1. *Won is only what the database says*: by the count when it equals the batch, else by reading each row: `sending`, by
 *    this session, in this version. After a lost answer the rows are read until they are answered.
 * 2. *Ids sorted, none twice*, so that two claims never wait for each other in a circle.
 * 3. *Claimed is only what limits allow*: they are asked first, and only where there are some.
 */
export class Claimer {
  inFlight = 0;
  /** Those of missed rows. */
  private missed = 0;
  /**
   * When the last measurement was made, or the first claim after a rest began, monotonic milliseconds; undefined after a claim that
   * is not measured.
   */
  private since: number | undefined;
  /** Rows claimed since then. */
  private answered = 0;

  constructor(private readonly options: ClaimerOptions) {}

  get free(): boolean {
    return this.inFlight - this.missed < MAX_CLAIMS_AT_A_TIME;
  }

  /** One claim of missed rows is made at a time, beside the others. */
  get isFreeForMissed(): boolean {
    return this.missed === 0;
  }

  /** @param aheadMs from now to the last wake among the rows; 0 when all have woken */
  async claim(wanted: readonly HeldRow[], aheadMs: number): Promise<Claimed> {
    const { rows, session, clock, gates, onError } = this.options;
    const isMissed = wanted[0] !== undefined && isApart(wanted[0]);
    // A claim of missed rows that waits beside it is no part of the rate.
    if (!isMissed && this.inFlight === this.missed) {
      this.since = clock.monotonic();
      this.answered = 0;
    }
    this.inFlight++;
    if (isMissed) this.missed++;
    let won: number | undefined;
    try {
      const { taken: batch, refused } = gates.areKnown ? await gates.take(wanted) : { taken: wanted, refused: [] };
      if (batch.length === 0) return { won: [], others: [], refused, unsure: false };
      try {
        const sent = clock.monotonic();
        const sorted = batch.toSorted((one, other) => one.id - other.id);
        won = await rows.claim(session, sorted, aheadMs);
        // A claim that waits for locks says nothing of the rate.
        if (!isMissed) this.measure(batch.length, sent);
      } catch (error) {
        onError('claim', error);
        // Rows that the database refuses are left out as locked ones are: claimed apart from then on, later and later.
        if (error instanceof PartlyClaimed) won = error.won;
      }
      const answer = won === batch.length ? { won: batch, others: [], unsure: false } : await this.ask(batch, won);
      // An unsure claim may have taken effect.
      if (!answer.unsure) for (const { row } of answer.others) gates.unused(row);
      return { ...answer, refused };
    } finally {
      // A bolt that drains waits until no claim is on the way.
      this.inFlight--;
      if (isMissed) this.missed--;
    }
  }

  /** Reads what became of rows whose claim was not answered and can take effect no more. */
  async recall(batch: readonly HeldRow[]): Promise<Claimed> {
    this.inFlight++;
    try {
      return { ...(await this.ask(batch, 0)), refused: [] };
    } finally {
      this.inFlight--;
    }
  }

  private async ask(batch: readonly HeldRow[], count: number | undefined): Promise<Omit<Claimed, 'refused'>> {
    const { rows, session, persistence } = this.options;
    const ids = batch.map((row) => row.id);
    const answer = await persistence.until('read what was claimed', () => rows.read(ids, 0));
    if (answer === undefined) return { won: [], others: [], unsure: true };
    const found = new Map(answer.map((row) => [row.id, row]));
    const won: HeldRow[] = [];
    const others: { row: HeldRow; now: SendRow | undefined }[] = [];
    for (const row of batch) {
      const now = found.get(row.id);
      if (now?.state === 'sending' && now.session === session && now.version === row.version) won.push(row);
      else others.push({ row, now });
    }
    return { won, others, unsure: count === undefined };
  }

  private measure(rows: number, sent: number): void {
    const now = this.options.clock.monotonic();
    if (rows < Math.min(MIN_MEASURED_ROWS, this.options.settings.claimBatch)) {
      // The next one may be on the way already.
      this.since = undefined;
      this.answered = 0;
      return;
    }
    const since = this.since ?? sent;
    this.answered += rows;
    // Two answers in one moment are one measurement.
    if (now - since < 1) return;
    this.options.ahead.measured(this.answered, now - since, now - sent);
    this.since = now;
    this.answered = 0;
  }
}
