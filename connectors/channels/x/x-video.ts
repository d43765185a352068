import { beforehand, isUnanswered, type Unpublished } from '../provider/api';
import type { Preparing } from '../provider/provider-channel';
import { type ReadyVideo, readyVideo, type VideoState } from '../provider/video';
import { requestTo, type XCredentials } from './x-api';
import { inParts, refusalOf, statusOf, type Uploaded, uploadedIn, type XUpload } from './x-media';

export const MAX_VIDEO_BYTES = 512 * 1024 ** 2;
/** What X says of media that it does not have, or not any more. */
const UNKNOWN = new Set([400, 404]);
const OK = 200;
const UPLOADED = { name: 'the video' };

/** Uploads the video of a post, if it has one, and waits until it can be posted. */
export function uploadVideo(sending: Preparing<XCredentials>): Promise<ReadyVideo | Unpublished | undefined> {
  return readyVideo(
    {
      async upload(file) {
        const taken = await inParts(file, 'tweet_video', sending);
        if (taken === 'not_started' || 'kind' in taken) return taken;
        return { ids: { video: taken.id, key: taken.media_key }, state: workOn(taken, OK) };
      },
      stateOf: (id) => stateOf(id, sending),
    },
    sending,
  );
}

async function stateOf(id: string, { credentials, ask, now }: XUpload): Promise<VideoState | Unpublished> {
  const ended = await ask(requestTo(credentials, statusOf(id)));
  if (isUnanswered(ended)) return beforehand(ended);
  const found = ended.isOk ? uploadedIn(ended) : undefined;
  if (found !== undefined) return workOn(found, ended.status);
  return UNKNOWN.has(ended.status) ? 'gone' : refusalOf(ended, UPLOADED, now());
}

function workOn({ processing_info: work }: Uploaded, status: number): VideoState | Unpublished {
  if (work === undefined || work.state === 'succeeded') return 'ready';
  if (work.state === 'failed') return { kind: 'rejected', reason: 'X cannot use the video' };
  return { kind: 'in_work', status, askAfterMs: (work.check_after_secs ?? 0) * 1_000 };
}
