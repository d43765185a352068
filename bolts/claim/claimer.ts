import type { Clock } from '../../topology/core/clock';
import type { HeldRow } from '../held-row';
import type { RetryUntilDone } from '../retry-until-done';
import type { SendRow, SendRows } from '../send-rows';

export interface ClaimerOptions {
  readonly rows: SendRows;
  readonly session: string;
  readonly persistence: RetryUntilDone;
  readonly clock: Clock;
  /** So many rows were claimed in so many milliseconds; the last claim took `trip` of them or more. */
  readonly measured: (rows: number, elapsed: number, trip: number) => void;
  readonly onError: (what: string, error: unknown) => void;
}

/** What became of a batch: every row is in exactly one of the lists, or in none when the bolt was closed meanwhile. */
export interface Claimed {
  readonly won: readonly HeldRow[];
  /** Not won: as the table has them now; undefined when deleted. */
  readonly others: readonly { readonly row: HeldRow; readonly now: SendRow | undefined }[];
  /** No answer came to the claim itself, so it may take effect later than the rows were read. */
  readonly unsure: boolean;
}

/** Claims at a time. The second goes on while the first waits for a row that somebody has locked. */
const AT_A_TIME = 2;
/** Smaller batches say more of the round trip than of the rate. */
const MEASURED = 50;

/**
 * Makes rows ours.
 *
 * 1. *Won is only what the database says*: by the count when it equals the batch, else by reading each row: `sending`, by
 *    this session, in this version. A lost answer is asked for until it comes.
 * 2. *Ids sorted, none twice*, so that two claims never wait for each other in a circle.
 */
export class Claimer {
  inFlight = 0;
  /** Rows in them. */
  rows = 0;
  /** Since the last measurement, or the first claim after a rest, monotonic milliseconds. */
  private since = 0;
  /** Rows claimed since then. */
  private answered = 0;

  constructor(private readonly options: ClaimerOptions) {}

  get free(): boolean {
    return this.inFlight < AT_A_TIME;
  }

  /** @param ahead milliseconds from now to the last wake among them; 0 when all have woken */
  async claim(batch: readonly HeldRow[], ahead: number): Promise<Claimed> {
    const { rows, session, clock, onError } = this.options;
    if (this.inFlight++ === 0) {
      this.since = clock.monotonic();
      this.answered = 0;
    }
    this.rows += batch.length;
    let won: number | undefined;
    try {
      const sent = clock.monotonic();
      const sorted = batch.toSorted((one, other) => one.id - other.id);
      won = await rows.claim(session, sorted, ahead);
      this.measure(batch.length, sent);
    } catch (error) {
      onError('claim', error);
    }
    const claimed = won === batch.length ? { won: batch, others: [], unsure: false } : await this.ask(batch, won);
    this.inFlight--;
    this.rows -= batch.length;
    return claimed;
  }

  /** Asks what became of rows whose claim was not answered and can take effect no more. */
  async recall(batch: readonly HeldRow[]): Promise<Claimed> {
    this.inFlight++;
    const claimed = await this.ask(batch, 0);
    this.inFlight--;
    return claimed;
  }

  private async ask(batch: readonly HeldRow[], count: number | undefined): Promise<Claimed> {
    const { rows, session, persistence } = this.options;
    const ids = batch.map((row) => row.id);
    const answer = await persistence.until('read what was claimed', () => rows.read(ids));
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
    this.answered += rows;
    // Two answers in one moment are one measurement.
    if (this.answered < MEASURED || now - this.since < 1) return;
    this.options.measured(this.answered, now - this.since, now - sent);
    this.since = now;
    this.answered = 0;
  }
}
