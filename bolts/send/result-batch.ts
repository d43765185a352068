/** Rows of one batch of results. */
export const MAX_ROWS_PER_BATCH = 500;
/** Payloads of one batch: an update logs a row twice, and a replication group refuses transactions of more than 150 MB. */
const MAX_BYTES_PER_BATCH = 32 * 1024 * 1024;

/** The first of the results, as many as may be written in one transaction; one at least. @param bytesOf what the payload of its row takes */
export function batchOf<T>(results: readonly T[], bytesOf: (result: T) => number): T[] {
  let count = 0;
  let bytes = 0;
  for (const result of results) {
    bytes += bytesOf(result);
    if (count === MAX_ROWS_PER_BATCH || (count > 0 && bytes > MAX_BYTES_PER_BATCH)) break;
    count++;
  }
  return results.slice(0, count);
}
