import type { Producer } from 'kafkajs';
import { PartlyAppended, Unavailable } from '../../topology/core/errors';
import type { AppendRecord } from '../../topology/runtime/streams-client';
import { clientInstructionOf } from './failures';

/** Records in one request, because the client's cost per record grows with their number. */
const MAX_RECORDS_PER_REQUEST = 2_000;
/** How long brokers may take to have a record safely. */
const APPEND_TIMEOUT_MS = 5_000;

interface Waiting {
  readonly record: AppendRecord;
  readonly at: (offset: number) => void;
  readonly unconfirmed: (error: Unavailable) => void;
  readonly bug: (error: unknown) => void;
}

/** Records that wait for one another's requests. */
interface Lane {
  waiting: Waiting[];
  isSending: boolean;
}

/**
 * Appends to one topic, one request at a time; records that come meanwhile wait for the next one. So a lone record goes out
 * at once, and many go out together.
 *
 * 1. A partition that does not confirm holds up no other. The client fails a request as a whole, so after a failure each
 *    partition of it goes apart, with requests of its own, until it confirms.
 * 2. The records of a partition keep their order.
 */
export class KafkaAppender {
  private readonly together: Lane = { waiting: [], isSending: false };
  private readonly apart = new Map<number, Lane>();

  constructor(
    private readonly producer: Producer,
    private readonly topic: string,
  ) {}

  /** @throws PartlyAppended */
  append(records: readonly AppendRecord[]): Promise<number[]> {
    if (records.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const offsets: (number | undefined)[] = Array.from({ length: records.length });
      let left = records.length;
      let failure: Unavailable | undefined;
      const settle = () => {
        left--;
        if (left > 0) return;
        if (failure === undefined) resolve(offsets as number[]);
        else reject(new PartlyAppended(failure.message, offsets, { cause: failure }));
      };
      for (const [index, record] of records.entries()) {
        const waiting: Waiting = {
          record,
          at: (offset) => {
            offsets[index] = offset;
            settle();
          },
          unconfirmed: (error) => {
            failure = error;
            settle();
          },
          bug: reject,
        };
        (this.apart.get(record.partition) ?? this.together).waiting.push(waiting);
      }
      void this.send(this.together);
      for (const [partition, lane] of this.apart) void this.send(lane, partition);
    });
  }

  /** @param partition of a lane apart */
  private async send(lane: Lane, partition?: number): Promise<void> {
    if (lane.isSending || lane.waiting.length === 0) return;
    lane.isSending = true;
    // What is appended in this tick goes along.
    await Promise.resolve();
    while (lane.waiting.length > 0) {
      const batch = lane.waiting.splice(0, MAX_RECORDS_PER_REQUEST);
      try {
        const offsets = await this.sendBatch(batch);
        if (partition !== undefined && lane.waiting.length === 0) this.apart.delete(partition);
        for (const [index, { at }] of batch.entries()) at(offsets[index] as number);
      } catch (error) {
        this.failed(batch, clientInstructionOf(error, { topic: [this.topic, 'WRITE'] }), partition);
      }
    }
    lane.isSending = false;
  }

  private failed(batch: readonly Waiting[], error: unknown, partition?: number): void {
    if (!(error instanceof Unavailable)) {
      for (const { bug } of batch) bug(error);
      return;
    }
    const partitions = new Set(batch.map(({ record }) => record.partition));
    if (partition === undefined) for (const one of partitions) this.apart.set(one, { waiting: [], isSending: false });
    if (partitions.size === 1) {
      for (const { unconfirmed } of batch) unconfirmed(error);
      if (partition === undefined) this.moveApart([]);
      return;
    }
    this.moveApart(batch);
  }

  /** Moves the batch, and what waits behind it, to the lanes of its partitions. */
  private moveApart(batch: readonly Waiting[]): void {
    const { apart, together } = this;
    const behind = together.waiting;
    together.waiting = [];
    for (const one of [...batch, ...behind]) (apart.get(one.record.partition) ?? together).waiting.push(one);
    for (const [partition, lane] of apart) void this.send(lane, partition);
  }

  private async sendBatch(batch: readonly Waiting[]): Promise<number[]> {
    const { topic } = this;
    const messages = batch.map(({ record }) => record);
    const answers = await this.producer.sendBatch({
      acks: -1,
      timeout: APPEND_TIMEOUT_MS,
      topicMessages: [{ topic, messages }],
    });
    const next = new Map(answers.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]));
    return batch.map(({ record: { partition } }) => {
      const offset = next.get(partition);
      if (offset === undefined) throw new Unavailable(`Kafka: no answer for partition ${partition} of ${topic}`);
      next.set(partition, offset + 1);
      return offset;
    });
  }
}
