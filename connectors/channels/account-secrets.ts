import type { Clock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';

/**
 * The secrets of those of the accounts that have some, the newest first; an error for an account whose secrets cannot be
 * opened. Throws Unavailable when none can be read now.
 */
export type SecretsOf = (accounts: readonly string[]) => Promise<ReadonlyMap<string, readonly string[] | Unavailable>>;

/** How long an answer, with or without secrets, is believed without a question. */
const BELIEVED_MS = 30_000;
/** How long an account whose secrets cannot be opened waits for the next question: somebody is mending that. */
const FAILURE_BELIEVED_MS = 5_000;
/** An answer that is older is used only while the database is away. */
const MAX_AGE_MS = 180_000;
/** Beyond it the accounts that were read longest ago are forgotten. */
const MAX_ACCOUNTS = 100_000;

interface Known<T> {
  readonly value: T | undefined | Unavailable;
  readonly readAt: number;
}

/**
 * What the database says about accounts, kept for a short time and made ready for use, so that a burst does not read a
 * secret once per message.
 *
 * 1. *A secret that cannot be opened touches its account only.*
 * 2. *An answer older than some minutes is used only while the database is away*, because a database that is away must not
 *    stop what was claimed already, and a secret that was revoked must not sign for ever.
 */
export class AccountSecrets<T> {
  private readonly known = new Map<string, Known<T>>();
  private readonly loading = new Map<string, Promise<void>>();

  /** @param ready makes an account's secrets ready for use; throws Unavailable when it cannot */
  constructor(
    private readonly secretsOf: SecretsOf,
    private readonly ready: (secrets: readonly string[]) => T,
    private readonly clock: Pick<Clock, 'monotonic'>,
  ) {}

  /** Reads the accounts that are missing or old, in one query. Throws Unavailable when the database does not answer. */
  async load(accounts: readonly string[]): Promise<void> {
    const wanted = new Set<string>();
    const awaited = new Set<Promise<void>>();
    for (const account of accounts) {
      if (this.isBelieved(account)) continue;
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
   * What the account's secrets are ready as, without a question: undefined when it has none.
   * @returns undefined in place of that when it must be asked for with `ask`
   */
  get(account: string): { readonly value: T | undefined } | undefined {
    const known = this.known.get(account);
    if (known === undefined || known.value instanceof Unavailable) return undefined;
    return this.clock.monotonic() - known.readAt <= MAX_AGE_MS ? { value: known.value } : undefined;
  }

  /** The same, read now unless the last answer is believed. Throws Unavailable when it can neither be read nor is known. */
  async ask(account: string): Promise<{ readonly value: T | undefined }> {
    let failure: unknown;
    try {
      await this.load([account]);
    } catch (error) {
      failure = error;
    }
    const known = this.known.get(account);
    if (known === undefined) throw failure;
    if (known.value instanceof Unavailable) throw known.value;
    return { value: known.value };
  }

  private isBelieved(account: string): boolean {
    const known = this.known.get(account);
    if (known === undefined) return false;
    const age = this.clock.monotonic() - known.readAt;
    return age <= (known.value instanceof Unavailable ? FAILURE_BELIEVED_MS : BELIEVED_MS);
  }

  private async read(accounts: readonly string[]): Promise<void> {
    const readAt = this.clock.monotonic();
    const secrets = await this.secretsOf(accounts);
    for (const account of accounts) {
      this.known.delete(account);
      this.known.set(account, { value: this.made(secrets.get(account)), readAt });
    }
    for (const account of this.known.keys()) {
      if (this.known.size <= MAX_ACCOUNTS) break;
      this.known.delete(account);
    }
  }

  private made(secrets: readonly string[] | undefined | Unavailable): T | undefined | Unavailable {
    if (secrets === undefined || secrets instanceof Unavailable) return secrets;
    try {
      return this.ready(secrets);
    } catch (error) {
      if (error instanceof Unavailable) return error;
      throw error;
    }
  }
}
