import { z } from 'zod';
import { isVideo } from './fake-form';
import { type FakeAnswer, type FakeRequest, jsonOf } from './fake-provider';

/** A video, as the fake keeps it. */
interface FakeLinkedinVideo {
  readonly id: string;
  readonly owner: string;
  readonly size: number;
  /** By their numbers, each with the ETag that it was answered with. */
  readonly parts: { readonly bytes: Buffer; readonly etag: string }[];
  status: 'WAITING_UPLOAD' | 'PROCESSING' | 'AVAILABLE' | 'PROCESSING_FAILED';
  /** How often it is in work before it is done. */
  inWork: number;
}

const PART_BYTES = 4 * 1024 ** 2;
const PATH = '/rest/videos';
const UPLOAD = /^\/dms-uploads\/(D4D10AQ\d+)\/(\d+)$/;
const MAX_BYTES = 500 * 1024 ** 2;
const begunSchema = z.strictObject({
  initializeUploadRequest: z.strictObject({
    owner: z.string(),
    fileSizeBytes: z.int().min(1).max(MAX_BYTES),
    uploadCaptions: z.literal(false),
    uploadThumbnail: z.literal(false),
  }),
});
const endedSchema = z.strictObject({
  finalizeUploadRequest: z.strictObject({
    video: z.string(),
    uploadToken: z.literal(''),
    uploadedPartIds: z.array(z.string()).min(1),
  }),
});

/** Videos that were uploaded for posts to come. */
export class FakeLinkedinVideos {
  /** How often the next videos are in work before they are done. */
  inWork = 0;
  /** Whether LinkedIn gives up the next videos while it works on them. */
  fails = false;
  /** Whether tokens may not ask how a video is. */
  isSecretive = false;
  private kept: FakeLinkedinVideo[] = [];
  private made = 0;

  uploads({ method, path }: FakeRequest): boolean {
    return method === 'PUT' && UPLOAD.test(path);
  }

  /** LinkedIn knows nothing any more of what was uploaded. */
  expire(): void {
    this.kept = [];
  }

  /** What comes of a part. */
  take({ path, headers, body }: FakeRequest, author: string): FakeAnswer {
    const [, name, number = ''] = UPLOAD.exec(path) ?? [];
    const video = this.of(`urn:li:video:${name}`, author);
    if (video === undefined) return problem(404, 'strict: no such place');
    if (headers['content-type'] !== 'application/octet-stream') return problem(400, 'strict: expected octets');
    const at = Number(number);
    const size = Math.min(PART_BYTES, video.size - at * PART_BYTES);
    if (at !== video.parts.length) return problem(400, `strict: expected part ${video.parts.length}`);
    if (body.length !== size) return problem(400, `strict: expected ${size} bytes`);
    const etag = `/ambry-video/${name}/${number}`;
    video.parts.push({ bytes: body, etag });
    return { status: 200, headers: { etag }, json: undefined };
  }

  /** The answer to a request at `/rest/videos`. */
  handle(request: FakeRequest, author: string): FakeAnswer {
    const { method, path, query, body } = request;
    if (method === 'GET') return this.show(decodeURIComponent(path.slice(PATH.length + 1)), author);
    if (method !== 'POST' || path !== PATH) return problem(404, 'strict: no such request');
    if (query.get('action') === 'finalizeUpload') return this.finalize(jsonOf(body), author);
    return this.begin(request, author);
  }

  /** @returns undefined when it is not there */
  of(id: string, author: string): FakeLinkedinVideo | undefined {
    return this.kept.find((video) => video.id === id && video.owner === author);
  }

  private begin({ query, headers, body }: FakeRequest, author: string): FakeAnswer {
    const parsed = begunSchema.safeParse(jsonOf(body));
    if (query.get('action') !== 'initializeUpload' || !parsed.success) {
      return problem(400, 'strict: expected initializeUpload');
    }
    const { owner, fileSizeBytes: size } = parsed.data.initializeUploadRequest;
    if (owner !== author) return problem(403, 'Not enough permissions');
    const name = `D4D10AQ${String(this.made++).padStart(5, '0')}`;
    const video = `urn:li:video:${name}`;
    this.kept.push({ id: video, owner, size, parts: [], status: 'WAITING_UPLOAD', inWork: 0 });
    const uploadInstructions = Array.from({ length: Math.ceil(size / PART_BYTES) }, (_, index) => ({
      uploadUrl: `http://${headers.host}/dms-uploads/${name}/${index}`,
      firstByte: index * PART_BYTES,
      lastByte: Math.min(size, (index + 1) * PART_BYTES) - 1,
    }));
    return { status: 200, json: { value: { video, uploadInstructions, uploadToken: '' } } };
  }

  private finalize(json: unknown, author: string): FakeAnswer {
    const parsed = endedSchema.safeParse(json);
    if (!parsed.success) return problem(400, `strict: ${z.prettifyError(parsed.error)}`);
    const { video: id, uploadedPartIds } = parsed.data.finalizeUploadRequest;
    const video = this.of(id, author);
    if (video === undefined) return problem(404, 'Not Found');
    if (uploadedPartIds.join() !== video.parts.map(({ etag }) => etag).join()) {
      return problem(400, 'strict: not the parts that were uploaded');
    }
    const bytes = Buffer.concat(video.parts.map((part) => part.bytes));
    if (bytes.length !== video.size) return problem(400, 'strict: parts are missing');
    if (!isVideo('video/mp4', bytes)) return problem(400, 'strict: no video');
    video.inWork = this.inWork;
    video.status = 'PROCESSING';
    return { status: 200, json: undefined };
  }

  private show(urn: string, author: string): FakeAnswer {
    if (this.isSecretive) return problem(403, 'Not enough permissions to access: videos.GET');
    const video = this.of(urn, author);
    if (video === undefined) return problem(404, 'Not Found');
    if (video.status === 'PROCESSING' && this.fails) video.status = 'PROCESSING_FAILED';
    if (video.status === 'PROCESSING' && video.inWork-- === 0) video.status = 'AVAILABLE';
    return { status: 200, json: { id: urn, owner: author, status: video.status } };
  }
}

function problem(status: number, message: string): FakeAnswer {
  return { status, json: { message, status } };
}
