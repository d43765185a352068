import { integer, list } from './literals';
import type { Sql } from './sql';

interface Identified {
  readonly id: number;
}

/** How much one transaction takes. */
export interface BatchBound {
  readonly maxItems: number;
  readonly maxBytes: number;
}

/** The items in batches, in their order. An item that is larger than a batch may be is a batch of its own. */
export function batchesOf<T>(items: readonly T[], bytesOf: (item: T) => number, bound: BatchBound): T[][] {
  const batches: T[][] = [];
  let batch: T[] = [];
  let batchBytes = 0;
  for (const item of items) {
    const bytes = bytesOf(item);
    if (batch.length === bound.maxItems || (batch.length > 0 && batchBytes + bytes > bound.maxBytes)) {
      batches.push(batch);
      batch = [];
      batchBytes = 0;
    }
    batch.push(item);
    batchBytes += bytes;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

/** Payloads of one transaction: the binary log has each row twice, and a replication group refuses transactions above 150 MB. */
export const MAX_BYTES_PER_TRANSACTION = 32 * 1024 * 1024;

/**
 * The rows in batches for one transaction each, in their order. How large they are is asked for as many as one batch may have at a time,
 * because the server reads the payloads for it.
 */
export async function* transactionsOf<Row extends Identified>(
  sql: Pick<Sql, 'rows'>,
  rows: readonly Row[],
  maxItems: number,
): AsyncGenerator<Row[]> {
  for (let from = 0; from < rows.length; from += maxItems) {
    const some = rows.slice(from, from + maxItems);
    const bytes = await payloadBytesOf(sql, some);
    yield* batchesOf(some, ({ id }) => bytes.get(id) ?? 0, { maxItems, maxBytes: MAX_BYTES_PER_TRANSACTION });
  }
}

/** What the payloads of rows take, by their ids. */
export async function payloadBytesOf(
  sql: Pick<Sql, 'rows'>,
  rows: readonly Identified[],
): Promise<ReadonlyMap<number, number>> {
  return new Map(
    await sql.rows<[id: number, bytes: number]>(
      'SELECT id, JSON_STORAGE_SIZE(payload) FROM scheduled_messages FORCE INDEX (PRIMARY) ' +
        `WHERE id IN ${list(rows, ({ id }) => integer(id))}`,
    ),
  );
}
