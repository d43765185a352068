import type { DrainRate } from '../../connectors/mysql/operators/drain-rate';
import type { MinuteCount } from '../../connectors/mysql/operators/status';
import { MAX_REPLICAS } from '../../topology/settings/topology-schema';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { counted } from '../console/units';

/** What a channel needs in the coming hours. */
export interface Suggestion {
  readonly channel: string;
  /** The fullest minute, its first epoch millisecond, and how many messages wake in it; null when none wake. */
  readonly busiest: { readonly minute: number; readonly messages: number } | null;
  /** Messages per second of one worker; null when nothing was sent yet, so that nobody knows. */
  readonly perWorker: number | null;
  readonly replicas: number;
  readonly partitions: number;
  /** Workers that send the fullest minute in time; null when that is not known. */
  readonly needed: number | null;
}

/**
 * How many workers send the fullest minute within a time, at the rate that was measured. All of a minute may wake at its
 * first instant, so the rate is asked of the whole of it.
 * @param withinMs how late its last message may be
 */
export function suggestions(
  settings: TopologySettings,
  minutes: readonly MinuteCount[],
  rates: readonly DrainRate[],
  withinMs: number,
): Suggestion[] {
  return Object.entries(settings.bolts).map(([channel, { replicas, partitions }]) => {
    const own = minutes.filter((one) => one.channel === channel).toSorted((a, b) => b.count - a.count);
    const [fullest] = own;
    const busiest = fullest === undefined ? null : { minute: fullest.minute, messages: fullest.count };
    const perWorker = rates.find((one) => one.channel === channel)?.perWorker ?? null;
    const needed =
      busiest === null || perWorker === null
        ? null
        : Math.max(1, Math.ceil(busiest.messages / ((perWorker * withinMs) / 1_000)));
    return { channel, busiest, perWorker, replicas, partitions, needed };
  });
}

/** One suggestion in words. */
export function wordsOf({ channel, busiest, perWorker, replicas, partitions, needed }: Suggestion): string {
  if (busiest === null)
    return `${channel}: nothing wakes in this time; ${counted(replicas, 'worker is', 'workers are')} enough.`;
  if (perWorker === null || needed === null) {
    return `${channel}: nothing was sent yet, so nobody knows how quickly a worker sends. Ask again after the first burst.`;
  }
  if (needed <= replicas) return `${channel}: ${counted(replicas, 'worker is', 'workers are')} enough.`;
  if (needed > MAX_REPLICAS) {
    return `${channel}: ${needed} workers would be needed, and ${MAX_REPLICAS} are the most: allow more time (--within), spread the messages, or raise what one worker sends.`;
  }
  const grow = needed > partitions ? ` ${channel}.partitions=${needed}` : '';
  return `${channel}: \`downspout scale ${channel}=${needed}${grow}\``;
}
