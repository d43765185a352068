import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import {
  answeringOrLeft,
  anyBrokerFirst,
  authenticatedOrLeft,
  endedByGarbage,
  forgottenWhenSilent,
  readingAfresh,
} from '../../../connectors/kafka/kafkajs-connecting';
import {
  endingOnce,
  fetchingWhileRunning,
  groupByPartition,
  leaderlessMetadata,
  offsetsByLeader,
  plainRecordEncoder,
  readableBatches,
  whenPending,
} from '../../../connectors/kafka/kafkajs-fixes';
import { settled } from '../../support/manual-clock';

/** As much of kafkajs's class as is used here. */
interface KafkajsConnection {
  new (options: object): { readonly socket?: Socket; readonly connect: () => Promise<unknown> };
  readonly prototype: { readonly disconnect: () => Promise<boolean> };
}

/** The same of what fetches for a consumer. */
interface KafkajsRunner {
  new (
    options: object,
  ): {
    readonly running: boolean;
    readonly fetchManager: { readonly stop: () => Promise<void> };
    readonly start: () => Promise<void>;
    readonly stop: () => Promise<void>;
    fetch: (broker: number) => Promise<unknown>;
  };
  readonly prototype: { readonly fetch: (broker: number) => Promise<unknown> };
}

const none = () => undefined;

type Options = Parameters<typeof groupByPartition<{ readonly value: number }>>[0];

/** What kafkajs has, without the fixes. */
function original(path: string): unknown {
  let loaded: unknown;
  jest.isolateModules(() => {
    loaded = require(`kafkajs/src/${path}`);
  });
  return loaded;
}

const metadataOf = (partitionId: number, partitionErrorCode: number) => ({
  partitionErrorCode,
  partitionId,
  leader: partitionErrorCode === 0 ? 1 : -1,
});
const metadata = (...codes: number[]) => ({
  brokers: [],
  topicMetadata: [{ topicErrorCode: 0, topic: 't', partitionMetadata: codes.map((code, id) => metadataOf(id, code)) }],
});

const socketThat = () => ({ destroy: jest.fn() });
const brokerThat = () => {
  const [first, second] = [socketThat(), socketThat()];
  return {
    versions: {},
    brokerAddress: 'b:1',
    connectionPool: { pool: [{ socket: first }, { socket: second }, {}] },
    destroyed: () => [first, second].map(({ destroy }) => destroy.mock.calls.length),
    disconnect: jest.fn(async () => undefined),
  };
};
const failing = (error: Error) => async () => {
  throw error;
};

