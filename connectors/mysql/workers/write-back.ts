import type { AttemptResult, Unwritten } from '../../../bolts/send-rows';
import { reasonOf } from '../../../topology/core/errors';
import { isLate, OTHER_CREDENTIALS_DELAY_MS, type Settlement } from '../../../topology/message';
import { cut } from '../sql/cut';
import { isLockWaitTimeout } from '../sql/failures';
import { InParts } from '../sql/in-parts';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import { freeAmong } from '../sql/locks';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { dropKeptStatement } from './kept-ids';
import { markRefused, type RefusedRow } from './refused-accounts';

/** Large enough to share the cost of a transaction, small enough to hold locks for a short time. */
const MAX_ROWS_PER_TRANSACTION = 1_000;
const MAX_RECEIPT_CHARACTERS = 512;
const MAX_ERROR_CHARACTERS = 1024;

const LOCKED = 'locked by another transaction';

/** A row that is suspended, or was late when its turn came, has had no attempt. */
const UNTRIED = { without: 'given_back', askedMs: 0 } as const;

type Delivered = Extract<Settlement, { state: 'delivered' }>;

/** A result whose values are SQL already, so that an impossible value is found before the batch is written. */
export interface Prepared {
  readonly id: number;
  /** The columns of the ledger's key but the session. */
  readonly plan: string;
  /** The row of the ledger; undefined where the ledger is known to have it. */
  readonly entry: string | undefined;
  readonly result: AttemptResult;
  /** The row of the VALUES that the UPDATE joins. */
  readonly values: string;
  readonly delivered: boolean;
  /** Ids of it may be in the table, and are not needed any more if it has ended with this. */
  readonly dropsKept: boolean;
  /** The row is suspended, unless its account has other credentials by now. */
  readonly refused?: RefusedRow & { readonly otherwise: Prepared };
}

/**
 * Writes attempts to the ledger and settles their rows, in one transaction per batch. A journal is the ledger alone.
 *
 * 1. A row is settled only while this session owns it in that version: `claim`, `version` and `state='sending'`.
 * 2. The ledger is written once per (message, version, session): repeating is harmless. A lost claim does not matter here.
 * 3. A delivered attempt whose claim was lost settles the row if it is in doubt, whatever it waits for: the provider has
 *    it. The version stays, because this is no new plan. A claim needs `state='scheduled'` and the newer owner's write-back
 *    needs `state='sending'`, so neither can change the row any more. No change event is made.
 * 4. A row that cannot be written is found; the others are written, whatever the answer was. When nothing can be written it is not
 *    known whether that is an outage, so the answer is thrown.
 * 5. A row that another transaction holds is handed back; the others are written. So is one whose writing waits for something else,
 *    with all of its account that are left. What was not tried because of such waits is handed back as that.
 * 6. A row is suspended in the transaction that marks its account unusable. When a person has set other credentials than those that
 *    were refused, neither happens: the row is given back.
 * 7. An account that somebody holds keeps no result of others waiting: refused rows have transactions of their own, after all others,
 *    and those of such an account are handed back. So are all of them where none can be written and others were.
 */
export class ResultWriter {
  private readonly parts: InParts;
  /** By themselves, because that others are written says nothing of the table of the accounts' states. */
  private readonly suspensions: InParts;
  private readonly journaled = new WeakSet<AttemptResult>();

  constructor(private readonly pool: Pool) {
    this.parts = new InParts(pool, { byAccount: true });
    this.suspensions = new InParts(pool, { byAccount: true });
  }

  async journal(session: string, results: readonly AttemptResult[]): Promise<void> {
    const owner = hex(session);
    const sorted = results.toSorted((a, b) => a.id - b.id);
    if (sorted.length > 0) await this.pool.run(ledgerStatement(sorted.map((result) => entryOf(owner, result))));
    for (const result of results) this.journaled.add(result);
  }

  async write(session: string, results: readonly AttemptResult[]): Promise<readonly Unwritten[]> {
    const bad: Unwritten[] = [];
    const prepared: Prepared[] = [];
    const owner = hex(session);
    for (const result of results) {
      try {
        prepared.push(prepare(owner, result, this.journaled.has(result)));
      } catch (error) {
        bad.push({ id: result.id, reason: reasonOf(error), again: false });
      }
    }
    prepared.sort((a, b) => a.id - b.id);
    const others = prepared.filter(({ refused }) => refused === undefined);
    const refused = prepared.filter((row) => row.refused !== undefined);
    for (let from = 0; from < others.length; from += MAX_ROWS_PER_TRANSACTION) {
      bad.push(...(await this.writeBatch(this.parts, session, others.slice(from, from + MAX_ROWS_PER_TRANSACTION))));
    }
    for (let from = 0; from < refused.length; from += MAX_ROWS_PER_TRANSACTION) {
      const batch = refused.slice(from, from + MAX_ROWS_PER_TRANSACTION);
      try {
        bad.push(...(await this.writeBatch(this.suspensions, session, batch)));
      } catch (error) {
        // The others are written.
        if (others.length === 0) throw error;
        bad.push(...handedBack(batch, reasonOf(error)));
      }
    }
    return bad;
  }

