import { z } from 'zod';

/** How a field of a payload is typed on a command line. */
export interface PayloadField {
  /** The field's name in the payload. */
  readonly name: string;
  /** The option without its dashes. */
  readonly option: string;
  /** What stands for the value in the help. */
  readonly placeholder: string;
  readonly description: string;
  /**
   * `text`: as it is. `entry`: one `name:value` of an object of texts; the option may be repeated.
   * `json`: parsed when it is JSON, a text otherwise.
   */
  readonly takes: 'text' | 'entry' | 'json';
  readonly required: boolean;
}

/** What the client takes, as compact JSON. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** The same payload as MySQL writes it: a space after each comma and colon makes it half as long again, at most. */
export const MAX_STORED_PAYLOAD_BYTES = MAX_PAYLOAD_BYTES * 1.5;
/** Names and values together: no usual server takes more. */
const MAX_HEADER_BYTES = 16 * 1024;
const MAX_HEADERS = 64;
/** Of the line that says what is wrong: a payload may have thousands of wrong fields. */
const MAX_REASON_CHARACTERS = 500;

/** Headers that say who sends what, or how a connection is used: they are ours, as are those that begin with `webhook-`. */
const RESERVED_HEADERS = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'proxy-authorization',
  'proxy-connection',
  'idempotency-key',
]);

const fields = z.registry<Omit<PayloadField, 'name' | 'required'>>();

/**
 * What a message of each channel must contain. The client checks it when a message is scheduled, and the bolt again when
 * it is sent, because rows may also be written with plain SQL.
 */
export const payloads = {
  webhook: z.strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .max(2048)
      .refine((url) => !hasCredentials(url), 'credentials in a URL are not allowed; use headers')
      .register(fields, { option: 'url', placeholder: 'url', takes: 'text', description: 'where to' }),
    method: z
      .enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET'])
      .optional()
      .register(fields, { option: 'method', placeholder: 'method', takes: 'text', description: 'POST unless given' }),
    headers: z
      .custom<Readonly<Record<string, string>>>(isShort, {
        error: `expected at most ${MAX_HEADERS} headers with ${MAX_HEADER_BYTES} bytes of names and values`,
        abort: true,
      })
      .pipe(
        z.record(
          z
            .string()
            .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'not a header name')
            .refine((name) => !isReserved(name), 'this header is set by Downspout and cannot be given'),
          z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'not a header value'),
        ),
      )
      .refine((headers) => !hasTwins(Object.keys(headers)), 'a header is given twice, in capital and small letters')
      .optional()
      .register(fields, { option: 'header', placeholder: 'name:value', takes: 'entry', description: 'a header' }),
    /**
     * A string is sent byte for byte, anything else (null too) as JSON with its numbers exactly; empty when it is not
     * given.
     */
    body: z.unknown().optional().register(fields, {
      option: 'body',
      placeholder: 'text',
      takes: 'json',
      description: 'the body; sent as JSON when it is JSON, as text otherwise',
    }),
  }),
} satisfies Record<string, z.ZodObject>;

export type ChannelName = keyof typeof payloads;
export type Payload<C extends ChannelName = ChannelName> = z.infer<(typeof payloads)[C]>;

/** The fields of a channel's payload, in the order of its schema. */
export function payloadFields(channel: ChannelName): readonly PayloadField[] {
  return Object.entries<z.ZodType>(payloads[channel].shape).map(([name, type]) => {
    const field = fields.get(type);
    if (field === undefined) throw new TypeError(`payload field ${channel}.${name} does not say how it is typed`);
    return { name, required: !type.safeParse(undefined).success, ...field };
  });
}

/** The payload, or one line that names each wrong field. */
export function parsePayload<C extends ChannelName>(
  channel: C,
  value: unknown,
): { readonly ok: true; readonly payload: Payload<C> } | { readonly ok: false; readonly reason: string } {
  const result = payloads[channel].safeParse(withoutNulls(channel, value));
  if (result.success) return { ok: true, payload: result.data };
  const issues = result.error.issues.map(
    (issue) => `payload${issue.path.map((part) => `.${String(part)}`).join('')}: ${messageOf(issue)}`,
  );
  const reason = issues.join('; ');
  const isLong = reason.length > MAX_REASON_CHARACTERS;
  return { ok: false, reason: isLong ? `${reason.slice(0, MAX_REASON_CHARACTERS)}…` : reason };
}

/** What is wrong with a name of a record stands one level below that it is wrong. */
function messageOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
}

/** Without the fields that are null and may be left out: JSON written by many languages has null for what is not given. */
function withoutNulls(channel: ChannelName, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { shape } = payloads[channel] as z.ZodObject;
  const isLeftOut = ([name, field]: [string, unknown]) => {
    const type = field === null && Object.hasOwn(shape, name) ? (shape[name] as z.ZodType) : undefined;
    return type !== undefined && type.safeParse(undefined).success && !type.safeParse(null).success;
  };
  const entries = Object.entries(value);
  return entries.some(isLeftOut) ? Object.fromEntries(entries.filter((entry) => !isLeftOut(entry))) : value;
}

/** Looked at before the names and values are, because there may be any number of them. */
function isShort(headers: unknown): boolean {
  if (typeof headers !== 'object' || headers === null) return true;
  const entries = Object.entries(headers);
  if (entries.length > MAX_HEADERS) return false;
  // What is no text is refused by the next check, with its name.
  const lengths = entries.map(([name, value]) => name.length + (typeof value === 'string' ? value.length : 0));
  return lengths.reduce((sum, length) => sum + length, 0) <= MAX_HEADER_BYTES;
}

function isReserved(header: string): boolean {
  const lower = header.toLowerCase();
  return RESERVED_HEADERS.has(lower) || lower.startsWith('webhook-');
}

function hasTwins(names: readonly string[]): boolean {
  return new Set(names.map((name) => name.toLowerCase())).size < names.length;
}

function hasCredentials(url: string): boolean {
  try {
    const parsed = new URL(url);
    return parsed.username !== '' || parsed.password !== '';
  } catch {
    return false;
  }
}
