import { z } from 'zod';
import type { Reply } from '../http/reply';
import { type MediaFile, partOf } from '../media/media-file';
import { beforehand, isUnanswered, type Unpublished } from '../provider/api';
import { LATER_MS, PATIENCE_MS } from '../provider/patience';
import type { Publishing } from '../provider/provider-channel';
import { meaningOf, wordsOf } from './x-answers';
import { requestTo, type XCredentials } from './x-api';

const MIB = 1024 ** 2;
/** What X takes of images that do not move. */
const MAX_STILL_BYTES = 5 * MIB;
export const MAX_IMAGE_BYTES = 15 * MIB;
/** Of a file that is uploaded in parts. */
const PART_BYTES = 4 * MIB;
/** X says when it wants to be asked again; no longer than this is waited. */
const MAX_WAIT_MS = 10_000;

const uploaded = z.object({
  data: z.object({
    id: z.string().regex(/^\d{1,19}$/),
    media_key: z.string().max(64).optional().catch(undefined),
    processing_info: z
      .object({ state: z.string().optional(), check_after_secs: z.number().optional().catch(undefined) })
      .optional(),
  }),
});
export type Uploaded = z.infer<typeof uploaded>['data'];

export type XUpload = Pick<Publishing<XCredentials>, 'credentials' | 'ask' | 'wait' | 'now'>;

/** Uploads the images of a post, with what they show, and waits until X has done with them. Nobody sees them before the post. */
export async function uploadImages(files: readonly MediaFile[], upload: XUpload): Promise<string[] | Unpublished> {
  const unfit = whyUnfit(files);
  if (unfit !== undefined) return { kind: 'rejected', reason: unfit };
  const ids: string[] = [];
  for (const file of files) {
    const image = await uploadImage(file, upload);
    if (image === 'not_started' || 'kind' in image) return image;
    ids.push(image.id);
  }
  return ids;
}

/** What X would refuse only after all was uploaded. */
function whyUnfit(files: readonly MediaFile[]): string | undefined {
  const gif = files.find(({ type }) => type === 'image/gif');
  if (gif !== undefined && files.length > 1) {
    return `${gif.name} is a GIF, which X shows alone; leave the other images out`;
  }
  const large = files.find(({ type, bytes }) => type !== 'image/gif' && bytes > MAX_STILL_BYTES);
  return large && `${large.name} is larger than the ${MAX_STILL_BYTES} bytes that X takes of such an image`;
}

async function uploadImage(file: MediaFile, upload: XUpload): Promise<Uploaded | Unpublished> {
  const taken = await (file.type === 'image/gif' ? inParts(file, 'tweet_gif', upload) : inOne(file, upload));
  if (taken === 'not_started' || 'kind' in taken) return taken;
  const unready = await untilReady(taken, file, upload);
  if (unready !== undefined) return unready;
  if (file.alt === undefined) return taken;
  const json = { id: taken.id, metadata: { alt_text: { text: file.alt } } };
  const described = await asked({ method: 'POST', path: '/2/media/metadata', json }, file, upload);
  return described === 'not_started' || described.kind !== 'answered' ? described : taken;
}

function inOne(file: MediaFile, upload: XUpload): Promise<Uploaded | Unpublished> {
  const parts = [
    { name: 'media', file },
    { name: 'media_category', text: 'tweet_image' },
  ];
  return read({ method: 'POST', path: '/2/media/upload', parts }, file, upload);
}

/** As X wants files on which it works for longer. */
export async function inParts(
  file: MediaFile,
  category: 'tweet_gif' | 'tweet_video',
  upload: XUpload,
): Promise<Uploaded | Unpublished> {
  const json = { media_type: file.type, total_bytes: file.bytes, media_category: category };
  const begun = await read({ method: 'POST', path: '/2/media/upload/initialize', json }, file, upload);
  if (begun === 'not_started' || 'kind' in begun) return begun;
  const path = `/2/media/upload/${begun.id}`;
  for (let index = 0; index * PART_BYTES < file.bytes; index++) {
    const parts = [
      { name: 'media', file: partOf(file, index * PART_BYTES, PART_BYTES) },
      { name: 'segment_index', text: String(index) },
    ];
    const appended = await asked({ method: 'POST', path: `${path}/append`, parts }, file, upload);
    if (appended === 'not_started' || appended.kind !== 'answered') return appended;
  }
  return read({ method: 'POST', path: `${path}/finalize` }, file, upload);
}

/** @returns undefined when the image can be posted */
async function untilReady(taken: Uploaded, file: MediaFile, upload: XUpload): Promise<Unpublished | undefined> {
  let { processing_info: work } = taken;
  for (const ms of PATIENCE_MS) {
    if (work === undefined || work.state === 'succeeded') return undefined;
    if (work.state === 'failed') return { kind: 'rejected', reason: `X cannot use ${file.name}` };
    await upload.wait(Math.max(ms, Math.min(MAX_WAIT_MS, (work.check_after_secs ?? 0) * 1_000)));
    const now = await read(statusOf(taken.id), file, upload);
    if (now === 'not_started' || 'kind' in now) return now;
    work = now.processing_info;
  }
  if (work === undefined || work.state === 'succeeded') return undefined;
  return { kind: 'retry', reason: `X has worked on ${file.name} for long and has not done with it`, afterMs: LATER_MS };
}

type Named = Pick<MediaFile, 'name'>;
type Question = Parameters<typeof requestTo>[1];

/** The question how far X is with what it was given. */
export function statusOf(id: string): Question {
  return { method: 'GET', path: '/2/media/upload', query: { command: 'STATUS', media_id: id } };
}

/** Makes a request of which an answer with the image's id is expected. */
async function read(question: Question, file: Named, upload: XUpload): Promise<Uploaded | Unpublished> {
  const ended = await asked(question, file, upload);
  if (ended === 'not_started' || ended.kind !== 'answered') return ended;
  return uploadedIn(ended) ?? refusalOf(ended, file, upload.now());
}

export function uploadedIn(reply: Reply): Uploaded | undefined {
  return uploaded.safeParse(reply.json()).data?.data;
}

/** Makes a request that must be answered with a 2xx. */
async function asked(question: Question, file: Named, upload: XUpload): Promise<Reply | Unpublished> {
  const ended = await upload.ask(requestTo(upload.credentials, question));
  if (isUnanswered(ended)) return beforehand(ended);
  return ended.isOk ? ended : refusalOf(ended, file, upload.now());
}

export function refusalOf(reply: Reply, { name }: Named, now: number): Unpublished {
  const { status } = reply;
  const reason = `X does not take ${name} (HTTP ${status}: ${wordsOf(reply)})`;
  if (reply.isOk || status >= 500) return { kind: 'retry', status, reason };
  const meant = meaningOf(reply, now);
  return meant.kind === 'rejected' || meant.kind === 'delivered'
    ? { kind: 'rejected', status, reason }
    : beforehand(meant);
}
