import { UserError } from './errors';

/** What is looked at to recognise an encoding. */
export const SNIFFED_BYTES = 1_024;
/** Of pairs of bytes, in a text of mostly ASCII characters in UTF-16. */
const LEAST_SHARE_OF_ZEROS = 0.3;
/** What stands in a decoded text where bytes were that are no character. */
const REPLACEMENT = '\ufffd';
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** How a text is written, by its beginning: UTF-16 with and without a byte order mark, UTF-8 otherwise. @throws UserError for what is no text */
export function encodingOf(head: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' {
  const start = head.toString('hex', 0, 4);
  // UTF-32 with the little end first begins as UTF-16 does.
  if (start === 'fffe0000' || start === '0000feff') throw new UserError('it is in UTF-32: save it in UTF-8');
  if (start.startsWith('fffe')) return 'utf-16le';
  if (start.startsWith('feff')) return 'utf-16be';
  const bytes = head.subarray(0, SNIFFED_BYTES);
  const zeros = [0, 0];
  for (const [index, byte] of bytes.entries()) if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  const [even = 0, odd = 0] = zeros;
  const most = (bytes.length / 2) * LEAST_SHARE_OF_ZEROS;
  if (odd > most && odd > 4 * even) return 'utf-16le';
  if (even > most && even > 4 * odd) return 'utf-16be';
  if (even + odd > 0) throw new UserError('it is no text: it has zero bytes');
  return 'utf-8';
}

/** Without the mark of UTF-8: the decoders of other encodings remove theirs. */
export function withoutMark(head: Buffer): Buffer {
  return head.subarray(0, 3).equals(BYTE_ORDER_MARK) ? head.subarray(3) : head;
}

/** Whether bytes were lost when the text was decoded, here or before it came here. */
export function hasLostBytes(text: string): boolean {
  return text.includes(REPLACEMENT);
}

/**
 * The text of a whole file, in UTF-8 or UTF-16, without its byte order mark.
 * @throws UserError naming the line that cannot be decoded, and nothing of what it says, because it may be a secret
 */
export function decodeText(bytes: Buffer): string {
  const text = decodePem(bytes);
  if (!hasLostBytes(text)) return text;
  const line = text.slice(0, text.indexOf(REPLACEMENT)).split(/\r\n|\n|\r/).length;
  const name = encodingOf(bytes) === 'utf-8' ? 'UTF-8' : 'UTF-16';
  throw new UserError(`line ${line} has bytes that are not ${name}; save the file in UTF-8`);
}

/** The same for certificates and keys, of which only ASCII counts: their comments may be in any encoding. @throws UserError for what is no text */
export function decodePem(bytes: Buffer): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}
