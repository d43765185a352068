import type { TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';

/** What a worker runs: a version of Downspout with settings. */
export interface Running {
  readonly settings: TopologySettings;
  readonly packageVersion: string;
  readonly image: string | null;
}

/**
 * Two releases with the same key for a component run the same worker, so that a worker of one need not be replaced by one of
 * the other: replicas and partitions are nothing that a worker reads.
 */
export function workerKey({ settings, packageVersion, image }: Running, component: string): string {
  const { spout, bolts, channels } = settings;
  const own = component === SPOUT ? spout : bolts[component];
  const read = own === undefined ? null : { ...own, replicas: 0, partitions: 0 };
  const others = component === SPOUT ? Object.keys(bolts).toSorted() : { leadMs: spout.leadMs };
  return JSON.stringify([packageVersion, image, read, others, ...(channels.length === 0 ? [] : [channels])]);
}
