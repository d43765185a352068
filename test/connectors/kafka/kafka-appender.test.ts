import { EventEmitter, once } from 'node:events';
import type { Producer, ProducerBatch } from 'kafkajs';
import { KafkaAppender } from '../../../connectors/kafka/kafka-appender';
import { KafkaJSError } from '../../../connectors/kafka/kafkajs';
import { PartlyAppended, Unavailable } from '../../../topology/core/errors';
import type { AppendRecord } from '../../../topology/runtime/streams-client';
import { settled } from '../../support/manual-clock';

/** As much of the client's producer as an appender uses; like the client it fails a request as a whole. */
class ScriptedProducer {
  readonly leaderless = new Set<number>();
  /** The partitions of each request. */
  readonly requests: number[][] = [];
  /** The records of each partition, in order. */
  readonly logs = new Map<number, string[]>();
  private readonly slow = new Map<number, Promise<void>>();
  bug: Error | undefined;

  /** Requests for the partition wait until the function that is returned is called. */
  hold(partition: number): () => void {
    const gate = new EventEmitter();
    this.slow.set(
      partition,
      once(gate, 'open').then(() => undefined),
    );
    return () => {
      this.slow.delete(partition);
      gate.emit('open');
    };
  }

  readonly sendBatch = async ({ topicMessages }: ProducerBatch) => {
    const messages = (topicMessages ?? []).flatMap((topic) => topic.messages);
    const partitions = [...new Set(messages.map(({ partition }) => partition as number))];
    this.requests.push(partitions);
    for (const partition of partitions) await this.slow.get(partition);
    if (this.bug !== undefined) throw this.bug;
    if (partitions.some((partition) => this.leaderless.has(partition))) throw new KafkaJSError('no leader');
    return partitions.map((partition) => {
      const log = this.logs.get(partition) ?? [];
      const baseOffset = String(log.length);
      log.push(...messages.filter((one) => one.partition === partition).map(({ value }) => String(value)));
      this.logs.set(partition, log);
      return { topicName: 't', partition, errorCode: 0, baseOffset };
    });
  };
}

const record = (text: string, partition: number): AppendRecord => ({ partition, value: Buffer.from(text) });

const failureOf = (answer: Promise<unknown>) => answer.catch((error: unknown) => error);

describe('KafkaAppender', () => {
  let producer: ScriptedProducer;
  let appender: KafkaAppender;

  beforeEach(() => {
    producer = new ScriptedProducer();
    appender = new KafkaAppender(producer as unknown as Producer, 't');
  });

  it('1. A partition that does not confirm holds up no other: it goes apart until it confirms.', async () => {
    producer.leaderless.add(1);
    const error = await failureOf(appender.append([record('a', 0), record('b', 1), record('c', 2), record('d', 0)]));
    expect(error).toBeInstanceOf(PartlyAppended);
    expect(error).toMatchObject({ message: expect.stringContaining('no leader'), offsets: [0, undefined, 0, 1] });
    // Its next request hangs, and the others do not wait for it.
    const answer = producer.hold(1);
    const stuck = failureOf(appender.append([record('e', 1)]));
    await settled();
    expect(await appender.append([record('f', 0), record('g', 2)])).toEqual([2, 1]);
    answer();
    expect(await stuck).toMatchObject({ offsets: [undefined] });
    producer.leaderless.clear();
    expect(await appender.append([record('h', 0), record('i', 1)])).toEqual([3, 0]);
    producer.requests.length = 0;
    expect(await appender.append([record('j', 0), record('k', 1)])).toEqual([4, 1]);
    expect(producer.requests).toEqual([[0, 1]]);
  });

  it('2. The records of a partition keep their order, also of those that came while a request failed.', async () => {
    producer.leaderless.add(1);
    const answer = producer.hold(1);
    const first = failureOf(appender.append([record('a', 0), record('b', 1)]));
    await settled();
    const second = failureOf(appender.append([record('c', 0), record('d', 1)]));
    answer();
    await Promise.all([first, second]);
    expect(producer.logs.get(0)).toEqual(['a', 'c']);
    producer.leaderless.clear();
    const appends = ['e', 'f', 'g'].map((text) => appender.append([record(text, 1), record(text, 0)]));
    expect(await Promise.all(appends)).toEqual([
      [0, 2],
      [1, 3],
      [2, 4],
    ]);
    expect(producer.logs.get(1)).toEqual(['e', 'f', 'g']);
  });

  it('an answer without one of the partitions confirms nothing of it', async () => {
    const { sendBatch } = producer;
    const lossy = {
      sendBatch: async (batch: ProducerBatch) => (await sendBatch(batch)).filter((one) => one.partition !== 1),
    };
    const error = await failureOf(
      new KafkaAppender(lossy as unknown as Producer, 't').append([record('a', 0), record('b', 1)]),
    );
    // The request is repeated partition by partition, so the first one is there twice.
    expect(error).toMatchObject({ message: 'Kafka: no answer for partition 1 of t', offsets: [1, undefined] });
    expect(error).toBeInstanceOf(Unavailable);
  });

  it('an error that is a bug is thrown as it is', async () => {
    producer.bug = new TypeError('x is not a function');
    expect(await failureOf(appender.append([record('a', 0), record('b', 1)]))).toBe(producer.bug);
  });
});
