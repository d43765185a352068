import type { Producer } from 'kafkajs';
import { Unavailable } from '../../topology/core/errors';
import type { AppendRecord } from '../../topology/runtime/streams-client';
import { instructionOf } from './failures';

/** Records in one request, because the client's cost per record grows with their number. */
const MAX_RECORDS_PER_REQUEST = 2_000;
/** How long brokers may take to have a record safely. */
const APPEND_TIMEOUT_MS = 5_000;

interface Waiting {
  readonly record: AppendRecord;
  readonly at: (offset: number) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Appends to one topic, one request at a time; records that come meanwhile wait for the next one. So a lone record goes out
 * at once, and many go out together.
 */
export class KafkaAppender {
  private waiting: Waiting[] = [];
  private sending = false;

  constructor(
    private readonly producer: Producer,
    private readonly topic: string,
  ) {}

  append(records: readonly AppendRecord[]): Promise<number[]> {
    if (records.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const offsets: number[] = Array.from({ length: records.length });
      let left = records.length;
      for (const [index, record] of records.entries()) {
        const at = (offset: number) => {
          offsets[index] = offset;
          if (--left === 0) resolve(offsets);
        };
        this.waiting.push({ record, at, failed: reject });
      }
      void this.send();
    });
  }

  private async send(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    // Records appended in this tick go along.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, MAX_RECORDS_PER_REQUEST);
      try {
        await this.sendBatch(batch);
      } catch (error) {
        const instruction = instructionOf(error);
        for (const { failed } of batch) failed(instruction);
      }
    }
    this.sending = false;
  }

  private async sendBatch(batch: readonly Waiting[]): Promise<void> {
    const { topic } = this;
    const messages = batch.map(({ record }) => record);
    const answers = await this.producer.sendBatch({
      acks: -1,
      timeout: APPEND_TIMEOUT_MS,
      topicMessages: [{ topic, messages }],
    });
    const next = new Map(answers.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]));
    for (const { record, at } of batch) {
      const offset = next.get(record.partition);
      if (offset === undefined) throw new Unavailable(`Kafka: no answer for partition ${record.partition} of ${topic}`);
      next.set(record.partition, offset + 1);
      at(offset);
    }
  }
}
