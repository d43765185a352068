import { z } from 'zod';
import type { Reply } from '../http/reply';
import type { MediaFile } from '../media/media-file';
import { type ApiEnd, beforehand, isUnanswered, type Unpublished } from '../provider/api';
import { LATER_MS, PATIENCE_MS } from '../provider/patience';
import type { Publishing } from '../provider/provider-channel';
import { errorOf, meaningOf } from './mastodon-answers';
import { type MastodonCredentials, requestTo } from './mastodon-status';

const IN_WORK = new Set([202, 206]);

const attachment = z.object({ id: z.string().regex(/^[0-9A-Za-z]{1,64}$/) });

type Upload = Pick<Publishing<MastodonCredentials>, 'credentials' | 'ask' | 'wait' | 'now'>;

/** Uploads the images of a post, and waits until the server has done with them. Nobody sees them before the post. */
export async function uploadImages(files: readonly MediaFile[], upload: Upload): Promise<string[] | Unpublished> {
  const ids: string[] = [];
  for (const file of files) {
    const uploaded = await uploadImage(file, upload);
    if (uploaded === 'not_started' || 'kind' in uploaded) return uploaded;
    ids.push(uploaded.id);
  }
  return ids;
}

async function uploadImage(file: MediaFile, upload: Upload): Promise<{ readonly id: string } | Unpublished> {
  const { credentials, ask, wait, now } = upload;
  const { alt } = file;
  const parts = [{ name: 'file', file }, ...(alt === undefined ? [] : [{ name: 'description', text: alt }])];
  let ended: ApiEnd = await ask({ ...requestTo(credentials, 'POST', '/api/v2/media'), parts });
  if (isUnanswered(ended)) return beforehand(ended);
  const taken = attachment.safeParse(ended.json());
  if (!ended.isOk || !taken.success) return refusalOf(ended, file, now());
  const { id } = taken.data;
  for (const ms of PATIENCE_MS) {
    if (!IN_WORK.has(ended.status)) return { id };
    await wait(ms);
    ended = await ask(requestTo(credentials, 'GET', `/api/v1/media/${id}`));
    if (isUnanswered(ended)) return beforehand(ended);
    if (!ended.isOk) return refusalOf(ended, file, now());
  }
  if (!IN_WORK.has(ended.status)) return { id };
  const reason = `The server has worked on ${file.name} for long and has not done with it`;
  return { kind: 'retry', status: ended.status, reason, afterMs: LATER_MS };
}

function refusalOf(reply: Reply, { name }: MediaFile, now: number): Unpublished {
  const { status } = reply;
  const said = `HTTP ${status}: ${errorOf(reply)}`;
  const reason = `The server does not take ${name} (${said})`;
  if (reply.isOk || status >= 500) return { kind: 'retry', status, reason };
  const meant = meaningOf(reply, now);
  if (meant.kind === 'rejected' || meant.kind === 'delivered') return { kind: 'rejected', status, reason };
  return beforehand(meant);
}
