/** The state of CDC, as seen from outside. */
export interface CdcState {
  /** Time since the last heartbeat came through CDC; since the first check when none has come. */
  readonly silentForMs: number;
  /** For how long the connector has been as it is now: its state, and where its tasks run. */
  readonly unchangedForMs: number;
  /** Why tasks of the connector have failed, one line each; a failed task stays failed until it is restarted. */
  readonly failures: readonly string[];
  /** What somebody must change before CDC works, one line each: no restart helps. */
  readonly obstacles: readonly string[];
}

/** Watches CDC from the outside, because a connector that has lost its database still says that it runs. */
export interface CdcHealth {
  /** @throws Unavailable */
  check(): Promise<CdcState>;
  /** Restarts what had failed at the last check, or all of it when nothing had. @throws Unavailable */
  restart(): Promise<void>;
}
