import { BadRecord } from '../../../topology/core/errors';
import { MAX_STORED_PAYLOAD_BYTES, parsePayload } from '../../../topology/payloads';

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

/** Headers that say who sends what, or how the connection is used: they are ours. */
const RESERVED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'idempotency-key',
]);

/**
 * @param text the payload as the database keeps it
 * @throws BadRecord naming the field, when it can never be sent
 */
export function parseRequest(account: string, text: string): WebhookRequest {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_STORED_PAYLOAD_BYTES) {
    throw new BadRecord(`payload: expected at most ${MAX_STORED_PAYLOAD_BYTES} bytes, got ${bytes}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadRecord('payload: not JSON');
  }
  const parsed = parsePayload('webhook', value);
  if (!parsed.ok) throw new BadRecord(parsed.reason);
  const { payload } = parsed;
  const url = new URL(payload.url);
  const headers: string[] = [];
  let typed = false;
  let agent = false;
  for (const [name, content] of Object.entries(payload.headers ?? {})) {
    const lower = name.toLowerCase();
    if (RESERVED.has(lower) || lower.startsWith('webhook-')) {
      throw new BadRecord(`payload.headers.${name}: this header is set by Downspout and cannot be given`);
    }
    typed ||= lower === 'content-type';
    agent ||= lower === 'user-agent';
    headers.push(lower, content);
  }
  const { body = '' } = payload;
  const isText = typeof body === 'string';
  if (!typed && !isText) headers.push('content-type', 'application/json');
  if (!agent) headers.push('user-agent', 'downspout');
  return {
    account,
    origin: url.origin,
    hostname: url.hostname,
    path: url.pathname + url.search,
    method: payload.method ?? 'POST',
    headers,
    body: Buffer.from(isText ? body : JSON.stringify(body)),
  };
}
