import type { LostRow, OpenRow, OpenRows, Recovery, SessionLease, ShardCursor } from '../../../spouts/open-rows';
import { reasonOf, Unavailable } from '../../../topology/core/errors';
import { DOUBT_SINCE_CLAIM } from '../schema/doubt';
import { batchesOf, MAX_BYTES_PER_TRANSACTION, payloadBytesOf } from '../sql/batches';
import { errnoOf, isLocked } from '../sql/failures';
import { InParts } from '../sql/in-parts';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import { freeAmong } from '../sql/locks';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { deliverStatement } from './write-back';

type PageColumns = readonly [
  id: number,
  shard: number,
  account: string,
  wakeAt: number,
  version: number,
  state: 'scheduled' | 'sending',
  claim: Buffer,
];

const recoveryBound = { maxItems: 1_000, maxBytes: MAX_BYTES_PER_TRANSACTION };

/** Each costs a second, in which this spout looks at nothing else. What is left is found again in the next round. */
const MAX_WAITS = 3;
/** Batches of one call that may fail as a whole: where the database does not answer each takes as long as a time-out. */
const MAX_FAILED_BATCHES = 2;

/** The spout's view of the table. */
export class MySqlOpenRows implements OpenRows {
  private readonly recoveries: InParts;

  /** @param random in [0, 1): which batch is recovered first */
  constructor(
    private readonly pool: Pool,
    private readonly random: () => number = Math.random,
  ) {
    this.recoveries = new InParts(pool, { maxWaits: MAX_WAITS });
  }

  async page(channel: string, cursors: readonly ShardCursor[], below: number, limit: number): Promise<OpenRow[]> {
    if (cursors.length === 0) return [];
    const rows = await this.pool.rows<PageColumns>(pageStatement(channel, cursors, below, limit));
    return rows.map((row) => ({
      id: row[0],
      shard: row[1],
      account: row[2],
      channel,
      wakeAt: row[3],
      version: row[4],
      state: row[5],
      session: row[5] === 'sending' ? row[6].toString('hex') : null,
    }));
  }

  async leasesOf(sessions: readonly string[], recentMs?: number): Promise<SessionLease[]> {
    const these = sessions.length === 0 ? [] : [`session IN ${list(sessions.toSorted(), hex)}`];
    const recent = recentMs === undefined ? [] : [`lease_until >= ${NOW_MS} - ${integer(recentMs)}`];
    const wanted = [...these, ...recent];
    if (wanted.length === 0) return [];
    const alive = await this.pool.rows<[session: Buffer, leaseUntil: number]>(
      `SELECT session, lease_until FROM workers WHERE (${wanted.join(' OR ')}) AND dead=0`,
    );
    return alive.map(([session, leaseUntil]) => ({ session: session.toString('hex'), leaseUntil }));
  }

  async markDead(leases: readonly SessionLease[]): Promise<string[]> {
    if (leases.length === 0) return [];
    const sorted = leases.toSorted((a, b) => (a.session < b.session ? -1 : 1));
    const sessions = list(sorted, ({ session }) => hex(session));
    await this.pool.transaction(async (sql) => {
      // One that somebody holds is left for the next time, and keeps no other from being marked.
      const locked = await sql.rows<[session: Buffer]>(
        `SELECT session FROM workers FORCE INDEX (PRIMARY) WHERE session IN ${sessions} ORDER BY session FOR UPDATE SKIP LOCKED`,
      );
      const free = new Set(locked.map(([session]) => session.toString('hex')));
      const ended = sorted.filter(({ session }) => free.has(session));
      if (ended.length === 0) return;
      const these = list(ended, ({ session, leaseUntil }) => `(${hex(session)},${integer(leaseUntil)})`);
      await sql.run(
        `UPDATE workers SET dead=1 WHERE (session, lease_until) IN ${these} AND dead=0 AND lease_until < ${NOW_MS}`,
      );
    });
    const alive = new Set((await this.leasesOf(leases.map(({ session }) => session))).map(({ session }) => session));
    return leases.map(({ session }) => session).filter((session) => !alive.has(session));
  }

