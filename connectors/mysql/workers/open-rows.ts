import type { OpenRow, OpenRows, ShardCursor } from '../../../spouts/open-rows';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import { freeAmong } from '../sql/locks';
import type { Pool } from '../sql/pool';

type PageColumns = readonly [
  id: number,
  shard: number,
  account: string,
  wakeAt: number,
  version: number,
  state: 'scheduled' | 'sending',
  claim: Buffer,
];

type Recovered = { readonly id: number; readonly version: number; readonly session: string };

const MAX_ROWS_PER_RECOVERY = 1_000;

/** The spout's view of the table. */
export class MySqlOpenRows implements OpenRows {
  constructor(private readonly pool: Pool) {}

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

  async deadOf(sessions: readonly string[], bury: boolean): Promise<string[]> {
    if (sessions.length === 0) return [];
    const these = list(sessions.toSorted(), hex);
    if (bury) {
      await this.pool.run(`UPDATE workers SET dead=1 WHERE session IN ${these} AND dead=0 AND lease_until < ${NOW_MS}`);
    }
    const alive = await this.pool.rows<[Buffer]>(`SELECT session FROM workers WHERE session IN ${these} AND dead=0`);
    const names = new Set(alive.map(([session]) => session.toString('hex')));
    return sessions.filter((session) => !names.has(session));
  }

  async recover(rows: readonly Recovered[], delayMs: number): Promise<number> {
    const sorted = rows.toSorted((a, b) => a.id - b.id);
    let recovered = 0;
    for (let from = 0; from < sorted.length; from += MAX_ROWS_PER_RECOVERY) {
      recovered += await this.recoverBatch(sorted.slice(from, from + MAX_ROWS_PER_RECOVERY), delayMs);
    }
    return recovered;
  }

  /** Rows that another transaction holds are left for the next time. */
  private recoverBatch(rows: readonly Recovered[], delayMs: number): Promise<number> {
    return this.pool.transaction(async (sql) => {
      const locked = await freeAmong(
        sql,
        rows.map(({ id }) => id),
      );
      const free = new Set(locked);
      const owned = rows.filter(({ id }) => free.has(id));
      if (owned.length === 0) return 0;
      const these = list(owned, ({ id, version, session }) => `(${integer(id)},${integer(version)},${hex(session)})`);
      const { affectedRows } = await sql.run(
        "UPDATE scheduled_messages FORCE INDEX (PRIMARY) SET state='scheduled', in_doubt=1, version=version+1, " +
          `retry_at=${NOW_MS} + ${integer(Math.round(delayMs))}, last_error='its worker died while sending' ` +
          `WHERE (id, version, claim) IN ${these} AND state='sending'`,
      );
      return affectedRows;
    });
  }
}

/**
 * One branch per shard, each of which reads the index in order and stops at its limit: a single SELECT over many shards
 * would sort the whole backlog for every page.
 */
export function pageStatement(channel: string, cursors: readonly ShardCursor[], below: number, limit: number): string {
  const until = bound(Math.ceil(below));
  return cursors
    .map(({ shard, afterWake, afterId }) => {
      const after = bound(Math.floor(afterWake));
      return (
        '(SELECT id, shard, account, wake_at, version, state, claim FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
        `WHERE open=1 AND channel=${text(channel)} AND shard=${integer(shard)} AND wake_at >= ${after} ` +
        `AND wake_at < ${until} AND (wake_at > ${after} OR id > ${bound(afterId)}) ` +
        `ORDER BY wake_at, id LIMIT ${integer(limit)})`
      );
    })
    .join(' UNION ALL ');
}

/** Infinity becomes the largest safe integer. */
function bound(value: number): string {
  return integer(Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, value)));
}
