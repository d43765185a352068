/** A mail, as a fake keeps it. */
export interface FakeMail {
  readonly from: string;
  readonly to: readonly string[];
  /** By their names in small letters, unfolded. */
  readonly headers: Readonly<Record<string, string>>;
  /** The bodies by their type, decoded. */
  readonly bodies: Readonly<Record<string, string>>;
}

const MAX_LINE = 998;
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
  const bodies = bodiesOf(headers, body);
  return typeof bodies === 'string' ? bodies : { from, to, headers, bodies };
}

function halves(text: string): [string, string] {
  const at = text.indexOf('\r\n\r\n');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 4)];
}

function headersIn(head: string): Record<string, string> | string {
  const headers: Record<string, string> = {};
  for (const line of head.replace(/\r\n(?=[ \t])/g, '').split('\r\n')) {
    const [, name, value] = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return `a header that is none: ${line.slice(0, 80)}`;
    if (Object.hasOwn(headers, name.toLowerCase())) return `two of ${name}`;
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function bodiesOf(headers: Readonly<Record<string, string>>, body: string): Record<string, string> | string {
  const type = /^[a-z]+\/[a-z-]+/.exec(headers['content-type'] ?? '')?.[0] ?? '';
  if (type !== 'multipart/alternative') {
    const encoding = headers['content-transfer-encoding'];
    if (encoding === 'base64') return { [type]: Buffer.from(body, 'base64').toString() };
    return encoding === 'quoted-printable' ? { [type]: decoded(body) } : 'an encoding that is not expected';
  }
  const boundary = /boundary="([^"]+)"/.exec(headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) return 'no boundary';
  const parts = `\r\n${body}`.split(`\r\n--${boundary}`);
  if (parts.length < 3 || parts.at(-1)?.trim() !== '--') return 'parts that do not end';
  const bodies: Record<string, string> = {};
  for (const part of parts.slice(1, -1)) {
    const [head, inner] = halves(part.slice(2));
    const own = headersIn(head);
    const read = typeof own === 'string' ? own : bodiesOf(own, inner);
    if (typeof read === 'string') return read;
    Object.assign(bodies, read);
  }
  return bodies;
}

function decoded(text: string): string {
  const bytes = text
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString().replace(/\r\n$/, '');
}
