import { z } from 'zod';
import { type MediaFile, partOf } from '../media/media-file';
import { beforehand, isUnanswered, type Unpublished } from '../provider/api';
import type { Preparing } from '../provider/provider-channel';
import { type ReadyVideo, readyVideo, type VideoState } from '../provider/video';
import { type LinkedinCredentials, requestTo } from './linkedin-api';
import { type LinkedinUpload, put, refusalOf, state } from './linkedin-images';

/** What LinkedIn is said to take; it has the last word. */
export const MAX_VIDEO_BYTES = 500 * 1024 ** 2;
const MAX_PARTS = 1_000;
/** A part of a video is none by itself. */
const PART = { 'content-type': 'application/octet-stream' };
const UPLOADED = { name: 'the video' };

const begun = z.object({
  value: z.object({
    video: z.string().regex(/^urn:li:video:[A-Za-z0-9_-]{1,100}$/),
    uploadToken: z.string().max(4_096).default(''),
    uploadInstructions: z
      .array(z.object({ uploadUrl: z.url(), firstByte: z.int().min(0), lastByte: z.int().min(0) }))
      .min(1)
      .max(MAX_PARTS),
  }),
});
type Begun = z.infer<typeof begun>['value'];

/** A video that can be posted. */
interface LinkedinVideo extends ReadyVideo {
  /** Whether LinkedIn has done with it may not be asked: it may refuse the post for that. */
  readonly isUnseen: boolean;
}

/** Uploads the video of a post, if it has one, and waits until it can be posted. */
export async function uploadVideo(
  sending: Preparing<LinkedinCredentials>,
): Promise<LinkedinVideo | Unpublished | undefined> {
  let isUnseen = false;
  const ready = await readyVideo(
    {
      async upload(file) {
        const taken = await begin(file, sending);
        if (taken === 'not_started' || 'kind' in taken) return taken;
        const failed = await inParts(file, taken, sending);
        return failed ?? { ids: { video: taken.video } };
      },
      async stateOf(id) {
        const found = await stateOf(id, sending);
        isUnseen = found === 'unseen';
        return found === 'unseen' ? 'ready' : found;
      },
    },
    sending,
  );
  return ready === undefined || ready === 'not_started' || 'kind' in ready ? ready : { ...ready, isUnseen };
}

async function begin(file: MediaFile, upload: LinkedinUpload): Promise<Begun | Unpublished> {
  const { credentials, apiVersion, ask } = upload;
  const json = {
    initializeUploadRequest: {
      owner: credentials.author,
      fileSizeBytes: file.bytes,
      uploadCaptions: false,
      uploadThumbnail: false,
    },
  };
  const path = '/rest/videos?action=initializeUpload';
  const ended = await ask(requestTo(credentials, apiVersion, { method: 'POST', path, json }));
  if (isUnanswered(ended)) return beforehand(ended);
  const { success, data } = begun.safeParse(ended.json());
  if (!ended.isOk || !success) return refusalOf(ended, file, upload);
  const { value } = data;
  let next = 0;
  for (const { firstByte, lastByte } of value.uploadInstructions) {
    if (firstByte !== next || lastByte < firstByte) break;
    next = lastByte + 1;
  }
  if (next === file.bytes) return value;
  return { kind: 'retry', status: ended.status, reason: `LinkedIn does not want all of ${file.name}` };
}

/** @returns undefined when LinkedIn has all of it */
async function inParts(file: MediaFile, { video, uploadToken, uploadInstructions }: Begun, upload: LinkedinUpload) {
  const uploadedPartIds: string[] = [];
  for (const { uploadUrl, firstByte, lastByte } of uploadInstructions) {
    const sent = await put(partOf(file, firstByte, lastByte + 1 - firstByte), uploadUrl, upload, PART);
    if (sent === 'not_started' || sent.kind !== 'answered') return sent;
    const etag = sent.header('etag');
    if (etag === undefined) return refusalOf(sent, file, upload);
    uploadedPartIds.push(etag);
  }
  const { credentials, apiVersion, ask } = upload;
  const json = { finalizeUploadRequest: { video, uploadToken, uploadedPartIds } };
  const path = '/rest/videos?action=finalizeUpload';
  const ended = await ask(requestTo(credentials, apiVersion, { method: 'POST', path, json }));
  if (isUnanswered(ended)) return beforehand(ended);
  return ended.isOk ? undefined : refusalOf(ended, file, upload);
}

async function stateOf(id: string, upload: LinkedinUpload): Promise<VideoState | 'unseen' | Unpublished> {
  const { credentials, apiVersion, ask } = upload;
  const path = `/rest/videos/${encodeURIComponent(id)}`;
  const ended = await ask(requestTo(credentials, apiVersion, { method: 'GET', path }));
  if (isUnanswered(ended)) return beforehand(ended);
  const { status } = ended;
  // Not every token may ask. The post then says whether the video is there.
  if (status === 403) return 'unseen';
  if (status === 404) return 'gone';
  const { success, data } = state.safeParse(ended.json());
  if (!ended.isOk || !success) return refusalOf(ended, UPLOADED, upload);
  if (data.status === 'AVAILABLE') return 'ready';
  if (data.status !== 'PROCESSING_FAILED') return { kind: 'in_work', status };
  return { kind: 'rejected', status, reason: 'LinkedIn cannot use the video (PROCESSING_FAILED)' };
}
