import { captureNames } from '../../connectors/debezium/settings';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { due, SPOUT } from '../../topology/streams';
import { counted, formatDuration } from '../console/units';
import { drainWaitMs } from './drain';
import { growthRefusal } from './growths';
import type { Live, LiveTopic, Plan, PlanStep } from './plan-types';

interface Stream {
  readonly name: string;
  readonly component: string;
  readonly partitions: number;
}

/** The streams of a topology, without the namespace. */
export function streamsOf({ spout, bolts }: TopologySettings): Stream[] {
  return [
    { name: captureNames('').changes, component: SPOUT, partitions: spout.partitions },
    ...Object.entries(bolts).map(([channel, { partitions }]) => ({
      name: due(channel).name,
      component: channel,
      partitions,
    })),
  ];
}

/** What becomes of the topics. Without Kafka's answer, the release that runs says how many partitions they have. */
export function planTopics(
  wanted: TopologySettings,
  live: Live,
  keepsPartitions: boolean,
): Pick<Plan, 'steps' | 'refusals' | 'warnings'> {
  const steps: PlanStep[] = [];
  const refusals: string[] = [];
  const warnings: string[] = [];
  const topics = live.topics ?? topicsOfRelease(live);
  const timeouts = timeoutsOf(wanted, live);
  for (const stream of topics === undefined ? [] : streamsOf(wanted)) {
    const there = topics?.get(stream.name);
    if (there === undefined) {
      steps.push({
        what: stream.name,
        change: `a new topic, ${counted(stream.partitions, 'partition')}`,
        cost: 'nothing waits',
      });
    } else if (there.partitions < stream.partitions) {
      steps.push(growth(stream, there.partitions, timeouts));
      if (live.reorders !== undefined) refusals.push(growthRefusal(stream.name, live.reorders));
      warnings.push(
        `${stream.name} then has ${counted(stream.partitions, 'partition')} for ever: Kafka takes none away, and a rollback keeps them.`,
      );
    } else if (there.partitions > stream.partitions) {
      (keepsPartitions ? warnings : refusals).push(shrinking(stream, there.partitions, keepsPartitions));
    }
  }
  const { replicationFactor } = wanted.topics;
  const others = [...(live.topics ?? [])].filter(([, { replicas }]) => replicas !== replicationFactor);
  if (replicationFactor !== undefined && others.length > 0) {
    const names = others.map(([name, { replicas }]) => `${name} (${replicas})`).join(', ');
    warnings.push(
      `topics.replicationFactor is ${replicationFactor}, and ${names} keep their own: kafka-reassign-partitions.sh of Kafka changes that.`,
    );
  }
  return { steps, refusals, warnings };
}

/** The workers that are drained may have a longer one than those that are to come. */
function timeoutsOf(wanted: TopologySettings, { release }: Live): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(wanted.bolts).map(([channel, { timeoutMs }]) => [
      channel,
      Math.max(timeoutMs, release?.settings?.bolts[channel]?.timeoutMs ?? 0),
    ]),
  );
}

function topicsOfRelease({ release }: Live): ReadonlyMap<string, LiveTopic> | undefined {
  const settings = release?.settings ?? null;
  if (settings === null) return undefined;
  return new Map(streamsOf(settings).map(({ name, partitions }) => [name, { partitions, replicas: 1 }]));
}

/** @param timeouts by channel, milliseconds: how long one request may take, a video that it brings with it included */
function growth(
  { name, component, partitions }: Stream,
  from: number,
  timeouts: ReadonlyMap<string, number>,
): PlanStep {
  const timeoutMs = timeouts.get(component) ?? Math.max(0, ...timeouts.values());
  const limit = `a request may take ${formatDuration(timeoutMs)}, and when they are not answered within ${formatDuration(drainWaitMs(timeoutMs))} nothing is changed`;
  const cost =
    component === SPOUT
      ? `all sends pause for 10 s or more: as long as the connector takes to write by the new number, and every spout to begin again; before that ${limit}`
      : `sends of ${component} pause for 10 s or more: what is in its partitions is drained first, so that each account keeps its order; ${limit}`;
  return { what: name, change: `partitions ${from} → ${partitions}`, cost };
}

function shrinking({ name, component, partitions }: Stream, there: number, keeps: boolean): string {
  const fact = `${name} has ${counted(there, 'partition')}, and components.${component}.partitions is ${partitions}`;
  return keeps
    ? `${fact}: it keeps them, because Kafka takes none away.`
    : `${fact}: Kafka takes none away. Write ${there} or more; more partitions than workers cost nothing.`;
}
