import { reasonOf } from '../../topology/core/errors';
import { anyBrokerFirst, type Connecting, fixConnecting, type PoolBuilder } from './kafkajs-connecting';

/**
 * kafkajs 2.2.4 is not maintained any more, and pinned. What is fixed here, before it is loaded:
 *
 * 1. *Idle connections are idle.* kafkajs re-arms a timer on each for ever: 6 to 8 % of a core for a client that does nothing.
 * 2. *Appending costs in proportion to the number of records.* kafkajs copies what it has grouped so far for every record.
 * 3. *A record is encoded into one buffer of its size.* kafkajs takes half a kilobyte and a dozen small buffers for each,
 *    which was most of the cost of a tuple.
 * 4. *A batch that cannot be read is one record without content.* In kafkajs its error ends the consumer, which then meets
 *    the same batch again, for ever.
 * 5. *A partition without a leader is no error of its topic.* In kafkajs one such partition keeps all metadata of the topic
 *    from being read, and with it every producer, consumer and admin that knows the topic.
 * 6. *The ends of partitions are read leader by leader.* In kafkajs one leader that does not answer hides the ends of all.
 * 7. *A socket that was ended stays as it is.* In kafkajs each request to a broker that is gone ends the same socket again, and
 *    adds a listener to it, until Node warns of a leak.
 * 8. *A consumer that was stopped stops.* kafkajs replaces its fetchers when the brokers change. Stopped in that moment, the new ones
 *    go on without end, and never wait: no timer and no signal comes through any more, and the process stands still.
 * 9. *A broker that does not answer is left for the next one.* kafkajs keeps a connection on which a broker has not even said
 *    what it can do, and asks the same one for ever; others of the list are never asked.
 * 10. *Bytes that are no answer end their connection, and leave nothing behind.* kafkajs throws into the socket, which ends the
 *    process, and takes what is left of an answer for the beginning of the next connection's first one.
 * 11. *Every client may begin with any broker of the list.* kafkajs begins with the first, so each new one waits for it while it is
 *    frozen. IPv6 addresses have colons of their own.
 *
 * Each has a test that the replaced function still exists in kafkajs and gives the same result.
 */

/** What is encoded. The emitter sends records without key and headers, with the time of their batch. */
interface PlainRecord {
  readonly offsetDelta?: number;
  readonly timestampDelta?: number;
  readonly key?: unknown;
  readonly value?: unknown;
  readonly headers?: unknown;
}

/** As much of kafkajs's Encoder as its writer of batches uses. */
interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

type EncodeRecord = (record: PlainRecord) => Encoded;

interface GroupOptions<M> {
  readonly topic: string;
  readonly partitionMetadata: readonly unknown[];
  readonly messages: readonly M[];
  readonly partitioner: (one: { topic: string; partitionMetadata: readonly unknown[]; message: M }) => number;
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
}

/** Arms the timer only while a request waits to be sent. */
export function whenPending(schedule: (this: RequestQueue) => void): (this: RequestQueue) => void {
  return function scheduleWhenPending() {
    if (this.pending.length > 0) schedule.call(this);
  };
}

export function groupByPartition<M>(options: GroupOptions<M>): Record<number, M[]> {
  const { topic, partitionMetadata, messages, partitioner } = options;
  const groups: Record<number, M[]> = {};
  if (partitionMetadata.length === 0) return groups;
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message });
    const group = groups[partition];
    if (group === undefined) groups[partition] = [message];
    else group.push(message);
  }
  return groups;
}

/** The record format of Kafka's message format 2: https://kafka.apache.org/documentation/#record */
export function plainRecordEncoder(general: EncodeRecord): EncodeRecord {
  return (record) => {
    const { offsetDelta = 0, timestampDelta = 0, key, value, headers } = record;
    if (!Buffer.isBuffer(value) || timestampDelta !== 0 || key != null || headers !== undefined) return general(record);
    // Attributes, timestamp delta, key of length -1 and no headers take one byte each.
    const size = 4 + sizeOf(offsetDelta) + sizeOf(value.length) + value.length;
    const buffer = Buffer.allocUnsafe(sizeOf(size) + size);
    let at = writeVarint(buffer, size, 0);
    buffer[at++] = 0;
    buffer[at++] = 0;
    at = writeVarint(buffer, offsetDelta, at);
    buffer[at++] = 1;
    at = writeVarint(buffer, value.length, at);
    at += value.copy(buffer, at);
    buffer[at] = 0;
    return { buf: buffer, buffer };
  };
}

