import type { z } from 'zod';
import type { MediaItem } from '../../../topology/payloads/media';
import type { Payload } from '../../../topology/payloads/payloads';
import { namesHopelessMedia } from '../meta/container-answers';
import type { ContainerPost } from '../meta/container-making';
import { containerCredentials, publishedFromContainers } from '../meta/container-provider';
import type { ContainerHost, GraphFields } from '../meta/container-state';
import { graphRequest } from '../meta/graph-request';
import { providerKind } from '../provider/provider-channel';

const API = 'https://graph.instagram.com';
/** Meta takes a version of its API for two years at least; the topology may name another. */
const API_VERSION = 'v25.0';

const credentials = containerCredentials(API, 'professional account', 'instagram_business_content_publish');

type Credentials = z.infer<typeof credentials>;

/** Posts of professional accounts on Instagram. What the answers mean is in docs/channels.md. */
export const instagram = providerKind({
  name: 'instagram',
  ...publishedFromContainers(hostOf, { provider: 'Instagram', api: API, grant: 'ig_refresh_token' }),
  credentials,
  originOf: ({ server = API }) => new URL(server).origin,
  prepare: postOf,
});

function hostOf({ user, token, server = API }: Credentials, version = API_VERSION): ContainerHost {
  return {
    provider: 'Instagram',
    user,
    edges: { create: 'media', publish: 'media_publish', limit: 'content_publishing_limit' },
    status: { state: 'status_code', error: 'status' },
    isHopeless: namesHopelessMedia,
    request: (...asked) => graphRequest({ token, server, version }, ...asked),
  };
}

/** What is made ready: a function of the row alone. */
function postOf({ text: caption, media = [] }: Payload<'instagram'>): ContainerPost {
  const [first] = media;
  if (media.length === 1 && first !== undefined) return { items: [], fields: { ...itemOf(first, 'REELS'), caption } };
  return { items: media.map((item) => itemOf(item, 'VIDEO')), fields: { media_type: 'CAROUSEL', caption } };
}

/** Instagram takes the alt of images only. A video by itself is a reel. */
function itemOf({ url, alt: alt_text, type }: MediaItem, videoType: 'REELS' | 'VIDEO'): GraphFields {
  return type === 'video' ? { media_type: videoType, video_url: url } : { image_url: url, alt_text };
}
