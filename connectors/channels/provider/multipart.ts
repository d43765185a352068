import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { MediaFile } from '../media/media-file';

/** One part of a form: a text, which may have a type, or a file. Names and types are the channel's own, never a user's. */
export type FormPart =
  | { readonly name: string; readonly text: string; readonly type?: string }
  | { readonly name: string; readonly file: MediaFile };

const LINE = '\r\n';

/** A form as RFC 7578 has it, read from its files while it is sent. A text cannot end its part: nobody can guess the boundary. */
export function multipart(parts: readonly FormPart[]) {
  const boundary = `downspout-${randomUUID()}`;
  const end = Buffer.from(`--${boundary}--${LINE}`);
  const heads = parts.map((part) => Buffer.from(`--${boundary}${LINE}${headOf(part)}${LINE}${LINE}`));
  const lengths = parts.map((part) => ('file' in part ? part.file.bytes : Buffer.byteLength(part.text)) + LINE.length);
  const bytes = [...heads.map((head) => head.length), ...lengths, end.length].reduce((sum, length) => sum + length, 0);
  async function* chunks() {
    for (const [index, part] of parts.entries()) {
      yield heads[index] as Buffer;
      if ('file' in part) yield* part.file.read();
      else yield Buffer.from(part.text);
      yield Buffer.from(LINE);
    }
    yield end;
  }
  const type = `multipart/form-data; boundary=${boundary}`;
  return { type, bytes, body: Readable.from(chunks(), { objectMode: false }) };
}

function headOf(part: FormPart): string {
  const disposition = `content-disposition: form-data; name="${part.name}"`;
  if ('file' in part) return `${disposition}; filename="${part.file.name}"${LINE}content-type: ${part.file.type}`;
  return part.type === undefined ? disposition : `${disposition}${LINE}content-type: ${part.type}`;
}