/** A record in the place of a batch: at the last offset of it, so that reading continues behind it. */
export interface UnreadableBatch {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: null;
  readonly value: null;
  readonly headers: object;
  readonly isControlRecord: boolean;
  readonly batchContext: object;
  /** Why the batch cannot be read. */
  readonly unreadable: string;
}

interface FetchDecoder {
  readonly buffer: Buffer;
  readonly offset: number;
}

type DecodeBatch = (fetched: FetchDecoder) => Promise<{ readonly records: readonly unknown[] }>;

/** Places in a batch of message format 2: https://kafka.apache.org/documentation/#recordbatch */
const LENGTH_END = 12;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const MAX_TIMESTAMP_AT = 35;
const CODEC_MASK = 7;
/** zstd. With one that it does not know kafkajs takes compressed bytes for records. */
const LAST_CODEC = 4;

export function readableBatches(decodeBatch: DecodeBatch): DecodeBatch {
  return async (fetched) => {
    const { offset } = fetched;
    const batch = fetched.buffer.subarray(offset);
    try {
      const decoded = await decodeBatch(fetched);
      if (fetched.offset <= offset + LENGTH_END) throw new Error('the length of a batch is nonsense');
      const codec = batch.readInt16BE(ATTRIBUTES_AT) & CODEC_MASK;
      if (codec > LAST_CODEC) throw new Error(`its compression (${codec}) is not known`);
      return decoded;
    } catch (error) {
      // The fetch ended within the batch: it comes again, whole.
      if (error instanceof Error && error.name === 'KafkaJSPartialMessageError') throw error;
      // Its length is nonsense. The caller would meet it again at once, and nothing else would happen in the process.
      if (fetched.offset <= offset + LENGTH_END) throw error;
      const unreadable: UnreadableBatch = {
        offset: String(batch.readBigInt64BE(0) + BigInt(batch.readInt32BE(LAST_OFFSET_DELTA_AT))),
        timestamp: String(batch.readBigInt64BE(MAX_TIMESTAMP_AT)),
        key: null,
        value: null,
        headers: {},
        isControlRecord: false,
        batchContext: { inTransaction: false },
        unreadable: `a batch that cannot be read: ${reasonOf(error)}`,
      };
      return { records: [unreadable] };
    }
  };
}

/** As much of the answer to a metadata request as is looked at. */
interface Metadata {
  readonly topicMetadata: readonly {
    readonly partitionMetadata: readonly { readonly partitionErrorCode: number }[];
  }[];
}

interface MetadataResponse<M extends Metadata> {
  readonly decode: unknown;
  readonly parse: (metadata: M) => Promise<M>;
}

/** LEADER_NOT_AVAILABLE and LISTENER_NOT_FOUND: the partition is there, and its leader is -1. */
const WITHOUT_LEADER = new Set([5, 72]);

export function leaderlessMetadata<M extends Metadata>({ decode, parse }: MetadataResponse<M>): MetadataResponse<M> {
  return {
    decode,
    parse: (metadata) => {
      const topicMetadata = metadata.topicMetadata.map((topic) => ({
        ...topic,
        partitionMetadata: topic.partitionMetadata.map((partition) =>
          WITHOUT_LEADER.has(partition.partitionErrorCode) ? { ...partition, partitionErrorCode: 0 } : partition,
        ),
      }));
      return parse({ ...metadata, topicMetadata });
    },
  };
}

interface OffsetQuery {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number }[];
}

interface OffsetAnswer {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
}

/** As much of kafkajs's Cluster as finding the ends of partitions uses. */
interface Cluster {
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, readonly number[]>;
  refreshMetadata(): Promise<unknown>;
}

type FetchOffsets = (this: Cluster, queries: readonly OffsetQuery[]) => Promise<OffsetAnswer[]>;

/** What stands for an offset that nobody knows now, in kafkajs too. */
export const UNKNOWN_OFFSET = '-1';

