/** A row that still waits or is being sent, without its content. Times are epoch milliseconds. */
export interface OpenRow {
  readonly id: number;
  readonly shard: number;
  readonly account: string;
  readonly channel: string;
  readonly wakeAt: number;
  readonly version: number;
  readonly state: 'scheduled' | 'sending';
  /** The owner of the claim, 32 hex digits; null while scheduled. */
  readonly session: string | null;
}

/** A position in one shard's open rows, in (wakeAt, id) order. A page begins after it. */
export interface ShardCursor {
  readonly shard: number;
  readonly afterWake: number;
  readonly afterId: number;
}

/** The spout's view of the table. Every call throws Unavailable when the database does not answer. */
export interface OpenRows {
  /**
   * Up to `limit` rows of each shard with (wakeAt, id) after the cursor and wakeAt below `below`, in (wakeAt, id) order
   * per shard. A shard that returns fewer than `limit` has no more.
   */
  page(channel: string, cursors: readonly ShardCursor[], below: number, limit: number): Promise<OpenRow[]>;

  /**
   * Of the sessions given, those that are dead. With `bury`, sessions whose lease has run out by the database's clock are
   * first marked dead, for ever. A session that the registry does not know is dead.
   */
  deadOf(sessions: readonly string[], bury: boolean): Promise<string[]>;

  /**
   * Puts rows of dead sessions back to `scheduled`, in doubt, version + 1; they wake `delayMs` from now at the earliest.
   * Rows that are not `sending` by exactly that session in that version stay as they are.
   * @returns how many rows were recovered
   */
  recover(
    rows: readonly { readonly id: number; readonly version: number; readonly session: string }[],
    delayMs: number,
  ): Promise<number>;
}
