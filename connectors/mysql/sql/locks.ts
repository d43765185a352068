import { integer, list } from './literals';
import type { Sql } from './sql';

/** Locks the rows that no other transaction holds, and returns their ids. */
export async function freeAmong(sql: Sql, ids: readonly number[]): Promise<number[]> {
  const rows = await sql.rows<[number]>(
    `SELECT id FROM scheduled_messages FORCE INDEX (PRIMARY) WHERE id IN ${list(ids, integer)} ORDER BY id FOR UPDATE SKIP LOCKED`,
  );
  return rows.map(([id]) => id);
}
