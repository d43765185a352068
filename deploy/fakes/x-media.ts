import { z } from 'zod';
import { isImage, isVideo, partsOf } from './fake-form';
import { type FakeAnswer, type FakeRequest, jsonOf } from './fake-provider';

/** An image or a video, as the fake keeps it. */
export interface FakeXImage {
  readonly id: string;
  /** The user's id. */
  readonly owner: string;
  readonly category: 'tweet_image' | 'tweet_gif' | 'tweet_video';
  readonly type: string | undefined;
  /** What was announced. */
  readonly total: number;
  bytes: Buffer;
  alt: string | null;
  isReady: boolean;
  /** How often it is in work before it is done; below 0 when nothing is to be done. */
  inWork: number;
}

const MIB = 1024 ** 2;
const FIRST_ID = 1_880_028_106_020_515_840n;
const UPLOAD = '/2/media/upload';
const STEP = /^\/2\/media\/upload\/(\d{1,19})\/(append|finalize)$/;

const size = (most: number) => z.int().min(1).max(most);
const beginSchema = z.union([
  z.strictObject({
    media_type: z.literal('image/gif'),
    total_bytes: size(15 * MIB),
    media_category: z.literal('tweet_gif'),
  }),
  z.strictObject({
    media_type: z.enum(['video/mp4', 'video/quicktime']),
    total_bytes: size(512 * MIB),
    media_category: z.literal('tweet_video'),
  }),
]);
const metadataSchema = z.strictObject({
  id: z.string().regex(/^\d{1,19}$/),
  metadata: z.strictObject({ alt_text: z.strictObject({ text: z.string().min(1).max(1_000) }) }),
});

/** Images that were uploaded for posts to come. */
export class FakeXMedia {
  /** How often the next GIFs and videos are in work before they are done. */
  inWork = 0;
  /** Whether X gives up the next ones while it works on them. */
  fails = false;
  private kept: FakeXImage[] = [];
  private made = 0;

  uploads({ method, path }: FakeRequest): boolean {
    return method === 'POST' && (path === UPLOAD || STEP.exec(path)?.[2] === 'append');
  }

  /** The answer to a request below `/2/media`. */
  handle(request: FakeRequest, owner: string): FakeAnswer {
    const { method, path, query, headers, body } = request;
    if (method === 'GET' && path === UPLOAD) return this.status(query, owner);
    if (method !== 'POST') return invalid('strict: no such request');
    if (path === UPLOAD) return this.take(request, owner);
    const [, id, step] = STEP.exec(path) ?? [];
    const image = this.of(id ?? '', owner);
    if (step !== undefined && image === undefined) return invalid('strict: no such media id');
    if (step === 'append') return append(image as FakeXImage, request);
    if (step === 'finalize') return body.length > 0 ? invalid('strict: no body') : this.finalize(image as FakeXImage);
    if (headers['content-type'] !== 'application/json') return invalid('strict: expected application/json');
    if (path === `${UPLOAD}/initialize`) return this.begin(jsonOf(body), owner);
    return path === '/2/media/metadata' ? this.describe(jsonOf(body), owner) : invalid('strict: no such request');
  }

  /** The images of a post. @returns undefined when one of them is not there, or not ready */
  ofPost(ids: readonly string[], owner: string): readonly FakeXImage[] | undefined {
    const images = ids.flatMap((id) => this.of(id, owner) ?? []);
    const isAlone = images.length === 1 || images.every(({ category }) => category === 'tweet_image');
    return images.length === ids.length && isAlone && images.every(({ isReady }) => isReady) ? images : undefined;
  }

  /** X knows nothing any more of what was uploaded. */
  expire(): void {
    this.kept = [];
  }

  private of(id: string, owner: string): FakeXImage | undefined {
    return this.kept.find((image) => image.id === id && image.owner === owner);
  }

  private add(image: Omit<FakeXImage, 'id' | 'alt' | 'inWork'>): FakeXImage {
    const added = { ...image, id: String(FIRST_ID + BigInt(this.made++)), alt: null, inWork: -1 };
    this.kept.push(added);
    return added;
  }

