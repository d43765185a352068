import { BadRecord } from '../../../topology/core/errors';
import { memberOf } from '../../../topology/core/json-text';
import { MAX_STORED_PAYLOAD_BYTES, parsePayload } from '../../../topology/payloads/payloads';

/** A webhook payload that was parsed and made ready before its instant. */
export interface WebhookRequest {
  readonly account: string;
  /** Scheme, host and port, e.g. `https://example.com`. */
  readonly origin: string;
  readonly hostname: string;
  /** Path and query. */
  readonly path: string;
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'GET';
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** A payload with more members is refused by its schema; its body need not be found. */
const MAX_MEMBERS = 16;
/** URL and headers are shorter, also with every character of theirs escaped. A longer text would take long to read. */
const MAX_REST_CHARACTERS = 64 * 1024;
const [QUOTE, BACKSLASH, BLANK] = [0x22, 0x5c, 0x20];

/**
 * @param text the payload as the database keeps it, which is JSON
 * @throws BadRecord naming the field, when it can never be sent
 */
export function parseRequest(account: string, text: string): WebhookRequest {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_STORED_PAYLOAD_BYTES) {
    throw new BadRecord(`payload: expected at most ${MAX_STORED_PAYLOAD_BYTES} bytes, got ${bytes}`);
  }
  const { body, rest } = cutBody(text);
  if (rest.length > MAX_REST_CHARACTERS) {
    throw new BadRecord(
      `payload: expected at most ${MAX_REST_CHARACTERS} characters beside the body, got ${rest.length}`,
    );
  }
  const parsed = parsePayload('webhook', parse(rest));
  if (!parsed.ok) throw new BadRecord(parsed.reason);
  const { payload } = parsed;
  const url = new URL(payload.url);
  const headers: string[] = [];
  let typed = false;
  let agent = false;
  for (const [name, content] of Object.entries(payload.headers ?? {})) {
    const lower = name.toLowerCase();
    typed ||= lower === 'content-type';
    agent ||= lower === 'user-agent';
    headers.push(lower, content);
  }
  const isText = body === undefined || body.startsWith('"');
  if (!typed && !isText) headers.push('content-type', 'application/json');
  if (!agent) headers.push('user-agent', 'downspout');
  return {
    account,
    origin: url.origin,
    hostname: url.hostname,
    path: url.pathname + url.search,
    method: payload.method ?? 'POST',
    headers,
    body: isText ? Buffer.from(body === undefined ? '' : (parse(body) as string)) : withoutBlanks(Buffer.from(body)),
  };
}

/**
 * Takes the body's own text out of the payload's, because reading JSON and writing it again would change numbers: integers
 * above 2^53, 1.0, 1e2. MySQL keeps them all.
 */
function cutBody(text: string): { readonly body: string | undefined; readonly rest: string } {
  const at = memberOf(text, 'body', MAX_MEMBERS);
  if (at === undefined) return { body: undefined, rest: text };
  return { body: text.slice(at.from, at.to), rest: `${text.slice(0, at.from)}null${text.slice(at.to)}` };
}

/** JSON without the blanks that MySQL writes between tokens, because other programs write none. Changes the bytes it is given. */
function withoutBlanks(json: Buffer): Buffer {
  let length = 0;
  let isInString = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at] as number;
    if (byte === QUOTE) isInString = !isInString;
    else if (byte <= BLANK && !isInString) continue;
    json[length++] = byte;
    // What is escaped ends no string.
    if (byte === BACKSLASH) json[length++] = json[++at] as number;
  }
  return json.subarray(0, length);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new BadRecord('payload: not JSON');
  }
}
