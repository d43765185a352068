import { changeEventCodec } from '../../connectors/debezium/change-event';
import type { FoundWorker } from '../../connectors/mysql/operators/emitting-spouts';
import { UserError } from '../../topology/core/errors';
import { LEASE_MS } from '../../topology/core/lease';
import type { Environment } from '../../topology/settings/environment';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { due, SPOUT, scheduleChanges, topicName } from '../../topology/streams';
import { counted } from '../console/units';
import { withKafka } from '../inspect/kafka';

/** A stream that gets more partitions. */
export interface Growth {
  /** The component that reads it. */
  readonly component: string;
  /** Without the namespace. */
  readonly stream: string;
  readonly from: number;
  readonly to: number;
}

/** Until a worker that has just started reports by which pauses it goes, or is dead. */
export const STARTED_LIMIT_MS = 2 * LEASE_MS;

/** Why a stream gets no more partitions while such a worker runs, which does not know the pause for it; and what to do. */
export function growthRefusal(stream: string, { host, pid, version }: FoundWorker): string {
  return (
    `Workers of Downspout ${version} run, such as process ${pid} on ${host}, which would reorder messages while ${stream} gets ` +
    'more partitions. Deploy first with as many partitions as there are, and add partitions with the deploy after it.'
  );
}

/** How many partitions each stream has, and is to have. A topic that is not there yet has none. */
export async function partitionsNow(environment: Environment, settings: TopologySettings): Promise<Growth[]> {
  const namespace = environment.DOWNSPOUT_NAMESPACE;
  const streams = [
    ...Object.entries(settings.bolts).map(([channel, { partitions }]) => ({
      component: channel,
      stream: due(channel).name,
      to: partitions,
    })),
    { component: SPOUT, stream: scheduleChanges(changeEventCodec).name, to: settings.spout.partitions },
  ];
  return withKafka(environment, async (admin) => {
    const topics = await admin.topics(streams.map(({ stream }) => topicName(namespace, stream)));
    return streams.map((one) => ({ ...one, from: topics.get(topicName(namespace, one.stream))?.partitions ?? 0 }));
  });
}

/** As {@link growing}, of what is there now. @throws UserError as it does */
export async function growthsOf(environment: Environment, settings: TopologySettings): Promise<Growth[]> {
  return growing(await partitionsNow(environment, settings));
}

/**
 * The streams that have fewer partitions than they are to have. A topic that is not there yet is none of them.
 * @throws UserError for one that has more, because partitions cannot be taken away
 */
export function growing(counts: readonly Growth[]): Growth[] {
  for (const { component, stream, from, to } of counts) {
    if (from <= to) continue;
    throw new UserError(
      `${stream} has ${counted(from, 'partition')}, and ${component}.partitions says ${to}: partitions cannot be taken away. Write ${from} or more.`,
    );
  }
  return counts.filter(({ from, to }) => from > 0 && from < to);
}