  /** A small image, whole. */
  private take({ headers, body }: FakeRequest, owner: string): FakeAnswer {
    const [media, category, ...others] = partsOf(headers['content-type'], body) ?? [];
    if (media?.name !== 'media' || media.filename === undefined) return invalid('strict: expected media');
    if (category?.name !== 'media_category' || category.body.toString() !== 'tweet_image' || others.length > 0) {
      return invalid('strict: expected media_category tweet_image');
    }
    if (!isImage(media.type, media.body)) return invalid('media type unrecognized');
    if (media.body.length > 5 * MIB) return invalid('maxFileSizeExceeded');
    const { type, body: bytes } = media;
    const image = this.add({ owner, category: 'tweet_image', type, total: bytes.length, bytes, isReady: true });
    return { status: 200, json: { data: shown(image) } };
  }

  private begin(json: unknown, owner: string): FakeAnswer {
    const parsed = beginSchema.safeParse(json);
    if (!parsed.success) return invalid(`strict: ${z.prettifyError(parsed.error)}`);
    const { media_type: type, total_bytes: total, media_category: category } = parsed.data;
    const image = this.add({ owner, category, type, total, bytes: Buffer.alloc(0), isReady: false });
    return { status: 200, json: { data: shown(image) } };
  }

  private finalize(image: FakeXImage): FakeAnswer {
    if (image.bytes.length !== image.total) return invalid('Segments do not add up to provided total file size.');
    if (!isImage(image.type, image.bytes) && !isVideo(image.type, image.bytes))
      return invalid('Invalid or unsupported media');
    image.inWork = this.inWork;
    image.isReady = image.inWork === 0;
    return { status: 200, json: { data: { ...shown(image), ...workOn(image, this.fails) } } };
  }

  private status(query: URLSearchParams, owner: string): FakeAnswer {
    const image = this.of(query.get('media_id') ?? '', owner);
    if (query.get('command') !== 'STATUS' || image === undefined || image.inWork < 0) {
      return invalid('strict: expected command STATUS, and a media id that is worked on');
    }
    if (image.inWork > 0) image.inWork--;
    image.isReady = image.inWork === 0 && !this.fails;
    return { status: 200, json: { data: { ...shown(image), ...workOn(image, this.fails) } } };
  }

  private describe(json: unknown, owner: string): FakeAnswer {
    const parsed = metadataSchema.safeParse(json);
    if (!parsed.success) return invalid(`strict: ${z.prettifyError(parsed.error)}`);
    const { id, metadata } = parsed.data;
    const image = this.of(id, owner);
    if (image?.category === 'tweet_video') return invalid('strict: alt text is of images');
    if (image === undefined) return invalid('strict: no such media id');
    image.alt = metadata.alt_text.text;
    return { status: 200, json: { data: { id, associated_metadata: metadata } } };
  }
}

function append(image: FakeXImage, { headers, body }: FakeRequest): FakeAnswer {
  const [media, segment, ...others] = partsOf(headers['content-type'], body) ?? [];
  if (media?.name !== 'media' || media.filename === undefined) return invalid('strict: expected media');
  if (segment?.name !== 'segment_index' || others.length > 0) return invalid('strict: expected segment_index');
  if (media.body.length > 5 * MIB) return invalid('strict: the segment is too large');
  const at = Math.ceil(image.bytes.length / (4 * MIB));
  if (segment.body.toString() !== String(at)) return invalid(`strict: expected segment ${at}`);
  image.bytes = Buffer.concat([image.bytes, media.body]);
  return { status: 200, json: { data: { expires_at: 1_800_000_000 } } };
}

function shown({ id, category }: FakeXImage) {
  return { id, media_key: keyOf({ id, category }), expires_after_secs: 86_400 };
}

/** How posts name it. */
export function keyOf({ id, category }: Pick<FakeXImage, 'id' | 'category'>): string {
  return `${{ tweet_image: 3, tweet_gif: 16, tweet_video: 7 }[category]}_${id}`;
}

function workOn({ inWork }: FakeXImage, fails: boolean): object {
  if (fails) return { processing_info: { state: 'failed', progress_percent: 12 } };
  if (inWork === 0) return { processing_info: { state: 'succeeded', progress_percent: 100 } };
  return { processing_info: { state: 'in_progress', progress_percent: 12, check_after_secs: 1 } };
}

function invalid(detail: string): FakeAnswer {
  const type = 'https://api.x.com/2/problems/invalid-request';
  return { status: 400, json: { title: 'Invalid Request', detail, type, status: 400 } };
}
