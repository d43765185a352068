import { z } from 'zod';
import type { WhoAmI } from '../channel-kind';
import { type Api, type ApiRequest, isUnanswered } from '../provider/api';
import { wordsOf } from './container-answers';
import type { ContainerHost, GraphFields } from './container-state';

interface GraphAccount {
  readonly token: string;
  /** Scheme, host and port. */
  readonly server: string;
  /** Of the API, such as `v25.0`. */
  readonly version: string;
}

/** A request to a host of the Graph API. The token is in a header, because URLs get into the logs of proxies. */
export function graphRequest(
  { token, server, version }: GraphAccount,
  method: 'GET' | 'POST',
  path: string,
  fields: GraphFields,
): ApiRequest {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) form.set(name, value);
  const url = new URL(`/${version}/${path}`, server);
  if (method === 'GET') url.search = form.toString();
  return { method, url, headers: { authorization: `Bearer ${token}` }, ...(method === 'GET' ? {} : { form }) };
}

const owner = z.object({ id: z.string(), username: z.string() });

/** Asks whose the token is, by the user that the account names. */
export async function ownerOf({ user, request }: ContainerHost, ask: Api): Promise<WhoAmI> {
  const reply = await ask(request('GET', user, { fields: 'id,username' }));
  if (isUnanswered(reply)) return { kind: 'no', reason: reply === 'not_started' ? 'interrupted' : reply.reason };
  const { success, data } = owner.safeParse(reply.json());
  if (!reply.isOk || !success) return { kind: 'no', reason: wordsOf(reply) };
  return { kind: 'ok', name: reply.shown(`@${data.username} (${user})`) };
}
