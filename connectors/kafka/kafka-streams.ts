import type { Kafka, Message, Producer } from 'kafkajs';
import type { Clock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type {
  AppendRecord,
  BoltListener,
  GroupMember,
  SpoutListener,
  StreamsClient,
} from '../../topology/runtime/streams-client';
import { topicName } from '../../topology/streams';
import { clientInstructionOf, isUnknownTopic } from './failures';
import type { KafkaAdmin } from './kafka-admin';
import { KafkaAppender } from './kafka-appender';
import { type KafkaOptions, kafkaClient, retry } from './kafka-client';
import { KafkaMember } from './kafka-member';
import { groupName } from './names';

/** A partition count is used this long before Kafka is asked again. */
export const COUNT_MAX_AGE_MS = 2_000;

interface Count {
  readonly at: number;
  readonly count: Promise<number>;
}

/** The streams of one deployment in Kafka. */
export class KafkaStreams implements StreamsClient {
  private producer: Promise<Producer> | undefined;
  private readonly appenders = new Map<string, KafkaAppender>();
  private readonly counts = new Map<string, Count>();

  private readonly kafka: Kafka;
  private readonly kafkaOfMembers: Kafka;

  constructor(
    options: KafkaOptions,
    private readonly admin: KafkaAdmin,
    private readonly clock: Clock,
    private readonly namespace: string,
  ) {
    this.kafka = kafkaClient(options);
    this.kafkaOfMembers = kafkaClient({ ...options, patient: true });
  }

  partitions(stream: string): Promise<number> {
    const now = this.clock.monotonic();
    const known = this.counts.get(stream);
    if (known !== undefined && now - known.at < COUNT_MAX_AGE_MS) return known.count;
    const count = this.admin.partitions(topicName(this.namespace, stream));
    this.counts.set(stream, { at: now, count });
    // An older count is never used, because partitions may have been added since: an account would be in two of them.
    return count.catch((error: unknown) => {
      this.counts.delete(stream);
      throw error;
    });
  }

  async append(stream: string, records: readonly AppendRecord[]): Promise<number[]> {
    let appender = this.appenders.get(stream);
    if (appender === undefined) {
      appender = new KafkaAppender(await this.connected(), topicName(this.namespace, stream));
      this.appenders.set(stream, this.appenders.get(stream) ?? appender);
      appender = this.appenders.get(stream) as KafkaAppender;
    }
    return appender.append(records);
  }

  consume(component: string, stream: string, listener: BoltListener): Promise<GroupMember> {
    return this.join(component, stream, {
      begin: 'committed',
      listener,
      assigned: (partitions) => listener.assigned(partitions),
    });
  }

  follow(component: string, stream: string, listener: SpoutListener): Promise<GroupMember> {
    return this.join(component, stream, {
      begin: 'end',
      listener,
      assigned: (partitions, of, starts) => listener.assigned({ partitions, of }, starts),
    });
  }

  async close(): Promise<void> {
    await (await this.producer?.catch(() => undefined))?.disconnect().catch(() => undefined);
  }

  private async join(
    component: string,
    stream: string,
    options: Pick<Parameters<typeof KafkaMember.join>[0], 'begin' | 'listener' | 'assigned'>,
  ): Promise<KafkaMember> {
    const { kafkaOfMembers: kafka, admin, clock, namespace } = this;
    const topic = topicName(namespace, stream);
    // Before the patience of members, so that the answer says early what the worker waits for.
    await this.expectTopic(topic);
    return KafkaMember.join({ kafka, admin, clock, group: groupName(namespace, component), topic, ...options });
  }

  private async expectTopic(topic: string): Promise<void> {
    try {
      await this.admin.partitions(topic);
    } catch (error) {
      if (!isUnknownTopic(error)) throw error;
      throw new Unavailable(`The topic ${topic} does not exist in Kafka. Run \`downspout provision\` to make it.`);
    }
  }

  private connected(): Promise<Producer> {
    this.producer ??= (async () => {
      const producer = this.kafka.producer({
        allowAutoTopicCreation: false,
        retry,
        metadataMaxAge: COUNT_MAX_AGE_MS,
        // Every record says where it goes.
        createPartitioner:
          () =>
          ({ message }: { message: Message }) =>
            message.partition as number,
      });
      try {
        await producer.connect();
        return producer;
      } catch (error) {
        this.producer = undefined;
        await producer.disconnect().catch(() => undefined);
        throw clientInstructionOf(error);
      }
    })();
    return this.producer;
  }
}
