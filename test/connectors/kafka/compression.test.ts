import { createHash } from 'node:crypto';
import type * as Kafkajs from 'kafkajs';
import { decompressLz4 } from '../../../connectors/kafka/compression/lz4';
import { decompressSnappy } from '../../../connectors/kafka/compression/snappy';
import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { KafkaStreams } from '../../../connectors/kafka/kafka-streams';
import { setUpTopics } from '../../../connectors/kafka/topic-set-up';
import { systemClock } from '../../../topology/core/clock';
import type { LogRecord } from '../../../topology/runtime/streams-client';
import { required } from '../../../topology/settings/environment';
import { topicName } from '../../../topology/streams';
import { freshNamespace } from '../../support/stack/stack';
import { until } from '../../support/until';

// Loaded last: an import would load the client without our fixes.
const { ConfigResourceTypes } = jest.requireActual<typeof Kafkajs>('kafkajs');

const bytes = (...parts: (number | string)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));

describe('snappy', () => {
  it('reads literals and copies that overlap themselves', () => {
    // 12 bytes: the literal "abcd", then 8 bytes from 4 bytes ago, in the form with one byte of distance.
    const block = bytes(12, (4 - 1) << 2, 'abcd', ((8 - 4) << 2) | 1, 4);
    expect(String(decompressSnappy(block))).toBe('abcdabcdabcd');
  });

  it.each([
    ['ends too soon', bytes(12, (8 - 1) << 2, 'abc')],
    ['is not as long as it says', bytes(12, (4 - 1) << 2, 'abcd')],
    ['from before the beginning', bytes(12, (4 - 1) << 2, 'abcd', ((8 - 4) << 2) | 1, 9)],
  ])('refuses a block that %s', (reason, block) => {
    expect(() => decompressSnappy(block)).toThrow(reason);
  });

  it('is stopped at its bound, however much a small block makes', () => {
    const copies = Array.from({ length: 100 }, () => [((64 - 1) << 2) | 2, 1, 0]).flat();
    const block = bytes(0x81, 0x32, 0, 'a', ...copies);
    expect(decompressSnappy(block)).toHaveLength(6_401);
    expect(() => decompressSnappy(block, 1_000)).toThrow('more than 1000 bytes');
  });
});

describe('LZ4', () => {
  const frame = (flags: number, ...blocks: (number | string)[]) =>
    bytes(0x04, 0x22, 0x4d, 0x18, flags, 0x40, 0, ...blocks);

  it('reads compressed and plain blocks', () => {
    // "abcd", then 12 bytes from 4 bytes ago, then the literal "!", which ends the block.
    const compressed = bytes((4 << 4) | (12 - 4), 'abcd', 4, 0, 1 << 4, '!');
    const blocks = [compressed.length, 0, 0, 0, compressed.toString('latin1'), 2, 0, 0, 0x80, 'ok', 0, 0, 0, 0];
    expect(String(decompressLz4(frame(0x60, ...blocks)))).toBe('abcdabcdabcdabcd!ok');
  });

  it('reads frames that follow one another', () => {
    const both = Buffer.concat(['ab', 'cde'].map((text) => frame(0x60, text.length, 0, 0, 0x80, text, 0, 0, 0, 0)));
    expect(String(decompressLz4(both))).toBe('abcde');
    expect(() => decompressLz4(both, 4)).toThrow('more than 4 bytes');
  });

  it.each([
    ['it is no LZ4 frame', bytes('abcdefgh')],
    ['it ends too soon', frame(0x60, 9, 0, 0, 0, 'abc')],
    ['from before the beginning', frame(0x60, 4, 0, 0, 0, 0x10, 'a', 2, 0)],
  ])('refuses a frame with: %s', (reason, broken) => {
    expect(() => decompressLz4(broken)).toThrow(reason);
  });
});

describe('a topic that the broker compresses', () => {
  const values = Array.from({ length: 2_000 }, (_, index) => {
    // Some that compress to little and some that hardly do, in batches of more than a block.
    const noise = createHash('sha512').update(String(index)).digest('base64');
    return index % 2 === 0 ? `{"id":${index},"text":"${'again '.repeat(40)}"}` : noise.repeat(3);
  });

  const types = ['gzip', 'snappy', 'lz4', 'zstd', 'uncompressed'];
  const rows = types.flatMap((type) => [
    { type, when: 'under way', first: 500 },
    { type, when: 'before its first record', first: 0 },
  ]);
  it.each(rows)(
    'is read when its compression becomes $type $when',
    async ({ type, first }) => {
      const world = await freshNamespace();
      const brokers = required(world.environment, 'KAFKA_BROKERS');
      const namespace = world.environment.DOWNSPOUT_NAMESPACE;
      const kafka = { brokers, clientId: 'test', log: () => undefined };
      const admin = new KafkaAdmin(kafkaClient(kafka));
      const streams = new KafkaStreams(kafka, admin, systemClock, namespace);
      const topic = topicName(namespace, type);
      const operator = kafkaClient(kafka).admin();
      const seen: LogRecord[] = [];
      const crashes: unknown[] = [];
      try {
        await setUpTopics(brokers, [{ name: topic, partitions: 1 }]);
        const append = (from: number, to: number) =>
          streams.append(
            type,
            values.slice(from, to).map((value) => ({ partition: 0, value: Buffer.from(value) })),
          );
        if (first > 0) await append(0, first);
        const member = await streams.consume('webhook', type, {
          rebalancing: () => undefined,
          positionOf: () => undefined,
          assigned: () => undefined,
          records: (_, records) => seen.push(...records) && records.length,
          crashed: (error) => crashes.push(error),
        });
        await operator.connect();
        await operator.alterConfigs({
          validateOnly: false,
          resources: [
            {
              type: ConfigResourceTypes.TOPIC,
              name: topic,
              configEntries: [{ name: 'compression.type', value: type }],
            },
          ],
        });
        await append(first, 1_990);
        for (let index = 1_990; index < 2_000; index++) await append(index, index + 1);
        await until('all are read', () => seen.length >= values.length || crashes.length > 0);
        expect(crashes).toEqual([]);
        expect(seen.map(({ value }) => String(value))).toEqual(values);
        await member.leave();
      } finally {
        await operator.disconnect();
        await streams.close();
        await admin.close();
        await world.close();
      }
    },
    60_000,
  );
});
