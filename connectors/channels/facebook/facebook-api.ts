import type { ApiRequest } from '../provider/api';

const API = 'https://graph.facebook.com';
/** Meta takes a version of its Graph API for two years at least; the account or the topology may name another. */
const API_VERSION = 'v25.0';

/** What an account needs. */
export interface FacebookCredentials {
  /** The id of the page. */
  readonly page: string;
  /** Of the page, not of a person. */
  readonly token: string;
  /** Of the API, such as v25.0. */
  readonly version?: string | undefined;
  /** Where its requests go when not to Facebook's own server. */
  readonly server?: string | undefined;
}

/** The body of `POST /{page}/feed`, without its photos. */
export interface FacebookPost {
  readonly message: string;
  readonly link?: string;
}

export function originOf({ server = API }: Pick<FacebookCredentials, 'server'>): string {
  return new URL(server).origin;
}

/** A request for the account. The token is in a header, because URLs get into the logs of proxies. */
export function requestTo(
  { token, server = API, version: own }: FacebookCredentials,
  version: string | undefined,
  {
    method,
    path,
    query = {},
    ...body
  }: Pick<ApiRequest, 'method' | 'json' | 'parts'> & {
    /** Below the version. */
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
  },
): ApiRequest {
  const url = new URL(`/${own ?? version ?? API_VERSION}/${path}`, server);
  url.search = new URLSearchParams(query).toString();
  return { method, url, headers: { authorization: `Bearer ${token}` }, ...body };
}
