import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { type GraphError, graphErrorIn } from '../meta/graph-error';
import { regainMs } from '../meta/graph-usage';
import { heldFor } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** What an error means. `later` has the time for which to wait where Facebook does not say it, milliseconds. */
type Meaning =
  | { readonly kind: 'later'; readonly afterMs: number; readonly sentence: string }
  | { readonly kind: 'refused'; readonly sentence: string }
  | { readonly kind: 'unusable'; readonly sentence: string; readonly isFinal?: true }
  | { readonly kind: 'duplicate' | 'in_doubt' };

const refused = (sentence: string): Meaning => ({ kind: 'refused', sentence });
const later = (afterMs: number, sentence: string): Meaning => ({ kind: 'later', afterMs, sentence });
const DUPLICATE: Meaning = { kind: 'duplicate' };
const IN_DOUBT: Meaning = { kind: 'in_doubt' };
/** The code of a limit of the app by which all pages are connected. */
const OF_APP = 4;
const TOO_MANY = 'The page or the app has made as many calls as Facebook allows for now';
const STANDARDS = "Facebook sees its community standards in the way; somebody has to look at the page's support inbox";
const FORMAT = 'Facebook does not take the format of the photos or of the link';

/** By subcode: these are said under several codes. */
const BY_SUBCODE: Readonly<Record<number, Meaning>> = {
  33: refused("Facebook does not know the page, or does not show it to the account's token"),
  1346003: refused('Facebook finds the post abusive'),
  1349125: refused(FORMAT),
  1363047: IN_DOUBT,
  1366046: refused('Facebook takes photos as JPEG or PNG that are smaller than 4 MB'),
  1366051: DUPLICATE,
  1390008: later(HOUR_MS, 'The page posts faster than Facebook allows'),
  1404006: refused(STANDARDS),
  1404078: refused('The page first needs the authorization to publish that Facebook asks of its owners'),
  1404102: refused(STANDARDS),
  1404112: refused(STANDARDS),
  1609005: refused('Facebook cannot read the page at the link'),
  1609008: refused('Facebook takes no link to this address of its own'),
  1609010: IN_DOUBT,
  2061006: refused(FORMAT),
};

/** By code, where the subcode is none of those. */
const BY_CODE: Readonly<Record<number, Meaning>> = {
  1: IN_DOUBT,
  2: IN_DOUBT,
  4: later(10 * MINUTE_MS, TOO_MANY),
  17: later(10 * MINUTE_MS, TOO_MANY),
  32: later(HOUR_MS, TOO_MANY),
  100: refused('Facebook does not take a part of the post'),
  341: later(HOUR_MS, TOO_MANY),
  368: later(6 * HOUR_MS, "Facebook has blocked the page's posts for a time, because of its policies"),
  506: DUPLICATE,
  613: later(10 * MINUTE_MS, TOO_MANY),
  2500: {
    kind: 'unusable',
    isFinal: true,
    sentence: "Facebook does not know the address; correct the account's version",
  },
};

/** What the subcode of a refused token says, for whoever connects the account again. */
const ENDS_OF_TOKENS: Readonly<Record<number, string>> = {
  458: 'its app was removed',
  459: 'its user must sign in to Facebook and confirm who they are',
  460: 'its user has changed the password',
  463: 'it has expired',
  464: 'its user has not confirmed the Facebook account',
  467: 'it was made invalid',
};
/** The token has ended: Facebook does not say so by mistake. */
const ENDED = 190;
const TOKEN_CODES = new Set<number | undefined>([102, 104, ENDED]);

const posted = z.object({ id: z.string().regex(/^\d{1,40}(?:_\d{1,40})?$/) });

