interface Account {
  readonly wanted: Map<string, Promise<unknown>>;
  readonly waiting: (() => void)[];
}

/** Work of accounts that takes turns: of one account only so much at a time, and each thing once. */
export class AccountQueue {
  private readonly accounts = new Map<string, Account>();

  /**
   * @param most that is under way for one account
   * @param mostWaiting that waits for it
   * @param full what is thrown at the next one
   */
  constructor(
    private readonly most: number,
    private readonly mostWaiting: number,
    private readonly full: () => Error,
  ) {}

  /**
   * Runs `work` when its account has room. Who asks for the same key meanwhile gets the same result.
   */
  run<T>(account: string, key: string, work: () => Promise<T>): Promise<T> {
    const own: Account = this.accounts.get(account) ?? { wanted: new Map(), waiting: [] };
    const same = own.wanted.get(key);
    if (same !== undefined) return same as Promise<T>;
    if (own.waiting.length >= this.mostWaiting) return Promise.reject(this.full());
    this.accounts.set(account, own);
    const isFull = own.wanted.size >= this.most;
    const turn = isFull ? new Promise<void>((resolve) => own.waiting.push(resolve)).then(work) : work();
    const result = turn.finally(() => {
      own.wanted.delete(key);
      const next = own.waiting.shift();
      if (next !== undefined) next();
      else if (own.wanted.size === 0) this.accounts.delete(account);
    });
    own.wanted.set(key, result);
    return result;
  }
}
