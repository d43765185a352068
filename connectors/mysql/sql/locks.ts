import { integer, list } from './literals';
import type { Sql } from './pool';

/** Locks and returns those of the rows that no other transaction holds. */
export async function freeAmong(one: Sql, ids: readonly number[]): Promise<number[]> {
  const rows = await one.rows<[number]>(
    `SELECT id FROM scheduled_messages FORCE INDEX (PRIMARY) WHERE id IN ${list(ids, integer)} ORDER BY id FOR UPDATE SKIP LOCKED`,
  );
  return rows.map(([id]) => id);
}