/** What Facebook's answer means, with a sentence for those who ask why. */
export function meaningOf(
  reply: Reply,
  { inDoubt, now }: { readonly inDoubt: boolean; readonly now: number },
): Outcome {
  const { status } = reply;
  const error = graphErrorIn(reply);
  if (error === undefined) return withoutError(reply, now);
  const { said } = error;
  const meaning = meaningIn(error, status);
  if (meaning.kind === 'later') {
    return {
      kind: 'retry',
      status,
      reason: `${meaning.sentence} (${said})`,
      ...(meaning.sentence === TOO_MANY
        ? heldFor(regainMs(reply) ?? meaning.afterMs, error.code === OF_APP ? 'app' : 'account')
        : { afterMs: meaning.afterMs }),
    };
  }
  if (meaning.kind === 'unusable') {
    const { sentence, isFinal } = meaning;
    return { kind: 'unusable', status, reason: `${sentence} (${said})`, ...(isFinal === true ? { isFinal } : {}) };
  }
  if (meaning.kind === 'refused') return { kind: 'rejected', status, reason: `${meaning.sentence} (${said})` };
  if (meaning.kind === 'in_doubt') {
    return { kind: 'unknown', status, reason: `Facebook failed (${said}); it may have the post` };
  }
  // Whose the other post is says the lookup, which comes next.
  if (inDoubt) {
    const reason = `Facebook has such a post and does not say whether it is this one (${said})`;
    return { kind: 'unknown', status, reason };
  }
  return { kind: 'rejected', status, reason: `The page has posted the same just before (${said})` };
}

/** What Facebook says of an error, else the beginning of what it said. */
export function wordsOf(reply: Reply): string {
  return graphErrorIn(reply)?.said ?? `HTTP ${reply.status}: ${reply.shown() || 'no reason given'}`;
}

/** Whether an answer says that Facebook has the same already. */
export function isDuplicate(reply: Reply): boolean {
  const error = graphErrorIn(reply);
  return error !== undefined && meaningIn(error, reply.status).kind === 'duplicate';
}

function meaningIn(error: GraphError, status: number): Meaning {
  const { code, subcode, type, isTransient } = error;
  if (TOKEN_CODES.has(code) || (code === undefined && type === 'OAuthException')) {
    const why = ENDS_OF_TOKENS[subcode ?? 0];
    const sentence = `Facebook does not take the account's token any more${why === undefined ? '' : `: ${why}`}. Connect the account again`;
    return { kind: 'unusable', sentence, ...(code === ENDED ? { isFinal: true } : {}) };
  }
  const known = BY_SUBCODE[subcode ?? 0] ?? BY_CODE[code ?? 0] ?? inRange(code ?? 0);
  if (isTransient && (known === undefined || known.kind === 'refused')) return IN_DOUBT;
  // An error that nobody knows rules nothing out, unless the request is what was wrong.
  return known ?? (status >= 400 && status < 500 ? refused('Facebook does not take the post') : IN_DOUBT);
}

function inRange(code: number): Meaning | undefined {
  // Limits of business use cases: 80001 is that of pages.
  if (code >= 80_000 && code < 80_100) return later(HOUR_MS, TOO_MANY);
  if (code !== 3 && code !== 10 && (code < 200 || code > 299)) return undefined;
  return refused("The account's token may not post on the page: it needs pages_manage_posts and pages_read_engagement");
}

/** An answer of a gateway, or of the API when nothing went wrong. */
function withoutError(reply: Reply, now: number): Outcome {
  const { status } = reply;
  const said = `HTTP ${status}: ${reply.shown() || 'no reason given'}`;
  if (reply.isOk) {
    const { success, data } = posted.safeParse(reply.json());
    if (success) return { kind: 'delivered', status, receipt: reply.shown(data.id) };
    return { kind: 'unknown', status, reason: `Facebook answered without the id of a post (${said})` };
  }
  if (status >= 500) return { kind: 'unknown', status, reason: `Facebook failed (${said}); it may have the post` };
  if (status === 429) {
    const afterMs = regainMs(reply) ?? reply.waitMs('retry-after', now) ?? 10 * MINUTE_MS;
    return { kind: 'retry', status, reason: `${TOO_MANY} (${said})`, ...heldFor(afterMs) };
  }
  if (status >= 300 && status < 400) {
    return {
      kind: 'rejected',
      status,
      reason: `The server is at another address; correct the account's server (${said})`,
    };
  }
  // Facebook says of each refusal what it is: this one is of somebody between us, and says nothing of the post.
  return (
    gatewayAnswer(reply, said) ?? {
      kind: 'retry',
      status,
      reason: `A server before Facebook's refused the request (${said})`,
    }
  );
}
