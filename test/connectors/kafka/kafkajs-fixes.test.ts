import { randomBytes } from 'node:crypto';
import {
  groupByPartition,
  plainRecordEncoder,
  readableBatches,
  whenPending,
} from '../../../connectors/kafka/kafkajs-fixes';

type Options = Parameters<typeof groupByPartition<{ readonly value: number }>>[0];

/** What kafkajs has, without the fixes. */
function original(path: string): unknown {
  let loaded: unknown;
  jest.isolateModules(() => {
    loaded = require(`kafkajs/src/${path}`);
  });
  return loaded;
}

describe('what is fixed in kafkajs', () => {
  it('1. Idle connections are idle: the method that re-arms the timer is still there.', () => {
    const queue = original('network/requestQueue') as { prototype: { scheduleCheckPendingRequests: unknown } };
    expect(queue.prototype.scheduleCheckPendingRequests).toBeInstanceOf(Function);
    const armed: unknown[] = [];
    const schedule = whenPending(function note() {
      armed.push(this.pending);
    });
    schedule.call({ pending: [], scheduleCheckPendingRequests: schedule });
    schedule.call({ pending: [1], scheduleCheckPendingRequests: schedule });
    expect(armed).toEqual([[1]]);
  });

  it('2. Appending costs in proportion to the number of records: the grouping is the same.', () => {
    const group = original('producer/groupMessagesPerPartition') as (options: Options) => unknown;
    const messages = Array.from({ length: 1_000 }, (_, value) => ({ value }));
    const options: Options = {
      topic: 'a',
      partitionMetadata: [{}],
      messages,
      partitioner: ({ message }) => (message.value * 7) % 5,
    };
    expect(groupByPartition(options)).toEqual(group(options));
    expect(groupByPartition({ ...options, partitionMetadata: [] })).toEqual(
      group({ ...options, partitionMetadata: [] }),
    );
  });

  it('3. A record is encoded into one buffer of its size: the bytes are the same.', () => {
    const general = original('protocol/recordBatch/record/v0') as Parameters<typeof plainRecordEncoder>[0];
    const encode = plainRecordEncoder(general);
    for (const length of [0, 1, 62, 63, 64, 127, 128, 8_191, 8_192, 100_000, 2_000_000]) {
      const value = randomBytes(length);
      for (const offsetDelta of [0, 1, 63, 64, 8_191, 8_192, 1_048_576]) {
        const record = { offsetDelta, timestampDelta: 0, value };
        expect(encode(record).buffer.equals(general(record).buffer)).toBe(true);
      }
    }
    const others = [
      { value: Buffer.from('a'), key: 'k' },
      { value: Buffer.from('a'), timestampDelta: 5 },
      { value: Buffer.from('a'), headers: { a: 'b' } },
      { value: null },
      { value: 'text' },
    ];
    for (const record of others) expect(encode(record).buffer.equals(general(record).buffer)).toBe(true);
  });

  it.each([
    [3, 'LZ4 compression not implemented'],
    [1, 'incorrect header check'],
    [6, 'its compression (6) is not known'],
  ])('4. A batch that cannot be read is one record without content: with the codec %s.', async (codec, reason) => {
    const { RecordBatch: encodeBatch } = original('protocol/recordBatch/v0') as {
      RecordBatch: (batch: object) => Promise<{ buffer: Buffer }>;
    };
    const encodeRecord = original('protocol/recordBatch/record/v0') as (record: object) => unknown;
    const Decoder = original('protocol/decoder') as new (buffer: Buffer) => Parameters<typeof decode>[0];
    const decode = readableBatches(
      original('protocol/recordBatch/v0/decoder') as Parameters<typeof readableBatches>[0],
    );
    const batchOf = async (firstOffset: number) => {
      const records = ['a', 'b', 'c'].map((text, offsetDelta) =>
        encodeRecord({ offsetDelta, value: Buffer.from(text) }),
      );
      const batch = { firstOffset, firstTimestamp: 70, maxTimestamp: 75, lastOffsetDelta: 2, records };
      return (await encodeBatch(batch)).buffer;
    };
    const broken = await batchOf(10);
    broken.writeInt16BE(codec, 21);
    const decoder = new Decoder(Buffer.concat([await batchOf(7), broken, await batchOf(13)]));
    const batches = [await decode(decoder), await decode(decoder), await decode(decoder)];
    expect(batches.map(({ records }) => records.map((record) => (record as { offset: string }).offset))).toEqual([
      ['7', '8', '9'],
      ['12'],
      ['13', '14', '15'],
    ]);
    expect(batches[1]?.records[0]).toMatchObject({
      timestamp: '75',
      value: null,
      unreadable: expect.stringContaining(reason),
    });
  });
});
