import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { heldFor } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';
import { type GraphError, graphErrorIn } from './graph-error';
import { regainMs } from './graph-usage';

const HOUR_MS = 3_600_000;
/** An account that is taken for a sender of spam is left alone for so long. */
const BLOCKED_MS = 6 * HOUR_MS;
/** Meta works on something that a request needs, or has not told all of its servers of it. */
export const NOT_READY_MS = 30_000;

/** The session, or the access token, is not taken; their subcodes tell why. */
const ENDED = 190;
const CREDENTIALS = new Set([102, ENDED]);
/** A parameter; with this subcode: something that is not there, or that this token may not see. Meta's words name it. */
const PARAMETER = 100;
const MISSING = 33;
const DAILY_LIMIT = 9;
/** Unknown, and unavailable for now: they may come after the request was done. */
const AFTER_THE_FACT = new Set([-2, -1, 1, 2]);
/** Too many calls: of the app, of the account, of a page, of all. */
/** The code of a limit of the app by which all accounts are connected. */
const OF_APP = 4;
const THROTTLED = new Set([4, 17, 32, 341, 613]);
const PERMISSION = new Set([3, 10]);
/** Subcodes, whatever the code is. */
const SPAM = 2_207_051;
const RESTRICTED = new Set([2_207_050, 2_207_081]);
const NOT_READY = 2_207_027;
const NO_CONTAINER = new Set([2_207_006, 4_279_009]);
/** Meta could not get the media, or lost what it had of it, for now. */
const FETCHED_IN_VAIN = new Set([2_207_001, 2_207_003, 2_207_008, 2_207_020, 2_207_032, 2_207_053]);

/** Whether an answer says that the account has had all the posts of a day. */
export function isDailyLimit(reply: Reply): boolean {
  return graphErrorIn(reply)?.code === DAILY_LIMIT;
}

/** Whether an answer says that Meta does not know the container that it was asked for. */
export function isMissing(reply: Reply): boolean {
  const { code, subcode = 0 } = graphErrorIn(reply) ?? {};
  return NO_CONTAINER.has(subcode) || (code === PARAMETER && subcode === MISSING);
}

/** Whether an answer says that Meta still works on the container. */
export function isNotReady(reply: Reply): boolean {
  return graphErrorIn(reply)?.subcode === NOT_READY;
}

/** Whether words of Meta's name a subcode, and the same will not come out well later. */
export function namesHopelessMedia(words: string): boolean {
  const subcodes = words.match(/\b\d{7}\b/g) ?? [];
  return subcodes.length > 0 && !subcodes.some((subcode) => FETCHED_IN_VAIN.has(Number(subcode)));
}

/** Meta's words for an answer, or the beginning of what another server said. */
export function wordsOf(reply: Reply): string {
  return graphErrorIn(reply)?.said ?? `HTTP ${reply.status}: ${reply.shown() || 'no reason given'}`;
}

/**
 * What a refusal of Instagram's or Threads' means, with a sentence for those who ask why. An error comes with any HTTP status.
 * @param asked the provider's name for people, and the account's user
 */
export function meaningOf(
  reply: Reply,
  { provider, user }: { readonly provider: string; readonly user: string },
): Exclude<Outcome, { kind: 'delivered' }> {
  const error = graphErrorIn(reply);
  const said = wordsOf(reply);
  const { status } = reply;
  const retry = (why: string, afterMs: number) => ({
    kind: 'retry' as const,
    status,
    reason: `${why} (${said})`,
    afterMs,
  });
  if (isOfCredentials(error, user) || status === 401) {
    const reason = `${provider} does not take the account's access token, or not for this user (${said}). Connect the account again`;
    return { kind: 'unusable', status, reason, ...(error?.code === ENDED ? { isFinal: true } : {}) };
  }
  const { code = 0, subcode = 0 } = error ?? {};
  if (subcode === SPAM)
    return retry(`${provider} has stopped the account, because it takes its posts for spam`, BLOCKED_MS);
  if (RESTRICTED.has(subcode)) return rejected(status, `${provider} has restricted the account`, said);
  const held = (why: string, afterMs: number) => ({
    ...retry(why, afterMs),
    ...heldFor(afterMs, code === OF_APP ? 'app' : 'account'),
  });
  if (code === DAILY_LIMIT) return held(`The account has posted as often as ${provider} allows in a day`, HOUR_MS);
  if (subcode === NOT_READY || NO_CONTAINER.has(subcode)) return retry(`${provider} is not ready for it`, NOT_READY_MS);
  if (THROTTLED.has(code) || Math.floor(code / 100) === 800 || status === 429) {
    const why = `The account or the app has asked as often as ${provider} allows for now`;
    return held(why, regainMs(reply) ?? HOUR_MS);
  }
  if (AFTER_THE_FACT.has(code) || FETCHED_IN_VAIN.has(subcode) || error?.isTransient === true || status >= 500) {
    return { kind: 'unknown', status, reason: `${provider} failed (${said}); it may have the post` };
  }
  if (PERMISSION.has(code) || Math.floor(code / 100) === 2) {
    return rejected(status, `${provider} does not let the account post`, said);
  }
  const gateway = gatewayAnswer(reply, said);
  return gateway === undefined || gateway.kind === 'delivered'
    ? rejected(status, refusalOf(status, provider), said)
    : gateway;
}

function isOfCredentials(error: GraphError | undefined, user: string): boolean {
  if (error?.code === undefined) return false;
  const { code, subcode, said } = error;
  if (CREDENTIALS.has(code)) return true;
  // What is not there may be one message's: the post that it answers.
  return code === PARAMETER && subcode === MISSING && said.split(/\D+/).includes(user);
}

function rejected(status: number, why: string, said: string) {
  return { kind: 'rejected' as const, status, reason: `${why} (${said})` };
}

function refusalOf(status: number, provider: string): string {
  if (status >= 300 && status < 400) return "The server is at another address; correct the account's server";
  return `${provider} does not take the post`;
}
