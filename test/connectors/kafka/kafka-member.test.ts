import type { Kafka } from 'kafkajs';
import type { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { KafkaMember, type KafkaMemberOptions } from '../../../connectors/kafka/kafka-member';
import { KafkaJSError } from '../../../connectors/kafka/kafkajs';
import { Unavailable } from '../../../topology/core/errors';
import type { GroupListener } from '../../../topology/runtime/streams-client';
import { ManualClock, settled } from '../../support/manual-clock';

type Handler = (event: { payload: unknown }) => void;
type Batch = (payload: unknown) => Promise<void>;

const nothing = async () => undefined;

/** As much of the client's consumer as a member uses: the test sends its events and batches. */
function scriptedConsumer() {
  const handlers = new Map<string, Handler>();
  const run: { eachBatch: Batch } = { eachBatch: async () => undefined };
  let runs = 0;
  const seeks: unknown[] = [];
  /** What a commit is answered, when it is refused. */
  const refusal: { error?: Error } = {};
  const consumer = {
    events: { GROUP_JOIN: 'join', REBALANCING: 'rebalancing', CRASH: 'crash' },
    on: (event: string, handler: Handler) => void handlers.set(event, handler),
    connect: nothing,
    subscribe: nothing,
    disconnect: nothing,
    run: async (options: { eachBatch: Batch }) => {
      runs++;
      Object.assign(run, options);
    },
    pause: () => undefined,
    resume: () => undefined,
    seek: (place: unknown) => void seeks.push(place),
    commitOffsets: async () => {
      if (refusal.error !== undefined) throw refusal.error;
    },
  };
  return {
    refusal,
    kafka: { consumer: () => consumer } as unknown as Kafka,
    seeks,
    runs: () => runs,
    send: (event: string, payload: unknown) => handlers.get(event)?.({ payload }),
    batch: (partition: number) =>
      run.eachBatch({
        batch: {
          partition,
          messages: [{ offset: '0', timestamp: '0', value: null }],
          highWatermark: '1',
          lastOffset: () => '0',
        },
        isRunning: () => true,
        isStale: () => false,
        resolveOffset: () => undefined,
      }),
  };
}

function optionsOf(kafka: Kafka, clock: ManualClock, crashes: unknown[]): KafkaMemberOptions {
  return {
    kafka,
    admin: {} as KafkaAdmin,
    clock,
    group: 'g',
    topic: 't',
    begin: 'committed',
    listener: {
      rebalancing: () => undefined,
      positionOf: () => undefined,
      records: (_, records) => records.length,
      crashed: (error) => crashes.push(error),
    },
    assigned: () => undefined,
  };
}

async function joined(listener: Partial<GroupListener>) {
  const consumer = scriptedConsumer();
  const clock = new ManualClock();
  const crashes: unknown[] = [];
  const assignments: (readonly number[])[] = [];
  const options = optionsOf(consumer.kafka, clock, crashes);
  const joining = KafkaMember.join({
    ...options,
    listener: { ...options.listener, ...listener },
    assigned: (partitions) => assignments.push(partitions),
  });
  await settled();
  consumer.send('join', { memberAssignment: { t: [0] } });
  return { consumer, clock, crashes, assignments, member: await joining };
}

const start = (partition: number, offset: number) => ({ partition, offset });
const seek = (partition: number, offset: number) => ({ topic: 't', partition, offset: String(offset) });

describe('KafkaMember', () => {
  it("2. A partition that stays continues at the listener's position; it begins at its end when its log ends before that.", async () => {
    const consumer = scriptedConsumer();
    const positions = new Map<number, number>();
    const ends = [100, 200, 300];
    const assigned: unknown[] = [];
    const joining = KafkaMember.join({
      kafka: consumer.kafka,
      admin: {
        logs: async () => ends.map((high, partition) => ({ partition, low: 0, high })),
      } as unknown as KafkaAdmin,
      clock: new ManualClock(),
      group: 'g',
      topic: 't',
      begin: 'end',
      listener: {
        rebalancing: () => undefined,
        positionOf: (partition) => positions.get(partition),
        records: (_, records) => records.length,
        crashed: (error) => assigned.push(error),
      },
      assigned: (_, of, starts) => {
        assigned.push([of, starts]);
        for (const { partition, offset } of starts) positions.set(partition, offset);
      },
    });
    await settled();
    consumer.send('join', { memberAssignment: { t: [0, 1] } });
    const member = await joining;
    // Partition 0 was made again and ends at 3; partition 1 has moved on since; partition 2 is new.
    ends[0] = 3;
    ends[1] = 250;
    consumer.seeks.length = 0;
    consumer.send('join', { memberAssignment: { t: [0, 1, 2] } });
    await settled();
    expect(assigned).toEqual([
      [3, [start(0, 100), start(1, 200)]],
      [3, [start(0, 3), start(1, 200), start(2, 300)]],
    ]);
    expect(consumer.seeks).toEqual([seek(0, 100), seek(1, 200), seek(0, 3), seek(2, 300)]);
    await member.leave();
  });

  it("5. Nothing is thrown into the client's loops, because they stop for ever at some errors.", async () => {
    const { consumer, crashes, member } = await joined({
      records: () => {
        throw new TypeError('x is not a function');
      },
    });
    await expect(consumer.batch(0)).resolves.toBeUndefined();
    expect(crashes.map(String)).toEqual(['Error: consumer of t: x is not a function']);
    await member.leave();
  });

  it("6. When the client's loops stop all the same, the member joins again; only a bug is handed to the listener's `crashed`.", async () => {
    const { consumer, crashes, member, clock, assignments } = await joined({});
    expect(consumer.runs()).toBe(1);
    consumer.send('crash', { restart: true, error: new Error('the client starts again') });
    consumer.send('crash', { restart: false, error: new KafkaJSError('Not authorized to access group') });
    await clock.advance(2_000);
    expect(consumer.runs()).toBe(2);
    consumer.send('join', { memberAssignment: { t: [0, 1] } });
    expect(assignments).toEqual([[0], [0, 1]]);
    expect(crashes).toEqual([]);
    consumer.send('crash', { restart: false, error: new TypeError('x is not a function') });
    expect(crashes.map(String)).toEqual(['Error: consumer of t: x is not a function']);
    await member.leave();
    consumer.send('crash', { restart: false, error: new TypeError('after it left') });
    expect(crashes).toHaveLength(1);
  });

  it('7. When another broker looks after the group, the member joins again: the client commits to the one it knows for ever.', async () => {
    const { consumer, member, clock, assignments, crashes } = await joined({});
    consumer.refusal.error = Object.assign(new KafkaJSError('This is not the correct coordinator for this group'), {
      type: 'NOT_COORDINATOR_FOR_GROUP',
    });
    for (let n = 0; n < 3; n++) await expect(member.commit([start(0, n)])).rejects.toBeInstanceOf(Unavailable);
    delete consumer.refusal.error;
    await clock.advance(2_000);
    expect(consumer.runs()).toBe(2);
    consumer.send('join', { memberAssignment: { t: [0] } });
    expect(assignments).toEqual([[0], [0]]);
    await expect(member.commit([start(0, 3)])).resolves.toBeUndefined();
    expect(crashes).toEqual([]);
    await member.leave();
  });

  it('fails to join with what the client gives up at, so that its worker can wait', async () => {
    const consumer = scriptedConsumer();
    const crashes: unknown[] = [];
    const joining = KafkaMember.join(optionsOf(consumer.kafka, new ManualClock(), crashes));
    const failed = joining.catch((error: unknown) => error);
    await settled();
    consumer.send('crash', { restart: false, error: new KafkaJSError('Not authorized to access group') });
    expect(await failed).toBeInstanceOf(Unavailable);
    expect(crashes).toEqual([]);
  });

  it('joins again at a plain error of the client, which from its listener would be a bug', async () => {
    const { consumer, crashes, member, clock } = await joined({
      records: () => {
        throw new Error('a bug of ours');
      },
    });
    consumer.send('crash', { restart: false, error: new Error('Broker not connected') });
    await clock.advance(2_000);
    expect([consumer.runs(), crashes]).toEqual([2, []]);
    consumer.send('join', { memberAssignment: { t: [0] } });
    await consumer.batch(0);
    expect(crashes.map(String)).toEqual(['Error: consumer of t: a bug of ours']);
    await member.leave();
  });

  it('joins no more after it has left', async () => {
    const { consumer, member, clock } = await joined({});
    consumer.send('crash', { restart: false, error: new KafkaJSError('gone') });
    await member.leave();
    await clock.advance(10_000);
    expect(consumer.runs()).toBe(1);
    expect(clock.timers).toBe(0);
  });
});
