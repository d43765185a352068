import { LEASE_MS } from '../../../topology/core/lease';
import { SPOUT } from '../../../topology/streams';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Sql } from '../sql/sql';

/** What a spout emits that reports no such thing is in Kafka by then, so long after it has read the pause. */
const UNREPORTED_MS = 2_000;

/** Epoch milliseconds by the database's clock. */
export async function databaseNow(sql: Pick<Sql, 'rows'>): Promise<number> {
  const [row] = await sql.rows<[number]>(`SELECT ${NOW_MS}`);
  return row?.[0] ?? 0;
}

const IS_SPOUT = `JSON_CONTAINS(components, ${text(JSON.stringify(SPOUT))})`;

/** Spouts that have not left and are not known to be dead. */
function maybeAlive(cutOffMs: number): string {
  return `dead=0 AND lease_until > ${NOW_MS} - ${integer(cutOffMs)} AND ${IS_SPOUT}`;
}

/**
 * How many spouts may be alive and have not renewed their lease since: one was killed, hangs, or is cut off from the database, and will
 * answer nothing until it comes back or is dead.
 * @param since epoch milliseconds by the database's clock
 * @param cutOffMs so long after its lease ran out a worker appends nothing any more
 */
export async function silentSpouts(sql: Pick<Sql, 'rows'>, since: number, cutOffMs: number): Promise<number> {
  const [row] = await sql.rows<[number]>(
    `SELECT COUNT(*) FROM workers WHERE ${maybeAlive(cutOffMs)} AND lease_until < ${integer(since + LEASE_MS)}`,
  );
  return row?.[0] ?? 0;
}

/**
 * How many spouts may still append to the stream of a channel whose emission was paused: by what they last reported they had not read
 * the pause, or an append of theirs was under way. One whose lease is out may only be cut off from the database.
 * @param since after the pause was committed; epoch milliseconds by the database's clock
 * @param cutOffMs so long after its lease ran out a worker appends nothing any more
 */
export async function emittingSpouts(
  sql: Pick<Sql, 'rows'>,
  channel: string,
  since: number,
  cutOffMs: number,
): Promise<number> {
  const readAt = `report->'$.pausesReadAt'`;
  const emitting = `report->${text(`$.gauges.${SPOUT}."emitting.${channel}"`)}`;
  const isDone =
    `IF(${readAt} IS NULL, ${NOW_MS} >= ${integer(since + UNREPORTED_MS)}, ` +
    `CAST(${readAt} AS DOUBLE) >= ${integer(since)} AND CAST(COALESCE(${emitting}, 0) AS DOUBLE) = 0)`;
  const [row] = await sql.rows<[number]>(
    `SELECT COUNT(*) FROM workers WHERE ${maybeAlive(cutOffMs)} AND NOT ${isDone}`,
  );
  return row?.[0] ?? 0;
}
