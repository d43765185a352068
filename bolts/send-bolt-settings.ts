/** Times are milliseconds. */
export interface SendBoltSettings {
  /** Requests in flight: in all, of one account, to one origin. */
  readonly concurrency: number;
  readonly perAccount: number;
  readonly perOrigin: number;
  /** Rows of one claim, at most. */
  readonly claimBatch: number;
  /** How long before its wake a row may be claimed when many wake at one instant; 0 switches it off. */
  readonly claimAheadMaxMs: number;
  /** Rows that are held, and the memory they take in bytes. */
  readonly maxHeld: number;
  readonly maxHeldBytes: number;
  /** How long before its wake a message is emitted. */
  readonly leadMs: number;
}
