import type { z } from 'zod';
import { DAY_MS } from '../../../topology/core/lateness';
import type { MediaItem } from '../../../topology/payloads/media';
import type { Payload } from '../../../topology/payloads/payloads';
import type { ContainerPost } from '../meta/container-making';
import { containerCredentials, publishedFromContainers } from '../meta/container-provider';
import type { ContainerHost, GraphFields } from '../meta/container-state';
import { graphRequest } from '../meta/graph-request';
import { providerKind } from '../provider/provider-channel';

const API = 'https://graph.threads.net';
const API_VERSION = 'v1.0';
/** What Threads says of images that are wrong; where it failed itself it says otherwise. */
const INVALID = /^INVALID_/;

const REPLY_CONTROL = { everyone: 'everyone', followed: 'accounts_you_follow', mentioned: 'mentioned_only' } as const;

const credentials = containerCredentials(API, 'profile', 'threads_basic and threads_content_publish');

type Credentials = z.infer<typeof credentials>;

/** Posts on Threads. What the answers mean is in docs/channels.md. */
export const threads = providerKind({
  name: 'threads',
  ...publishedFromContainers(hostOf, { provider: 'Threads', api: API, grant: 'th_refresh_token' }),
  credentials,
  limits: { perAccount: { rates: [{ count: 250, windowMs: DAY_MS }], gapMs: 0 } },
  originOf: ({ server = API }) => new URL(server).origin,
  prepare: postOf,
});

function hostOf({ user, token, server = API }: Credentials, version = API_VERSION): ContainerHost {
  return {
    provider: 'Threads',
    user,
    edges: { create: 'threads', publish: 'threads_publish', limit: 'threads_publishing_limit' },
    status: { state: 'status', error: 'error_message' },
    isHopeless: (why) => INVALID.test(why),
    request: (...asked) => graphRequest({ token, server, version }, ...asked),
  };
}

/** What is made ready: a function of the row alone. */
function postOf({ text, replyTo, link, replies, media = [] }: Payload<'threads'>): ContainerPost {
  const common = {
    text,
    reply_to_id: replyTo,
    reply_control: replies === undefined ? undefined : REPLY_CONTROL[replies],
  };
  const [first] = media;
  if (first === undefined) return { items: [], fields: { media_type: 'TEXT', ...common, link_attachment: link } };
  if (media.length === 1) return { items: [], fields: { ...itemOf(first), ...common } };
  return { items: media.map(itemOf), fields: { media_type: 'CAROUSEL', ...common } };
}

function itemOf({ url, alt: alt_text, type }: MediaItem): GraphFields {
  return type === 'video'
    ? { media_type: 'VIDEO', video_url: url, alt_text }
    : { media_type: 'IMAGE', image_url: url, alt_text };
}
