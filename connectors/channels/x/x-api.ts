import type { ApiRequest } from '../provider/api';

const API = 'https://api.x.com';

/** What an account needs. */
export interface XCredentials {
  /** The access token of a user, by OAuth 2. */
  readonly token: string;
  /** The user whose token it must be. */
  readonly userId?: string | undefined;
  /** What a new access token is given for, once, and the app whose it is; the secret where the app has one. */
  readonly refreshToken?: string | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  /** When the access token ends. */
  readonly expiresAt?: string | undefined;
  /** Where its requests go when not to X's own server. */
  readonly server?: string | undefined;
}

/** The body of `POST /2/tweets`, without its images. */
export interface XPost {
  readonly text: string;
  readonly reply?: { readonly in_reply_to_tweet_id: string };
  readonly reply_settings?: 'following' | 'mentionedUsers' | 'subscribers' | 'verified';
}

export function originOf({ server = API }: Pick<XCredentials, 'server'>): string {
  return new URL(server).origin;
}

/** A request for the account. */
export function requestTo(
  { token, server = API }: XCredentials,
  {
    method,
    path,
    query = {},
    ...body
  }: Pick<ApiRequest, 'method' | 'json' | 'parts'> & {
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
  },
): ApiRequest {
  const url = new URL(path, server);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return { method, url, headers: { authorization: `Bearer ${token}` }, ...body };
}
