import { BadRecord } from './core/errors';
import { checkSchema } from './core/record-schema';
import { shortJson } from './core/short-json';
import { type Codec, type Stream, stream } from './core/stream';

/** One change of a message's plan, as CDC reports it. Times are epoch milliseconds. */
export interface ScheduleChange {
  readonly id: number;
  readonly shard: number;
  readonly account: string;
  readonly channel: string;
  /** Null when the message is canceled. */
  readonly wakeAt: number | null;
  readonly version: number;
  /** The row was deleted. */
  readonly deleted: boolean;
  /** When the change was committed, by the database's clock. */
  readonly committedAt: number;
}

/** A message that is about to wake: a hint, never content. The row as read counts, not this. */
export interface Due {
  readonly id: number;
  readonly account: string;
  readonly channel: string;
  readonly wakeAt: number;
  readonly version: number;
}

/** The name of the spout: as a component, and before the channel in the names of the streams that it emits to. */
export const SPOUT = 'due';

/** A topic's, group's or connector's name in Kafka: the deployment's namespace goes before it. */
export function topicName(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}.${name}`;
}

/** Every change of a plan; partition = shard % partitions. Debezium writes it, so only its connector knows the codec. */
export function scheduleChanges(codec: Codec<ScheduleChange>): Stream<ScheduleChange> {
  return stream('schedule-changes', codec);
}

/** What wakes within the lead, per channel. */
export function due(channel: string): Stream<Due> {
  return stream(`${SPOUT}.${channel}`, dueCodec);
}

/** The schema of tuples as they are written here: 1 has the fields of {@link Due}. See docs/decisions/0015. */
const DUE_SCHEMA = 1;

const dueCodec: Codec<Due> = {
  encode: ({ id, account, channel, wakeAt, version }) =>
    Buffer.from(JSON.stringify({ id, account, channel, wakeAt, version, v: DUE_SCHEMA })),
  decode(bytes) {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString());
    } catch {
      throw new BadRecord('not JSON');
    }
    if (typeof value !== 'object' || value === null) throw new BadRecord('not an object');
    const { id, account, channel, wakeAt, version, v, least } = value as Record<string, unknown>;
    checkSchema({ version: v, least }, DUE_SCHEMA);
    return {
      id: integer('id', id),
      account: text('account', account),
      channel: text('channel', channel),
      wakeAt: integer('wakeAt', wakeAt),
      version: integer('version', version),
    };
  },
};

function integer(field: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw new BadRecord(`${field}: expected an integer, got ${shortJson(value)}`);
  }
  return value;
}

function text(field: string, value: unknown): string {
  if (typeof value !== 'string') throw new BadRecord(`${field}: expected a string, got ${shortJson(value)}`);
  return value;
}
