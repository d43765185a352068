/** How CDC does. */
export interface CdcState {
  /** Milliseconds since a heartbeat was last seen to come through CDC; since the first look when none was. */
  readonly lag: number;
  /** Why tasks of the connector have failed, one line each; they stay failed until they are restarted. */
  readonly failures: readonly string[];
}

/** Watches CDC from the outside: what a connector says of itself is not believed. Throws Unavailable. */
export interface CdcHealth {
  check(): Promise<CdcState>;
  /** Restarts what has failed, and nothing else. */
  restart(): Promise<void>;
}
