/** How long a session may send after the renewal that it asked for last, as the database counts it. */
export const LEASE_MS = 10_000;

/**
 * The right of one worker session to send. It is counted on the monotonic clock from before the renewal was requested, so
 * it always ends here before it ends in the database.
 */
export interface Lease {
  /** The session, 16 bytes as 32 hex digits. */
  readonly session: string;
  /** True while the session may begin requests. False for ever once the session was marked dead. */
  holds(): boolean;
}
