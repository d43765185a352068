import { hash } from 'node:crypto';
import type { Delivery } from '../topology/core/bolt';
import { BadRecord, reasonOf } from '../topology/core/errors';
import type { Lateable } from '../topology/core/lateness';
import type { Due } from '../topology/streams';
import type { Channel } from './channel';
import type { ClaimRow, SendRow } from './send-rows';
import type { Lane } from './slots/line';
import type { SlotRow } from './slots/slot-row';

/** What the objects around a payload take of memory, roughly. */
export const OVERHEAD_BYTES = 1_000;
/** In place of the hash of a payload that was not read. */
const NOT_READ = '0'.repeat(64);

/**
 * A row in the hands of the bolt, from its prefetch until it is dropped or its outcome is written. Times are epoch
 * milliseconds by the database's clock.
 *
 * | state     | who has it                    | fields that say so                     | what moves it on                                    |
 * |-----------|-------------------------------|----------------------------------------|-----------------------------------------------------|
 * | held      | HeldRows, the queue `toClaim` | `queue` 0; `inLine` while without room | its wake and room: claiming; 30 s too late: dropped |
 * | claiming  | HeldRows, a batch of Claimer  | `hasStart` if its start is reserved   | won: claimed; not won: held again, or dropped       |
 * | paused    | HeldRows, its PausedRows      | that it is there                       | its account resumed: held; 30 s too late: dropped   |
 * | missed    | HeldRows, its MissedRows      | `isMissed`; `misses`, or a suspect     | its time: claiming, apart; too often: dropped       |
 * | late      | LateRows                      | that it is there                       | settled: dropped; else: held                        |
 * | unsettled | HeldRows, its list            | `unsureUntil` above 0                  | `unsureUntil`: read again; won: claimed, or dropped |
 * | claimed   | ClaimedRows, `toStart`        | `queue` 1; `inLine` while without room | its wake and room: sending; given back: unwritten   |
 * | sending   | Attempts                      | `hasStart`                             | its outcome: unwritten; not started: claimed        |
 * | unwritten | WriteBack                     | `queue`, no slot is taken              | the ledger, or the write-back: out of the bolt's hands |
 *
 * A row that is dropped is out of the bolt's hands at once. Its tuple is acked when it is claimed or dropped. `revoked` says
 * that the partition of the tuple belongs to another task: such a row is forgotten, without an ack, unless it is claimed.
 */
export interface HeldRow extends ClaimRow, Lateable, SlotRow<HeldRow> {
  readonly account: string;
  readonly wakeAt: number;
  /** Claims of this plan before this one. */
  readonly attempts: number;
  /** Of the plan: it rises with an edit or a redrive, not with a retry. */
  readonly planNumber: number;
  readonly firstAttemptAt: number | null;
  readonly inDoubt: boolean;
  /** Null also when it is not known. */
  readonly doubtSince: number | null;
  readonly recoveries: number;
  readonly decided: boolean;
  /** Made by the channel; undefined when there is a defect. */
  readonly prepared: unknown;
  /** Why the payload can never be sent. */
  readonly defect: string | undefined;
  readonly contentHash: string;
  /** Of the row in the table: what the log has of it each time that it is written. */
  readonly bytes: number;
  /** Of memory, roughly. */
  readonly memoryBytes: number;
  delivery: Delivery<Due>;
  /** When its request was allowed, and for which app, until it is made or given back; undefined where no limit was asked. */
  allowed: { readonly at: number; readonly app?: string } | undefined;
  /** Its partition belongs to another task now. */
  revoked: boolean;
  /** Since when it could have proceeded in its state: its wake, or when it came into the state. */
  since: number;
  /** Claims in a row that left it out though it still waits. */
  readonly misses: number;
  /** It waits apart from the others. */
  isMissed: boolean;
  /**
   * Until when, on the monotonic clock, a claim whose answer was lost may still take effect. Forgotten before that, the
   * row could become `sending` with nobody to send it.
   */
  readonly unsureUntil: number;
}

/** Of a payload's text, 64 hex digits. */
export function hashOf(payload: string): string {
  return hash('sha256', payload);
}

