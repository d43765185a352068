import { sendsAgainAtOnce } from '../../bolts/send/doubt';
import { kindOf } from '../../connectors/channels/channel-kinds';
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
  const others = component === SPOUT ? readBySpouts(settings) : { leadMs: spout.leadMs };
  return JSON.stringify([packageVersion, image, read, others, ...(channels.length === 0 ? [] : [channels])]);
}

/**
 * Whether spouts wait for the time-out of a channel before another bolt gets what a dead one may have sent: not where sending
 * again is harmless. What a channel of a package promises is not known here, so they are taken to wait.
 */
export function doSpoutsWait(channel: string): boolean {
  const kind = kindOf(channel);
  return kind === undefined || !sendsAgainAtOnce(kind);
}

function readBySpouts({ bolts }: TopologySettings) {
  return Object.entries(bolts)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { timeoutMs, limits }]) => [
      name,
      doSpoutsWait(name) ? timeoutMs : null,
      // Spouts emit no more of an account than it may send.
      ...(limits === undefined ? [] : [limits]),
    ]);
}
