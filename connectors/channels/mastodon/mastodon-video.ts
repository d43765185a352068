import type { Reply } from '../http/reply';
import { beforehand, isUnanswered, type Unpublished } from '../provider/api';
import type { Preparing } from '../provider/provider-channel';
import { type ReadyVideo, readyVideo, type VideoState } from '../provider/video';
import { askFor, give, IN_WORK, type MastodonUpload, refusalOf } from './mastodon-media';
import type { MastodonCredentials } from './mastodon-status';

/** What a server takes unless its administrator has changed it. */
export const MAX_VIDEO_BYTES = 99 * 1024 ** 2;
const UPLOADED = { name: 'the video' };

/** Uploads the video of a post, if it has one, and waits until it can be posted. */
export function uploadVideo(sending: Preparing<MastodonCredentials>): Promise<ReadyVideo | Unpublished | undefined> {
  return readyVideo(
    {
      async upload(file) {
        const given = await give(file, sending);
        if (given === 'not_started' || 'kind' in given) return given;
        return { ids: { video: given.id }, state: workOn(given.reply) };
      },
      stateOf: (id) => stateOf(id, sending),
    },
    sending,
  );
}

type Asked = MastodonUpload & Pick<Preparing<MastodonCredentials>, 'isUnasked'>;

async function stateOf(id: string, asked: Asked): Promise<VideoState | Unpublished> {
  const ended = await askFor(id, asked);
  if (isUnanswered(ended)) return beforehand(ended);
  if (ended.isOk) return workOn(ended);
  if (ended.status !== 404) return refusalOf(ended, UPLOADED, asked.now());
  // The server does not show what a post has. Of one in doubt that is its own, which the same request under its key names.
  return asked.isUnasked ? 'ready' : 'gone';
}

function workOn({ status }: Reply): VideoState {
  return IN_WORK.has(status) ? { kind: 'in_work', status } : 'ready';
}