/** A payload, made ready. What is wrong with it is data, whatever the channel threw. */
export interface Content {
  readonly prepared: unknown;
  readonly defect: string | undefined;
  /** The origin whose slots it takes; empty when nothing is to be sent. */
  readonly origin: string;
}

export function contentOf(channel: Pick<Channel, 'prepare' | 'originOf'>, row: SendRow): Content {
  if (row.payload === null) {
    return {
      prepared: undefined,
      defect: `payload: it takes ${row.payloadBytes} bytes, which is too large`,
      origin: '',
    };
  }
  try {
    const prepared = channel.prepare(row.account, row.payload);
    return { prepared, defect: undefined, origin: channel.originOf(prepared) };
  } catch (error) {
    const reason = reasonOf(error);
    const defect = error instanceof BadRecord ? reason : `the payload cannot be prepared: ${reason}`;
    return { prepared: undefined, defect, origin: '' };
  }
}

/** @param since when it was read first, by the database's clock; -Infinity while that is unknown */
export function heldRow(
  row: SendRow & { readonly wakeAt: number },
  content: Content,
  lane: Lane<HeldRow>,
  delivery: Delivery<Due>,
  since: number,
): HeldRow {
  return {
    id: row.id,
    version: row.version,
    updatedAt: row.updatedAt,
    account: row.account,
    dueAt: row.dueAt,
    lateFrom: row.lateFrom,
    sendWithinMs: row.sendWithinMs,
    onLate: row.onLate,
    wakeAt: row.wakeAt,
    attempts: row.attempts,
    planNumber: row.planNumber,
    firstAttemptAt: row.firstAttemptAt,
    inDoubt: row.inDoubt,
    doubtSince: row.doubtSince,
    recoveries: row.recoveries,
    decided: row.decided,
    prepared: content.prepared,
    defect: content.defect,
    contentHash: row.payload === null ? NOT_READ : hashOf(row.payload),
    bytes: OVERHEAD_BYTES + row.payloadBytes,
    memoryBytes: OVERHEAD_BYTES + keptBytes(row),
    lane,
    at: row.wakeAt,
    delivery,
    allowed: undefined,
    revoked: false,
    since: Math.max(row.wakeAt, since),
    queue: undefined,
    inLine: false,
    hasStart: false,
    pool: undefined,
    heardAt: 0,
    isSilent: false,
    misses: 0,
    isMissed: false,
    unsureUntil: 0,
  };
}

/** A channel keeps a payload as UTF-8 or as a text, and a text that is not of ASCII alone may take two bytes for each unit. */
function keptBytes({ payload, payloadBytes }: SendRow): number {
  if (payload === null) return 0;
  const utf8 = Buffer.byteLength(payload);
  return Math.max(payloadBytes, utf8, utf8 === payload.length ? 0 : 2 * payload.length);
}

/** The same row, to be claimed again at the time `at` after `misses` claims that did not win it. */
export function heldAgain(row: HeldRow, at: number, misses: number, unsureUntil: number): HeldRow {
  return { ...row, at: Math.max(row.wakeAt, at), misses, unsureUntil };
}

/**
 * It may be what ends its workers: several ended in a row while they had it. Few such rows are claimed at a time until their
 * outcomes are written, and after five workers one, so that of those that its worker had it alone counts on.
 */
export function isSuspect({ recoveries }: Pick<HeldRow, 'recoveries'>): boolean {
  return recoveries > 1;
}

/** It is claimed apart from others: earlier claims left it out, or it may end its worker. */
export function isApart(row: Pick<HeldRow, 'misses' | 'recoveries'>): boolean {
  return row.misses > 0 || isSuspect(row);
}

/**
 * Puts the new delivery in place of the old one. The old one is acked, because it must not hold back the group: two tuples
 * of one message are two offsets, and a log that has lost records is read again from its beginning, the same offsets in the
 * same generation. After a rebalance the old ack is void and calling it does nothing.
 */
export function replaceDelivery(old: Delivery<Due>, next: Delivery<Due>): Delivery<Due> {
  old.ack();
  return next;
}
