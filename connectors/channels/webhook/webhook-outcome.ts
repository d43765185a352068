import type { Outcome } from '../../../topology/message';
import { MIN_WORD_CHARACTERS, type Redaction } from '../http/redaction';

/** What came back, as far as it came. No text in it quotes the request's credentials. */
export interface Answer {
  readonly status: number;
  /** `Retry-After`, as it was sent. */
  readonly retryAfter: string | undefined;
  readonly location: string | undefined;
  /** `webhook-receipt` or `x-request-id`. */
  readonly receipt: string | undefined;
  /** The first characters of the body, on one line; empty when there is none. */
  readonly excerpt: string;
}

/** Statuses below 500 that say "not now" (RFC 9110, RFC 6585, RFC 8470). */
const NOT_NOW = new Set([408, 409, 425, 429]);

const MAX_RECEIPT_CHARACTERS = 512;
const MAX_LOCATION_CHARACTERS = 200;
const MAX_EXCERPT_CHARACTERS = 100;
/** Far enough to find a long header value whole. */
const SEARCHED_BYTES = 16 * 1024;

/**
 * Reads the few headers that matter, and the body's beginning.
 * @param headers names and values in turn, as undici's parser cut them
 * @param redaction of what the request contained
 */
export function answerOf(status: number, headers: readonly Buffer[], body: Buffer, redaction: () => Redaction): Answer {
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
    else if (lower === 'location') location = shown(value(), MAX_LOCATION_CHARACTERS, redaction);
    else if (lower === 'webhook-receipt') receipt = shown(value(), MAX_RECEIPT_CHARACTERS, redaction);
    else if (lower === 'x-request-id') requestId = shown(value(), MAX_RECEIPT_CHARACTERS, redaction);
  }
  const excerpt = shown(body.toString('utf8', 0, SEARCHED_BYTES), MAX_EXCERPT_CHARACTERS, redaction);
  return { status, retryAfter: retry, location, receipt: receipt ?? requestId, excerpt };
}

function shown(text: string, most: number, redaction: () => Redaction): string {
  if (text === '') return '';
  const line = text.replace(/[\s\p{C}]+/gu, ' ').trim();
  // Nothing that is so short quotes anything.
  return line.length < MIN_WORD_CHARACTERS ? line : redaction().shown(line, most);
}

/** @param now epoch milliseconds, against which a date in `Retry-After` is read */
export function outcomeOf(answer: Answer, now: number): Outcome {
  const { status, excerpt } = answer;
  if (status >= 200 && status < 300) {
    const receipt = answer.receipt ?? excerpt;
    return receipt === '' ? { kind: 'delivered', status } : { kind: 'delivered', status, receipt };
  }
  if (status >= 300 && status < 400) {
    const to = answer.location === undefined ? '' : ` to ${answer.location}`;
    return { kind: 'rejected', status, reason: `HTTP ${status}${to}: redirects are not followed` };
  }
  const reason = excerpt === '' ? `HTTP ${status}` : `HTTP ${status}: ${excerpt}`;
  if (NOT_NOW.has(status) || (status >= 500 && status < 600)) {
    const afterMs = answer.retryAfter === undefined ? undefined : retryAfter(answer.retryAfter, now);
    return afterMs === undefined ? { kind: 'retry', status, reason } : { kind: 'retry', status, reason, afterMs };
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