  private async writeBatch(parts: InParts, session: string, batch: readonly Prepared[]): Promise<Unwritten[]> {
    const left: Unwritten[] = [];
    const settled = async (rows: readonly Prepared[]) => {
      if (rows.length === 0) return 0;
      const held = await this.pool.transaction((sql) => write(sql, session, rows));
      left.push(...held);
      return rows.length - held.length;
    };
    const refused = await parts.write(batch, async (part, hasWaited) => {
      if (!hasWaited) {
        try {
          return await settled(part);
        } catch (error) {
          if (!isLockWaitTimeout(error)) throw error;
          const locked = await this.lockedAmong(part);
          // Something waits, but it is none of these rows.
          if (locked.size === 0) throw error;
        }
      }
      const locked = await this.lockedAmong(part);
      const count = await settled(part.filter(({ id }) => !locked.has(id)));
      left.push(...handedBack(part.filter(({ id }) => locked.has(id))));
      return count;
    });
    return [
      ...left,
      ...refused.map(({ row, error, again, wait }) => {
        const reason = again ? LOCKED : reasonOf(error);
        return { id: row.id, reason, again, ...(wait !== undefined && { wait }) };
      }),
    ];
  }

  /** Rows that another transaction holds. Deleted ones are not among them. */
  private lockedAmong(rows: readonly Prepared[]): Promise<ReadonlySet<number>> {
    const ids = rows.map(({ id }) => id);
    return this.pool.transaction(async (sql) => {
      const free = new Set(await freeAmong(sql, ids));
      const there = await sql.rows<[number]>(`SELECT id FROM scheduled_messages WHERE id IN ${list(ids, integer)}`);
      return new Set(there.map(([id]) => id).filter((id) => !free.has(id)));
    });
  }
}

function handedBack(rows: readonly Prepared[], reason = LOCKED): Unwritten[] {
  return rows.map(({ id }) => ({ id, reason, again: true }));
}

/** @returns the rows that were left, because somebody holds their account */
export async function write(sql: Sql, session: string, prepared: readonly Prepared[]): Promise<Unwritten[]> {
  const { stale, held } = await markRefused(
    sql,
    prepared.flatMap(({ refused }) => refused ?? []),
  );
  const batch = prepared
    .filter(({ id }) => !held.has(id))
    .map((row) => (row.refused !== undefined && stale.has(row.id) ? row.refused.otherwise : row));
  if (batch.length > 0) await settle(sql, session, batch);
  return handedBack(prepared.filter(({ id }) => held.has(id)));
}

/** Settles rows that were claimed in the same transaction, and of which none is suspended. */
export async function settleIn(sql: Sql, session: string, results: readonly AttemptResult[]): Promise<void> {
  const owner = hex(session);
  await settle(
    sql,
    session,
    results.map((result) => prepare(owner, result)),
  );
}

function ledgerStatement(entries: readonly string[]): string {
  return (
    'INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, started_at, finished_at, ' +
    `outcome, status, error, receipt, settled) VALUES ${entries.join(',')} ` +
    'ON DUPLICATE KEY UPDATE id=id'
  );
}

/**
 * To insert an entry that is there costs three times as much as one that is not, and to count it a tenth. One that was journaled and is not
 * there was lost with a server that failed: it is written again.
 */
async function entriesToWrite(sql: Sql, session: string, batch: readonly Prepared[]): Promise<readonly string[]> {
  const owner = hex(session);
  const journaled = batch.filter(({ entry }) => entry === undefined);
  if (journaled.length > 0) {
    const keys = list(journaled, ({ plan }) => `(${plan},${owner})`);
    const [row] = await sql.rows<[number]>(
      `SELECT COUNT(*) FROM delivery_attempts FORCE INDEX (attempt) WHERE (message_id, version, session) IN ${keys}`,
    );
    if (row?.[0] !== journaled.length) return batch.map(({ entry, result }) => entry ?? entryOf(owner, result));
  }
  return batch.flatMap(({ entry }) => entry ?? []);
}

async function settle(sql: Sql, session: string, batch: readonly Prepared[]): Promise<void> {
  const entries = await entriesToWrite(sql, session, batch);
  if (entries.length > 0) await sql.run(ledgerStatement(entries));
  const owned = `m.claim=${hex(session)} AND m.state='sending' AND m.version=v.version`;
  const delivered = batch.filter((row) => row.delivered);
  if (delivered.length > 0) {
    const { affectedRows } = await sql.run(deliverStatement(delivered, owned));
    if (affectedRows < delivered.length) {
      await sql.run(deliverStatement(delivered, "m.in_doubt<>0 AND m.state NOT IN ('delivered','canceled')"));
    }
  }
  const others = batch.filter((row) => !row.delivered);
  if (others.length > 0) {
    await sql.run(
      `UPDATE (VALUES ${others.map(({ values }) => values).join(',')}) ` +
        'v(id, version, state, in_doubt, error, delay, given_back, without_request, is_attempt, began, asked, late) STRAIGHT_JOIN scheduled_messages m FORCE INDEX (PRIMARY) ON m.id=v.id ' +
        'SET m.state=v.state, m.in_doubt=IF(v.without_request AND v.in_doubt, m.in_doubt, v.in_doubt), m.last_error=v.error, m.late=v.late, ' +
        `m.doubt_since=IF(v.in_doubt, COALESCE(m.doubt_since, v.began, ${NOW_MS}), NULL), ` +
        'm.attempts=m.attempts - v.given_back, m.recoveries=IF(v.without_request, m.recoveries, 0), ' +
        `m.first_attempt_at=IF(v.is_attempt, COALESCE(m.first_attempt_at, v.began, ${NOW_MS}) + v.asked, m.first_attempt_at), ` +
        `m.retry_at=IF(v.delay IS NULL, m.retry_at, ${NOW_MS} + v.delay), m.version=m.version + (v.delay IS NOT NULL) ` +
        `WHERE ${owned}`,
    );
  }
  const ended = batch.filter((row) => row.dropsKept);
  if (ended.length > 0) await sql.run(dropKeptStatement(ended.map(({ id }) => id)));
}

