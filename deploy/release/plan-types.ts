import type { FoundWorker } from '../../connectors/mysql/operators/emitting-spouts';
import type { Release } from '../../connectors/mysql/operators/releases';
import type { SchemaState } from '../../connectors/mysql/schema/schema-state';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import type { Placed } from './roll-steps';
import type { SpecificationChange } from './specification-diff';
import type { Runs } from './worker-steps';

/** What a release runs. */
export interface Deployable {
  readonly settings: TopologySettings;
  /** What the settings were read from; it is not compared unless it is given. */
  readonly specification?: unknown;
  readonly packageVersion: string;
  readonly image: string | null;
  /** What runs its workers; it is not compared unless it is given. */
  readonly target?: Release['target'] | undefined;
  /** Whose overrides the settings have, empty: topology.yaml alone; it is not compared unless it is given. */
  readonly environment?: string | null | undefined;
}

export interface LiveRelease extends Omit<Deployable, 'settings'> {
  readonly number: number;
  readonly settings: TopologySettings | null;
}

export interface LiveTopic {
  readonly partitions: number;
  /** How many brokers keep each partition. */
  readonly replicas: number;
}

/** What is there now. A part that did not answer is undefined, and why stands in `unknown`. */
export interface Live {
  /** Null when none is live. Its settings are null when this version cannot read them. */
  readonly release: LiveRelease | null | undefined;
  /** Releases that were begun and are not done, oldest first. */
  readonly unfinished?: readonly Pick<LiveRelease, 'number' | 'target' | 'environment'>[] | undefined;
  /** Whether there is any release, also one that has ended; no release is live after `kill`. */
  readonly wasDeployed?: boolean | undefined;
  /** The newest one, also one that has ended. */
  readonly last?: Pick<LiveRelease, 'number' | 'environment'> | undefined;
  /** The workers that are asked for on the target `local`, and what they run; those of the release that is live unless given. */
  readonly placed?: { readonly placements: readonly Placed[]; readonly runs: Runs } | undefined;
  readonly schema: SchemaState | undefined;
  /** False: nothing was given with which `deploy` could bring the schema up to date. */
  readonly mayMigrate?: boolean;
  /** By stream, without the namespace. */
  readonly topics: ReadonlyMap<string, LiveTopic> | undefined;
  /** Null when it does not exist; otherwise the names of its settings that differ. */
  readonly connector: readonly string[] | null | undefined;
  /** A worker that would reorder messages in the pause for more partitions. One that has just started is not known to. */
  readonly reorders?: FoundWorker | undefined;
  /** Open messages by channel, as far as they were counted. */
  readonly waiting: ReadonlyMap<string, number>;
  /** One line for each part that did not answer. */
  readonly unknown: readonly string[];
  /** What was not looked at, because nothing was given to look with. */
  readonly notes: readonly string[];
}

/** One thing that deploying would do. */
export interface PlanStep {
  /** `schema`, `connector`, a stream, `workers`, or a component. */
  readonly what: string;
  /** `partitions 8 → 16`. */
  readonly change: string;
  /** What it costs, or why it costs nothing. */
  readonly cost: string;
}

export interface Plan {
  readonly steps: readonly PlanStep[];
  /** Why it would be refused, and what to do. */
  readonly refusals: readonly string[];
  /** What cannot be undone, and what is left as it is. */
  readonly warnings: readonly string[];
  readonly changes: readonly SpecificationChange[];
  /** Components whose workers are replaced. */
  readonly rolls: readonly string[];
}
