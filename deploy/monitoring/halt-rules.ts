/**
 * From when on something is wrong with a deployment. A roll that crosses one of these halts and goes back; between rolls the
 * alert of the same name calls a person. One list, so that the two cannot disagree.
 */
export const haltRules = {
  /** The 99th percentile of lateness, milliseconds. */
  latenessP99Ms: 1_000,
  /** Since the oldest message woke that waits and is not paused, milliseconds. */
  overdueMs: 30_000,
  /** Messages about which a person has to decide, more than before. */
  uncertain: 0,
  /** Messages given up within a quarter of an hour. */
  failedMessages: 10,
  /** Since CDC last wrote a heartbeat, milliseconds. */
  cdcSilentMs: 15_000,
  /** Workers that ended without leaving, within ten minutes. */
  lostWorkers: 2,
  /** Tuples in partitions that belong to no worker. */
  ownerlessTuples: 0,
} as const;