/**
 * The join reads VALUES in their order, so rows are locked in ascending order of their ids. The index is forced because the
 * optimizer would scan the whole table for each row while old statistics say that the table is nearly empty.
 */
export function deliverStatement(rows: readonly Pick<Prepared, 'values'>[], condition: string): string {
  return (
    `UPDATE (VALUES ${rows.map(({ values }) => values).join(',')}) v(id, version, at, receipt) ` +
    'STRAIGHT_JOIN scheduled_messages m FORCE INDEX (PRIMARY) ON m.id=v.id ' +
    `SET m.state='delivered', m.delivered_at=v.at, m.receipt=v.receipt, m.last_error=NULL WHERE ${condition}`
  );
}

/**
 * @param owner the session, as SQL
 * @param isJournaled the ledger has it
 */
export function prepare(owner: string, result: AttemptResult, isJournaled = false): Prepared {
  const { id, settlement } = result;
  const plan = planOf(result);
  const entry = isJournaled ? undefined : entryOf(owner, result);
  const values = `ROW(${plan},${valuesOf(settlement, result)})`;
  const dropsKept = result.hasKept === true && (settlement.state === 'delivered' || settlement.state === 'failed');
  const row = { id, plan, entry, result, values, delivered: settlement.state === 'delivered', dropsKept };
  if (settlement.state !== 'suspended') return row;
  const { generation, inDoubt, error: reason } = settlement;
  const again = { state: 'scheduled', inDoubt, error: reason, delayMs: OTHER_CREDENTIALS_DELAY_MS } as const;
  const otherwise = prepare(owner, { ...result, settlement: { ...again, without: 'given_back' } });
  return { ...row, refused: { id, generation, reason, otherwise } };
}

function planOf({ id, version }: AttemptResult): string {
  return `${integer(id)},${integer(version)}`;
}

/** @param owner the session, as SQL */
function entryOf(owner: string, result: AttemptResult): string {
  const { outcome, settlement } = result;
  const error = outcome.kind === 'delivered' ? null : cut(outcome.reason, MAX_ERROR_CHARACTERS);
  const receipt = outcome.kind === 'delivered' && outcome.receipt !== undefined ? outcome.receipt : null;
  const began = result.startedAt === null ? 'NULL' : instant(result.startedAt);
  return (
    `(${planOf(result)},${owner},${instant(result.wakeAt)},${hex(result.contentHash)},` +
    `${began},${instant(result.finishedAt)},'${outcome.kind}',` +
    `${outcome.status === undefined ? 'NULL' : integer(Math.min(outcome.status, 65_535))},${text(error)},${text(receiptOf(receipt))},` +
    `'${settlement.state}')`
  );
}

function valuesOf(settlement: Settlement, { startedAt, outcome }: AttemptResult): string {
  if (settlement.state === 'delivered') return deliveredValues(settlement);
  const retry = settlement.state === 'scheduled' ? settlement : undefined;
  const delay = retry === undefined ? 'NULL' : integer(Math.max(0, Math.round(retry.delayMs)));
  const isUntried = settlement.state === 'suspended' || outcome.kind === 'late';
  const { without, askedMs = 0 } = retry ?? (isUntried ? UNTRIED : {});
  const isAttempt = without === undefined || without === 'unreachable';
  const flags = [without === 'given_back', without !== undefined, isAttempt].map(Number).join(',');
  const began = startedAt === null ? 'NULL' : instant(startedAt);
  return `'${settlement.state}',${settlement.inDoubt ? 1 : 0},${text(cut(settlement.error, MAX_ERROR_CHARACTERS))},${delay},${flags},${began},${instant(askedMs)},${isLate(settlement) ? 1 : 0}`;
}

function deliveredValues(settlement: Delivered): string {
  return `${instant(settlement.deliveredAt)},${text(receiptOf(settlement.receipt))}`;
}

function receiptOf(receipt: string | null): string | null {
  return receipt === null ? null : cut(receipt, MAX_RECEIPT_CHARACTERS);
}

/** Bounds of a clock may have a fraction. */
function instant(milliseconds: number): string {
  return integer(Math.round(milliseconds));
}
