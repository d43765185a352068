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

/** A session's lease, as its row in `workers` has it. */
export interface SessionLease {
  readonly session: string;
  /** Epoch milliseconds. Every renewal changes it. */
  readonly leaseUntil: number;
}

/** A row that a dead session was sending. */
export interface LostRow {
  readonly id: number;
  readonly version: number;
  readonly session: string;
}

export interface Recovery {
  /** How many rows were put back. */
  readonly recovered: number;
  /** How many rows are delivered now, because the ledger says so of that claim. */
  readonly delivered: number;
  /** Rows that the database refuses to write, and why. The other rows are put back all the same. */
  readonly refused: readonly { readonly id: number; readonly reason: string }[];
  /** Why rows were not put back of which it is not known that they are refused, though others were put back. */
  readonly failure?: unknown;
}

/** The spout's view of the table. Every call throws Unavailable when the database does not answer. */
export interface OpenRows {
  /**
   * Up to `limit` rows of each shard with (wakeAt, id) after the cursor and wakeAt below `below`, in (wakeAt, id) order
   * per shard. A shard that returns fewer than `limit` has no more.
   */
  page(channel: string, cursors: readonly ShardCursor[], below: number, limit: number): Promise<OpenRow[]>;

  /**
   * The leases of those of the sessions that are alive. A session that is not in the answer is dead: it was marked so, or
   * the registry does not know it.
   * @param recentMs also the leases of all others that are alive, and have not run out for longer than this
   */
  leasesOf(sessions: readonly string[], recentMs?: number): Promise<SessionLease[]>;

  /**
   * Marks the sessions dead, for ever, whose lease is still the one given and has run out by the database's clock.
   * One whose row in the registry somebody holds is left as it is.
   * @returns the sessions given that are dead now
   */
  markDead(leases: readonly SessionLease[]): Promise<string[]>;

  /**
   * Puts rows of dead sessions back to `scheduled`, in doubt, version + 1; they wake `delayMs` from now at the earliest. Those that
   * the ledger says are delivered by exactly that session in that version are `delivered` instead, as their session would have made
   * them, and only put back where the database refuses that.
   * Rows that are not `sending` by exactly that session in that version stay as they are. So do rows that another transaction has
   * locked, some of those whose writing waits for another one, and some where others were refused: another call begins with others.
   * @throws Unavailable also when the database answers, and refuses to write any of the rows
   */
  recover(rows: readonly LostRow[], delayMs: number): Promise<Recovery>;
}
