import type { Admin, Consumer, EachMessagePayload, Kafka } from 'kafkajs';
import { type Clock, systemClock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type { KafkaSecurity } from '../../topology/settings/connections';
import { clientInstructionOf, isDenied, refusalOf } from './failures';
import { kafkaClient, retry } from './kafka-client';
import { type Durability, durabilitySettings, keepDurability, refuseTooFewBrokers } from './topic-durability';
import { type TopicAsItIs, type TopicFault, type TopicSpec, topicFaults } from './topic-faults';
import { partitionsOf, readTopic } from './topic-reader';

export type { TopicSpec };

/** Of every topic that we make. */
const TOPIC_SETTINGS = {
  // Records bear the broker's time: it refuses those of a writer whose own clock is an hour or more ahead.
  'message.timestamp.type': 'LogAppendTime',
  // As they were written, which is without compression, whatever the broker's own setting is.
  'compression.type': 'producer',
};
/** How long until a new group reads, at most. */
const FIRST_FETCH_LIMIT_MS = 30_000;
/** How long until Kafka knows a topic that was made. */
const KNOWN_LIMIT_MS = 30_000;
const POLL_MS = 100;

export interface TopicSetUp {
  /** What was made or enlarged. */
  readonly changed: readonly string[];
  /** What is not as it is needed and may not, or cannot, be changed from here. */
  readonly faults: readonly TopicFault[];
  /** What is left as it is although topology.yaml says otherwise, a sentence each. */
  readonly left: readonly string[];
  /** Topics whose settings may not be read, so that nobody knows whether they fit. */
  readonly unread: readonly string[];
}

/**
 * Makes topics, adds partitions to those that have fewer than they should and that nobody reads, and sets how safely they are kept.
 * What other people made is compared with what is needed, and nothing else of it is changed.
 * @param options mayChange: false when topics are only compared
 * @throws UserError when there are too few brokers
 * @throws Unavailable when Kafka does not answer
 */
export function setUpTopics(
  brokers: readonly string[],
  specs: readonly TopicSpec[],
  security?: KafkaSecurity,
  durability: Durability = {},
  { mayChange = true, clock = systemClock }: { readonly mayChange?: boolean; readonly clock?: Clock } = {},
): Promise<TopicSetUp> {
  return withAdmin(clientOf(brokers, security), async (admin) => {
    const faults: TopicFault[] = [];
    const known = new Set(await admin.listTopics());
    const missing = specs.filter(({ name }) => !known.has(name));
    const made: TopicSpec[] = [];
    if (mayChange && missing.length > 0) await refuseTooFewBrokers(admin, durability);
    for (const spec of missing) {
      const refusal = mayChange ? await create(admin, spec, durability) : 'does not exist';
      if (refusal === null) made.push(spec);
      else faults.push({ topic: spec.name, text: refusal, remedy: commandFor(spec, durability) });
    }
    await untilKnown(admin, made, clock);
    const unread: string[] = [];
    const enlarged: string[] = [];
    for (const spec of specs.filter((one) => known.has(one.name) || made.includes(one))) {
      const live = await readTopic(admin, spec.name, clock);
      if (live.settings === null) unread.push(spec.name);
      faults.push(...topicFaults(spec, live));
      if (live.partitions >= spec.partitions) continue;
      if (mayChange && (await isRead(admin, spec))) {
        faults.push(grownByDeploy(spec, live));
        continue;
      }
      const refusal = mayChange ? await enlarge(admin, spec) : '';
      if (refusal === null) enlarged.push(spec.name);
      else faults.push(tooFew(spec, live, refusal));
    }
    const there = [...known].filter((name) => specs.some((spec) => spec.name === name));
    const left = mayChange ? await safelyKept(admin, there, durability) : [];
    return { changed: [...made.map(({ name }) => name), ...enlarged], faults, left, unread };
  });
}

/** @returns what is left as it is, a sentence each */
async function safelyKept(admin: Admin, names: string[], durability: Durability): Promise<string[]> {
  if (names.length === 0) return [];
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  try {
    return await keepDurability(admin, topics, durability);
  } catch (error) {
    if (!isDenied(error)) throw error;
    return ['min.insync.replicas is not set: this user lacks ALTER_CONFIGS or DESCRIBE_CONFIGS on the topics'];
  }
}

/** @returns null, or why it was not made */
async function create(admin: Admin, spec: TopicSpec, durability: Durability): Promise<string | null> {
  const { name, partitions } = spec;
  const { replicationFactor } = durability;
  try {
    const wasMade = await admin.createTopics({
      topics: [
        {
          topic: name,
          numPartitions: partitions,
          ...(replicationFactor === undefined ? {} : { replicationFactor }),
          configEntries: Object.entries(settingsOf(spec, durability)).map(([entry, value]) => ({ name: entry, value })),
        },
      ],
      // Which asks for all topics' metadata at once and gives up at the first that is not known yet.
      waitForLeaders: false,
    });
    return wasMade ? null : 'exists, and this user may not DESCRIBE it';
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw firstOf(error);
    return `does not exist, and could not be made: ${refusal}`;
  }
}

/** The client gathers the errors of topics in one that says nothing. */
function firstOf(error: unknown): unknown {
  const { errors } = Object(error) as { errors?: readonly unknown[] };
  return errors?.[0] ?? error;
}

/** Whether workers read the topic: accounts would move between them while their messages are under way. */
async function isRead(admin: Admin, { group }: TopicSpec): Promise<boolean> {
  if (group === undefined) return false;
  const { groups } = await admin.describeGroups([group]);
  return groups.some(({ members }) => members.length > 0);
}

async function enlarge(admin: Admin, { name, partitions }: TopicSpec): Promise<string | null> {
  try {
    await admin.createPartitions({ topicPartitions: [{ topic: name, count: partitions }] });
    return null;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return `, which could not be added: ${refusal}`;
  }
}

async function untilKnown(admin: Admin, specs: readonly TopicSpec[], clock: Clock): Promise<void> {
  const limit = clock.monotonic() + KNOWN_LIMIT_MS;
  for (const { name, partitions } of specs) {
    while ((await partitionsOf(admin, name)).filter(({ leader }) => leader >= 0).length < partitions) {
      if (clock.monotonic() > limit) throw new Unavailable(`Kafka: the topic ${name} was made and has no leader yet`);
      await clock.sleep(POLL_MS);
    }
  }
}

function settingsOf({ retentionMs, settings }: TopicSpec, durability: Durability): Record<string, string> {
  return {
    ...TOPIC_SETTINGS,
    'cleanup.policy': 'delete',
    ...(retentionMs !== undefined && retentionMs < 0 ? { 'retention.ms': '-1', 'retention.bytes': '-1' } : {}),
    ...settings,
    ...durabilitySettings(durability),
  };
}

function grownByDeploy({ name, partitions }: TopicSpec, live: TopicAsItIs): TopicFault {
  return {
    topic: name,
    text: `has ${live.partitions} partitions, needs ${partitions}, and its workers run`,
    remedy: '`downspout deploy` adds them, so that no message overtakes another',
  };
}

function tooFew(spec: TopicSpec, live: TopicAsItIs, refusal: string): TopicFault {
  return {
    topic: spec.name,
    text: `has ${live.partitions} partitions, needs ${spec.partitions}${refusal}`,
    remedy: `kafka-topics.sh --alter --topic ${spec.name} --partitions ${spec.partitions}`,
  };
}

function commandFor(spec: TopicSpec, durability: Durability): string {
  const { replicationFactor } = durability;
  const settings = Object.entries(settingsOf(spec, durability)).map(([name, value]) => ` --config ${name}=${value}`);
  const replicas = replicationFactor === undefined ? '' : ` --replication-factor ${replicationFactor}`;
  return `kafka-topics.sh --create --topic ${spec.name} --partitions ${spec.partitions}${replicas}${settings.join('')}`;
}

export interface TopicWatch {
  /** Why it stood still the last time, if it did: a broker died, for example. */
  readonly failure: () => unknown;
  readonly close: () => Promise<void>;
}

/**
 * Shows every new record of a topic until it is closed. Throws Unavailable.
 * @param group of its own, removed in the end
 * @returns once new records cannot be missed any more
 */
export async function watchTopic(
  brokers: readonly string[],
  topic: string,
  group: string,
  onValue: (value: Buffer | null) => void,
  security?: KafkaSecurity,
): Promise<TopicWatch> {
  const client = clientOf(brokers, security);
  const consumer = client.consumer({ groupId: group, maxWaitTimeInMs: 100, retry });
  let failure: unknown;
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: false });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      failure = clientInstructionOf(payload.error);
    });
    const eachMessage = async ({ message }: EachMessagePayload) => onValue(message.value);
    await Promise.all([firstFetch(consumer, systemClock), consumer.run({ autoCommit: false, eachMessage })]);
  } catch (error) {
    await consumer.disconnect();
    throw clientInstructionOf(error);
  }
  return {
    failure: () => failure,
    close: async () => {
      await consumer.disconnect();
      // Kafka itself removes a group that nobody uses; that it cannot be done now is no reason to fail.
      await withAdmin(client, (admin) => admin.deleteGroups([group])).catch((error: unknown) => {
        if (!(error instanceof Unavailable)) throw error;
      });
    },
  };
}

/** Resolves with the first fetch. Throws what ends the consumer before that, and Unavailable when none comes in time. */
export function firstFetch(consumer: Pick<Consumer, 'on' | 'events'>, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const text = `Kafka: the new group reads nothing after ${FIRST_FETCH_LIMIT_MS / 1_000} s`;
    const timer = clock.after(FIRST_FETCH_LIMIT_MS, () => reject(new Unavailable(text)));
    consumer.on(consumer.events.FETCH, () => {
      timer.cancel();
      resolve();
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      timer.cancel();
      reject(payload.error);
    });
    consumer.on(consumer.events.DISCONNECT, () => timer.cancel());
  });
}

function clientOf(brokers: readonly string[], security: KafkaSecurity = {}): Kafka {
  return kafkaClient({ brokers, clientId: 'downspout-set-up', log: () => undefined, security });
}

async function withAdmin<T>(client: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client.admin({ retry });
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw clientInstructionOf(error);
  } finally {
    await admin.disconnect();
  }
}
