import type { Delivered } from './judge';

/** Milliseconds from due to accepted. */
export interface AfterDueFigures {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Of the messages of one channel: of a burst, or of all that were due beside the bursts. */
export interface ChannelAfterDue extends AfterDueFigures {
  readonly channel: string;
  /** The burst's name; null beside the bursts. */
  readonly burst: string | null;
  readonly messages: number;
}

/** @param at epoch milliseconds */
type Burst = { readonly name: string; readonly at: number };

/** The channel whose bursts are counted apart. */
const CROWDED = 'webhook';

/**
 * How long after their due time messages were accepted, by channel. A burst lasts until the last of its messages was accepted, and what
 * is due while it lasts belongs to it: it waits in the same queue, so it would say nothing of the time in which nothing waits.
 */
export function afterDueByChannel(deliveries: readonly Delivered[], bursts: readonly Burst[]): ChannelAfterDue[] {
  const lasting = bursts.map(({ name, at }) => {
    const ends = deliveries.filter(({ channel, dueAt }) => channel === CROWDED && dueAt === at).map((one) => one.at);
    return { name, at, end: ends.reduce((last, one) => Math.max(last, one), at) };
  });
  const groups = new Map<string, { channel: string; burst: string | null; afterDue: number[] }>();
  const groupOf = (channel: string, burst: string | null) => {
    const name = `${channel} ${burst}`;
    const group = groups.get(name) ?? { channel, burst, afterDue: [] };
    groups.set(name, group);
    return group.afterDue;
  };
  // In this order, whatever came first.
  for (const burst of [null, ...bursts.map(({ name }) => name)]) groupOf(CROWDED, burst);
  for (const { channel, dueAt, at } of deliveries) {
    const burst = channel === CROWDED ? lasting.find((one) => dueAt >= one.at && dueAt <= one.end) : undefined;
    groupOf(channel, burst?.name ?? null).push(at - dueAt);
  }
  return [...groups.values()].flatMap(({ channel, burst, afterDue }) => {
    const figures = afterDueFigures(afterDue);
    return figures === null ? [] : [{ channel, burst, messages: afterDue.length, ...figures }];
  });
}

/** Nearest-rank percentiles (the smallest value that at least p per cent do not exceed), or null of nothing. */
export function afterDueFigures(afterDue: readonly number[]): AfterDueFigures | null {
  if (afterDue.length === 0) return null;
  const sorted = Float64Array.from(afterDue).toSorted();
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
  return { p50: rank(0.5), p99: rank(0.99), max: rank(1) };
}
