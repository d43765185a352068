/** An account of a channel. */
export interface AccountName {
  readonly account: string;
  readonly channel: string;
}

/** What a call of `resume` has done. */
export interface Resumed {
  /** How many rows were scheduled again. */
  readonly rows: number;
  /** The account has suspended rows behind those that were looked at: the next call for it goes on with them. */
  readonly hasMore: boolean;
  /** The account that was looked at; undefined when no account after the one given has anything to resume. */
  readonly at: AccountName | undefined;
  /** What went wrong with this account; the accounts after it can be asked for all the same. */
  readonly failure?: unknown;
}

/** Suspended rows of accounts that can be used again. */
export interface SuspendedRows {
  /**
   * Schedules one batch of rows again, of the first account after the one given that is being resumed: `suspended` to `scheduled`,
   * version + 1, in the order of (dueAt, id). It looks at a bounded number of rows, and where all of them were kept back by a person it
   * schedules none. An account of which none is left to schedule is not being resumed any more. One that somebody holds, or of whom a
   * person has said something else meanwhile, is left. Repeating a call is harmless, and so is stopping after any.
   * @throws Unavailable
   */
  resume(after: AccountName | undefined): Promise<Resumed>;
}
