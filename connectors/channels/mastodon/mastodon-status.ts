import type { ApiRequest } from '../provider/api';

/** What an account needs. */
export interface MastodonCredentials {
  /** Its server, such as https://mastodon.social. */
  readonly instance: string;
  readonly token: string;
}

/** The body of `POST /api/v1/statuses`. */
export interface MastodonStatus {
  readonly status: string;
  readonly in_reply_to_id?: string;
  readonly visibility?: 'public' | 'unlisted' | 'private' | 'direct';
  readonly spoiler_text?: string;
  readonly language?: string;
}

export function urlOf({ instance }: MastodonCredentials, path: string): URL {
  return new URL(path, instance);
}

export function requestTo(
  account: MastodonCredentials,
  method: ApiRequest['method'],
  path: string,
  headers: Readonly<Record<string, string>> = {},
): ApiRequest {
  return { method, url: urlOf(account, path), headers: { authorization: `Bearer ${account.token}`, ...headers } };
}
