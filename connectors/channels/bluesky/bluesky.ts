import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import type { Reply } from '../http/reply';
import { type Api, isUnanswered } from '../provider/api';
import { apiServer } from '../provider/api-server';
import { type Publishing, providerKind } from '../provider/provider-channel';
import { errorOf, isSessionOver, meaningOf, unsent, wordOf } from './bluesky-answers';
import { type BlueskyDraft, COLLECTION, draftOf, type ReplyTo, recordKey, recordOf } from './bluesky-post';
import {
  type BlueskyCredentials,
  type BlueskySession,
  renewed,
  serverOf,
  sessionOf,
  unanswered,
  xrpc,
} from './bluesky-session';

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
  credentials,
  originOf: (account) => new URL(serverOf(account)).origin,
  prepare: draftOf,
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
  async whoAmI({ credentials: account, ask, sessions }): Promise<WhoAmI> {
    const session = await sessionOf(account, { sessions, ask, now: () => 0 });
    return 'kind' in session ? { kind: 'no', reason: session.reason } : { kind: 'ok', name: `@${session.handle}` };
  },
});

/** @returns `over` when the session has ended: nothing was taken */
async function sendIn(
  session: BlueskySession,
  draft: BlueskyDraft,
  { ask, publish, idempotencyKey, dueAt, now }: Sending,
): Promise<Outcome | 'not_started' | 'over'> {
  const { replyTo } = draft.payload;
  const reply = replyTo === undefined ? undefined : await parentOf(replyTo, session, ask, now());
  if (reply === 'over' || (reply !== undefined && 'kind' in reply)) return reply;
  const dids = await didsOf(draft, session, ask, now());
  if (dids === 'over' || 'kind' in dids) return dids;
  const record = recordOf(draft, { dids, dueAt, ...(reply === undefined ? {} : { reply }) });
  const rkey = recordKey(idempotencyKey, dueAt);
  // `swapRecord` null: only where there is no record yet. The same one again is taken, and changes nothing.
  const json = { repo: session.did, collection: COLLECTION, rkey, record, swapRecord: null };
  const ended = await publish(xrpc(session.pds, 'POST', 'com.atproto.repo.putRecord', { ...as(session), json }));
  if (isUnanswered(ended)) return ended;
  if (isSessionOver(ended)) return 'over';
  if (wordOf(ended) === 'InvalidSwap') return whatIsThere(rkey, session, ask, dueAt, now());
  const { success, data } = posted.safeParse(ended.json());
  if (ended.isOk && success) return { kind: 'delivered', status: ended.status, receipt: ended.shown(data.uri) };
  return meaningOf(ended, now());
}

/** Another record is under the message's key: the same post, edited since or with names that changed, unless its time is another. */
async function whatIsThere(
  rkey: string,
  session: BlueskySession,
  ask: Api,
  dueAt: number,
  now: number,
): Promise<Outcome | 'not_started'> {
  const query = { repo: session.did, collection: COLLECTION, rkey };
  const ended = await ask(xrpc(session.pds, 'GET', 'com.atproto.repo.getRecord', { ...as(session), query }));
  if (isUnanswered(ended)) return ended;
  const { success, data } = kept.safeParse(ended.json());
  if (!ended.isOk || !success) return unsent(meaningOf(ended, now));
  const { status } = ended;
  const { data: own } = stored.safeParse(data.value);
  if (own !== undefined && Date.parse(own.createdAt) === dueAt) {
    return { kind: 'delivered', status, receipt: ended.shown(data.uri) };
  }
  return {
    kind: 'rejected',
    status,
    reason: 'The account has another record under the key of this post; schedule it again',
  };
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
  const dids = new Map<string, string>();
  for (const handle of new Set(mentions.map((mention) => mention.handle))) {
    const query = { handle };
    const ended = await ask(xrpc(session.pds, 'GET', 'com.atproto.identity.resolveHandle', { ...as(session), query }));
    if (isUnanswered(ended)) return unanswered(ended);
    if (isSessionOver(ended)) return 'over';
    const did = didIn(ended);
    if (did !== undefined) dids.set(handle, did);
    else if (ended.status !== 400 && ended.status !== 404) return unsent(meaningOf(ended, now));
  }
  return dids;
}

function didIn(reply: Reply): string | undefined {
  return reply.isOk ? resolved.safeParse(reply.json()).data?.did : undefined;
}

function as({ access }: BlueskySession): { readonly headers: Readonly<Record<string, string>> } {
  return { headers: { authorization: `Bearer ${access}` } };
}
