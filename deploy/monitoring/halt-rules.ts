/**
 * From when on something is wrong with a deployment. A roll that makes it so halts and goes back; between rolls an alert calls a
 * person. One list, so that the two cannot disagree.
 */
export const haltRules = {
  /** A message that is accepted so long after its wake is late, milliseconds. */
  lateMs: 1_000,
  /** Since the oldest message woke that waits and is not paused, milliseconds. */
  overdueMs: 30_000,
  /** Since CDC last wrote a heartbeat, milliseconds. */
  cdcSilentMs: 15_000,
} as const;

/** From when on an alert calls a person. A roll is not judged by these: it counts failed attempts, and looks at its own workers. */
export const alertRules = {
  /** Messages about which a person has to decide, more than before. */
  uncertain: 0,
  /** Messages whose account cannot be used. */
  suspended: 0,
  /** Accounts that are unusable. */
  unusableAccounts: 0,
  /** Messages that were not sent in time, and wait for a person. */
  lateWaiting: 0,
  /** Accounts whose credentials could not be refreshed. */
  refreshesFailing: 0,
  /** Until credentials end that nobody refreshes, milliseconds: a person must connect their account again. */
  credentialsEndMs: 3 * 86_400_000,
  /** Messages given up within a quarter of an hour. */
  failedMessages: 10,
  /** Workers that ended without leaving, within ten minutes. */
  lostWorkers: 2,
  /** Tuples in partitions that belong to no worker. */
  ownerlessTuples: 0,
} as const;

/** A figure of a roll must be bad for so long, milliseconds, because a burst passes. */
const HOLD_MS = 10_000;
/** Some lateness for longer: each worker that is replaced makes what moves to another one a little late. */
const LATE_HOLD_MS = 30_000;
/** How often a roll is judged, milliseconds. */
const JUDGE_EVERY_MS = 2_000;

/** Beside them, for a roll only: what the new release does is compared with what the old one does at the same time. */
export const rollRules = {
  /** Attempts of the new release that a judgement needs. */
  leastAttempts: 20,
  /** Attempts that confirm a bad judgement, or take it back. */
  confirmingAttempts: 5,
  /** Attempts that end otherwise than delivered, as a share of all. */
  errorShare: 0.05,
  /** An attempt that ends so long after its wake is very late, milliseconds, which a crowd does not excuse. */
  veryLateMs: 5_000,
  /** Late attempts outside of crowds, and very late ones, as a share of all. */
  lateShare: 0.1,
  /** The new release's share is also so many times that of the old one. */
  timesWorse: 2,
  /** What woke longer ago is not overdue because of the roll, milliseconds. */
  overdueSinceMs: 90_000,
  /** Messages that may be overdue beyond those before the roll. */
  overdueMessages: 20,
  judgeEveryMs: JUDGE_EVERY_MS,
  holdMs: HOLD_MS,
  lateHoldMs: LATE_HOLD_MS,
  /**
   * The first new worker of each component is watched for so long, and for the lead, before a release is live: until what it does
   * not send is overdue, too much of that is (two looks at 10 messages a second), it was seen, has held, and was seen again.
   */
  watchedMs: haltRules.overdueMs + HOLD_MS + 5 * JUDGE_EVERY_MS,
  /** So many messages in one second are a crowd, if they are also so many times what the seconds around it have. */
  crowdMessages: 1_000,
  crowdTimes: 4,
  /**
   * Seconds before and after now in which a crowd keeps the next worker from being replaced, because starting one takes some of them;
   * and after it was last seen, in which what is late is late because of it.
   */
  crowdSeconds: 10,
  /** A worker does not wait longer for crowds, milliseconds. */
  crowdWaitMs: 60_000,
  /** A new worker must be ready within this, milliseconds. */
  readyMs: 90_000,
  /** Deaths in a row of a worker that is in a crash loop. */
  deaths: 3,
} as const;
