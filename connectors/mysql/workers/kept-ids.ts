import type { Kept, KeptIds } from '../../../bolts/kept-ids';
import type { ClaimRow } from '../../../bolts/send-rows';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';

type KeptColumns = readonly [ids: string, contentHash: Buffer];

/** Ids of the message under this plan number. @returns undefined when there are none */
export async function readKept(pool: Pool, id: number, planNumber: number): Promise<Kept | undefined> {
  const [row] = await pool.rows<KeptColumns>(
    `SELECT ids, content_hash FROM kept_ids WHERE message_id=${integer(id)} AND plan_number=${integer(planNumber)}`,
  );
  return row === undefined ? undefined : { ids: JSON.parse(row[0]) as KeptIds, contentHash: row[1].toString('hex') };
}

/**
 * Keeps ids. The message's row is locked until they are there, so a recovery comes before or after: a session whose claim was
 * recovered finds no row, and one that has the claim next finds the ids. The row is not written, so no plan changes.
 * @returns false when the session does not own the row in that version
 */
export async function keep(
  pool: Pool,
  session: string,
  { id, version }: Pick<ClaimRow, 'id' | 'version'>,
  kept: Kept,
): Promise<boolean> {
  const owned = `m.id=${integer(id)} AND m.version=${integer(version)} AND m.claim=${hex(session)} AND m.state='sending'`;
  // A row that stays as it is counts too, with the flag that mysql2 sets.
  const { affectedRows } = await pool.run(keepStatement(owned, kept));
  return affectedRows > 0;
}

/** @param ofRow of the message's row `m`, when its ids may be kept */
export function keepStatement(ofRow: string, { ids, contentHash }: Kept): string {
  const [hash, json] = [hex(contentHash), text(JSON.stringify(ids))];
  return (
    'INSERT INTO kept_ids (message_id, plan_number, content_hash, ids, kept_at) ' +
    `SELECT m.id, m.plan_number, ${hash}, ${json}, ${NOW_MS} FROM scheduled_messages m FORCE INDEX (PRIMARY) ` +
    `WHERE ${ofRow} FOR SHARE ` +
    `ON DUPLICATE KEY UPDATE plan_number=m.plan_number, content_hash=${hash}, ids=${json}, kept_at=${NOW_MS}`
  );
}

/** Deletes the ids of those messages that have ended: delivered, or failed. */
export function dropKeptStatement(ids: readonly number[]): string {
  return (
    'DELETE k FROM kept_ids k JOIN scheduled_messages m ON m.id=k.message_id ' +
    `WHERE k.message_id IN ${list(ids, integer)} AND m.state IN ('delivered','failed')`
  );
}
