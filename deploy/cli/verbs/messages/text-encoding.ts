import { TextDecoder } from 'node:util';
import { reasonOf, UserError } from '../../../../topology/core/errors';
import { encodingOf, hasLostBytes, SNIFFED_BYTES, withoutMark } from '../../../../topology/core/text-encoding';

/** Files that hold a table and are no text: how they begin, and what they are. */
const binaries: readonly (readonly [start: string, what: string])[] = [
  ['504b0304', 'a spreadsheet or an archive (.xlsx, .ods, .numbers, .zip): export it as CSV in UTF-8'],
  ['d0cf11e0', 'a spreadsheet of an old Excel (.xls): export it as CSV in UTF-8'],
  ['1f8b', 'compressed: give it to gunzip first'],
];

/** How ISO-2022-JP and its relatives change to characters of two bytes. All of it is ASCII, so it would pass as UTF-8. */
const SHIFTS = ['\u001b$@', '\u001b$B', '\u001b$(', '\u001b$)'];

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

/** Null for UTF-8. */
function decoderOf(head: Buffer, label: string | undefined): TextDecoder | null {
  const encoding = new TextDecoder(label ?? recognised(head)).encoding;
  return encoding === 'utf-8' ? null : new TextDecoder(encoding);
}

function recognised(head: Buffer): string {
  const start = head.toString('hex', 0, 4);
  const binary = binaries.find(([begins]) => start.startsWith(begins));
  if (binary !== undefined) throw new UserError(`The file is ${binary[1]}.`);
  try {
    return encodingOf(head);
  } catch (error) {
    throw new UserError(`The file cannot be read: ${reasonOf(error)}. CSV and NDJSON are read in UTF-8 and UTF-16.`);
  }
}

/** Why a text cannot be taken as it is; undefined when it can. */
export function undecodable(text: string): string | undefined {
  if (hasLostBytes(text)) {
    return 'bytes that are not UTF-8; save the file as "CSV UTF-8", or name its encoding, for example --encoding windows-1252';
  }
  return SHIFTS.some((shift) => text.includes(shift))
    ? 'characters of ISO-2022; save the file as "CSV UTF-8", or name its encoding, for example --encoding iso-2022-jp'
    : undefined;
}
