import { z } from 'zod';
import type { MediaItem } from '../../../topology/payloads/media';
import type { MediaFile } from '../media/media-file';
import { isVideo } from '../media/media-type';
import { beforehand, isUnanswered, type Unpublished } from '../provider/api';
import type { Preparing } from '../provider/provider-channel';
import { isSessionOver, meaningOf, unsent } from './bluesky-answers';
import type { BlueskyBlob, MediaEmbed } from './bluesky-post';
import { type BlueskyCredentials, type BlueskySession, xrpc } from './bluesky-session';

/** What Bluesky documents. Servers of an older version take half of it in a post, and say so. */
export const MAX_IMAGE_BYTES = 2_000_000;
/** A server takes no larger file unless its administrator has changed that. */
export const MAX_VIDEO_BYTES = 50 * 1024 ** 2;

const blob = z.object({
  $type: z.literal('blob'),
  ref: z.object({ $link: z.string().regex(/^[A-Za-z0-9]{1,128}$/) }),
  // What is kept of four images stays short.
  mimeType: z.string().regex(/^[a-z0-9.+*-]{1,31}\/[a-z0-9.+*-]{1,31}$/i),
  size: z.int(),
});
const taken = z.object({ blob });
/** A video is kept by itself, images in their order. */
const kept = z.union([blob, z.array(blob)]);

/**
 * The media of a post, if it has any. The account's server keeps them as they are. What was uploaded is kept, so each attempt has the
 * same record; a video is made ready for its viewers once the post names it.
 * @returns `over` when the session has ended
 */
export async function uploadMedia(
  session: BlueskySession,
  sending: Preparing<BlueskyCredentials>,
): Promise<MediaEmbed | Unpublished | 'over' | undefined> {
  const { files, media, video: keeping } = sending;
  if (keeping?.id !== undefined) return embedOf(kept.parse(JSON.parse(keeping.id)), media);
  const blobs: BlueskyBlob[] = [];
  for (const file of files) {
    const uploaded = await upload(file, session, sending);
    if (typeof uploaded === 'string' || 'kind' in uploaded) return uploaded;
    blobs.push(uploaded);
  }
  const [first] = blobs;
  if (first === undefined) return undefined;
  const all = files.some(({ type }) => isVideo(type)) ? first : blobs;
  if (keeping !== undefined && !(await keeping.keep({ video: JSON.stringify(all) }))) return 'not_started';
  return embedOf(all, media);
}

async function upload(
  file: MediaFile,
  session: BlueskySession,
  { ask, now }: Preparing<BlueskyCredentials>,
): Promise<BlueskyBlob | Unpublished | 'over'> {
  const headers = { authorization: `Bearer ${session.access}` };
  const ended = await ask({ ...xrpc(session.pds, 'POST', 'com.atproto.repo.uploadBlob', { headers }), file });
  if (isUnanswered(ended)) return beforehand(ended);
  if (isSessionOver(ended)) return 'over';
  const { success, data } = taken.safeParse(ended.json());
  return ended.isOk && success ? data.blob : beforehand(unsent(meaningOf(ended, now())));
}

function embedOf(blobs: BlueskyBlob | readonly BlueskyBlob[], media: readonly MediaItem[]): MediaEmbed {
  const altOf = (n: number) => media[n]?.alt;
  if ('ref' in blobs) {
    const alt = altOf(0);
    return { $type: 'app.bsky.embed.video', video: blobs, ...(alt === undefined ? {} : { alt }) };
  }
  const images = blobs.map((image, n) => ({ image, alt: altOf(n) ?? '' }));
  return { $type: 'app.bsky.embed.images', images };
}
