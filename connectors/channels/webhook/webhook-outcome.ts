import type { Outcome } from '../../../topology/message';
import { MIN_WORD_CHARACTERS, type Redaction } from '../http/redaction';
import { retryAfterMs } from '../http/retry-after';

/** What came back, as far as it came. No text in it quotes the request's credentials. */
export interface Answer {
  readonly status: number;
  /** `Retry-After` as it was sent, however often; undefined when it was not. */
  readonly retryAfter: string | undefined;
  readonly location: string | undefined;
  /** `webhook-receipt` or `x-request-id`. */
  readonly receipt: string | undefined;
  /** The first characters of the body, on one line; empty when there is none. */
  readonly excerpt: string;
}

/** For the person who has to decide. */
const LOOK_THERE =
  'and this one may answer a message that was taken. Ask the receiver, then use `downspout messages resolve` with --delivered or --retry';

/** Statuses that say "not now": the request was not accepted (RFC 9110, RFC 6585, RFC 8470). */
const NOT_NOW = new Set([408, 425, 429]);
/** Another request with the same key may be in work. */
const CONFLICT = 409;
/**
 * With `Retry-After`, whatever it says, it is the server that turns requests away; without, it may be a proxy that lost the server's
 * answer.
 */
const UNAVAILABLE = 503;

/**
 * Redirects by which a server may also answer a request that it has processed, as a form is answered (RFC 9110, sections 15.4.3 and
 * 15.4.4). 301, 307 and 308 say that the request belongs elsewhere.
 */
const MAY_BE_DONE = new Set([302, 303]);

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
  const waits: string[] = [];
  let location: Buffer | undefined;
  let receipt: Buffer | undefined;
  let requestId: Buffer | undefined;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] as Buffer;
    // The length tells nearly all headers apart without making strings of them.
    if (name.length !== 8 && name.length !== 11 && name.length !== 12 && name.length !== 15) continue;
    const value = headers[at + 1] as Buffer;
    const lower = name.toString('latin1').toLowerCase();
    if (lower === 'retry-after') waits.push(value.toString('latin1'));
    else if (lower === 'location') location = value;
    else if (lower === 'webhook-receipt') receipt = value;
    else if (lower === 'x-request-id') requestId = value;
  }
  // Of each name one, because a receiver may send some thousand of them.
  const headerShown = (value: Buffer | undefined, most: number) =>
    value === undefined ? undefined : shown(value.toString('latin1', 0, SEARCHED_BYTES), most, redaction);
  return {
    status,
    retryAfter: waits.length === 0 ? undefined : waits.join(),
    location: headerShown(location, MAX_LOCATION_CHARACTERS),
    receipt: headerShown(receipt ?? requestId, MAX_RECEIPT_CHARACTERS),
    excerpt: shown(body.toString('utf8', 0, SEARCHED_BYTES), MAX_EXCERPT_CHARACTERS, redaction),
  };
}

function shown(text: string, most: number, redaction: () => Redaction): string {
  if (text === '') return '';
  const line = text.replace(/[\s\p{C}]+/gu, ' ').trim();
  // Nothing that is so short quotes anything.
  return line.length < MIN_WORD_CHARACTERS ? line : redaction().shown(line, most);
}

/**
 * What an answer means. One that does not rule out that the message was accepted is `unknown`: the receiver, or a gateway in
 * front of it, may fail after the work is done.
 *
 * @param now epoch milliseconds, against which a date in `Retry-After` is read
 */
export function outcomeOf(answer: Answer, now: number): Outcome {
  const { status, excerpt } = answer;
  if (status >= 200 && status < 300) {
    const receipt = answer.receipt ?? excerpt;
    return receipt === '' ? { kind: 'delivered', status } : { kind: 'delivered', status, receipt };
  }
  if (status >= 300 && status < 400) {
    const to = answer.location === undefined ? '' : ` to ${answer.location}`;
    const reason = `HTTP ${status}${to}: redirects are not followed`;
    if (!MAY_BE_DONE.has(status)) return { kind: 'rejected', status, reason };
    return { kind: 'unknown', status, reason: `${reason}, ${LOOK_THERE}`, isFinal: true };
  }
  const reason = excerpt === '' ? `HTTP ${status}` : `HTTP ${status}: ${excerpt}`;
  const afterMs = answer.retryAfter === undefined ? undefined : retryAfterMs(answer.retryAfter, now);
  const asked = afterMs === undefined ? {} : { afterMs };
  if (NOT_NOW.has(status) || (status === UNAVAILABLE && answer.retryAfter !== undefined)) {
    return { kind: 'retry', status, reason, ...asked };
  }
  // A status that is none is one of the server's errors (RFC 9110, section 15).
  if (status === CONFLICT || status >= 500) return { kind: 'unknown', status, reason, ...asked };
  return { kind: 'rejected', status, reason };
}
