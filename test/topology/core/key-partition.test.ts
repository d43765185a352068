import { crc32 } from 'node:zlib';
import { keyPartition, murmur2 } from '../../../topology/core/key-partition';

// The values of Kafka's own test, org.apache.kafka.common.utils.UtilsTest.
test.each([
  ['21', -973_932_308],
  ['foobar', -790_332_482],
  ['a-little-bit-long-string', -985_981_536],
  ['a-little-bit-longer-string', -1_486_304_829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
  ['abc', 479_470_107],
])('the hash of %s is that of Kafka', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

test('keys are hashed by their bytes in UTF-8, and a partition is never negative', () => {
  for (const key of ['', 'ä', '日本', 'x'.repeat(64)]) {
    expect(keyPartition(key, 7)).toBe((murmur2(Buffer.from(key, 'utf8')) & 0x7fffffff) % 7);
  }
});

test('the accounts of one shard partition are spread over all partitions, evenly', () => {
  const counts = [0, 0, 0, 0];
  for (let index = 0; index < 40_000; index++) {
    const account = `account-${index}`;
    if ((crc32(account) % 256) % 4 !== 1) continue;
    const partition = keyPartition(account, 4);
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 2_500)).toBeLessThan(250);
});
