import { readJson } from '../../../topology/core/json-text';
import type { OnLate } from '../../../topology/core/lateness';
import type { LedgerOutcome, MessageId, MessageState } from '../../../topology/message';
import { integer, list, text } from '../sql/literals';
import { PAYLOAD_BYTES, pagesOfPayloads } from '../sql/payloads';
import type { Sql } from '../sql/sql';
import { checkTarget, type Target } from './input';

/** A message as it stands. Times are epoch milliseconds. */
export interface Message {
  readonly id: MessageId;
  readonly account: string;
  readonly channel: string;
  /** An integer that a number cannot hold exactly is a bigint. */
  readonly payload: unknown;
  readonly dueAt: number;
  /** How long after its due time it may be sent, milliseconds, and what happens to it afterwards. Null: as its channel says. */
  readonly sendWithinMs: number | null;
  readonly onLate: OnLate | null;
  /** When a person last had it sent again: its time begins then at the earliest. */
  readonly lateFrom: number | null;
  /** It is `late`, or `failed` because it was not sent in time. */
  readonly isLate: boolean;
  /** When it is to be sent next: due, or the time of the retry. Null when canceled. */
  readonly wakeAt: number | null;
  readonly localTime: string | null;
  readonly zone: string | null;
  readonly state: MessageState;
  readonly version: number;
  readonly attempts: number;
  /** Part of the idempotency key. */
  readonly planNumber: number;
  readonly inDoubt: boolean;
  /** The session that is sending it, 32 hex digits. */
  readonly session: string | null;
  readonly deliveredAt: number | null;
  readonly receipt: string | null;
  readonly lastError: string | null;
  readonly dedupeKey: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** One attempt of a message, from the ledger. Times are epoch milliseconds. */
export interface Attempt {
  readonly version: number;
  /** All zeros where a person decided and no worker did anything. */
  readonly session: string;
  readonly worker: string | null;
  readonly wakeAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number;
  readonly outcome: LedgerOutcome['kind'];
  readonly status: number | null;
  readonly error: string | null;
  readonly receipt: string | null;
  readonly contentHash: string;
}

/** A row that was delivered and is planned again keeps these two until its next delivery. */
const DELIVERED_AT = "IF(state='delivered', delivered_at, NULL)";
const RECEIPT = "IF(state='delivered', receipt, NULL)";

const TARGETS_PER_READ = 1_000;

type Scalar = string | number | null;
const COLUMNS =
  'id, account, channel, due_at, wake_at, local_time, zone, state, version, attempts, in_doubt, ' +
  `IF(state='sending', LOWER(HEX(claim)), NULL), ${DELIVERED_AT}, ${RECEIPT}, last_error, dedupe_key, UNIX_TIMESTAMP(created_at), UNIX_TIMESTAMP(updated_at), plan_number, ` +
  'send_within, on_late, late_from, late_kind IS NOT NULL';

/** The messages in the order of the targets; null for those that do not exist. */
export async function getAll(sql: Sql, targets: readonly Target[]): Promise<(Message | null)[]> {
  const checked = targets.map(checkTarget);
  const ids = checked.flatMap((target) => ('id' in target ? [target.id] : []));
  const keys = checked.flatMap((target) => ('id' in target ? [] : [target]));
  const byName = new Map<string, Message>();
  const find = async <T>(named: readonly T[], conditionOf: (some: readonly T[]) => string) => {
    for (let from = 0; from < named.length; from += TARGETS_PER_READ) {
      for await (const message of select(sql, conditionOf(named.slice(from, from + TARGETS_PER_READ)))) {
        byName.set(String(message.id), message);
        byName.set(JSON.stringify([message.account, message.dedupeKey]), message);
      }
    }
  };
  await find(ids, (some) => `id IN ${list(some, integer)}`);
  await find(
    keys,
    (some) => `(account, dedupe_key) IN ${list(some, (one) => `(${text(one.account)},${text(one.dedupeKey)})`)}`,
  );
  return checked.map(
    (target) =>
      byName.get('id' in target ? String(target.id) : JSON.stringify([target.account, target.dedupeKey])) ?? null,
  );
}

/** The ledger of one message, oldest first. */
export async function attemptsOf(sql: Sql, id: MessageId): Promise<Attempt[]> {
  const rows = await sql.rows<Scalar[]>(
    "SELECT a.version, LOWER(HEX(a.session)), CONCAT(w.host, ':', w.pid), a.wake_at, a.started_at, a.finished_at, " +
      'a.outcome, a.status, a.error, a.receipt, LOWER(HEX(a.content_hash)) FROM delivery_attempts a ' +
      `LEFT JOIN workers w ON w.session=a.session WHERE a.message_id=${integer(id)} ORDER BY a.id`,
  );
  return rows.map((row) => ({
    version: Number(row[0]),
    session: String(row[1]),
    worker: textOf(row[2]),
    wakeAt: Number(row[3]),
    startedAt: numberOf(row[4]),
    finishedAt: Number(row[5]),
    outcome: row[6] as Attempt['outcome'],
    status: numberOf(row[7]),
    error: textOf(row[8]),
    receipt: textOf(row[9]),
    contentHash: String(row[10]),
  }));
}

/** @param condition SQL. Columns are read as text or number, because the settings of the caller's connection are not known */
async function* select(sql: Sql, condition: string): AsyncGenerator<Message> {
  const read = async (which: string, payload: string) => {
    const rows = await sql.rows<Scalar[]>(
      `SELECT ${payload}, ${PAYLOAD_BYTES}, ${COLUMNS} FROM scheduled_messages ${which}`,
    );
    return rows.map(([payloadText, bytes, ...row]) => ({
      id: Number(row[0]),
      payload: textOf(payloadText),
      payloadBytes: Number(bytes),
      row,
    }));
  };
  for await (const page of pagesOfPayloads(`WHERE ${condition}`, read)) {
    for (const { payload, row } of page) yield messageOf(payload as string, row);
  }
}

function messageOf(payload: string, row: readonly Scalar[]): Message {
  return {
    id: Number(row[0]),
    account: String(row[1]),
    channel: String(row[2]),
    payload: readJson(payload),
    dueAt: Number(row[3]),
    wakeAt: numberOf(row[4]),
    localTime: textOf(row[5]),
    zone: textOf(row[6]),
    state: row[7] as MessageState,
    version: Number(row[8]),
    attempts: Number(row[9]),
    inDoubt: Number(row[10]) !== 0,
    session: textOf(row[11]),
    deliveredAt: numberOf(row[12]),
    receipt: textOf(row[13]),
    lastError: textOf(row[14]),
    dedupeKey: textOf(row[15]),
    createdAt: Math.floor(Number(row[16]) * 1000),
    updatedAt: Math.floor(Number(row[17]) * 1000),
    planNumber: Number(row[18]),
    sendWithinMs: numberOf(row[19]),
    onLate: row[20] as OnLate | null,
    lateFrom: numberOf(row[21]),
    isLate: Number(row[22]) === 1,
  };
}

function numberOf(value: Scalar | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

function textOf(value: Scalar | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}
