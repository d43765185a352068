import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { Clock } from '../../topology/core/clock';
import { reasonOf, Unavailable } from '../../topology/core/errors';
import type { GroupListener, GroupMember, LogRecord, PartitionOffset } from '../../topology/runtime/streams-client';
import { clientInstructionOf, instructionOf, isOfRebalance, isOtherCoordinator, type Needs } from './failures';
import type { KafkaAdmin } from './kafka-admin';
import { consumerOf } from './kafka-consumer';
import type { UnreadableBatch } from './kafkajs-fixes';

export interface KafkaMemberOptions {
  /** A patient one: a member that gave up would join again as another, and wait until the group takes the old one for dead. */
  readonly kafka: Kafka;
  readonly admin: KafkaAdmin;
  readonly clock: Clock;
  /** Full names. */
  readonly group: string;
  readonly topic: string;
  /** Where a partition that is new to this member begins: at the group's committed offset, or at its end. */
  readonly begin: 'committed' | 'end';
  readonly listener: GroupListener;
  /** @param of how many partitions the topic has; @param starts where each begins. Both only when they begin at the end */
  readonly assigned: (partitions: readonly number[], of: number, starts: readonly PartitionOffset[]) => void;
}

/** Between two tries to find the ends of partitions. */
const RETRY_ENDS_MS = 500;
/** Between two tries to join again. */
const REJOIN_MS = 2_000;

/**
 * A member of a consumer group.
 *
 * 1. The listener gets every assignment, the first one included, before any record of it.
 * 2. A partition that stays continues at the listener's position; it begins at its end when its log ends before that.
 * 3. A partition that is new to a member which begins at the end begins at the end as it was before `assigned`.
 * 4. Only the positions given to `commit` are committed.
 * 5. Nothing is thrown into the client's loops, because they stop for ever at some errors.
 * 6. When the client's loops stop all the same, the member joins again; only a bug is handed to the listener's `crashed`.
 * 7. When another broker looks after the group, the member joins again: the client commits to the one it knows for ever.
 */
export class KafkaMember implements GroupMember {
  private consumer: Consumer;
  private owned: readonly number[] = [];
  private since = 0;
  /** Partitions whose records may be given to the listener. */
  private ready = new Set<number>();
  private generation = 0;
  private paused = false;
  private left = false;
  private rejoining = false;
  private readonly leaving = new AbortController();
  /** Until the first assignment. */
  private joining: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  private constructor(private readonly options: KafkaMemberOptions) {
    this.consumer = this.createConsumer();
  }

  /** Resolves after the first `assigned`. Throws Unavailable. */
  static async join(options: KafkaMemberOptions): Promise<KafkaMember> {
    const member = new KafkaMember(options);
    const assigned = new Promise<void>((resolve, reject) => {
      member.joining = { resolve, reject };
    });
    try {
      await Promise.all([member.run(), assigned]);
    } catch (error) {
      await member.leave();
      throw instructionOf(error, needsOf(options));
    }
    return member;
  }

  pause(): void {
    this.paused = true;
    this.flow(this.ready);
  }

  resume(): void {
    this.paused = false;
    this.flow(this.ready);
  }

  async commit(positions: readonly PartitionOffset[]): Promise<void> {
    const { topic } = this.options;
    try {
      await this.consumer.commitOffsets(
        positions.map(({ partition, offset }) => ({ topic, partition, offset: String(offset) })),
      );
    } catch (error) {
      if (isOtherCoordinator(error)) this.onCrash(error);
      if (!isOfRebalance(error)) throw clientInstructionOf(error, needsOf(this.options));
    }
  }

  async leave(): Promise<void> {
    if (this.left) return;
    this.left = true;
    this.leaving.abort();
    this.generation++;
    // It may not be connected any more; then its session runs out.
    await this.consumer.disconnect().catch(() => undefined);
  }

