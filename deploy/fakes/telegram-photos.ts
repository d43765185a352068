import { z } from 'zod';
import { type FakePart, isImage, isVideo, partsOf } from './fake-form';
import { type FakeRequest, jsonOf } from './fake-provider';

/** An image or a video of a message, as the fake keeps it. */
export interface FakePhoto {
  readonly type: string;
  readonly bytes: number;
}

const MAX_BYTES = 10_000_000;
const MAX_VIDEO_BYTES = 50_000_000;
/** Methods for one file, and what it is called in their requests. */
const ALONE: Readonly<Record<string, 'photo' | 'video'>> = { sendPhoto: 'photo', sendVideo: 'video' };
const caption = { caption: z.string(), parse_mode: z.string().optional() };
const item = z.strictObject({ type: z.enum(['photo', 'video']), media: z.string().regex(/^attach:\/\/\w+$/) });
const album = z.tuple([item.extend(caption), item], item).refine((items) => items.length <= 10);
/** Fields that are no texts. */
const JSON_FIELDS = new Set(['message_thread_id', 'reply_parameters', 'disable_notification']);

/**
 * A message with images, as the same message has its text alone.
 * @returns what is wrong with it, else
 */
export function photosIn(
  method: string,
  { headers, body }: FakeRequest,
): string | { readonly message: object; readonly photos: readonly FakePhoto[] } {
  const parts = partsOf(headers['content-type'], body);
  if (parts === undefined) return 'strict: expected multipart/form-data';
  const files = parts.filter(({ filename }) => filename !== undefined);
  const texts = Object.fromEntries(
    parts.filter(({ filename }) => filename === undefined).map(({ name, body: text }) => [name, String(text)]),
  );
  const { caption: text, parse_mode, media, ...others } = texts;
  const fields = { ...fieldsIn(others), ...(parse_mode === undefined ? {} : { parse_mode }) };
  const wrong = files.map(problemOf).find((problem) => problem !== undefined);
  if (wrong !== undefined) return wrong;
  const photos = files.map((file) => ({ type: file.type as string, bytes: file.body.length }));
  const kind = ALONE[method];
  if (kind !== undefined) {
    if (files.length !== 1 || files[0]?.name !== kind) return `there is no ${kind} in the request`;
    if (kindOf(files[0]) !== kind) return `strict: the ${kind} is none`;
    return { message: { ...fields, text }, photos };
  }
  const items = album.safeParse(jsonOf(Buffer.from(media ?? '')));
  if (!items.success) return `strict: ${z.prettifyError(items.error)}`;
  const named = items.data.map((one) => one.media.slice('attach://'.length));
  if (named.join() !== files.map(({ name }) => name).join()) return 'wrong file identifier/HTTP URL specified';
  const { caption: first, parse_mode: mode } = items.data[0];
  if (items.data.some(({ type }, index) => type !== kindOf(files[index] as FakePart)))
    return 'strict: not of the type that is said';
  return { message: { ...fields, text: first, ...(mode === undefined ? {} : { parse_mode: mode }) }, photos };
}

function kindOf({ type, body }: FakePart): 'photo' | 'video' {
  return isVideo(type, body) ? 'video' : 'photo';
}

function problemOf({ type, body }: FakePart): string | undefined {
  if (isVideo('video/mp4', body) && type === 'video/mp4') {
    return body.length > MAX_VIDEO_BYTES ? 'file is too big' : undefined;
  }
  if (!isImage(type, body) || type === 'image/gif') return 'IMAGE_PROCESS_FAILED';
  return body.length > MAX_BYTES ? 'file is too big' : undefined;
}

function fieldsIn(texts: Readonly<Record<string, string>>): object {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const isNumber = name === 'chat_id' && !text.startsWith('@');
      return [name, JSON_FIELDS.has(name) || isNumber ? jsonOf(Buffer.from(text)) : text];
    }),
  );
}
