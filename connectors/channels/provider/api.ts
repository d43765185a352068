import type { LookupAnswer } from '../../../bolts/channel';
import type { Outcome } from '../../../topology/message';
import type { AnswerLimits } from '../http/exchange';
import type { CallEnd, HttpCaller, HttpRequest } from '../http/http-caller';
import { Redaction } from '../http/redaction';
import { Reply } from '../http/reply';

/** A request to a provider. At most one of `json` and `form` is given. */
export interface ApiRequest {
  readonly method: HttpRequest['method'];
  readonly url: URL;
  /** Besides what says of which type the body is; who asks is said unless it is here. Names in small letters. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly form?: URLSearchParams;
}

/** An answer; or what it means that there is none. */
export type ApiEnd = Reply | Exclude<CallEnd, { kind: 'answered' }>;

/** Makes one request. Throws for nothing that a provider does. */
export type Api = (request: ApiRequest) => Promise<ApiEnd>;

/** What is read of the answer to a message; the longest that are known repeat its text twice. */
const PUBLISHED: AnswerLimits = { maxBytes: 1024 * 1024, keptBytes: 1024 * 1024, graceMs: 5_000 };
/** Providers answer with pages of messages where they are asked what they have. */
const LONG_ANSWER: AnswerLimits = { maxBytes: 4 * 1024 * 1024, keptBytes: 4 * 1024 * 1024, graceMs: 5_000 };

/**
 * The requests of one account.
 * @param secrets of its credentials: no text of an answer quotes them
 * @param mayStart of a request that makes a message visible: asked once, in the tick of the write
 */
export function apiOf(caller: HttpCaller, account: string, secrets: readonly string[], mayStart?: () => boolean): Api {
  return async ({ method, url, headers = {}, json, form }) => {
    const body = json === undefined ? (form?.toString() ?? null) : JSON.stringify(json);
    const type = json === undefined ? 'application/x-www-form-urlencoded' : 'application/json';
    const given = Object.entries(headers).flat();
    const typed = body === null ? given : [...given, 'content-type', type];
    const { origin, hostname, pathname, search } = url;
    const request: HttpRequest = { account, origin, hostname, method, path: pathname + search, body };
    const agent = headers['user-agent'] === undefined ? ['user-agent', 'downspout'] : [];
    const all = [...typed, 'accept', 'application/json', ...agent];
    const ended = await caller.call(
      request,
      () => all,
      mayStart ?? always,
      mayStart === undefined ? LONG_ANSWER : PUBLISHED,
    );
    if (ended === 'not_started' || ended.kind !== 'answered') return ended;
    // Where a secret stands in the path a server may quote it with its colon escaped.
    const words = secrets.flatMap((secret) => [secret, ...secret.split(':')]);
    return new Reply(ended, new Redaction([...given, ...words.flatMap((word) => ['authorization', word])]));
  };
}

/** Whether a call ended without an answer: then what it means is said. */
export function isUnanswered(ended: ApiEnd): ended is Exclude<ApiEnd, Reply> {
  return ended === 'not_started' || ended.kind !== 'answered';
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
