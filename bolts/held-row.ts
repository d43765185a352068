import { hash } from 'node:crypto';
import type { Delivery } from '../topology/core/bolt';
import { BadRecord, reasonOf } from '../topology/core/errors';
import type { Due } from '../topology/streams';
import type { Channel } from './channel';
import type { ClaimRow, SendRow } from './send-rows';
import type { Lane, Resource } from './slots/line';

/** What an object around a payload costs in memory, roughly. */
const OVERHEAD = 1_000;

/** A row in the hands of the bolt, from its prefetch until its outcome is written. Times are by the database's clock. */
export interface HeldRow extends ClaimRow {
  readonly account: string;
  readonly wakeAt: number;
  /** Claims of this plan before this one. */
  readonly attempts: number;
  readonly inDoubt: boolean;
  readonly decided: boolean;
  /** Made by the channel; undefined when there is a defect. */
  readonly prepared: unknown;
  /** Why the payload can never be sent. */
  readonly defect: string | undefined;
  readonly contentHash: string;
  /** Of memory, roughly. */
  readonly bytes: number;
  readonly lane: Lane;
  /** When it is to be looked at: at its wake, or later after a claim that failed. Queues are ordered by it. */
  readonly at: number;
  delivery: Delivery<Due>;
  /** Its partition belongs to another task now. */
  revoked: boolean;
  /** Since when it could have gone on in this phase: its wake, or when it came into it. */
  since: number;
  /** The queue that it waits in: 0 to be claimed, 1 to be started. */
  queue: 0 | 1 | undefined;
  /** It waits in its lane's line for room, not for its time alone. */
  inLine: boolean;
  /** What it takes a slot from besides its account and host, while claimed and while in flight. */
  claimPool: Resource | undefined;
  pool: Resource | undefined;
  /** Claims in a row that did not win it though it still waits. */
  readonly misses: number;
  /**
   * Until when, on the monotonic clock, a claim whose answer was lost may still take effect. Forgotten before that, the
   * row could become `sending` with nobody to send it.
   */
  readonly unsureUntil: number;
}

export function isBefore(one: HeldRow, other: HeldRow): boolean {
  return one.at === other.at ? one.id < other.id : one.at < other.at;
}

/** A payload, made ready; what is wrong with it is data, whatever the channel threw. */
export interface Content {
  readonly prepared: unknown;
  readonly defect: string | undefined;
  /** The host whose slots it takes; empty when nothing is to be sent. */
  readonly host: string;
}

export function contentOf(channel: Channel, row: SendRow): Content {
  try {
    const prepared = channel.prepare(row.account, row.payload);
    return { prepared, defect: undefined, host: channel.hostOf(prepared) };
  } catch (error) {
    const reason = reasonOf(error);
    const defect = error instanceof BadRecord ? reason : `the payload cannot be prepared: ${reason}`;
    return { prepared: undefined, defect, host: '' };
  }
}

/** @param now by the database's clock; -Infinity while it is unknown */
export function heldRow(
  row: SendRow & { readonly wakeAt: number },
  content: Content,
  lane: Lane,
  delivery: Delivery<Due>,
  now: number,
): HeldRow {
  return {
    id: row.id,
    version: row.version,
    updatedAt: row.updatedAt,
    account: row.account,
    wakeAt: row.wakeAt,
    attempts: row.attempts,
    inDoubt: row.inDoubt,
    decided: row.decided,
    prepared: content.prepared,
    defect: content.defect,
    contentHash: hash('sha256', row.payload),
    bytes: OVERHEAD + row.payload.length,
    lane,
    at: row.wakeAt,
    delivery,
    revoked: false,
    since: Math.max(row.wakeAt, now),
    queue: undefined,
    inLine: false,
    claimPool: undefined,
    pool: undefined,
    misses: 0,
    unsureUntil: 0,
  };
}

/** The same row, to be looked at again after a claim that did not win it. */
export function heldAgain(row: HeldRow, at: number, unsureUntil: number): HeldRow {
  return { ...row, at: Math.max(row.wakeAt, at), misses: row.misses + 1, unsureUntil };
}

/**
 * Puts the new delivery in place of the old one, which must not hold back the group: two tuples of one message are two
 * offsets, and a log that has lost records is read again from its beginning, the same offsets in the same generation.
 * After a rebalance the old ack is void and giving it does nothing.
 */
export function replaceDelivery(old: Delivery<Due>, next: Delivery<Due>): Delivery<Due> {
  old.ack();
  return next;
}
