/** What is seen of a whole deployment: figures that no worker has by itself. */
export interface DeploymentState {
  /** Replicas of all components, as the release says. */
  readonly workersWanted: number;
  /** Sessions whose lease holds. */
  readonly workersAlive: number;
  /** Sessions that ended without leaving, within the last ten minutes. */
  readonly workersLost: number;
  /** Placements whose worker dies again and again. */
  readonly crashLooping: number;
  /** Servers of the database's replication group that are online; undefined where there is no group. */
  readonly databaseMembers: number | undefined;
  readonly brokers: number;
  /** Workers of the Connect cluster that runs the connector; undefined where that cannot be seen. */
  readonly connectWorkers: number | undefined;
  /** By channel. */
  readonly channels: ReadonlyMap<string, ChannelState>;
}

interface ChannelState {
  /** How long ago the oldest message that waits and is not paused has woken; 0 when none has, undefined when unknown. */
  readonly overdueMs: number | undefined;
  /** Messages in the state `uncertain`. */
  readonly uncertain: number;
  /** Messages in the state `suspended` whose account is unusable. */
  readonly suspended: number;
  /** Accounts that are unusable, whether a message waits for them or not. */
  readonly unusable: number;
  /** Messages in the state `suspended` that were not sent in time: a person decides. */
  readonly lateWaiting: number;
  /** Accounts that are at a limit now. */
  readonly limited: number;
  /** Accounts whose last refresh of their credentials came to nothing. */
  readonly refreshesFailing: number;
  /** Until the first credentials end that are not refreshed as they should be; negative when they have, undefined where none do. */
  readonly credentialsEndMs: number | undefined;
  /** Tuples that wait in partitions which belong to no worker. */
  readonly ownerless: number;
}

/** Looks at the deployment from the outside, by few and cheap questions. */
export interface DeploymentHealth {
  /** @throws Unavailable */
  check(): Promise<DeploymentState>;
}
