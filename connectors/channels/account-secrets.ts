import type { Clock } from '../../topology/core/clock';

/** The secrets of those of the accounts that have one. Throws Unavailable when they cannot be read now. */
export type SecretsOf = (accounts: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** How long an answer, with or without a secret, is believed. */
const BELIEVED_MS = 30_000;
/** Beyond it the accounts that were read longest ago are forgotten. */
const MAX_ACCOUNTS = 100_000;

interface Known<T> {
  readonly value: T | undefined;
  readonly readAt: number;
}

/**
 * What the database says about accounts, kept for a short time and made ready for use, so that a burst does not read a
 * secret once per message. An old answer counts until a newer one can be read, because a database that is away must not
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

  /** Reads the accounts that are missing or old, in one query. Throws Unavailable. */
  async load(accounts: readonly string[]): Promise<void> {
    const oldest = this.clock.monotonic() - BELIEVED_MS;
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
   * What is known of the account, read now if it never was. When a query for several accounts fails, each account is read
   * alone, so that one secret which cannot be opened holds up its own account only. Throws Unavailable.
   */
  async ensure(account: string): Promise<{ readonly value: T | undefined }> {
    try {
      await this.loading.get(account);
    } catch {
      // The caller of `load` handles this error.
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
      if (this.known.size <= MAX_ACCOUNTS) break;
      this.known.delete(account);
    }
  }
}
