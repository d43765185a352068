import { z } from 'zod';
import type { Reply } from '../http/reply';
import type { MediaFile } from '../media/media-file';
import { type ApiRequest, beforehand, isUnanswered, type Unpublished } from '../provider/api';
import { LATER_MS, PATIENCE_MS } from '../provider/patience';
import type { Publishing } from '../provider/provider-channel';
import { meaningOf, wordsOf } from './linkedin-answers';
import { type LinkedinCredentials, type LinkedinImage, originOf, requestTo } from './linkedin-api';

const place = z.object({
  value: z.object({ uploadUrl: z.url(), image: z.string().regex(/^urn:li:image:[A-Za-z0-9_-]{1,100}$/) }),
});
export const state = z.object({ status: z.string() });

export type LinkedinUpload = Pick<
  Publishing<LinkedinCredentials>,
  'credentials' | 'apiVersion' | 'ask' | 'wait' | 'now' | 'id'
>;

/** Uploads the images of a post, and waits until LinkedIn has done with them. Nobody sees them before the post. */
export async function uploadImages(
  files: readonly MediaFile[],
  upload: LinkedinUpload,
): Promise<LinkedinImage[] | Unpublished> {
  const images: LinkedinImage[] = [];
  for (const file of files) {
    const image = await uploadImage(file, upload);
    if (image === 'not_started' || 'kind' in image) return image;
    images.push(image);
  }
  return images;
}

async function uploadImage(file: MediaFile, upload: LinkedinUpload): Promise<LinkedinImage | Unpublished> {
  const { credentials, apiVersion, ask } = upload;
  const json = { initializeUploadRequest: { owner: credentials.author } };
  const path = '/rest/images?action=initializeUpload';
  const begun = await ask(requestTo(credentials, apiVersion, { method: 'POST', path, json }));
  if (isUnanswered(begun)) return beforehand(begun);
  const { success, data } = place.safeParse(begun.json());
  if (!begun.isOk || !success) return refusalOf(begun, file, upload);
  const { uploadUrl, image: id } = data.value;
  const sent = await put(file, uploadUrl, upload);
  if (sent === 'not_started' || sent.kind !== 'answered') return sent;
  const unready = await untilReady(id, file, upload);
  if (unready !== undefined) return unready;
  return { id, ...(file.alt === undefined ? {} : { altText: file.alt }) };
}

/** Gives LinkedIn the bytes of a file where it wants them. */
export async function put(
  file: MediaFile,
  to: string,
  upload: LinkedinUpload,
  more: ApiRequest['headers'] = {},
): Promise<Reply | Unpublished> {
  const { credentials, ask } = upload;
  const url = new URL(to);
  if (!isOwn(url, credentials)) {
    return { kind: 'rejected', reason: `LinkedIn takes ${file.name} at an address that is not its own` };
  }
  const headers = { authorization: `Bearer ${credentials.token}`, ...more };
  const sent = await ask({ method: 'PUT', url, headers, file });
  if (isUnanswered(sent)) return elsewhere(beforehand(sent));
  return sent.isOk ? sent : refusalOf(sent, file, upload);
}

/** @returns undefined when the image can be posted */
async function untilReady(id: string, file: MediaFile, upload: LinkedinUpload): Promise<Unpublished | undefined> {
  const { credentials, apiVersion, ask, wait } = upload;
  const path = `/rest/images/${encodeURIComponent(id)}`;
  for (const ms of PATIENCE_MS) {
    const asked = await ask(requestTo(credentials, apiVersion, { method: 'GET', path }));
    if (isUnanswered(asked)) return beforehand(asked);
    // Not every token may ask. The post then says whether the image is there.
    if (asked.status === 403) return undefined;
    const { success, data } = state.safeParse(asked.json());
    if (!asked.isOk || !success) return refusalOf(asked, file, upload);
    if (data.status === 'AVAILABLE') return undefined;
    if (data.status === 'PROCESSING_FAILED') {
      return { kind: 'rejected', status: asked.status, reason: `LinkedIn cannot use ${file.name} (PROCESSING_FAILED)` };
    }
    await wait(ms);
  }
  const reason = `LinkedIn has worked on ${file.name} for long and has not done with it`;
  return { kind: 'retry', reason, afterMs: LATER_MS };
}

/** Whether the token may be sent there. */
function isOwn(url: URL, credentials: LinkedinCredentials): boolean {
  return url.origin === originOf(credentials) || (url.protocol === 'https:' && url.hostname.endsWith('.linkedin.com'));
}

export function refusalOf(reply: Reply, { name }: Pick<MediaFile, 'name'>, { now, id }: LinkedinUpload): Unpublished {
  const { status } = reply;
  const reason = `LinkedIn does not take ${name} (HTTP ${status}: ${wordsOf(reply)})`;
  if (reply.isOk || status >= 500) return { kind: 'retry', status, reason };
  const meant = meaningOf(reply, { now: now(), id });
  return meant.kind === 'rejected' || meant.kind === 'delivered'
    ? { kind: 'rejected', status, reason }
    : beforehand(meant);
}

/** That the place for images cannot be reached does not say so of the API. */
function elsewhere(ended: Unpublished): Unpublished {
  return ended === 'not_started' || ended.kind !== 'retry' ? ended : { kind: 'retry', reason: ended.reason };
}
