import { LEASE_MS } from '../../../topology/core/lease';
import { SPOUT } from '../../../topology/streams';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Sql } from '../sql/sql';

/** Epoch milliseconds by the database's clock. */
export async function databaseNow(sql: Pick<Sql, 'rows'>): Promise<number> {
  const [row] = await sql.rows<[number]>(`SELECT ${NOW_MS}`);
  return row?.[0] ?? 0;
}

/**
 * How many spouts have not ended a sweep over a channel's overdue rows since then, by what they last reported. A report is
 * written with each renewal of the lease, so the lease says when that was.
 * @param since epoch milliseconds by the database's clock
 */
export async function unsweptSpouts(sql: Pick<Sql, 'rows'>, channel: string, since: number): Promise<number> {
  const age = `report->${text(`$.gauges.${SPOUT}."reconcile_age_ms.${channel}"`)}`;
  const [row] = await sql.rows<[number]>(
    `SELECT COUNT(*) FROM workers WHERE dead=0 AND lease_until >= ${NOW_MS} AND ${age} IS NOT NULL ` +
      `AND JSON_LENGTH(report, ${text(`$.partitions.${SPOUT}`)}) > 0 ` +
      `AND lease_until - ${integer(LEASE_MS)} - CAST(${age} AS DOUBLE) < ${integer(since)}`,
  );
  return row?.[0] ?? 0;
}
