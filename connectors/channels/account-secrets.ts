import type { Clock } from '../../topology/core/clock';

/** The secrets of those of the accounts that have one. Throws Unavailable when they cannot be read now. */
export type SecretsOf = (accounts: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** How long an answer, with or without a secret, is believed. Milliseconds. */
const TIME_TO_LIVE = 30_000;
/** Accounts kept; beyond it those read longest ago go first. */
const MOST = 100_000;

interface Known<T> {
  readonly value: T | undefined;
  readonly readAt: number;
}

/**
 * What the database says about accounts, kept for a short time and made ready for use, so that a burst does not ask once
 * per message. An answer that has grown old still counts until a newer one can be had: a database that is away must not
 * stop what was claimed already.
 */
export class AccountSecrets<T> {
  private readonly known = new Map<string, Known<T>>();
  private readonly loading = new Map<string, Promise<void>>();

  constructor(
    private readonly secretsOf: SecretsOf,
    private readonly ready: (secret: string) => T,
    private readonly clock: Pick<Clock, 'monotonic'>,
  ) {}

  /** Reads those that are missing or old, together. Throws Unavailable. */
  async load(accounts: readonly string[]): Promise<void> {
    const oldest = this.clock.monotonic() - TIME_TO_LIVE;
    const wanted = new Set<string>();
    const awaited = new Set<Promise<void>>();
    for (const account of accounts) {
      const known = this.known.get(account);
      if (known !== undefined && known.readAt >= oldest) continue;
      const loading = this.loading.get(account);
      if (loading === undefined) wanted.add(account);
      else awaited.add(loading);
    }
    if (wanted.size > 0) {
      const loading = this.read([...wanted]).finally(() => {
        for (const account of wanted) this.loading.delete(account);
      });
      for (const account of wanted) this.loading.set(account, loading);
      awaited.add(loading);
    }
    await Promise.all(awaited);
  }

  /**
   * What is known of the account, read now if it never was. It is asked for alone when it could not be read together with
   * others, so that one secret which cannot be opened holds up its own account only. Throws Unavailable.
   */
  async ensure(account: string): Promise<{ readonly value: T | undefined }> {
    try {
      await this.loading.get(account);
    } catch {
      // Whoever asked for all of them was told.
    }
    if (!this.known.has(account)) await this.load([account]);
    return this.known.get(account) as Known<T>;
  }

  /** What is known of the account: `value` is undefined when it has no secret. Undefined when it was never read. */
  get(account: string): { readonly value: T | undefined } | undefined {
    return this.known.get(account);
  }

  private async read(accounts: readonly string[]): Promise<void> {
    const readAt = this.clock.monotonic();
    const secrets = await this.secretsOf(accounts);
    for (const account of accounts) {
      const secret = secrets.get(account);
      this.known.delete(account);
      this.known.set(account, { value: secret === undefined ? undefined : this.ready(secret), readAt });
    }
    for (const account of this.known.keys()) {
      if (this.known.size <= MOST) break;
      this.known.delete(account);
    }
  }
}
