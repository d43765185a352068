import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Kafka as Client } from 'kafkajs';
import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { KafkaMember } from '../../../connectors/kafka/kafka-member';
import { Kafka, logLevel } from '../../../connectors/kafka/kafkajs';
import { Unavailable } from '../../../topology/core/errors';
import { ManualClock } from '../../support/manual-clock';
import { SilentPort } from '../../support/silent-port';

/** A client that loses patience at once. */
function hasty(brokers: readonly string[], retries = 3): Client {
  const retry = { initialRetryTime: 1, maxRetryTime: 2, retries };
  const limits = { connectionTimeout: 150, requestTimeout: 150 };
  return new Kafka({ brokers: [...brokers], clientId: 't', retry, ...limits, logLevel: logLevel.NOTHING });
}

function join(kafka: Client): Promise<KafkaMember> {
  return KafkaMember.join({
    kafka,
    admin: new KafkaAdmin(kafka),
    clock: new ManualClock(),
    group: 'g',
    topic: 't',
    begin: 'committed',
    listener: {
      rebalancing: () => undefined,
      positionOf: () => undefined,
      records: (_, records) => records.length,
      crashed: (error) => {
        throw error;
      },
    },
    assigned: () => undefined,
  });
}

describe('brokers that take connections and answer nothing', () => {
  let ports: SilentPort[] = [];

  beforeEach(async () => {
    ports = await Promise.all([1, 2, 3].map(() => SilentPort.open()));
  });
  afterEach(() => Promise.all(ports.map((port) => port.close())));

  const addresses = () => ports.map(({ address }) => address);
  const asked = () => ports.map(({ connections }) => connections > 0);

  it('are left one after another, until every one of the list was asked', async () => {
    await expect(new KafkaAdmin(hasty(addresses())).partitions('t')).rejects.toBeInstanceOf(Unavailable);
    expect(asked()).toEqual([true, true, true]);
  });

  it('are waited for by whoever joins a group: that no broker answers is no bug', async () => {
    await expect(join(hasty(addresses()))).rejects.toBeInstanceOf(Unavailable);
    expect(asked()).toEqual([true, true, true]);
  });

  it('are waited for by whoever appends', async () => {
    const producer = hasty(addresses()).producer();
    await expect(producer.connect()).rejects.toMatchObject({ message: expect.stringContaining('does not say') });
    expect(asked()).toEqual([true, true, true]);
    await producer.disconnect();
  });
});

/** Says what it can do as version 0 of ApiVersions does (metadata up to version 1), and is silent about everything else. */
function apiVersions(asked: Buffer): Buffer | undefined {
  const [API_VERSIONS, METADATA] = [18, 3];
  if (asked.readInt16BE(4) !== API_VERSIONS) return undefined;
  const version = asked.readInt16BE(6);
  const keys = [API_VERSIONS, METADATA].flatMap((key) => [0, key, 0, 0, 0, 1]);
  const throttle = version === 0 ? [] : [0, 0, 0, 0];
  return framed(Buffer.concat([asked.subarray(8, 12), Buffer.from([0, 0, 0, 0, 0, 2, ...keys, ...throttle])]));
}

const framed = (bytes: Buffer) => {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

describe('what answers instead of a broker', () => {
  let server: Server;
  let answer: (asked: Buffer) => Buffer | undefined;
  const sockets = new Set<Socket>();

  beforeEach(async () => {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('data', (data) => socket.write(answer(data) ?? ''));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });

  it('is left for the next of the list when it freezes after it has said what it can do', async () => {
    let isFrozen = false;
    answer = (asked) => {
      const said = isFrozen ? undefined : apiVersions(asked);
      isFrozen = true;
      return said;
    };
    const other = await SilentPort.open();
    const { port } = server.address() as AddressInfo;
    const admin = new KafkaAdmin(hasty([`127.0.0.1:${port}`, other.address]));
    try {
      await expect(admin.partitions('t')).rejects.toBeInstanceOf(Unavailable);
      expect([isFrozen, sockets.size > 0]).toEqual([true, true]);
      const before = other.connections;
      await expect(admin.partitions('t')).rejects.toBeInstanceOf(Unavailable);
      expect(other.connections).toBeGreaterThan(before);
    } finally {
      await admin.close();
      await other.close();
    }
  });

  it.each<[string, (asked: Buffer) => Buffer]>([
    ['a frame of no bytes', () => Buffer.alloc(4)],
    ['a frame of two bytes', () => framed(Buffer.from([0, 1]))],
    ['a length below zero', () => Buffer.from([255, 255, 255, 251])],
    ['the right id and nothing else', (asked) => framed(asked.subarray(8, 12))],
    ['the right id and garbage', (asked) => framed(Buffer.concat([asked.subarray(8, 12), Buffer.alloc(40, 255)]))],
    ['HTTP', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('is left for the next of the list, and throws nothing into the process: %s', async (_what, answers) => {
    answer = answers;
    const other = await SilentPort.open();
    const { port } = server.address() as AddressInfo;
    try {
      const admin = new KafkaAdmin(hasty([`127.0.0.1:${port}`, other.address]));
      await expect(admin.partitions('t')).rejects.toBeInstanceOf(Unavailable);
      expect([sockets.size > 0, other.connections > 0]).toEqual([true, true]);
    } finally {
      await other.close();
    }
  });
});
