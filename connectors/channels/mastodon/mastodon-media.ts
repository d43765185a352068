import { z } from 'zod';
import type { Reply } from '../http/reply';
import type { MediaFile } from '../media/media-file';
import { type ApiEnd, beforehand, isUnanswered, type Unpublished } from '../provider/api';
import { LATER_MS, PATIENCE_MS } from '../provider/patience';
import type { Publishing } from '../provider/provider-channel';
import { errorOf, meaningOf } from './mastodon-answers';
import { type MastodonCredentials, requestTo } from './mastodon-status';

/** The server has not done with what it was given. */
export const IN_WORK: ReadonlySet<number> = new Set([202, 206]);

const attachment = z.object({ id: z.string().regex(/^[0-9A-Za-z]{1,64}$/) });

export type MastodonUpload = Pick<Publishing<MastodonCredentials>, 'credentials' | 'ask' | 'wait' | 'now'>;

/** Uploads the images of a post, and waits until the server has done with them. Nobody sees them before the post. */
export async function uploadImages(
  files: readonly MediaFile[],
  upload: MastodonUpload,
): Promise<string[] | Unpublished> {
  const ids: string[] = [];
  for (const file of files) {
    const uploaded = await uploadImage(file, upload);
    if (uploaded === 'not_started' || 'kind' in uploaded) return uploaded;
    ids.push(uploaded.id);
  }
  return ids;
}

interface Given {
  readonly id: string;
  readonly reply: Reply;
}

/** Gives the server a file, with what it shows. */
export async function give(file: MediaFile, { credentials, ask, now }: MastodonUpload): Promise<Given | Unpublished> {
  const { alt } = file;
  const parts = [{ name: 'file', file }, ...(alt === undefined ? [] : [{ name: 'description', text: alt }])];
  const reply = await ask({ ...requestTo(credentials, 'POST', '/api/v2/media'), parts });
  if (isUnanswered(reply)) return beforehand(reply);
  const taken = attachment.safeParse(reply.json());
  return reply.isOk && taken.success ? { id: taken.data.id, reply } : refusalOf(reply, file, now());
}

/** The question how far the server is with what it was given. */
export function askFor(id: string, { credentials, ask }: MastodonUpload): Promise<ApiEnd> {
  return ask(requestTo(credentials, 'GET', `/api/v1/media/${id}`));
}

async function uploadImage(file: MediaFile, upload: MastodonUpload): Promise<{ readonly id: string } | Unpublished> {
  const { wait, now } = upload;
  const given = await give(file, upload);
  if (given === 'not_started' || 'kind' in given) return given;
  const { id } = given;
  let ended: ApiEnd = given.reply;
  for (const ms of PATIENCE_MS) {
    if (!IN_WORK.has(ended.status)) return { id };
    await wait(ms);
    ended = await askFor(id, upload);
    if (isUnanswered(ended)) return beforehand(ended);
    if (!ended.isOk) return refusalOf(ended, file, now());
  }
  if (!IN_WORK.has(ended.status)) return { id };
  const reason = `The server has worked on ${file.name} for long and has not done with it`;
  return { kind: 'retry', status: ended.status, reason, afterMs: LATER_MS };
}

export function refusalOf(reply: Reply, { name }: Pick<MediaFile, 'name'>, now: number): Unpublished {
  const { status } = reply;
  const said = `HTTP ${status}: ${errorOf(reply)}`;
  const reason = `The server does not take ${name} (${said})`;
  if (reply.isOk || status >= 500) return { kind: 'retry', status, reason };
  const meant = meaningOf(reply, now);
  if (meant.kind === 'rejected' || meant.kind === 'delivered') return { kind: 'rejected', status, reason };
  return beforehand(meant);
}
