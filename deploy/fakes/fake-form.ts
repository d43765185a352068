/** One part of a `multipart/form-data`. */
export interface FakePart {
  readonly name: string;
  readonly filename: string | undefined;
  readonly type: string | undefined;
  readonly body: Buffer;
}

const LINE = '\r\n';
const MAX_PARTS = 100;

/**
 * The parts of a form, as RFC 7578 has them.
 * @returns undefined when the body is none, or is cut
 */
export function partsOf(contentType: string | undefined, body: Buffer): readonly FakePart[] | undefined {
  const boundary = /^multipart\/form-data; boundary=([\w-]{1,70})$/.exec(contentType ?? '')?.[1];
  if (boundary === undefined) return undefined;
  const parts: FakePart[] = [];
  const open = `--${boundary}`;
  if (!body.subarray(0, open.length).equals(Buffer.from(open))) return undefined;
  for (let at = open.length; parts.length <= MAX_PARTS; ) {
    if (body.toString('latin1', at) === `--${LINE}`) return parts;
    const end = body.indexOf(`${LINE}${open}`, at);
    if (body.toString('latin1', at, at + LINE.length) !== LINE || end === -1) return undefined;
    const part = partIn(body.subarray(at + LINE.length, end));
    if (part === undefined) return undefined;
    parts.push(part);
    at = end + LINE.length + open.length;
  }
  return undefined;
}

function partIn(bytes: Buffer): FakePart | undefined {
  const end = bytes.indexOf(LINE + LINE);
  if (end === -1) return undefined;
  const [disposition = '', ...others] = bytes.toString('utf8', 0, end).split(LINE);
  const named = /^content-disposition: form-data; name="([^"]+)"(?:; filename="([^"]+)")?$/i.exec(disposition);
  const type = /^content-type: (\S+)$/i.exec(others[0] ?? '')?.[1];
  if (named?.[1] === undefined || others.length > (type === undefined ? 0 : 1)) return undefined;
  return { name: named[1], filename: named[2], type, body: bytes.subarray(end + 2 * LINE.length) };
}

const BEGINNINGS: Readonly<Record<string, string>> = {
  'image/png': '89504e470d0a1a0a',
  'image/jpeg': 'ffd8ff',
  'image/gif': '474946383',
  'image/webp': '52494646',
};

/** Whether a file is a video of the type that is said of it. */
export function isVideo(type: string | undefined, body: Buffer): boolean {
  if (body.toString('latin1', 4, 8) !== 'ftyp') return false;
  return type === (body.toString('latin1', 8, 12) === 'qt  ' ? 'video/quicktime' : 'video/mp4');
}

/** Whether a file is an image of the type that is said of it. */
export function isImage(type: string | undefined, body: Buffer): boolean {
  const begins = type === undefined ? undefined : BEGINNINGS[type];
  return begins !== undefined && body.toString('hex', 0, 12).startsWith(begins);
}
