import { Readable } from 'node:stream';
import type { LookupAnswer } from '../../../bolts/channel';
import type { Outcome } from '../../../topology/message';
import type { AnswerLimits } from '../http/exchange';
import type { CallEnd, HttpCaller, HttpRequest } from '../http/http-caller';
import { Redaction } from '../http/redaction';
import { Reply } from '../http/reply';
import type { Undelivered } from '../http/unreachable';
import { type MediaFile, SLOWEST_BYTES_PER_MS } from '../media/media-file';
import { type FormPart, multipart } from './multipart';

/** A request to a provider. At most one of `json`, `form`, `parts` and `file` is given. */
export interface ApiRequest {
  readonly method: HttpRequest['method'];
  readonly url: URL;
  /** Who asks, and of which type the body is, is said unless it is here. Names in small letters. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly form?: URLSearchParams;
  /** Of a `multipart/form-data`. */
  readonly parts?: readonly FormPart[];
  /** The whole body. */
  readonly file?: MediaFile;
  /** When it ends at the latest, monotonic milliseconds. */
  readonly notAfter?: number;
}

/** An answer; or what it means that there is none. */
export type ApiEnd = Reply | Exclude<CallEnd, { kind: 'answered' }>;

/** Makes one request. Throws for nothing that a provider does. */
export type Api = (request: ApiRequest) => Promise<ApiEnd>;

/** The same, which asks `may` in the tick of the write: when that says no, nothing is written and the answer is `not_started`. */
export type GatedApi = (request: ApiRequest, may?: () => boolean) => Promise<ApiEnd>;

/** What is read of the answer to a message; the longest that are known repeat its text twice. */
const PUBLISHED: AnswerLimits = { maxBytes: 1024 * 1024, keptBytes: 1024 * 1024, graceMs: 5_000 };
/** Providers answer with pages of messages where they are asked what they have. */
const LONG_ANSWER: AnswerLimits = { maxBytes: 4 * 1024 * 1024, keptBytes: 4 * 1024 * 1024, graceMs: 5_000 };

/**
 * The requests of one account.
 * @param secrets of its credentials: no text of an answer quotes them
 * @param mayStart of a request that makes a message visible: asked once, in the tick of the write
 */
export function apiOf(
  caller: HttpCaller,
  account: string,
  secrets: readonly string[],
  mayStart?: () => boolean,
): GatedApi {
  return async (asked, may = always) => {
    const { method, url, headers = {}, notAfter = Number.POSITIVE_INFINITY } = asked;
    const { type, bytes, body } = bodyOf(asked);
    const given = Object.entries(headers).flat();
    const isTyped = type === undefined || headers['content-type'] !== undefined;
    const typed = isTyped ? given : [...given, 'content-type', type];
    if (bytes !== undefined) typed.push('content-length', String(bytes));
    const { origin, hostname, pathname, search } = url;
    const allowMs = mayStart === undefined && bytes !== undefined ? bytes / SLOWEST_BYTES_PER_MS : 0;
    const request: HttpRequest = {
      account,
      origin,
      hostname,
      method,
      path: pathname + search,
      body,
      allowMs,
      notAfter,
    };
    const sized = bytes === undefined ? request : { ...request, bodyBytes: bytes };
    const agent = headers['user-agent'] === undefined ? ['user-agent', 'downspout'] : [];
    const all = [...typed, 'accept', 'application/json', ...agent];
    const ended = await caller.call(
      sized,
      () => all,
      () => may() && (mayStart === undefined || mayStart()),
      mayStart === undefined ? LONG_ANSWER : PUBLISHED,
    );
    if (ended === 'not_started' || ended.kind !== 'answered') return ended;
    // Of a token that has a colon a server may quote the halves apart.
    const words = secrets.flatMap((secret) => [secret, ...secret.split(':')]);
    return new Reply(ended, new Redaction(given, words));
  };
}

interface Body {
  /** Undefined when there is no body. */
  readonly type?: string;
  /** Of a stream. */
  readonly bytes?: number;
  readonly body: HttpRequest['body'];
}

function bodyOf({ json, form, parts, file }: ApiRequest): Body {
  if (json !== undefined) return { type: 'application/json', body: JSON.stringify(json) };
  if (form !== undefined) return { type: 'application/x-www-form-urlencoded', body: form.toString() };
  if (parts !== undefined) return multipart(parts);
  if (file === undefined) return { body: null };
  return { type: file.type, bytes: file.bytes, body: Readable.from(file.read(), { objectMode: false }) };
}

/** Whether a call ended without an answer: then what it means is said. */
export function isUnanswered(ended: ApiEnd): ended is Exclude<ApiEnd, Reply> {
  return ended === 'not_started' || ended.kind !== 'answered';
}

/** What ended an attempt before its message could be seen: nothing is in doubt. */
export type Unpublished = Exclude<Undelivered, { kind: 'unknown' }> | 'not_started';

/**
 * What a step before the message means for it that failed.
 * @param meant what the same would mean of the message itself
 */
export function beforehand(meant: Undelivered | 'not_started'): Unpublished {
  if (meant === 'not_started' || meant.kind !== 'unknown') return meant;
  return { ...meant, kind: 'retry' };
}

/** A lookup that says nothing of the message. */
export type Unclear = Exclude<LookupAnswer, { kind: 'accepted' | 'absent' }>;

/** A lookup that did not come to an answer, in its own words. */
export function unclear(ended: Exclude<ApiEnd, Reply>): Unclear {
  if (ended === 'not_started') return { kind: 'unknown', reason: 'the worker stops' };
  return ended.kind === 'rejected' ? { kind: 'unknown', reason: ended.reason } : ended;
}

/**
 * A lookup that was answered with something else.
 * @param meant what such an answer to a message would mean
 */
export function unread(meant: Outcome, reason: string): Unclear {
  if (meant.kind === 'unusable' || meant.kind === 'postponed') return meant;
  const afterMs = meant.kind === 'retry' || meant.kind === 'unknown' ? meant.afterMs : undefined;
  return { kind: 'unknown', reason, ...(afterMs === undefined ? {} : { afterMs }) };
}

function always(): boolean {
  return true;
}
