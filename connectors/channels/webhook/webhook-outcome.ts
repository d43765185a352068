import type { Outcome } from '../../../topology/message';

/** What came back, as far as it came. */
export interface Answer {
  readonly status: number;
  /** `Retry-After`, as it was sent. */
  readonly retryAfter: string | undefined;
  /** `Location`, as it was sent. */
  readonly location: string | undefined;
  /** `webhook-receipt` or `x-request-id`. */
  readonly receipt: string | undefined;
  /** The first characters of the body, on one line; empty when there is none. */
  readonly excerpt: string;
}

const MAX_RECEIPT_CHARACTERS = 512;
/** Statuses below 500 that say "not now" (RFC 9110, RFC 6585, RFC 8470). */
const NOT_NOW = new Set([408, 409, 425, 429]);

const MAX_EXCERPT_CHARACTERS = 100;
/** Far enough to find a long header value whole. */
const SEARCHED_BYTES = 16 * 1024;

/**
 * Reads the few headers that matter, and the body's beginning.
 * @param headers names and values in turn, as undici's parser cut them
 * @param sent names and values of the request: a server that echoes them must not put a credential into an error text
 */
export function answerOf(status: number, headers: readonly Buffer[], body: Buffer, sent: readonly string[]): Answer {
  let retry: string | undefined;
  let location: string | undefined;
  let receipt: string | undefined;
  let requestId: string | undefined;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] as Buffer;
    // The length tells nearly all headers apart without making strings of them.
    if (name.length !== 8 && name.length !== 11 && name.length !== 12 && name.length !== 15) continue;
    const value = () => (headers[at + 1] as Buffer).toString('latin1');
    const lower = name.toString('latin1').toLowerCase();
    if (lower === 'retry-after') retry = value();
    else if (lower === 'location') location = value();
    else if (lower === 'webhook-receipt') receipt = value();
    else if (lower === 'x-request-id') requestId = value();
  }
  return { status, retryAfter: retry, location, receipt: receipt ?? requestId, excerpt: excerptOf(body, sent) };
}

function excerptOf(body: Buffer, sent: readonly string[]): string {
  if (body.length === 0) return '';
  let text = body.toString('utf8', 0, SEARCHED_BYTES);
  for (let at = 1; at < sent.length; at += 2) {
    for (const value of (sent[at] as string).split(' ')) {
      if (value.length > 5 && text.includes(value)) text = text.replaceAll(value, '…');
    }
  }
  const line = text.replace(/[\s\p{C}]+/gu, ' ').trim();
  return Array.from(line.slice(0, MAX_EXCERPT_CHARACTERS * 2))
    .slice(0, MAX_EXCERPT_CHARACTERS)
    .join('');
}

/** @param now epoch milliseconds, against which a date in `Retry-After` is read */
export function outcomeOf(answer: Answer, now: number): Outcome {
  const { status, excerpt } = answer;
  if (status >= 200 && status < 300) {
    const receipt = (answer.receipt ?? excerpt).slice(0, MAX_RECEIPT_CHARACTERS);
    return receipt === '' ? { kind: 'delivered', status } : { kind: 'delivered', status, receipt };
  }
  if (status >= 300 && status < 400) {
    const to = answer.location === undefined ? '' : ` to ${answer.location.slice(0, 200)}`;
    return { kind: 'rejected', status, reason: `HTTP ${status}${to}: redirects are not followed` };
  }
  const reason = excerpt === '' ? `HTTP ${status}` : `HTTP ${status}: ${excerpt}`;
  if (NOT_NOW.has(status) || (status >= 500 && status < 600)) {
    const after = answer.retryAfter === undefined ? undefined : retryAfter(answer.retryAfter, now);
    return after === undefined ? { kind: 'retry', status, reason } : { kind: 'retry', status, reason, after };
  }
  return { kind: 'rejected', status, reason };
}

/**
 * `Retry-After`: seconds, or an HTTP date (RFC 9110, section 10.2.3).
 * @returns milliseconds, or undefined when it is neither
 */
export function retryAfter(value: string, now: number): number | undefined {
  const text = value.trim();
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1_000;
  if (!/^[A-Za-z]{3,9}, /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
