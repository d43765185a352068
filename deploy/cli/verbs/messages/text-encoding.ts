import { TextDecoder } from 'node:util';
import { UserError } from '../../../../topology/core/errors';

/** What is looked at to recognise an encoding. */
const SNIFFED_BYTES = 1_024;
/** Of pairs of bytes, in a text of mostly ASCII characters in UTF-16. */
const LEAST_SHARE_OF_ZEROS = 0.3;

/** Files that hold a table and are no text: how they begin, and what they are. */
const binaries: readonly (readonly [start: string, what: string])[] = [
  ['504b0304', 'a spreadsheet or an archive (.xlsx, .ods, .numbers, .zip): export it as CSV in UTF-8'],
  ['d0cf11e0', 'a spreadsheet of an old Excel (.xls): export it as CSV in UTF-8'],
  ['1f8b', 'compressed: give it to gunzip first'],
];

/**
 * The bytes of a text in UTF-8, whatever it was written in, without its byte order mark. UTF-16 is recognised with and
 * without a mark. Bytes that are not UTF-8 stay as they are: whoever decodes them finds U+FFFD, and can name the line.
 * @param label an encoding as the WHATWG names it, instead of the one that is recognised
 * @throws UserError for a file that is no text
 */
export async function* utf8Chunks(chunks: AsyncIterable<Buffer>, label?: string): AsyncGenerator<Buffer> {
  let head: Buffer | null = Buffer.alloc(0);
  let decoder: TextDecoder | null = null;
  const transcoded = (bytes: Buffer) =>
    decoder === null ? bytes : Buffer.from(decoder.decode(bytes, { stream: true }));
  for await (const chunk of chunks) {
    if (head === null) {
      yield transcoded(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < SNIFFED_BYTES) continue;
    decoder = decoderOf(head, label);
    yield transcoded(withoutMark(head));
    head = null;
  }
  if (head !== null) {
    decoder = decoderOf(head, label);
    yield transcoded(withoutMark(head));
  }
  const rest = decoder?.decode() ?? '';
  if (rest !== '') yield Buffer.from(rest);
}

/** A decoder removes the mark of its own encoding. */
function withoutMark(head: Buffer): Buffer {
  return head.toString('hex', 0, 3) === 'efbbbf' ? head.subarray(3) : head;
}

/** Null for UTF-8. */
function decoderOf(head: Buffer, label: string | undefined): TextDecoder | null {
  const encoding = new TextDecoder(label ?? recognised(head)).encoding;
  return encoding === 'utf-8' ? null : new TextDecoder(encoding);
}

function recognised(head: Buffer): string {
  const start = head.toString('hex', 0, 4);
  const binary = binaries.find(([begins]) => start.startsWith(begins));
  if (binary !== undefined) throw new UserError(`The file is ${binary[1]}.`);
  if (start.startsWith('fffe')) return 'utf-16le';
  if (start.startsWith('feff')) return 'utf-16be';
  const bytes = head.subarray(0, SNIFFED_BYTES);
  const zeros = [0, 0];
  for (const [index, byte] of bytes.entries()) if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  const most = (bytes.length / 2) * LEAST_SHARE_OF_ZEROS;
  if (odd > most && odd > 4 * even) return 'utf-16le';
  if (even > most && even > 4 * odd) return 'utf-16be';
  if (even + odd > 0)
    throw new UserError('The file is no text: it has zero bytes. Export it as CSV or NDJSON in UTF-8.');
  return 'utf-8';
}

/** Why a text cannot be taken as it is; undefined when it can. */
export function undecodable(text: string): string | undefined {
  return text.includes('\ufffd')
    ? 'bytes that are not UTF-8; save the file as "CSV UTF-8", or name its encoding, for example --encoding windows-1252'
    : undefined;
}
