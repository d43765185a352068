export interface TopicSpec {
  /** With the namespace. */
  readonly name: string;
  readonly partitions: number;
  /** The consumer group that reads it: while that has members, no partitions are added beside them. */
  readonly group?: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** How long records must stay at least, milliseconds; -1: for ever. An hour unless given. */
  readonly retentionMs?: number;
}

/** A topic as Kafka has it. */
export interface TopicAsItIs {
  readonly partitions: number;
  /** Of the partition that has fewest. */
  readonly replicas: number;
  /** Null when they may not be read. */
  readonly settings: Readonly<Record<string, string>> | null;
}

/** Something about a topic that is not as it is needed, and how somebody who may changes it. */
export interface TopicFault {
  readonly topic: string;
  readonly text: string;
  readonly remedy: string;
}

/** Longer than any reader is away; what is lost all the same the spouts find by reconciling. */
const HOUR_MS = 3_600_000;
/** Ten years: Debezium says the greatest number where it means for ever. */
const FOR_EVER_MS = 10 * 365 * 24 * HOUR_MS;
/** A batch of tuples in one request. */
const LEAST_MESSAGE_BYTES = 1_000_000;

/** What a topic lacks that another team has made. Partitions that are missing are added elsewhere. */
export function topicFaults(spec: TopicSpec, live: TopicAsItIs): TopicFault[] {
  return [...shapeFaults(spec, live), ...settingFaults(spec, live)];
}

function shapeFaults({ name, partitions }: TopicSpec, live: TopicAsItIs): TopicFault[] {
  if (live.partitions <= partitions) return [];
  const text = `has ${live.partitions} partitions and topology.yaml says ${partitions}: partitions cannot be taken away`;
  return [{ topic: name, text, remedy: `write ${live.partitions} into topology.yaml` }];
}

function settingFaults({ name, retentionMs = HOUR_MS }: TopicSpec, live: TopicAsItIs): TopicFault[] {
  if (live.settings === null) return [];
  const there = live.settings;
  const faults: TopicFault[] = [];
  const must = (setting: string, isRight: (value: string) => boolean, needed: string, value: string) => {
    const actual = there[setting];
    if (actual === undefined || isRight(actual)) return;
    faults.push({
      topic: name,
      text: `${setting} is ${actual}, needs ${needed}`,
      remedy: `kafka-configs.sh --alter --topic ${name} --add-config ${setting}=${value}`,
    });
  };
  must(
    'cleanup.policy',
    (value) => value === 'delete',
    'delete, because a compacted topic loses records that are not read yet',
    'delete',
  );
  must(
    'retention.ms',
    (value) => lasts(Number(value), retentionMs),
    retentionMs < 0 ? '-1 (for ever)' : `${retentionMs} or more`,
    String(retentionMs),
  );
  if (retentionMs < 0) must('retention.bytes', (value) => Number(value) < 0, '-1 (all of it)', '-1');
  must(
    'max.message.bytes',
    (value) => Number(value) >= LEAST_MESSAGE_BYTES,
    `${LEAST_MESSAGE_BYTES} or more`,
    String(LEAST_MESSAGE_BYTES),
  );
  must(
    'min.insync.replicas',
    (value) => Number(value) <= live.replicas,
    `${live.replicas} or less, because there are no more replicas: nothing can be written`,
    String(live.replicas),
  );
  return faults;
}

function lasts(actualMs: number, neededMs: number): boolean {
  return actualMs < 0 || actualMs >= (neededMs < 0 ? FOR_EVER_MS : neededMs);
}
