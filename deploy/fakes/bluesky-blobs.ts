import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isImage, isVideo } from './fake-form';
import type { FakeAnswer, FakeRequest } from './fake-provider';

const MAX_BLOB_BYTES = 50 * 1024 ** 2;
const MAX_IMAGE_BYTES = 2_000_000;
const MAX_VIDEO_BYTES = 300_000_000;
const MAX_IMAGES = 4;
const MAX_VIDEO_ALT = 10_000;

const blobOf = (mimeType: RegExp, maxBytes: number) =>
  z.strictObject({
    $type: z.literal('blob'),
    ref: z.strictObject({ $link: z.string() }),
    mimeType: z.string().regex(mimeType),
    size: z.int().max(maxBytes),
  });

const images = z.strictObject({
  $type: z.literal('app.bsky.embed.images'),
  images: z
    .array(z.strictObject({ image: blobOf(/^image\//, MAX_IMAGE_BYTES), alt: z.string() }))
    .min(1)
    .max(MAX_IMAGES),
});
const video = z.strictObject({
  $type: z.literal('app.bsky.embed.video'),
  video: blobOf(/^video\/mp4$/, MAX_VIDEO_BYTES),
  alt: z.string().max(MAX_VIDEO_ALT).optional(),
});

/** What of a post shows media. */
export const mediaEmbeds = [images, video] as const;

type Embed = z.infer<typeof images | typeof video> | { readonly $type: 'app.bsky.embed.external' };
type Blob = z.infer<ReturnType<typeof blobOf>>;

/** What was uploaded for posts to come, and what posts name. */
export class FakeBlueskyBlobs {
  /** By account and content. */
  private readonly kept = new Map<string, Blob>();

  upload({ headers, body }: FakeRequest, handle: string): FakeAnswer {
    const mimeType = headers['content-type'] ?? '';
    if (!isVideo(mimeType, body) && !isImage(mimeType, body)) {
      return problem(400, 'InvalidRequest', 'strict: not the type that is said');
    }
    if (body.length > MAX_BLOB_BYTES) return problem(413, 'PayloadTooLarge', 'request entity too large');
    const $link = `bafkrei${createHash('sha256').update(body).digest('hex').slice(0, 52)}`;
    const blob: Blob = { $type: 'blob', ref: { $link }, mimeType, size: body.length };
    this.kept.set(keyOf(handle, blob), blob);
    return { status: 200, json: { blob } };
  }

  /** What is wrong with the media of a post; undefined when it may be shown. */
  problemOf(embed: Embed | undefined, handle: string): FakeAnswer | undefined {
    for (const named of blobsOf(embed)) {
      const { mimeType, size } = this.kept.get(keyOf(handle, named)) ?? {};
      if (mimeType === undefined) return problem(400, 'BlobNotFound', `Could not find blob: ${named.ref.$link}`);
      if (mimeType !== named.mimeType || size !== named.size) {
        const said = `Expected: ${mimeType}, Got: ${named.mimeType}`;
        return problem(400, 'InvalidMimeType', `Referenced Mimetype does not match stored blob. ${said}`);
      }
    }
    return undefined;
  }

  /** The server throws away what no post names. */
  forget(posts: readonly { readonly handle: string; readonly value: { readonly embed?: Embed | undefined } }[]): void {
    const named = new Set(
      posts.flatMap(({ handle, value }) => blobsOf(value.embed).map((blob) => keyOf(handle, blob))),
    );
    for (const key of this.kept.keys()) if (!named.has(key)) this.kept.delete(key);
  }
}

function blobsOf(embed: Embed | undefined): readonly Blob[] {
  if (embed?.$type === 'app.bsky.embed.images') return embed.images.map(({ image }) => image);
  return embed?.$type === 'app.bsky.embed.video' ? [embed.video] : [];
}

function keyOf(handle: string, { ref }: Blob): string {
  return `${handle} ${ref.$link}`;
}

export function problem(status: number, error: string, message: string): FakeAnswer {
  return { status, json: { error, message } };
}
