import { z } from 'zod';
import { DAY_MS } from '../../../topology/core/lateness';
import type { Outcome } from '../../../topology/message';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import type { Reply } from '../http/reply';
import { holdIn } from '../provider/allowance';
import { type Api, isUnanswered } from '../provider/api';
import { apiServer } from '../provider/api-server';
import { type Publishing, providerKind } from '../provider/provider-channel';
import { lost } from '../provider/video';
import { errorOf, isSessionOver, meaningOf, unsent, wordOf } from './bluesky-answers';
import { MAX_IMAGE_BYTES, MAX_VIDEO_BYTES, uploadMedia } from './bluesky-media';
import { type BlueskyDraft, COLLECTION, draftOf, type ReplyTo, recordKey, recordOf } from './bluesky-post';
import {
  type BlueskyCredentials,
  type BlueskySession,
  openSession,
  originOf,
  renewed,
  sessionOf,
  unanswered,
  xrpc,
} from './bluesky-session';

/** What a post takes of an account's points. */
const POINTS = 2;
const credentials = z.strictObject({
  identifier: z
    .string()
    .regex(/^[^\s\p{Cc}]{3,320}$/u, 'expected a handle, an e-mail address or a DID')
    .register(credentialFields, { prompt: 'Handle, such as shop.bsky.social', isSecret: false }),
  password: z
    .string()
    .regex(/^[\x21-\x7e]{8,256}$/, 'expected an app password')
    .register(credentialFields, { prompt: 'App password', isSecret: true }),
  server: apiServer('https://bsky.social'),
});

const kept = z.object({ uri: z.string(), cid: z.string(), value: z.looseObject({}) });
const reference = z.object({ uri: z.string(), cid: z.string() });
const answered = z.object({ reply: z.object({ root: reference }).optional() });
const resolved = z.object({ did: z.string() });
const stored = z.object({ createdAt: z.string() });
const posted = z.object({ uri: z.string() });

type Sending = Publishing<BlueskyCredentials>;
type Unsent = Exclude<Outcome, { kind: 'delivered' }>;

/** Posts on Bluesky. What the answers mean is in docs/channels.md. */
export const bluesky = providerKind({
  name: 'bluesky',
  class: 'idempotent',
  // The same record under the same key is one post, also when two requests overlap.
  acceptedLateMs: 0,
  // 5,000 points an hour and 35,000 a day.
  limits: {
    perAccount: {
      rates: [
        { count: 2_500, windowMs: 3_600_000 },
        { count: 17_500, windowMs: DAY_MS },
      ],
      gapMs: 0,
    },
  },
  credentials,
  originOf,
  prepare: draftOf,
  media: {
    types: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'],
    maxBytes: MAX_IMAGE_BYTES,
    video: { types: ['video/mp4'], maxBytes: MAX_VIDEO_BYTES },
  },
  videoOwner: ({ identifier, server = '' }) => JSON.stringify([identifier, server]),
  // So that each attempt has the same record, whatever is at the URLs by then.
  keepsImages: true,
  async send(draft, sending): Promise<Outcome | 'not_started'> {
    const session = await sessionOf(sending.credentials, sending);
    if ('kind' in session) return session;
    const ended = await sendIn(session, draft, sending);
    if (ended !== 'over') return ended;
    const next = await renewed(sending.credentials, session, sending);
    if ('kind' in next) return next;
    const again = await sendIn(next, draft, sending);
    if (again !== 'over') return again;
    return { kind: 'unusable', reason: 'The server gives sessions that it does not take. Connect the account again' };
  },
  canMakeReady: (account, sessions) => openSession(account, sessions) !== undefined,
  async makeReady(_, preparing) {
    // Sessions are opened and renewed by attempts: a message that is due would wait for one that may not go on.
    const session = openSession(preparing.credentials, preparing.sessions);
    if (session === undefined) return 'not_started';
    const embed = await uploadMedia(session, preparing);
    if (embed === undefined || embed === 'over') return 'not_started';
    return embed === 'not_started' || 'kind' in embed ? embed : 'ready';
  },
  async whoAmI({ credentials: account, ask, sessions }): Promise<WhoAmI> {
    const session = await sessionOf(account, { sessions, ask, now: () => 0 });
    return 'kind' in session ? { kind: 'no', reason: session.reason } : { kind: 'ok', name: `@${session.handle}` };
  },
});

