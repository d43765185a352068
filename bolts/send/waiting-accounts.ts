import { type BackOff, backOff } from '../../topology/core/retry-policy';
import type { AttemptResult, SendRows, Unwritten } from '../send-rows';
import { BesideOthers, type BesideOthersOptions, HURRIED_RETRY_MS } from './beside-others';

export interface WaitingAccountsOptions extends BesideOthersOptions {
  readonly rows: SendRows;
  readonly session: string;
  readonly random: () => number;
  readonly onError: (what: string, error: unknown) => void;
  /** How many of these, from the first, are one batch. */
  readonly sizeOf: (results: readonly AttemptResult[]) => number;
  /** Takes results that wait, all of one account, each time they do. */
  readonly onRefused: (results: readonly AttemptResult[]) => void;
  /** Takes results that do not wait, and are not written. @param isKnown others of the account were written */
  readonly onFailed: (results: readonly AttemptResult[], isKnown: boolean) => void;
  /** Takes results that are written, or that are let go of. */
  readonly onDone: (results: readonly AttemptResult[]) => void;
}

interface Account {
  readonly results: AttemptResult[];
  /** In a row that waited in vain. */
  tries: number;
  /** When its results are written, monotonic milliseconds. */
  at: number;
  /** Until when it counts as one whose results wait. */
  until: number;
}

const WAITED_BACK_OFF: BackOff = { baseMs: 250, capMs: 16_000 };
/** Results of an account are written apart for so long after one of them waited. */
const APART_FOR_MS = 30_000;
/** How long a result may wait for others of its account to be written with it. */
const LINGER_MS = 100;

interface Trying {
  readonly account: Account;
  readonly batch: readonly AttemptResult[];
}

/**
 * Results of accounts whose writing waits for something that somebody holds, as a trigger of an application may. Each try takes as long
 * as the database waits for a lock.
 *
 * 1. *Such an account costs others nothing*: all its results are written beside those of others, until none has waited for half a minute.
 * 2. *One account at a time*, in turns, and one that goes on waiting later and later. So they take one connection, however many they are.
 * 3. *A drain ends*: nothing here is waited for longer than 20 s. The rows are recovered when the session has ended.
 */
export class WaitingAccounts extends BesideOthers<Trying> {
  /** Results that are not written yet, without those that the ledger has. */
  size = 0;
  private readonly accounts = new Map<string, Account>();

  constructor(private readonly options: WaitingAccountsOptions) {
    super(options);
  }

  has(account: string): boolean {
    return this.accounts.has(account);
  }

  /** Takes results that have waited in vain. */
  addWaited(name: string, results: readonly AttemptResult[]): void {
    const account = this.accounts.get(name) ?? { results: [], tries: 0, at: 0, until: 0 };
    this.accounts.set(name, account);
    this.take(account, results);
    if (this.trying?.account !== account) this.waited(account);
    this.proceed();
  }

  /** Takes results of an account that is here. */
  add(name: string, results: readonly AttemptResult[]): void {
    const account = this.accounts.get(name) as Account;
    if (account.results.length === 0) account.at = Math.max(account.at, this.now + (this.isHurried ? 0 : LINGER_MS));
    this.take(account, results);
    this.proceed();
  }

  private take(account: Account, results: readonly AttemptResult[]): void {
    account.results.push(...results);
    this.size += this.countOf(results);
  }

  protected makeAllDue(): void {
    for (const account of this.accounts.values()) account.at = this.now;
  }

  protected letGo(): void {
    const left = [...(this.trying?.batch ?? []), ...[...this.accounts.values()].flatMap(({ results }) => results)];
    this.trying = undefined;
    this.accounts.clear();
    this.done(left);
  }

  private done(results: readonly AttemptResult[]): void {
    this.size -= this.countOf(results);
    if (results.length > 0) this.options.onDone(results);
  }

  protected tryNext(now: number): number | undefined {
    let next: Account | undefined;
    for (const [name, account] of this.accounts) {
      if (account.results.length > 0) {
        if (next === undefined || account.at < next.at) next = account;
      } else if (account.until <= now) this.accounts.delete(name);
    }
    if (next === undefined || next.at > now) return next?.at;
    void this.tryOne(next);
    return undefined;
  }

  private async tryOne(account: Account): Promise<void> {
    const { rows, session, sizeOf, onError } = this.options;
    const batch = account.results.splice(0, sizeOf(account.results));
    const trying = { account, batch };
    this.trying = trying;
    let bad: readonly Unwritten[] | undefined;
    try {
      bad = await rows.writeBack(session, batch);
    } catch (error) {
      if (!this.isClosed) onError('write back', error);
    }
    if (this.isGone(trying)) return;
    this.trying = undefined;
    this.tried(account, batch, bad);
    this.proceed();
  }

  /** @param bad what of the batch is not written; undefined when nothing is, whatever the reason */
  private tried(account: Account, batch: readonly AttemptResult[], bad: readonly Unwritten[] | undefined): void {
    const again = new Map((bad ?? []).map((one) => [one.id, one.again]));
    const refused = bad === undefined ? batch : batch.filter(({ id }) => again.get(id) === false);
    const left = batch.filter(({ id }) => again.get(id) === true);
    if (bad !== undefined) this.done(batch.filter(({ id }) => !again.has(id)));
    this.size -= this.countOf(refused);
    if (refused.length > 0) this.options.onFailed(refused, bad !== undefined && bad.length < batch.length);
    if (this.isOver) return this.done(left);
    if (left.length > 0) {
      // Behind those that were not tried yet: they may not wait.
      account.results.push(...left);
      this.waited(account);
    } else {
      account.tries = 0;
      account.at = this.now;
    }
  }

  private waited(account: Account): void {
    const { random, onRefused } = this.options;
    account.tries++;
    const laterMs = this.isHurried ? HURRIED_RETRY_MS : backOff(WAITED_BACK_OFF, account.tries, random());
    account.at = this.now + laterMs;
    account.until = account.at + APART_FOR_MS;
    onRefused(account.results);
  }
}
