import { LEASE_MS } from '../../../topology/core/lease';
import { SPOUT } from '../../../topology/streams';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Sql } from '../sql/sql';

const PAUSES_READ_AT = `report->'$.pausesReadAt'`;

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

/** A worker, as a person finds it. */
export interface FoundWorker {
  readonly host: string;
  readonly pid: number;
  readonly version: string;
}

/**
 * Workers that are alive and do not report by which pauses they go: they have just started, or are of a version that takes the pause of
 * a command for that of a person. Their bolts give back what wakes in it, so messages of one account overtake each other at its end.
 * @param forMs they have run for so long
 */
export async function workersBeforePauses(sql: Pick<Sql, 'rows'>, forMs = 0): Promise<FoundWorker[]> {
  const rows = await sql.rows<[string, number, string]>(
    `SELECT host, pid, version FROM workers WHERE dead=0 AND lease_until >= ${NOW_MS} AND ${PAUSES_READ_AT} IS NULL ` +
      `AND started_at <= ${NOW_MS} - ${integer(forMs)} ORDER BY host, pid`,
  );
  return rows.map(([host, pid, version]) => ({ host, pid, version }));
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
  const emitting = `report->${text(`$.gauges.${SPOUT}."emitting.${channel}"`)}`;
  const isDone =
    `CAST(COALESCE(${PAUSES_READ_AT}, 0) AS DOUBLE) >= ${integer(since)} AND ` +
    `CAST(COALESCE(${emitting}, 0) AS DOUBLE) = 0`;
  const [row] = await sql.rows<[number]>(
    `SELECT COUNT(*) FROM workers WHERE ${maybeAlive(cutOffMs)} AND NOT (${isDone})`,
  );
  return row?.[0] ?? 0;
}
