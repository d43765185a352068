import { integer, list, text } from '../sql/literals';
import type { Pool } from '../sql/pool';

/** A message that was accepted at some time woke so long before it at most, unless its account had to wait. */
const WOKE_BEFORE_MS = 86_400_000;

interface Asked {
  readonly channel: string;
  readonly account: string;
  readonly id: number;
  readonly receipts: readonly string[];
  /** Epoch milliseconds. */
  readonly notBefore: number;
}

/** Which of these receipts other messages of the account have. No index has receipts, so the newest rows of the shard are read. */
export async function receiptsOfOthers(
  pool: Pick<Pool, 'rows'>,
  { channel, account, id, receipts, notBefore }: Asked,
): Promise<ReadonlySet<string>> {
  const rows = await pool.rows<readonly [string]>(
    'SELECT DISTINCT receipt FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
      `WHERE open IS NULL AND channel=${text(channel)} AND shard=CRC32(${text(account)}) % 256 ` +
      `AND wake_at >= ${integer(Math.floor(notBefore) - WOKE_BEFORE_MS)} AND account=${text(account)} ` +
      `AND id <> ${integer(id)} AND receipt IN ${list(receipts, text)}`,
  );
  return new Set(rows.map(([receipt]) => receipt));
}
