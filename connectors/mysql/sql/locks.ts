import { reasonOf, Unavailable } from '../../../topology/core/errors';
import { isLockWaitTimeout } from './failures';
import { integer, list } from './literals';
import type { Sql } from './sql';

/**
 * Locks the rows that no other transaction holds, and returns their ids.
 * @throws Unavailable without a cause when the table is locked: that answer is about no row
 */
export async function freeAmong(sql: Sql, ids: readonly number[]): Promise<number[]> {
  try {
    const rows = await sql.rows<[number]>(
      `SELECT id FROM scheduled_messages FORCE INDEX (PRIMARY) WHERE id IN ${list(ids, integer)} ORDER BY id FOR UPDATE SKIP LOCKED`,
    );
    return rows.map(([id]) => id);
  } catch (error) {
    if (!isLockWaitTimeout(error)) throw error;
    throw new Unavailable(`the table is locked: ${reasonOf(error)}`);
  }
}
