import type { AttemptResult } from '../send-rows';

export interface JournalOptions {
  /** Memory that results may take here, roughly. */
  readonly maxBytes: number;
  readonly accountOf: (id: number) => string | undefined;
  /** What the payload of a claimed row takes, roughly. */
  readonly bytesOf: (id: number) => number;
}

interface Share {
  readonly account: string;
  readonly bytes: number;
}

/** Of a result without its receipt, roughly. */
const RESULT_BYTES = 512;
/** Settled together, so many rows are no more than one transaction may have. */
const MAX_PAYLOAD_BYTES = 64 * 1024;
/** For so long after a crowd began. A longer one is no faster for what has to be written within it all the same. */
const MAX_AGE_MS = 30_000;

/**
 * Results that are in the ledger, and whose rows are still to be settled.
 *
 * 1. *Bounded in bytes, and in time*: what finds no room here, or comes 30 s after the crowd began, is written as any other result.
 * 2. *An account leaves as much room as it takes*, so that others find some whatever becomes of its rows.
 */
export class Journal {
  private readonly shares = new Map<AttemptResult, Share>();
  private readonly bytesByAccount = new Map<string, number>();
  /** Those that nobody is settling yet, the first first. */
  private readonly waiting = new Set<AttemptResult>();
  private bytes = 0;
  /** Monotonic milliseconds. */
  private until = 0;

  constructor(private readonly options: JournalOptions) {}

  get size(): number {
    return this.shares.size;
  }

  /** Results that `take` would give. */
  get left(): number {
    return this.waiting.size;
  }

  /** @param now monotonic milliseconds, as everywhere here */
  crowdBegins(now: number): void {
    if (this.waiting.size === 0) this.until = now + MAX_AGE_MS;
  }

  /** Nothing is taken in any more before another crowd begins, and what is here is settled even in this one. */
  isOver(now: number): boolean {
    return now >= this.until;
  }

  has(result: AttemptResult): boolean {
    return this.shares.has(result);
  }

  /** Results with ids that were kept have more to be written than their row. */
  hasRoomFor(result: AttemptResult, now: number): boolean {
    const { settlement, id, hasKept } = result;
    if (settlement.state !== 'delivered' || hasKept === true || this.isOver(now) || this.has(result)) return false;
    const bytes = bytesOf(result);
    const free = this.options.maxBytes - this.bytes - bytes;
    if (free < 0) this.until = now;
    if (free < 0 || this.options.bytesOf(id) > MAX_PAYLOAD_BYTES) return false;
    return (this.bytesByAccount.get(this.accountOf(id)) ?? 0) <= free;
  }

  add(results: readonly AttemptResult[]): void {
    for (const result of results) {
      const share = { account: this.accountOf(result.id), bytes: bytesOf(result) };
      this.shares.set(result, share);
      this.waiting.add(result);
      this.count(share, 1);
    }
  }

  /** Takes out the first results to be settled. They take room until they are. */
  take(most: number): AttemptResult[] {
    const taken: AttemptResult[] = [];
    for (const result of this.waiting) {
      if (taken.length >= most) break;
      taken.push(result);
      this.waiting.delete(result);
    }
    return taken;
  }

  /** @returns false when it is not here */
  delete(result: AttemptResult): boolean {
    const share = this.shares.get(result);
    if (share === undefined) return false;
    this.shares.delete(result);
    this.waiting.delete(result);
    this.count(share, -1);
    return true;
  }

  private accountOf(id: number): string {
    return this.options.accountOf(id) ?? '';
  }

  private count({ account, bytes }: Share, sign: 1 | -1): void {
    this.bytes += sign * bytes;
    const left = (this.bytesByAccount.get(account) ?? 0) + sign * bytes;
    if (left > 0) this.bytesByAccount.set(account, left);
    else this.bytesByAccount.delete(account);
  }
}

function bytesOf({ outcome }: AttemptResult): number {
  return RESULT_BYTES + (outcome.kind === 'delivered' ? (outcome.receipt?.length ?? 0) * 2 : 0);
}
