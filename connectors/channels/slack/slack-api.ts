import type { ApiRequest } from '../provider/api';

const API = 'https://slack.com';

/** What an account needs. */
export interface SlackCredentials {
  readonly token: string;
  /** Where its requests go when not to Slack's own server. */
  readonly server?: string | undefined;
}

/** The body of `chat.postMessage`, without the key of the message. */
export interface SlackMessage {
  readonly channel: string;
  readonly text: string;
  readonly thread_ts?: string;
  readonly unfurl_links?: boolean;
  readonly unfurl_media?: boolean;
}

/** By which a message is found again; every app in the workspace may read it. */
interface SlackMetadata {
  readonly event_type: string;
  readonly event_payload: { readonly key: string };
}

/** Slack takes letters, digits and _ in a type. */
const EVENT_TYPE = 'downspout';

export function metadataOf(key: string): SlackMetadata {
  return { event_type: EVENT_TYPE, event_payload: { key } };
}

export function originOf({ server = API }: SlackCredentials): string {
  return new URL(server).origin;
}

/** A request to one of the API's methods. */
export function requestTo(
  { token, server = API }: SlackCredentials,
  method: string,
  what:
    | Required<Pick<ApiRequest, 'json'>>
    | Required<Pick<ApiRequest, 'form'>>
    | { readonly query: Readonly<Record<string, string>> },
): ApiRequest {
  const url = new URL(`/api/${method}`, server);
  const headers = { authorization: `Bearer ${token}` };
  if (!('query' in what)) return { method: 'POST', url, headers, ...what };
  url.search = new URLSearchParams(what.query).toString();
  return { method: 'GET', url, headers };
}
