import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { type Api, type ApiRequest, isUnanswered } from '../provider/api';
import { isServer } from '../provider/api-server';
import type { ProviderSessions } from '../provider/provider-sessions';
import { isSessionOver, meaningOf, unsent, wordOf } from './bluesky-answers';

export interface BlueskyCredentials {
  /** Handle, address or DID. */
  readonly identifier: string;
  /** An app password. */
  readonly password: string;
  readonly server?: string | undefined;
}

export interface BlueskySession {
  readonly did: string;
  readonly handle: string;
  /** Where the account's posts are kept. */
  readonly pds: string;
  readonly access: string;
  readonly refresh: string;
}

type Unopened = Exclude<Outcome, { kind: 'delivered' }>;

const USUAL_SERVER = 'https://bsky.social';

const token = z.string().min(1).max(8_192);
const opened = z.object({
  did: z.string().regex(/^did:[a-z]+:[A-Za-z0-9._:%-]{1,256}$/),
  handle: z.string().max(253),
  accessJwt: token,
  refreshJwt: token,
  didDoc: z.unknown().optional(),
});
const document = z.object({
  service: z.array(z.object({ id: z.string(), serviceEndpoint: z.string() })),
});

function serverOf({ server = USUAL_SERVER }: BlueskyCredentials): string {
  return server;
}

/** Scheme, host and port that the account's posts go to; until its session is opened, those of the login. */
export function originOf(credentials: BlueskyCredentials, sessions: ProviderSessions): string {
  const known = openSession(credentials, sessions);
  return new URL(known?.pds ?? serverOf(credentials)).origin;
}

/** The account's session, if one is open now. */
export function openSession(credentials: BlueskyCredentials, sessions: ProviderSessions): BlueskySession | undefined {
  return sessions.known(keyOf(credentials)) as BlueskySession | undefined;
}

/** The account's session, opened now unless there is one. */
export function sessionOf(
  credentials: BlueskyCredentials,
  { sessions, ask, now }: { readonly sessions: ProviderSessions; readonly ask: Api; readonly now: () => number },
): Promise<BlueskySession | Unopened> {
  return sessions.get(keyOf(credentials), () => open(credentials, ask, now()));
}

/** A session in the place of one that has ended: refreshed, else opened with the app password. */
export function renewed(
  credentials: BlueskyCredentials,
  old: BlueskySession,
  { sessions, ask, now }: { readonly sessions: ProviderSessions; readonly ask: Api; readonly now: () => number },
): Promise<BlueskySession | Unopened> {
  return sessions.renew(keyOf(credentials), old, async () => {
    const headers = { authorization: `Bearer ${old.refresh}` };
    const ended = await ask(xrpc(old.pds, 'POST', 'com.atproto.server.refreshSession', { headers }));
    if (!isUnanswered(ended) && (isSessionOver(ended) || ended.status === 401)) return open(credentials, ask, now());
    return isUnanswered(ended) ? unanswered(ended) : read(ended, credentials, now(), old.pds);
  });
}

/** A request to a server of the AT protocol's. */
export function xrpc(
  server: string,
  method: ApiRequest['method'],
  name: string,
  others: Pick<ApiRequest, 'headers' | 'json'> & { readonly query?: Readonly<Record<string, string>> } = {},
): ApiRequest {
  const { query = {}, ...request } = others;
  const url = new URL(`/xrpc/${name}`, server);
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
  return { method, url, ...request };
}

/** A question that was not answered, before the post was sent. */
export function unanswered(ended: Exclude<Awaited<ReturnType<Api>>, Reply>): Unopened {
  return ended === 'not_started' ? { kind: 'postponed', reason: 'the worker stops' } : unsent(ended);
}

async function open(credentials: BlueskyCredentials, ask: Api, now: number): Promise<BlueskySession | Unopened> {
  const { identifier, password } = credentials;
  const server = serverOf(credentials);
  const ended = await ask(xrpc(server, 'POST', 'com.atproto.server.createSession', { json: { identifier, password } }));
  return isUnanswered(ended) ? unanswered(ended) : read(ended, credentials, now, server);
}

function read(reply: Reply, credentials: BlueskyCredentials, now: number, asked: string): BlueskySession | Unopened {
  const { success, data } = opened.safeParse(reply.json());
  const { status } = reply;
  if (reply.isOk && !success) {
    return {
      kind: 'retry',
      status,
      reason: `Before the post was sent: the server's session cannot be read (HTTP ${status})`,
    };
  }
  if (!reply.isOk || !success) {
    const meant = unsent(meaningOf(reply, now));
    if (meant.kind !== 'rejected') return meant;
    // A login that is refused says nothing of the post, and what a gateway says nothing of the login.
    if (status === 400 && wordOf(reply) === undefined) return { ...meant, kind: 'retry' };
    return { kind: 'unusable', status, reason: `${meant.reason}. Connect the account again` };
  }
  const { did, handle, accessJwt: access, refreshJwt: refresh } = data;
  // A stand-in, or a server of one's own, is asked itself.
  const pds = credentials.server === undefined ? (endpointIn(data.didDoc) ?? asked) : serverOf(credentials);
  return { did, handle, pds, access, refresh };
}

function endpointIn(didDoc: unknown): string | undefined {
  const { success, data } = document.safeParse(didDoc);
  const endpoint = success ? data.service.find(({ id }) => id.endsWith('#atproto_pds'))?.serviceEndpoint : undefined;
  return endpoint !== undefined && endpoint.length <= 255 && isServer(endpoint) ? endpoint : undefined;
}

function keyOf({ identifier, password, server = '' }: BlueskyCredentials): string {
  return JSON.stringify([identifier, password, server]);
}
