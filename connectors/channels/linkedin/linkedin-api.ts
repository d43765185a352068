import type { ApiRequest } from '../provider/api';

const API = 'https://api.linkedin.com';
/** Of the API, by year and month. LinkedIn takes a version for about a year; the topology may name another. */
const API_VERSION = '202605';

/** What an account needs. */
export interface LinkedinCredentials {
  readonly token: string;
  /** Who posts: `urn:li:person:…` or `urn:li:organization:…`. */
  readonly author: string;
  /** What new access tokens are given for, and the app whose it is. LinkedIn gives it to some apps only. */
  readonly refreshToken?: string | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret?: string | undefined;
  /** When the access token ends. */
  readonly expiresAt?: string | undefined;
  /** Where its requests go when not to LinkedIn's own server. */
  readonly server?: string | undefined;
}

/** The body of `POST /rest/posts`, without its author. */
export interface LinkedinPost {
  /** In the format that LinkedIn calls "little". */
  readonly commentary: string;
  readonly visibility: 'PUBLIC' | 'CONNECTIONS';
  readonly distribution: {
    readonly feedDistribution: 'MAIN_FEED';
    readonly targetEntities: readonly never[];
    readonly thirdPartyDistributionChannels: readonly never[];
  };
  readonly content?: { readonly article: LinkedinArticle };
  readonly lifecycleState: 'PUBLISHED';
  readonly isReshareDisabledByAuthor: boolean;
}

/** An image that LinkedIn has. */
export interface LinkedinImage {
  /** Its URN. */
  readonly id: string;
  readonly altText?: string;
}

interface LinkedinArticle {
  readonly source: string;
  readonly title: string;
  readonly description?: string;
}

export function originOf({ server = API }: Pick<LinkedinCredentials, 'server'>): string {
  return new URL(server).origin;
}

/** A request for the account. */
export function requestTo(
  { token, server = API }: LinkedinCredentials,
  version: string | undefined,
  { method, path, headers = {}, json }: Pick<ApiRequest, 'method' | 'headers' | 'json'> & { readonly path: string },
): ApiRequest {
  return {
    method,
    url: new URL(path, server),
    headers: {
      authorization: `Bearer ${token}`,
      'linkedin-version': version ?? API_VERSION,
      'x-restli-protocol-version': '2.0.0',
      ...headers,
    },
    json,
  };
}

/** The request for an organization's newest posts. */
export function newestPosts(account: LinkedinCredentials, version: string | undefined, count: number): ApiRequest {
  const query = new URLSearchParams({
    q: 'author',
    author: account.author,
    count: String(count),
    sortBy: 'LAST_MODIFIED',
  });
  const path = `/rest/posts?${query.toString()}`;
  return requestTo(account, version, { method: 'GET', path, headers: { 'x-restli-method': 'FINDER' } });
}

export function isOrganization({ author }: LinkedinCredentials): boolean {
  return author.startsWith('urn:li:organization:');
}
