import { durationText } from './quantities';

export const onLateWays = ['send', 'skip', 'suspend'] as const;

/**
 * What happens to a message that is not sent in time.
 *
 * - `send`: it is sent all the same.
 * - `skip`: it ends `failed`, and is counted apart from what failed for another reason.
 * - `suspend`: it is `late`, and waits for a person.
 */
export type OnLate = (typeof onLateWays)[number];

export const backlogOrders = ['oldest', 'newest'] as const;

/**
 * In which order messages go out that could not be sent for a while.
 *
 * - `oldest`: as they were due, as fast as limits let them.
 * - `newest`: the other way round, and spread over a tenth of the time for which nothing was sent.
 */
export type BacklogOrder = (typeof backlogOrders)[number];

/** How long after its due time a message may be sent, retries included, and what happens to it afterwards. */
export interface LatenessPolicy {
  /** Milliseconds; null: however long it takes. */
  readonly sendWithinMs: number | null;
  readonly onLate: OnLate;
  /** Of a channel; `oldest` unless given. */
  readonly backlog?: BacklogOrder;
}

/** What decides whether a message is late. Times are epoch milliseconds. */
export interface Lateable {
  readonly dueAt: number;
  /** When a person had it sent again, which gives it its whole time once more; null when nobody has. */
  readonly lateFrom: number | null;
  /** Null: what its channel says counts. */
  readonly sendWithinMs: number | null;
  readonly onLate: OnLate | null;
}

/** How long a message may be sent that says nothing itself, where people read what is sent. */
export const DAY_MS = 86_400_000;
/** Of the column, which holds milliseconds in 32 bits. */
export const MIN_SEND_WITHIN_MS = 1_000;
export const MAX_SEND_WITHIN_MS = 49 * DAY_MS;

/**
 * What counts for the messages of a channel.
 * @param own of its component: null when its messages are never late, undefined when it says nothing
 * @param ofKind of its kind, for a component that says nothing; undefined: never late
 */
export function channelPolicy(
  own: { readonly sendWithinMs?: number | null | undefined; readonly onLate: OnLate; readonly backlog?: BacklogOrder },
  ofKind: number | undefined,
): LatenessPolicy {
  const sendWithinMs = own.sendWithinMs === undefined ? (ofKind ?? null) : own.sendWithinMs;
  return { sendWithinMs, onLate: own.onLate, ...(own.backlog === undefined ? {} : { backlog: own.backlog }) };
}

/** What counts for a message. */
export function policyOf(message: Lateable, channel: LatenessPolicy): LatenessPolicy {
  return {
    sendWithinMs: message.sendWithinMs ?? channel.sendWithinMs,
    onLate: message.onLate ?? channel.onLate,
  };
}

/** From when its time is counted. */
function countedFrom({ dueAt, lateFrom }: Pick<Lateable, 'dueAt' | 'lateFrom'>): number {
  return Math.max(dueAt, lateFrom ?? dueAt);
}

/** The last moment at which a request of it may begin; +Infinity when it is sent however late it is. */
export function endOf(message: Lateable, channel: LatenessPolicy): number {
  const sendWithinMs = message.sendWithinMs ?? channel.sendWithinMs;
  const onLate = message.onLate ?? channel.onLate;
  return sendWithinMs === null || onLate === 'send' ? Number.POSITIVE_INFINITY : countedFrom(message) + sendWithinMs;
}

/** How late it is. @param at when it would be sent */
export function lateText(message: Lateable, channel: LatenessPolicy, at: number): string {
  const from = countedFrom(message);
  const since = from > message.dueAt ? 'a person had it sent again' : 'it was due';
  const within = policyOf(message, channel).sendWithinMs ?? 0;
  const whose = message.sendWithinMs === null ? 'its channel' : 'the message';
  const lateMs = Math.max(0, at - from);
  const unit = lateMs < 120_000 ? 1_000 : lateMs < 7_200_000 ? 60_000 : 3_600_000;
  return `${durationText(Math.floor(lateMs / unit) * unit)} after ${since}, and ${whose} allows ${durationText(within)}`;
}