/** @returns `over` when the session has ended: nothing was taken */
async function sendIn(
  session: BlueskySession,
  draft: BlueskyDraft,
  sending: Sending,
): Promise<Outcome | 'not_started' | 'over'> {
  const { ask, publish, idempotencyKey, dueAt, inDoubt, now } = sending;
  const { replyTo } = draft.payload;
  const rkey = recordKey(idempotencyKey, dueAt);
  // At once, so that a slow server holds the message for one time-out and not for one of each.
  const [reply, dids] = await Promise.all([
    replyTo === undefined ? undefined : parentOf(replyTo, session, ask, now()),
    didsOf(draft, session, ask, now()),
  ]);
  if (reply === 'over' || dids === 'over') return 'over';
  const there = () => whatIsThere(rkey, session, ask, dueAt);
  if (reply !== undefined && 'kind' in reply) return inDoubt ? unlessThere(reply, there) : reply;
  if ('kind' in dids) return inDoubt ? unlessThere(dids, there) : dids;
  const embed = await uploadMedia(session, sending);
  if (embed === 'over' || embed === 'not_started') return embed;
  if (embed !== undefined && 'kind' in embed) return inDoubt ? unlessThere(embed, there) : embed;
  const record = recordOf(draft, {
    dids,
    dueAt,
    ...(reply === undefined ? {} : { reply }),
    ...(embed === undefined ? {} : { embed }),
  });
  // `swapRecord` null: only where there is no record yet. The same one again is taken, and changes nothing.
  const json = { repo: session.did, collection: COLLECTION, rkey, record, swapRecord: null };
  const ended = await publish(xrpc(session.pds, 'POST', 'com.atproto.repo.putRecord', { ...as(session), json }));
  if (isUnanswered(ended)) return ended;
  if (isSessionOver(ended)) return 'over';
  if (wordOf(ended) === 'InvalidSwap') {
    const found = await there();
    return found === 'nothing'
      ? { kind: 'unknown', reason: 'The record under the key of this post has gone meanwhile' }
      : found;
  }
  if (wordOf(ended) === 'BlobNotFound' && sending.video !== undefined) {
    // Nothing was taken, and servers throw away what no post names.
    const gone = await lost(sending.video);
    if (gone !== 'not_started') {
      const outcome = { ...gone, status: ended.status };
      return inDoubt ? unlessThere(outcome, there) : outcome;
    }
  }
  const { success, data } = posted.safeParse(ended.json());
  if (ended.isOk && success) {
    const hold = holdIn(ended, {
      remaining: 'ratelimit-remaining',
      reset: 'ratelimit-reset',
      now: now(),
      cost: POINTS,
    });
    return { kind: 'delivered', status: ended.status, receipt: ended.shown(data.uri), ...hold };
  }
  return meaningOf(ended, now());
}

type There = Extract<Outcome, { kind: 'delivered' | 'rejected' | 'unknown' }> | 'nothing';

/**
 * What is under the message's key: the same post, edited since or with names that changed, unless its time is another. Everybody may
 * ask, so a session that has ended meanwhile says nothing.
 */
