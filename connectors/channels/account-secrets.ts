import type { Clock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';

/** What the database says of an account. */
export interface StoredAccount {
  /** The newest first; an error when they cannot be opened, undefined when there are none. */
  readonly secrets: readonly string[] | Unavailable | undefined;
  /** Which of its credentials these are: the number rises whenever a person says anew what is to be used. */
  readonly generation: number;
  /** Why the account may not be used: its provider has refused these credentials, or a person has disabled it. */
  readonly blocked: string | undefined;
}

/** Those of the accounts of which anything is known. Throws Unavailable when that cannot be read now. */
export type SecretsOf = (accounts: readonly string[]) => Promise<ReadonlyMap<string, StoredAccount>>;

/** An account's secrets, ready for use. */
export interface KnownAccount<T> extends Omit<StoredAccount, 'secrets'> {
  /** Undefined when it has none. */
  readonly value: T | undefined;
}

/** How long an answer, with or without secrets, is believed without a question. */
const BELIEVED_MS = 30_000;
/** How long it is believed that an account may not be used, or has nothing to use: what a person says next is to be known soon. */
const BLOCKED_BELIEVED_MS = 1_000;
/** How long an account whose secrets cannot be opened waits for the next question: somebody is mending that. */
const FAILURE_BELIEVED_MS = 5_000;
/** An answer that is older is used only while the database is away. */
const MAX_AGE_MS = 180_000;
/** When it was read what has turned out to be wrong. */
const FORGOTTEN = Number.NEGATIVE_INFINITY;
/** Beyond it the accounts that were read longest ago are forgotten. */
const MAX_ACCOUNTS = 100_000;
/** Accounts that one statement asks for. */
const MAX_ASKED_AT_ONCE = 1_000;

interface Known<T> {
  readonly value: T | undefined | Unavailable;
  readonly generation: number;
  readonly blocked: string | undefined;
  /** Its secrets were refused: whether that is so still, only the next answer says. */
  readonly isSuspect: boolean;
  readonly readAt: number;
}

/** Accounts that are asked for together. */
interface Question {
  readonly accounts: Set<string>;
  /** Rejects with Unavailable. */
  readonly answered: Promise<void>;
}

/**
 * What the database says about accounts, kept for a short time and made ready for use, so that a burst does not read a
 * secret once per message.
 *
 * 1. *A secret that cannot be opened touches its account only.*
 * 2. *An answer older than some minutes is used only while the database is away*, because a database that is away must not
 *    stop what was claimed already, and a secret that was revoked must not sign for ever.
 * 3. *One statement is on the way at a time*: accounts that are asked for meanwhile are asked for together after it, so that thousands
 *    whose messages come due at one instant, and of which nothing is believed for long, cost a few statements.
 */
export class AccountSecrets<T> {
  private readonly known = new Map<string, Known<T>>();
  /** On the way. */
  private asked: Question | undefined;
  /** What is asked next. */
  private waiting: Question | undefined;

  /**
   * @param ready makes an account's secrets ready for use; throws Unavailable when it cannot
   * @param needsSecrets nothing can be sent for an account that has none
   */
  constructor(
    private readonly secretsOf: SecretsOf,
    private readonly ready: (secrets: readonly string[]) => T,
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly needsSecrets = false,
  ) {}

  /** Reads the accounts that are missing or old. Throws Unavailable when the database does not answer. */
  async load(accounts: readonly string[]): Promise<void> {
    const answers = new Set<Promise<void>>();
    for (const account of accounts) {
      if (!this.isBelieved(account)) answers.add(this.questionOf(account).answered);
    }
    await Promise.all(answers);
  }

  /**
   * What is known of the account, without a question.
   * @returns undefined in place of that when it must be asked for with `ask`
   */
  get(account: string): KnownAccount<T> | undefined {
    const known = this.known.get(account);
    if (known === undefined || known.value instanceof Unavailable) return undefined;
    const { value, generation, blocked, readAt } = known;
    const maxAgeMs = this.isBlocked(known) ? BLOCKED_BELIEVED_MS : MAX_AGE_MS;
    return this.clock.monotonic() - readAt <= maxAgeMs ? { value, generation, blocked } : undefined;
  }

  /** What was last read of the account, however long ago and whether it may still be used or not: for what of it does not change. */
  latest(account: string): T | undefined {
    const value = this.known.get(account)?.value;
    return value instanceof Unavailable ? undefined : value;
  }

  /** What `get` says, read now unless the last answer is believed. Throws Unavailable when it can neither be read nor is known. */
  async ask(account: string): Promise<KnownAccount<T>> {
    let failure: unknown;
    try {
      await this.load([account]);
    } catch (error) {
      failure = error;
    }
    const known = this.known.get(account);
    if (known === undefined || known.readAt === FORGOTTEN) throw failure;
    const { value, generation, blocked } = known;
    if (!(value instanceof Unavailable)) return { value, generation, blocked };
    if (blocked === undefined) throw value;
    return { value: undefined, generation, blocked };
  }

  /** What is known of the account is believed for a moment only, because its provider does not take the secrets. */
  distrust(account: string): void {
    const known = this.known.get(account);
    if (known !== undefined) this.known.set(account, { ...known, isSuspect: true });
  }

  /** The next question goes to the database: what was known has turned out to be wrong. */
  forget(account: string): void {
    const known = this.known.get(account);
    if (known !== undefined) this.known.set(account, { ...known, readAt: FORGOTTEN });
  }

  private isBelieved(account: string): boolean {
    const known = this.known.get(account);
    if (known === undefined) return false;
    const ageMs = this.clock.monotonic() - known.readAt;
    if (this.isBlocked(known)) return ageMs <= BLOCKED_BELIEVED_MS;
    return ageMs <= (known.value instanceof Unavailable ? FAILURE_BELIEVED_MS : BELIEVED_MS);
  }

  private isBlocked({ value, blocked, isSuspect }: Known<T>): boolean {
    return blocked !== undefined || isSuspect || (this.needsSecrets && value === undefined);
  }

  private questionOf(account: string): Question {
    if (this.asked?.accounts.has(account) === true) return this.asked;
    if (this.waiting === undefined) {
      const accounts = new Set<string>();
      this.waiting = { accounts, answered: this.put(accounts, this.asked) };
    }
    this.waiting.accounts.add(account);
    return this.waiting;
  }

  /** Asks for what has come together when the question before it is answered. */
  private async put(accounts: ReadonlySet<string>, before: Question | undefined): Promise<void> {
    await before?.answered.catch(() => {});
    this.asked = this.waiting;
    this.waiting = undefined;
    try {
      const all = [...accounts];
      for (let from = 0; from < all.length; from += MAX_ASKED_AT_ONCE) {
        await this.read(all.slice(from, from + MAX_ASKED_AT_ONCE));
      }
    } finally {
      this.asked = undefined;
    }
  }

  private async read(accounts: readonly string[]): Promise<void> {
    const readAt = this.clock.monotonic();
    const stored = await this.secretsOf(accounts);
    for (const account of accounts) {
      const { secrets, generation = 0, blocked } = stored.get(account) ?? {};
      this.known.delete(account);
      this.known.set(account, { value: this.made(secrets), generation, blocked, isSuspect: false, readAt });
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