export function offsetsByLeader(fetchOffsets: FetchOffsets): FetchOffsets {
  return async function fetchByLeader(queries) {
    const asked = queries.filter(({ partitions }) => partitions.length > 0);
    const answers = asked.map(async (query) => {
      const numbers = query.partitions.map(({ partition }) => partition);
      const leaders = Object.values(this.findLeaderForPartitions(query.topic, numbers));
      const parts = await Promise.allSettled(
        leaders.map((led) =>
          fetchOffsets.call(this, [
            { ...query, partitions: query.partitions.filter(({ partition }) => led.includes(partition)) },
          ]),
        ),
      );
      const failed = parts.filter((part) => part.status === 'rejected');
      // Perhaps another one leads by now.
      if (failed.length > 0) await this.refreshMetadata().catch(() => undefined);
      const [first] = failed;
      if (first !== undefined && failed.length === parts.length) throw first.reason;
      const known = new Map(
        parts
          .flatMap((part) => (part.status === 'fulfilled' ? part.value : []))
          .flatMap(({ partitions }) => partitions.map(({ partition, offset }) => [partition, offset] as const)),
      );
      const partitions = numbers.map((partition) => ({ partition, offset: known.get(partition) ?? UNKNOWN_OFFSET }));
      return { topic: query.topic, partitions };
    });
    return Promise.all(answers);
  };
}

/** As much of kafkajs's Connection as ending it uses. */
interface Connection {
  readonly socket?: { unref: () => unknown };
}

type Disconnect = (this: Connection) => Promise<boolean>;

export function endingOnce(disconnect: Disconnect): Disconnect {
  return async function endOnce() {
    const done = await disconnect.call(this);
    const { socket } = this;
    // It keeps no process alive any more. Without a connection each further call would wait for one.
    if (socket !== undefined) socket.unref = () => socket;
    return done;
  };
}

/** As much of kafkajs's Runner as its fetchers use. */
interface Runner {
  readonly running: boolean;
  readonly fetchManager: { stop: () => Promise<void> };
}

type FetchFrom = (this: Runner, nodeId: number) => Promise<unknown>;

export function fetchingWhileRunning(fetchFrom: FetchFrom): FetchFrom {
  return function fetchOrStop(nodeId) {
    // These fetchers began after the runner had stopped the ones before. Not awaited, because it waits for this very call.
    if (!this.running) void this.fetchManager.stop();
    return fetchFrom.call(this, nodeId);
  };
}

/** Of a number that is not negative, zigzag-encoded: 7 bits a byte. */
function sizeOf(value: number): number {
  let size = 1;
  for (let rest = value * 2; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}

function writeVarint(buffer: Buffer, value: number, start: number): number {
  let at = start;
  let rest = value * 2;
  for (; rest > 127; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 128;
  buffer[at++] = rest;
  return at;
}

/** Replaces what a module of kafkajs exports, for modules that load it afterwards. */
function replaceExport<T>(path: string, replacement: (original: T) => T): void {
  const original = require(path) as T;
  const module = require.cache[require.resolve(path)];
  if (module !== undefined) module.exports = replacement(original);
}

/** To be called before kafkajs is loaded. */
export function fixKafkajs(): void {
  const { prototype } = require('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue };
  prototype.scheduleCheckPendingRequests = whenPending(prototype.scheduleCheckPendingRequests);
  replaceExport<typeof groupByPartition>('kafkajs/src/producer/groupMessagesPerPartition', () => groupByPartition);
  replaceExport<EncodeRecord>('kafkajs/src/protocol/recordBatch/record/v0', plainRecordEncoder);
  replaceExport<DecodeBatch>('kafkajs/src/protocol/recordBatch/v0/decoder', readableBatches);
  replaceExport<MetadataResponse<Metadata>>('kafkajs/src/protocol/requests/metadata/v0/response', leaderlessMetadata);
  // Before the cluster, which takes it along.
  replaceExport<PoolBuilder>('kafkajs/src/cluster/connectionPoolBuilder', (builder) => anyBrokerFirst(builder));
  const cluster = require('kafkajs/src/cluster') as { readonly prototype: { fetchTopicsOffset: FetchOffsets } };
  cluster.prototype.fetchTopicsOffset = offsetsByLeader(cluster.prototype.fetchTopicsOffset);
  const { prototype: connection } = require('kafkajs/src/network/connection') as {
    readonly prototype: Connecting & { disconnect: Disconnect };
  };
  connection.disconnect = endingOnce(connection.disconnect);
  fixConnecting(connection);
  const runner = require('kafkajs/src/consumer/runner') as { readonly prototype: { fetch: FetchFrom } };
  runner.prototype.fetch = fetchingWhileRunning(runner.prototype.fetch);
}
