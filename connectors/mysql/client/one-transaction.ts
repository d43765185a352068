import type { BatchBound } from '../sql/batches';
import { TooMuchAtOnce } from '../sql/failures';

const MEBIBYTE = 1024 * 1024;
/** Of one statement. Its bytes are those of the payloads as they are sent, well below the server's max_allowed_packet. */
export const statementBound: BatchBound = { maxItems: 1_000, maxBytes: 8 * MEBIBYTE };
/** What the binary log takes of one call: a replication group refuses transactions of more than 150 MB. */
const MAX_LOGGED_BYTES = 128 * MEBIBYTE;

/** What one call writes. */
export interface Call {
  readonly messages: number;
  /** What the binary log takes of it, in bytes of payload: of each message as it was, and as it is. */
  readonly logged: number[];
}

/**
 * All of a call happens or none of it, so it cannot be divided among transactions. A message alone is never refused for its size.
 * @throws TooMuchAtOnce when the binary log takes more of it than of one transaction; `verb` begins its text
 */
export function checkOneTransaction(verb: string, { messages, logged }: Call): void {
  const bytes = logged.reduce((sum, one) => sum + one, 0);
  if (bytes <= MAX_LOGGED_BYTES || messages === 1) return;
  throw new TooMuchAtOnce(
    `${verb}: the payloads of these ${messages} messages take ${Math.ceil(bytes / MEBIBYTE)} MiB of the binary log, and one call, which is one ` +
      `transaction, may take ${MAX_LOGGED_BYTES / MEBIBYTE} MiB of it: give fewer messages in a call`,
  );
}

/** The same for rows whose payloads stay as they are. */
export function checkUpdate(verb: string, rows: readonly { readonly payloadBytes: number }[]): void {
  const logged = rows.map(({ payloadBytes }) => 2 * payloadBytes);
  checkOneTransaction(verb, { messages: rows.length, logged });
}