async function whatIsThere(rkey: string, session: BlueskySession, ask: Api, dueAt: number): Promise<There> {
  const query = { repo: session.did, collection: COLLECTION, rkey };
  const ended = await ask(xrpc(session.pds, 'GET', 'com.atproto.repo.getRecord', { query }));
  if (ended === 'not_started') return { kind: 'unknown', reason: 'the worker stops' };
  if (isUnanswered(ended)) return { kind: 'unknown', reason: ended.reason };
  const { status } = ended;
  if (wordOf(ended) === 'RecordNotFound') return 'nothing';
  const { success, data } = kept.safeParse(ended.json());
  const { data: own } = stored.safeParse(data?.value);
  if (!ended.isOk || !success || own === undefined) {
    const reason = `The server does not say whether it has the post (HTTP ${status}: ${errorOf(ended)})`;
    return { kind: 'unknown', status, reason };
  }
  if (Date.parse(own.createdAt) === dueAt) return { kind: 'delivered', status, receipt: ended.shown(data.uri) };
  const reason = 'The account has another record under the key of this post; schedule it again';
  return { kind: 'rejected', status, reason };
}

/** What a post in doubt needs is gone since: the post may be there all the same. */
async function unlessThere(obstacle: Unsent, there: () => Promise<There>): Promise<Outcome> {
  if (obstacle.kind !== 'rejected') return obstacle;
  const found = await there();
  if (found === 'nothing') return obstacle;
  return found.kind === 'unknown' ? { kind: 'retry', reason: found.reason } : found;
}

/** What a reply has to name: the post that it answers, and the one with which the thread began. */
async function parentOf(
  uri: string,
  session: BlueskySession,
  ask: Api,
  now: number,
): Promise<ReplyTo | Unsent | 'over'> {
  const [repo = '', collection = '', rkey = ''] = uri.slice('at://'.length).split('/');
  const query = { repo, collection, rkey };
  const ended = await ask(xrpc(session.pds, 'GET', 'com.atproto.repo.getRecord', { ...as(session), query }));
  if (isUnanswered(ended)) return unanswered(ended);
  if (isSessionOver(ended)) return 'over';
  const { success, data } = kept.safeParse(ended.json());
  if (ended.isOk && success) {
    const parent = { uri: data.uri, cid: data.cid };
    return { root: answered.safeParse(data.value).data?.reply?.root ?? parent, parent };
  }
  if (wordOf(ended) !== 'RecordNotFound') return unsent(meaningOf(ended, now));
  return {
    kind: 'rejected',
    status: ended.status,
    reason: `The post that it answers is not there (${errorOf(ended)})`,
  };
}

/** Who is mentioned. A handle that nobody has is left out. */
async function didsOf(
  { mentions }: BlueskyDraft,
  session: BlueskySession,
  ask: Api,
  now: number,
): Promise<ReadonlyMap<string, string> | Unsent | 'over'> {
  const handles = new Set(mentions.map((mention) => mention.handle));
  const found = await Promise.all([...handles].map((handle) => didOf(handle, session, ask, now)));
  const dids = new Map<string, string>();
  for (const one of found) {
    if (one === 'over' || 'kind' in one) return one;
    if (one.did !== undefined) dids.set(one.handle, one.did);
  }
  return dids;
}

async function didOf(
  handle: string,
  session: BlueskySession,
  ask: Api,
  now: number,
): Promise<{ readonly handle: string; readonly did: string | undefined } | Unsent | 'over'> {
  const query = { handle };
  const ended = await ask(xrpc(session.pds, 'GET', 'com.atproto.identity.resolveHandle', { ...as(session), query }));
  if (isUnanswered(ended)) return unanswered(ended);
  if (isSessionOver(ended)) return 'over';
  const did = didIn(ended);
  if (did === undefined && ended.status !== 400 && ended.status !== 404) return unsent(meaningOf(ended, now));
  return { handle, did };
}

function didIn(reply: Reply): string | undefined {
  return reply.isOk ? resolved.safeParse(reply.json()).data?.did : undefined;
}

function as({ access }: BlueskySession): { readonly headers: Readonly<Record<string, string>> } {
  return { headers: { authorization: `Bearer ${access}` } };
}