  private createConsumer(): Consumer {
    const { kafka, group, topic, listener } = this.options;
    const owned = () => ({ partitions: this.owned, since: this.since });
    const consumer = consumerOf(kafka, group, owned, () => !this.left);
    // Before run(), because the first join happens while run() is awaited.
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => this.onJoin(payload.memberAssignment[topic] ?? []));
    consumer.on(consumer.events.REBALANCING, () => listener.rebalancing());
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      // What a listener throws never comes here.
      if (!payload.restart) this.onCrash(clientInstructionOf(payload.error, needsOf(this.options)));
    });
    return consumer;
  }

  /** @throws Unavailable, or a bug */
  private async run(): Promise<void> {
    const { consumer } = this;
    const { topic, begin } = this.options;
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: begin === 'committed' });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 16,
        eachBatch: (payload) => this.onBatch(payload),
      });
    } catch (error) {
      throw clientInstructionOf(error, needsOf(this.options));
    }
  }

  /** What the client gives up at is tried again here, with a new consumer, until it works or the member leaves. */
  private async rejoin(): Promise<void> {
    if (this.rejoining) return;
    this.rejoining = true;
    this.generation++;
    this.ready = new Set();
    await this.options.clock.sleep(REJOIN_MS, this.leaving.signal);
    if (this.left) return;
    await this.consumer.disconnect().catch(() => undefined);
    this.consumer = this.createConsumer();
    this.rejoining = false;
    await this.run().catch((error: unknown) => this.onCrash(error));
    // It left meanwhile, and ended the consumer before.
    if (this.left) await this.consumer.disconnect().catch(() => undefined);
  }

  private onJoin(partitions: readonly number[]): void {
    if (this.left) return;
    const { topic, listener, begin, clock, assigned } = this.options;
    this.generation++;
    this.owned = partitions.toSorted((a, b) => a - b);
    this.since = clock.now();
    const kept = new Map<number, number>();
    for (const partition of this.owned) {
      const offset = listener.positionOf(partition);
      if (offset === undefined) continue;
      kept.set(partition, offset);
      this.consumer.seek({ topic, partition, offset: String(offset) });
    }
    if (begin === 'committed') {
      assigned(this.owned, 0, []);
      this.begin(this.owned);
      return;
    }
    const fresh = this.owned.filter((partition) => !kept.has(partition));
    this.ready = new Set(kept.keys());
    this.flow(this.ready);
    this.consumer.pause([{ topic, partitions: fresh }]);
    void this.beginAtEnd(kept, this.generation);
  }

  private async beginAtEnd(kept: ReadonlyMap<number, number>, generation: number): Promise<void> {
    const { topic, admin, clock, assigned, listener } = this.options;
    while (generation === this.generation) {
      try {
        const logs = await admin.logs(topic);
        if (generation !== this.generation) return;
        const starts = this.owned.map((partition) => {
          const end = logs[partition]?.high;
          if (end === undefined) throw new Unavailable(`Kafka: partition ${partition} of ${topic} is not known yet`);
          const position = kept.get(partition);
          // A log that ends before the position is another log, or has lost records.
          if (position !== undefined && position <= end) {
            return { partition, offset: listener.positionOf(partition) ?? position };
          }
          this.consumer.seek({ topic, partition, offset: String(end) });
          return { partition, offset: end };
        });
        assigned(this.owned, logs.length, starts);
        this.begin(this.owned);
        return;
      } catch (error) {
        if (!(error instanceof Unavailable)) {
          this.onCrash(error);
          return;
        }
        await clock.sleep(RETRY_ENDS_MS, this.leaving.signal);
      }
    }
  }

  private begin(partitions: readonly number[]): void {
    this.ready = new Set(partitions);
    this.flow(this.ready);
    this.joining?.resolve();
    this.joining = undefined;
  }

  private flow(partitions: Iterable<number>): void {
    const selection = [{ topic: this.options.topic, partitions: [...partitions] }];
    try {
      if (this.paused) this.consumer.pause(selection);
      else this.consumer.resume(selection);
    } catch (error) {
      // Between two runs there is nothing to pause; the next join pauses again.
      if (!(instructionOf(error) instanceof Unavailable)) throw error;
    }
  }

  private async onBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const { partition, messages } = batch;
    if (this.left || !payload.isRunning() || payload.isStale() || !this.ready.has(partition)) return;
    try {
      const records = messages.map(recordOf);
      const taken = this.options.listener.records(partition, records, Number(batch.highWatermark));
      const last = taken === messages.length ? batch.lastOffset() : messages[taken - 1]?.offset;
      if (last !== undefined) payload.resolveOffset(last);
    } catch (error) {
      this.onCrash(error);
    }
  }

  private onCrash(error: unknown): void {
    const instruction = instructionOf(error, needsOf(this.options));
    if (this.left) return;
    if (this.joining !== undefined) this.joining.reject(instruction);
    else if (instruction instanceof Unavailable) void this.rejoin();
    else this.options.listener.crashed(new Error(`consumer of ${this.options.topic}: ${reasonOf(error)}`));
  }
}

const needsOf = ({ topic, group }: KafkaMemberOptions): Needs => ({ topic: [topic, 'READ'], group: [group, 'READ'] });

function recordOf(message: KafkaMessage): LogRecord {
  const { offset, timestamp, value } = message;
  const { unreadable } = message as Partial<UnreadableBatch>;
  const record = { offset: Number(offset), timestamp: Number(timestamp), value };
  return unreadable === undefined ? record : { ...record, unreadable };
}
