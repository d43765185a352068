import { batchesOf } from './batches';
import { integer, list } from './literals';

/** A row that may have come without its payload. */
interface WithPayload {
  readonly id: number;
  /** Null when it is left out. */
  readonly payload: string | null;
  readonly payloadBytes: number;
}

/** What a row has for `payloadBytes`, as SQL. */
export const PAYLOAD_BYTES = 'JSON_STORAGE_SIZE(payload)';
/** Larger payloads are not read with their row, but afterwards. A thousand smaller ones are one answer. */
const SMALL_BYTES = 8 * 1024;
/** Payloads of one such answer. */
const largeBound = { maxItems: 1_000, maxBytes: 8 * 1024 * 1024 };

/**
 * Reads rows with their payloads, of which no answer has more than some mebibytes.
 * @param which rows, a thousand or so, as SQL: what follows the table's name
 * @param read reads such rows, with their payload as this SQL
 */
export async function* pagesOfPayloads<Row extends WithPayload>(
  which: string,
  read: (which: string, payload: string) => Promise<Row[]>,
): AsyncGenerator<readonly Row[]> {
  const rows = await read(which, `IF(${PAYLOAD_BYTES} <= ${SMALL_BYTES}, CAST(payload AS CHAR), NULL)`);
  yield rows.filter(({ payload }) => payload !== null);
  const large = rows.filter(({ payload }) => payload === null);
  for (const batch of batchesOf(large, ({ payloadBytes }) => payloadBytes, largeBound)) {
    yield await read(
      `FORCE INDEX (PRIMARY) WHERE id IN ${list(batch, ({ id }) => integer(id))}`,
      'CAST(payload AS CHAR)',
    );
  }
}