  async recover(rows: readonly LostRow[], delayMs: number): Promise<Recovery> {
    if (rows.length === 0) return { recovered: 0, delivered: 0, refused: [] };
    const sorted = rows.toSorted((a, b) => a.id - b.id);
    const bytes = await payloadBytesOf(this.pool, sorted);
    const batches = batchesOf(sorted, ({ id }) => bytes.get(id) ?? 0, recoveryBound);
    // Another one begins each time, because some may fail always, and nothing is tried after them.
    const begin = Math.floor(this.random() * batches.length);
    let [recovered, delivered, written] = [0, 0, 0];
    const refused: Recovery['refused'][number][] = [];
    const failed: { readonly batch: readonly LostRow[]; readonly error: unknown }[] = [];
    for (const batch of [...batches.slice(begin), ...batches.slice(0, begin)]) {
      if (failed.length === MAX_FAILED_BATCHES) break;
      try {
        const left = await this.recoveries.write(batch, async (part) => {
          const put = await this.putBack(part, delayMs);
          recovered += put.recovered;
          delivered += put.delivered;
          return put.recovered + put.delivered;
        });
        written++;
        for (const { row, error, again, isAlone } of left) {
          if (isAlone || !again) refused.push({ id: row.id, reason: reasonOf(error) });
        }
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        failed.push({ batch, error });
      }
    }
    if (written === 0 && failed.length > 0) throw failed[0]?.error;
    let failure: unknown;
    for (const { batch, error } of failed) {
      const [row] = batch;
      // Beside others that were written an answer about one row alone is about that row.
      if (row !== undefined && batch.length === 1 && errnoOf(error) !== undefined) {
        refused.push({ id: row.id, reason: reasonOf(error) });
      } else failure ??= error;
    }
    return { recovered, delivered, refused, ...(failure === undefined ? {} : { failure }) };
  }

  /** Rows that another transaction holds are left for the next time. */
  private putBack(
    rows: readonly LostRow[],
    delayMs: number,
  ): Promise<{ readonly recovered: number; readonly delivered: number }> {
    return this.pool.transaction(async (sql) => {
      const locked = await freeAmong(
        sql,
        rows.map(({ id }) => id),
      );
      const free = new Set(locked);
      const owned = rows.filter(({ id }) => free.has(id));
      if (owned.length === 0) return { recovered: 0, delivered: 0 };
      const delivered = await settleByLedger(sql, owned);
      // First what the ledger has, so that nothing of it is `sending` here any more.
      const { affectedRows } = await sql.run(
        "UPDATE scheduled_messages FORCE INDEX (PRIMARY) SET state='scheduled', " +
          `${DOUBT_SINCE_CLAIM}, in_doubt=1, version=version+1, recoveries=LEAST(recoveries, 254) + 1, ` +
          `retry_at=${NOW_MS} + ${integer(Math.round(delayMs))}, last_error='its worker died while sending' ` +
          `WHERE (id, version, claim) IN ${claimsOf(owned)} AND state='sending'`,
      );
      return { recovered: affectedRows, delivered };
    });
  }
}

function claimsOf(rows: readonly LostRow[]): string {
  return list(rows, ({ id, version, session }) => `(${integer(id)},${integer(version)},${hex(session)})`);
}

/**
 * Settles those rows that the ledger says are delivered. It has the same time and receipt as their outcome.
 * @param rows locked, in ascending order of their ids
 */
async function settleByLedger(sql: Sql, rows: readonly LostRow[]): Promise<number> {
  const entries = await sql.rows<[id: number, version: number, session: Buffer, at: number, receipt: string | null]>(
    'SELECT message_id, version, session, finished_at, receipt FROM delivery_attempts FORCE INDEX (attempt) ' +
      `WHERE (message_id, version, session) IN ${claimsOf(rows)} AND settled='delivered' ORDER BY message_id`,
  );
  if (entries.length === 0) return 0;
  const sessions = [...new Set(entries.map(([, , session]) => session.toString('hex')))];
  const values = entries.map(([id, version, , at, receipt]) => ({
    values: `ROW(${integer(id)},${integer(version)},${integer(at)},${text(receipt)})`,
  }));
  // A version is claimed once, so with it one of the sessions is enough: pairs would be compared with each row.
  const its = `m.claim IN ${list(sessions, hex)} AND m.version=v.version AND m.state='sending'`;
  try {
    const { affectedRows } = await sql.run(deliverStatement(values, its));
    return affectedRows;
  } catch (error) {
    // A row that cannot be delivered must not stay with the dead: it is put back, and sent again with the same key.
    if (rows.length > 1 || errnoOf(error) === undefined || isLocked(error)) throw error;
    return 0;
  }
}

/**
 * One branch per shard, each of which reads the index in order and stops at its limit: a single SELECT over many shards
 * would sort the whole backlog for every page. A branch has two ranges of the index, because one range with a condition on
 * the id would walk again over all rows of the cursor's instant that earlier pages have read.
 */
export function pageStatement(channel: string, cursors: readonly ShardCursor[], below: number, limit: number): string {
  const until = bound(Math.ceil(below));
  return cursors
    .map(({ shard, afterWake, afterId }) => {
      const after = bound(Math.floor(afterWake));
      return (
        '(SELECT id, shard, account, wake_at, version, state, claim FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
        `WHERE open=1 AND channel=${text(channel)} AND shard=${integer(shard)} AND ` +
        `((wake_at = ${after} AND id > ${bound(afterId)}) OR (wake_at > ${after} AND wake_at < ${until})) ` +
        `ORDER BY wake_at, id LIMIT ${integer(limit)})`
      );
    })
    .join(' UNION ALL ');
}

/**
 * No bound is the largest number there is. The table refuses due times outside 2000 to 2100, so no row wakes below the
 * least of them.
 */
function bound(value: number): string {
  return integer(Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, value)));
}
