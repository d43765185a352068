import type { Clock } from './clock';

interface AccountTurnsOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Of one account: what is under way and what waits. */
  readonly mostOfAccount: number;
  /** Work that takes longer makes its account a slow one, until other work of it does not. Milliseconds. */
  readonly slowMs: number;
  /** What is thrown when an account wants more. */
  readonly full: () => Error;
}

/** Slow accounts that are remembered. */
const MAX_SLOW = 10_000;

/**
 * Work of many accounts, of which one piece is done at a time. How much may wait in all is left to whoever asks.
 *
 * 1. *One piece at a time.*
 * 2. *Accounts take turns*: one that wants much waits for itself, and refuses nobody else's.
 * 3. *Slow accounts share every second turn*: however many they are, each turn of a quick one waits for one piece of theirs at most.
 */
export class AccountTurns {
  /** Pieces that wait, by account; the account whose turn was longest ago comes first. */
  private readonly waiting = new Map<string, (() => Promise<void>)[]>();
  private readonly counts = new Map<string, number>();
  private readonly slow = new Set<string>();
  private wasSlow = false;
  private isBusy = false;

  constructor(private readonly options: AccountTurnsOptions) {}

  run<T>(account: string, work: () => Promise<T>): Promise<T> {
    const count = this.counts.get(account) ?? 0;
    if (count >= this.options.mostOfAccount) return Promise.reject(this.options.full());
    this.counts.set(account, count + 1);
    return new Promise<T>((resolve, reject) => {
      const pieces = this.waiting.get(account) ?? [];
      pieces.push(() => this.timed(account, work).then(resolve, reject));
      this.waiting.set(account, pieces);
      if (!this.isBusy) void this.doAll();
    });
  }

  private async doAll(): Promise<void> {
    this.isBusy = true;
    for (let account = this.next(); account !== undefined; account = this.next()) {
      const pieces = this.waiting.get(account) as (() => Promise<void>)[];
      const piece = pieces.shift();
      if (pieces.length === 0) this.waiting.delete(account);
      this.wasSlow = this.slow.has(account);
      await piece?.();
      this.left(account);
      // What else it wants, also meanwhile, comes after all other accounts.
      const more = this.waiting.get(account);
      this.waiting.delete(account);
      if (more !== undefined) this.waiting.set(account, more);
    }
    this.isBusy = false;
  }

  private next(): string | undefined {
    let first: string | undefined;
    for (const account of this.waiting.keys()) {
      if (this.slow.has(account) !== this.wasSlow) return account;
      first ??= account;
    }
    return first;
  }

  private async timed<T>(account: string, work: () => Promise<T>): Promise<T> {
    const { clock, slowMs } = this.options;
    const began = clock.monotonic();
    try {
      return await work();
    } finally {
      this.slow.delete(account);
      if (clock.monotonic() - began > slowMs) this.slow.add(account);
      if (this.slow.size > MAX_SLOW) this.slow.delete(this.slow.keys().next().value as string);
    }
  }

  private left(account: string): void {
    const count = (this.counts.get(account) ?? 0) - 1;
    if (count > 0) this.counts.set(account, count);
    else this.counts.delete(account);
  }
}
