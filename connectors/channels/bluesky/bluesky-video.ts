import { z } from 'zod';
import { beforehand, isUnanswered, type Unpublished } from '../provider/api';
import type { Preparing } from '../provider/provider-channel';
import { readyVideo } from '../provider/video';
import { isSessionOver, meaningOf, unsent } from './bluesky-answers';
import type { VideoEmbed } from './bluesky-post';
import { type BlueskyCredentials, type BlueskySession, xrpc } from './bluesky-session';

/** A server takes no larger file unless its administrator has changed that. */
export const MAX_VIDEO_BYTES = 50 * 1024 ** 2;

const blob = z.object({
  $type: z.literal('blob'),
  ref: z.object({ $link: z.string().max(128) }),
  mimeType: z.string().max(64),
  size: z.int(),
});
const taken = z.object({ blob });

/**
 * The video of a post, if it has one. The account's server keeps it as it is, and Bluesky makes it ready for its viewers once the post
 * names it. What was uploaded is kept, so each attempt has the same record.
 * @returns `over` when the session has ended
 */
export async function uploadVideo(
  session: BlueskySession,
  sending: Preparing<BlueskyCredentials>,
): Promise<VideoEmbed | Unpublished | 'over' | undefined> {
  let isOver = false;
  const ready = await readyVideo(
    {
      async upload(file) {
        const headers = { authorization: `Bearer ${session.access}` };
        const asked = { ...xrpc(session.pds, 'POST', 'com.atproto.repo.uploadBlob', { headers }), file };
        const ended = await sending.ask(asked);
        if (isUnanswered(ended)) return beforehand(ended);
        isOver = isSessionOver(ended);
        const { success, data } = taken.safeParse(ended.json());
        if (ended.isOk && success) return { ids: { video: JSON.stringify(data.blob) }, state: 'ready' };
        return beforehand(unsent(meaningOf(ended, sending.now())));
      },
      stateOf: async () => 'ready',
    },
    sending,
  );
  if (isOver) return 'over';
  if (ready === undefined || ready === 'not_started' || 'kind' in ready) return ready;
  const [{ alt } = { alt: undefined }] = sending.media;
  const video = blob.parse(JSON.parse(ready.id));
  return { $type: 'app.bsky.embed.video', video, ...(alt === undefined ? {} : { alt }) };
}
