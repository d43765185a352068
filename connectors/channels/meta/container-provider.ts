import { z } from 'zod';
import { credentialFields } from '../credentials';
import { apiServer } from '../provider/api-server';
import type { Provider } from '../provider/provider-channel';
import { expiresAtField } from '../provider/refresh';
import { appIdField } from './app-id';
import { ContainerMaking, type ContainerPost } from './container-making';
import { type ContainerHost, keeping, lookUp } from './container-state';
import { ContainerAttempt } from './containers';
import { graphRefresh } from './graph-refresh';
import { ownerOf } from './graph-request';

/** A request that nobody waits for any more may run on in Meta's servers for so long. */
const ACCEPTED_LATE_MS = 45_000;

/**
 * What an account needs.
 * @param of whose id it is, for people
 * @param scopes what the token must allow
 */
export function containerCredentials(api: string, of: string, scopes: string) {
  return z.strictObject({
    user: z
      .string()
      .regex(/^\d{1,32}$/, `expected the id of the ${of}, which is a number`)
      .register(credentialFields, { prompt: `Id of the ${of}`, isSecret: false }),
    token: z
      .string()
      .regex(/^[\x21-\x7e]{8,2048}$/, `expected an access token with ${scopes}`)
      .register(credentialFields, { prompt: 'Access token', isSecret: true }),
    expiresAt: expiresAtField(),
    appId: appIdField(),
    server: apiServer(api),
  });
}

type Credentials = z.infer<ReturnType<typeof containerCredentials>>;
type Shared = Provider<never, 'lookup', ReturnType<typeof containerCredentials>, ContainerPost>;

/**
 * What Instagram and Threads have in common as channels.
 * @param hostOf the account's host, asked for that version of the API unless it has none
 * @param refreshing where tokens are refreshed, and by which grant
 */
export function publishedFromContainers(
  hostOf: (account: Credentials, version: string | undefined) => ContainerHost,
  refreshing: Parameters<typeof graphRefresh>[0],
): Pick<
  Shared,
  'class' | 'acceptedLateMs' | 'appOf' | 'fetchesMedia' | 'send' | 'makeReady' | 'lookup' | 'refresh' | 'whoAmI'
> {
  return {
    class: 'lookup',
    acceptedLateMs: ACCEPTED_LATE_MS,
    fetchesMedia: true,
    appOf: ({ appId }) => appId,
    send: (post, { credentials, apiVersion, kept, ...given }) =>
      new ContainerAttempt(hostOf(credentials, apiVersion), { ...given, kept: keeping(kept) }).send(post),
    makeReady: (post, { credentials, apiVersion, kept, ...given }) =>
      new ContainerMaking(hostOf(credentials, apiVersion), { ...given, kept: keeping(kept) }).ahead(post),
    lookup: (_, { credentials, apiVersion, kept, ...given }) =>
      lookUp(hostOf(credentials, apiVersion), { ...given, kept: keeping(kept) }),
    refresh: graphRefresh(refreshing),
    whoAmI: ({ credentials, apiVersion, ask }) => ownerOf(hostOf(credentials, apiVersion), ask),
  };
}
