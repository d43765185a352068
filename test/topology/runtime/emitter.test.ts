import { systemClock } from '../../../topology/core/clock';
import { PartlyAppended } from '../../../topology/core/errors';
import { fieldsGrouping } from '../../../topology/core/grouping';
import { keyPartition } from '../../../topology/core/key-partition';
import { PartlyEmitted } from '../../../topology/core/spout';
import type { Topology } from '../../../topology/core/topology';
import { emitterOf } from '../../../topology/runtime/emitter';
import type { AppendRecord } from '../../../topology/runtime/streams-client';
import { type Due, due } from '../../../topology/streams';
import { MemoryLog } from '../../support/kafka/memory-log';
import { MemoryStreams } from '../../support/kafka/memory-streams';

const value: Due = { id: 1, account: 'ann', channel: 'webhook', wakeAt: 5, version: 1 };

describe('the emitter', () => {
  const log = new MemoryLog(systemClock);
  const connection = {
    stream: due('webhook'),
    grouping: fieldsGrouping('account'),
    spout: 'due',
    bolts: ['webhook'],
  };
  const topology = { spouts: [], bolts: [], connections: [connection] } as unknown as Topology;
  const streams = new MemoryStreams(log);
  const { emit } = emitterOf(topology, 'due', streams);

  beforeEach(() => log.create('due.webhook', 7));

  it('puts equal keys into one partition, by Kafka’s hash, and says where', async () => {
    const accounts = ['ann', 'bob', 'ann', 'Ünsal 🙂'];
    const values = accounts.map((account, index) => ({ ...value, id: index + 1, account }));
    const placements = await emit(due('webhook'), values);
    expect(placements.map(({ partition }) => partition)).toEqual(accounts.map((account) => keyPartition(account, 7)));
    for (const [index, { partition, offset }] of placements.entries()) {
      const [record] = log.read('due.webhook', partition, offset);
      expect(due('webhook').codec.decode(record?.value as Buffer)).toEqual(values[index]);
    }
    expect(await emit(due('webhook'), [])).toEqual([]);
  });

  it('refuses streams that the spout does not say it emits', async () => {
    await expect(emit(due('x'), [value])).rejects.toThrow('spout due does not say that it emits due.x');
  });

  it('says which partitions did not confirm, and to which one a value goes', async () => {
    const accounts = ['ann', 'bob', 'cid', 'dan', 'eve'];
    const values = accounts.map((account, index) => ({ ...value, id: index + 1, account }));
    const bad = keyPartition('bob', 7);
    const partly = Object.assign(new MemoryStreams(log), {
      append: async (_: string, records: readonly AppendRecord[]) => {
        throw new PartlyAppended(
          'no leader',
          records.map(({ partition }, offset) => (partition === bad ? undefined : offset)),
        );
      },
    });
    const emitter = emitterOf(topology, 'due', partly);
    expect(emitter.partitionOf(due('webhook'), value)).toBeUndefined();
    const error: unknown = await emitter.emit(due('webhook'), values).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PartlyEmitted);
    expect(error).toMatchObject({
      message: 'no leader',
      emitted: accounts.map((account, offset) => {
        const partition = keyPartition(account, 7);
        return { partition, offset: partition === bad ? undefined : offset };
      }),
    });
    expect(emitter.partitionOf(due('webhook'), value)).toBe(keyPartition('ann', 7));
  });

  it('works out the partition of a key again only when the stream has other partitions', async () => {
    let asked = 0;
    const grouping = {
      name: 'counted',
      key: ({ account }: Due) => {
        asked++;
        return account;
      },
    };
    const counted = { ...topology, connections: [{ ...connection, grouping }] } as unknown as Topology;
    let partitions = 7;
    const grows = Object.assign(new MemoryStreams(log), {
      partitions: async () => partitions,
      append: async () => [0],
    });
    const emitter = emitterOf(counted, 'due', grows);
    const place = { partitions: 0, partition: 0 };
    const ask = () => emitter.partitionOf(due('webhook'), value, place);
    expect(ask()).toBeUndefined();
    await emitter.emit(due('webhook'), [value]);
    asked = 0;
    expect([ask(), ask(), ask(), asked]).toEqual([...Array(3).fill(keyPartition('ann', 7)), 1]);
    partitions = 8;
    await emitter.emit(due('webhook'), [value]);
    asked = 0;
    expect([ask(), ask(), asked]).toEqual([...Array(2).fill(keyPartition('ann', 8)), 1]);
    expect(keyPartition('ann', 8)).not.toBe(keyPartition('ann', 7));
  });
});
