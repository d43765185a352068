import { createHash } from 'node:crypto';

/** An attachment, as receivers save it. */
interface FakeAttachment {
  readonly name: string;
  readonly type: string;
  readonly bytes: number;
  /** SHA-256, hexadecimal. */
  readonly hash: string;
}

/** A mail, as a fake keeps it. */
export interface FakeMail {
  readonly from: string;
  readonly to: readonly string[];
  /** By their names in small letters, unfolded. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bodies by their type, decoded. */
  readonly bodies: Readonly<Record<string, string>>;
  readonly attachments: readonly FakeAttachment[];
}

type Headers = Readonly<Record<string, string>>;
type Content = Pick<FakeMail, 'bodies' | 'attachments'>;

const MAX_LINE = 998;
const MAX_ENCODED_LINE = 76;
/** Of a part. */
const KNOWN = new Set(['content-type', 'content-transfer-encoding', 'content-disposition']);
const NEEDED = ['from', 'to', 'subject', 'date', 'message-id', 'mime-version', 'content-type'];

/** A mail that was sent, read strictly. @returns what is wrong with it */
export function mailOf(from: string, to: readonly string[], text: string): FakeMail | string {
  if (/[^\r]\n|^\n|\r[^\n]/.test(text)) return 'a line end that is none';
  if (/[^\x20-\x7e\r\n\t]/.test(text)) return 'not ASCII';
  if (text.split('\r\n').some((line) => line.length > MAX_LINE)) return 'a line that is too long';
  const [head, body] = halves(text);
  const headers = headersIn(head);
  if (typeof headers === 'string') return headers;
  const missing = NEEDED.find((name) => headers[name] === undefined);
  if (missing !== undefined) return `no ${missing}`;
  if ('bcc' in headers) return 'a Bcc that everybody sees';
  if (!/^<[^<>\s@]+@[^<>\s@]+>$/.test(headers['message-id'] ?? '')) return 'a Message-ID that is none';
  if (Number.isNaN(Date.parse(headers['date'] ?? ''))) return 'a date that is none';
  const content = contentOf(headers, body);
  return typeof content === 'string' ? content : { from, to, headers, ...content };
}

function halves(text: string): [string, string] {
  const at = text.indexOf('\r\n\r\n');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 4)];
}

function headersIn(head: string): Headers | string {
  const headers: Record<string, string> = {};
  for (const line of head.replace(/\r\n(?=[ \t])/g, '').split('\r\n')) {
    const [, name, value] = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return `a header that is none: ${line.slice(0, 80)}`;
    if (Object.hasOwn(headers, name.toLowerCase())) return `two of ${name}`;
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function contentOf(headers: Headers, body: string): Content | string {
  const type = /^[a-z]+\/[a-z0-9.+-]+/.exec(headers['content-type'] ?? '')?.[0] ?? '';
  if (headers['content-disposition'] !== undefined) return attachmentIn(type, headers, body);
  if (type === 'multipart/alternative' || type === 'multipart/mixed') return partsIn(headers, body);
  const encoding = headers['content-transfer-encoding'];
  if (encoding === 'base64') return { bodies: { [type]: Buffer.from(body, 'base64').toString() }, attachments: [] };
  if (encoding !== 'quoted-printable') return 'an encoding that is not expected';
  return { bodies: { [type]: decoded(body) }, attachments: [] };
}

function partsIn(headers: Headers, body: string): Content | string {
  const boundary = /boundary="([^"]+)"/.exec(headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) return 'no boundary';
  // That of a part within may begin with it.
  const parts = `\r\n${body}`.split(new RegExp(`\r\n--${boundary.replace(/[^\w]/g, '\\$&')}(?=--|\r\n)`));
  if (parts.length < 3 || parts.at(-1)?.trim() !== '--') return 'parts that do not end';
  const all: Content[] = [];
  for (const part of parts.slice(1, -1)) {
    const [head, inner] = halves(part.slice(2));
    const own = headersIn(head);
    if (typeof own === 'string') return own;
    const other = Object.keys(own).find((name) => !KNOWN.has(name));
    const read = other === undefined ? contentOf(own, inner) : `a header of a part that is not expected: ${other}`;
    if (typeof read === 'string') return read;
    all.push(read);
  }
  return {
    bodies: Object.assign({}, ...all.map(({ bodies }) => bodies)) as FakeMail['bodies'],
    attachments: all.flatMap(({ attachments }) => attachments),
  };
}

function attachmentIn(type: string, headers: Headers, body: string): Content | string {
  const name = fileNameIn(headers['content-disposition'] ?? '');
  if (name === undefined) return 'an attachment without a name';
  if (headers['content-transfer-encoding'] !== 'base64' || !/^[A-Za-z0-9+/=\r\n]*$/.test(body))
    return 'strict: expected base64';
  if (body.split('\r\n').some((line) => line.length > MAX_ENCODED_LINE)) return 'a line of base64 that is too long';
  const bytes = Buffer.from(body, 'base64');
  const hash = createHash('sha256').update(bytes).digest('hex');
  return { bodies: {}, attachments: [{ name, type, bytes: bytes.length, hash }] };
}

/** The name of a file, in one piece or in several, as RFC 2231 has it. */
function fileNameIn(disposition: string): string | undefined {
  const found = /^attachment((?:; filename(?:\*\d+)?\*?=(?:"[^"]*"|[^\s";]+))+)$/.exec(disposition)?.[1];
  if (found === undefined) return undefined;
  const pieces = [...found.matchAll(/filename(?:\*\d+)?(\*)?=(?:"([^"]*)"|([^\s";]+))/g)];
  const bytes = pieces.map(([, isEncoded, quoted, plain = '']) => {
    const text = quoted ?? plain;
    return isEncoded === undefined ? Buffer.from(text) : percentDecoded(text.replace(/^utf-8''/, ''));
  });
  return Buffer.concat(bytes).toString();
}

function percentDecoded(text: string): Buffer {
  return Buffer.from(
    text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

function decoded(text: string): string {
  const bytes = text
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString().replace(/\r\n$/, '');
}