const query = (...partitions: number[]) => [{ topic: 't', partitions: partitions.map((partition) => ({ partition })) }];
const answer = (...offsets: string[]) => [
  { topic: 't', partitions: offsets.map((offset, partition) => ({ partition, offset })) },
];

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

  it.each([-12, 0, -40])(
    '4. A batch whose length is nonsense (%i) ends its fetch, and is not met again at once.',
    async (length) => {
      const Decoder = original('protocol/decoder') as new (buffer: Buffer) => { buffer: Buffer; offset: number };
      const decode = readableBatches(
        original('protocol/recordBatch/v0/decoder') as Parameters<typeof readableBatches>[0],
      );
      const bytes = Buffer.alloc(100);
      bytes.writeInt32BE(length, 8);
      await expect(decode(new Decoder(bytes))).rejects.toThrow(/out of range|outside buffer|is nonsense/);
    },
  );

  describe('5. A partition without a leader is no error of its topic:', () => {
    type Response = Parameters<typeof leaderlessMetadata>[0];
    const general = original('protocol/requests/metadata/v0/response') as Response;
    const { parse } = leaderlessMetadata(general);

    it('its metadata is read, with the leader -1.', async () => {
      await expect(general.parse(metadata(0, 5))).rejects.toThrow('leadership election');
      const { topicMetadata } = await parse(metadata(0, 5));
      expect(topicMetadata[0]?.partitionMetadata).toEqual([
        metadataOf(0, 0),
        { ...metadataOf(1, 5), partitionErrorCode: 0 },
      ]);
      expect(await parse(metadata(0, 0))).toEqual(metadata(0, 0));
    });

    it('other errors are errors as before.', async () => {
      await expect(parse(metadata(0, 29))).rejects.toThrow('Not authorized');
      await expect(
        parse({ ...metadata(), topicMetadata: [{ ...metadata().topicMetadata[0], topicErrorCode: 3 } as never] }),
      ).rejects.toThrow('does not host this topic-partition');
    });

    it('every version of the answer is read with what is fixed.', () => {
      for (const version of [0, 1, 2, 3, 4, 5, 6]) {
        const own = original(`protocol/requests/metadata/v${version}/response`) as Response;
        expect(String(own.parse)).toBe(String(general.parse));
      }
    });
  });

  describe('6. The ends of partitions are read leader by leader:', () => {
    type Fetch = Parameters<typeof offsetsByLeader>[0];
    const leaders: Record<string, number[]> = { 1: [0, 2], 2: [1], '-1': [3] };
    const cluster = {
      refreshes: 0,
      findLeaderForPartitions: (_: string, partitions: readonly number[]) =>
        Object.fromEntries(
          Object.entries(leaders)
            .map(([leader, led]) => [leader, led.filter((one) => partitions.includes(one))] as const)
            .filter(([, led]) => led.length > 0),
        ),
      async refreshMetadata() {
        this.refreshes++;
      },
    };
    const away = new Set<number>();
    /** As in kafkajs: an error of one leader is that of the call. */
    const general: Fetch = async (queries) =>
      queries.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition }) => {
          if (away.has(partition)) throw new Error(`no leader for ${partition}`);
          return { partition, offset: String(partition * 10) };
        }),
      }));

    beforeEach(() => {
      away.clear();
      cluster.refreshes = 0;
    });

    it('the method is still there, and the answer is the same.', async () => {
      const { prototype } = original('cluster') as { prototype: Record<string, unknown> };
      expect(prototype['fetchTopicsOffset']).toBeInstanceOf(Function);
      expect(prototype['findLeaderForPartitions']).toBeInstanceOf(Function);
      expect(prototype['refreshMetadata']).toBeInstanceOf(Function);
      expect(await offsetsByLeader(general).call(cluster, query(0, 1, 2))).toEqual(answer('0', '10', '20'));
      expect(cluster.refreshes).toBe(0);
    });

    it('a leader that does not answer hides its own partitions, and the metadata is read again.', async () => {
      away.add(1).add(3);
      expect(await offsetsByLeader(general).call(cluster, query(0, 1, 2, 3))).toEqual(answer('0', '-1', '20', '-1'));
      expect(cluster.refreshes).toBe(1);
    });

    it('when none answers the error is thrown.', async () => {
      for (const partition of [0, 1, 2, 3]) away.add(partition);
      await expect(offsetsByLeader(general).call(cluster, query(0, 1, 2, 3))).rejects.toThrow('no leader for 0');
    });
  });

  it('7. A socket that was ended stays as it is: requests to a broker that is gone add no listeners to it.', async () => {
    const Connection = original('network/connection') as KafkajsConnection;
    const server = createServer((socket) => socket.destroy());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const logger = { namespace: () => logger, debug: none, info: none, warn: none, error: none };
    const socketFactory = (original('network/socketFactory') as () => unknown)();
    const limits = { connectionTimeout: 1_000, requestTimeout: 1_000 };
    const connection = new Connection({ host: '127.0.0.1', port, logger, socketFactory, ...limits });
    const end = endingOnce(Connection.prototype.disconnect);
    await connection.connect();
    const socket = connection.socket as Socket;
    await once(socket.resume(), 'close');
    for (let n = 0; n < 12; n++) await end.call(connection);
    expect(socket.listenerCount('connect')).toBeLessThan(3);
    // It can be used again.
    await connection.connect();
    await end.call(connection);
    await new Promise((resolve) => server.close(resolve));
  });

  it('8. A consumer that was stopped stops: also while its fetchers are replaced because the brokers have changed.', async () => {
    const Runner = original('consumer/runner') as KafkajsRunner;
    const logger = { namespace: () => logger, debug: none, info: none, warn: none, error: none };
    let brokers = [1, 2];
    let end: (batches: unknown[]) => void = none;
    const slow = new Promise<unknown[]>((resolve) => {
      end = resolve;
    });
    let isAsked: () => void = none;
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    const left = jest.fn(async () => undefined);
    const consumerGroup = {
      connect: async () => undefined,
      joinAndSync: async () => undefined,
      heartbeat: async () => undefined,
      getNodeIds: () => brokers,
      fetch: async (broker: number) => {
        if (broker === 2) return slow;
        isAsked();
        await settled();
        return [];
      },
      leave: left,
    };
    const onCrash = jest.fn();
    const runner = new Runner({
      logger,
      consumerGroup,
      instrumentationEmitter: { emit: none },
      concurrency: 1,
      onCrash,
    });
    const fetchFrom = fetchingWhileRunning(Runner.prototype.fetch);
    let calls = 0;
    runner.fetch = (broker) => {
      // Without the fix it asks for ever, and the test would stand still with it.
      if (!runner.running && ++calls > 100) throw new Error('it goes on');
      return fetchFrom.call(runner, broker);
    };
    await runner.start();
    await asked;
    brokers = [1, 2, 3];
    // The first fetcher has noticed that, and waits for the second one.
    await settled();
    await settled();
    const stopping = runner.stop();
    end([]);
    await stopping;
    expect(left).toHaveBeenCalled();
    expect(onCrash).not.toHaveBeenCalled();
    expect(calls).toBeLessThan(10);
  });

  describe('9. A broker that does not answer is left for the next one:', () => {
    const { KafkaJSConnectionError: Failed } = original('errors') as {
      KafkaJSConnectionError: Parameters<typeof answeringOrLeft>[1];
    };
    const silence = Object.assign(new Error('Request timed out'), { name: 'KafkaJSRequestTimeoutError' });

    it('the methods are still there.', () => {
      const broker = original('broker') as { prototype: Record<string, unknown> };
      const connection = original('network/connection') as { prototype: Record<string, unknown> };
      for (const name of ['apiVersions', 'metadata', 'disconnect'])
        expect(broker.prototype[name]).toBeInstanceOf(Function);
      for (const name of ['authenticate', 'processData', 'connect'])
        expect(connection.prototype[name]).toBeInstanceOf(Function);
    });

    it.each([silence, new RangeError('out of range')])(
      'whatever keeps it from saying what it can do ends the connection: %s',
      async (error) => {
        const broker = brokerThat();
        const thrown = await answeringOrLeft(failing(error), Failed)
          .call(broker)
          .catch((one: unknown) => one);
        expect(thrown).toMatchObject({ name: 'KafkaJSConnectionError', broker: 'b:1', retriable: true });
        expect(broker.disconnect).toHaveBeenCalled();
      },
    );

    it('one that falls silent later is asked again what it can do.', async () => {
      const broker = brokerThat();
      await expect(forgottenWhenSilent(failing(silence)).call(broker)).rejects.toBe(silence);
      expect([broker.versions, broker.destroyed()]).toEqual([null, [1, 1]]);
    });

    it('one that answers with an error is kept.', async () => {
      const broker = brokerThat();
      const refusal = new Error('Not authorized');
      await expect(forgottenWhenSilent(failing(refusal)).call(broker)).rejects.toBe(refusal);
      expect([broker.versions, broker.destroyed()]).toEqual([{}, [0, 0]]);
    });

    it('one that falls silent while we log in is left, one that refuses the password is not.', async () => {
      const socket = socketThat();
      const connection = {
        socket,
        broker: 'b:1',
        chunks: [],
        bytesBuffered: 0,
        bytesNeeded: 4,
        isConnected: () => true,
      };
      await expect(authenticatedOrLeft(failing(silence), Failed).call(connection)).rejects.toMatchObject({
        name: 'KafkaJSConnectionError',
      });
      expect(socket.destroy).toHaveBeenCalledTimes(1);
      const refusal = new Error('SASL authentication failed');
      await expect(authenticatedOrLeft(failing(refusal), Failed).call(connection)).rejects.toBe(refusal);
      expect(socket.destroy).toHaveBeenCalledTimes(1);
    });
  });

  it('10. Bytes that are no answer end their connection, and leave nothing behind.', async () => {
    const destroyed = jest.fn();
    const connection = {
      broker: 'b:1',
      socket: { destroy: destroyed },
      chunks: [Buffer.from('half an answ')],
      bytesBuffered: 12,
      bytesNeeded: 4_711,
      isConnected: () => false,
    };
    const garbage = endedByGarbage(() => {
      throw new RangeError('out of range');
    });
    expect(() => garbage.call(connection, Buffer.alloc(4))).not.toThrow();
    expect(String(destroyed.mock.calls[0]?.[0])).toContain('out of range');
    await readingAfresh(async () => true).call(connection);
    expect([connection.chunks, connection.bytesBuffered, connection.bytesNeeded]).toEqual([[], 0, 4]);
  });

  it('11. Every client may begin with any broker of the list, and asks the others in turn.', async () => {
    const built: unknown[] = [];
    const builder: Parameters<typeof anyBrokerFirst>[0] = () => ({ build: async (to) => built.push(to) });
    const brokers = ['a:1', '[fd00::1]:2', '10.0.0.1:3'];
    const { build } = anyBrokerFirst(builder, () => 0.5)({ brokers });
    for (let n = 0; n < 3; n++) await build();
    await build({ host: 'named', port: 4 });
    expect(built).toEqual([
      { host: 'fd00::1', port: 2 },
      { host: '10.0.0.1', port: 3 },
      { host: 'a', port: 1 },
      { host: 'named', port: 4 },
    ]);
    expect(original('cluster/connectionPoolBuilder')).toBeInstanceOf(Function);
  });
});
