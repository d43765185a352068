import { z } from 'zod';
import { isImage } from './fake-form';
import { type FakeAnswer, type FakeRequest, jsonOf } from './fake-provider';

/** An image, as the fake keeps it. */
export interface FakeLinkedinImage {
  readonly id: string;
  readonly owner: string;
  bytes: number;
  status: 'WAITING_UPLOAD' | 'PROCESSING' | 'AVAILABLE' | 'PROCESSING_FAILED';
  /** How often it is in work before it is done. */
  inWork: number;
}

const UPLOAD = '/dms-uploads/';
const begunSchema = z.strictObject({ initializeUploadRequest: z.strictObject({ owner: z.string() }) });
const imageSchema = z.strictObject({
  id: z.string().regex(/^urn:li:image:/),
  altText: z.string().max(4_086).optional(),
});
/** Images below a post. */
export const contentSchema = z.union([
  z.strictObject({ media: z.union([imageSchema, z.strictObject({ id: z.string().regex(/^urn:li:video:/) })]) }),
  z.strictObject({ multiImage: z.strictObject({ images: z.array(imageSchema).min(2).max(20) }) }),
]);

/** Images that were uploaded for posts to come. */
export class FakeLinkedinImages {
  /** How often the next images are in work before they are done. */
  inWork = 0;
  /** Whether LinkedIn gives up the next images while it works on them. */
  fails = false;
  /** Whether tokens may not ask how an image is. */
  isSecretive = false;
  private readonly kept: FakeLinkedinImage[] = [];

  uploads({ method, path }: FakeRequest): boolean {
    return method === 'PUT' && path.startsWith(UPLOAD);
  }

  /** What comes of the bytes of an image. */
  take({ path, headers, body }: FakeRequest, author: string): FakeAnswer {
    const image = this.kept.find(({ id, owner }) => path === UPLOAD + id.split(':').at(-1) && owner === author);
    if (image === undefined) return problem(404, 'strict: no such place');
    if (!isImage(headers['content-type'], body)) return problem(400, 'strict: not the type that is said');
    image.bytes = body.length;
    image.inWork = this.inWork;
    image.status = image.inWork > 0 ? 'PROCESSING' : 'AVAILABLE';
    return { status: 201, json: undefined };
  }

  /** The answer to a request at `/rest/images`. */
  handle({ method, path, query, headers, body }: FakeRequest, author: string): FakeAnswer {
    if (method === 'GET') return this.show(decodeURIComponent(path.slice('/rest/images/'.length)), author);
    const parsed = begunSchema.safeParse(jsonOf(body));
    if (method !== 'POST' || query.get('action') !== 'initializeUpload' || !parsed.success) {
      return problem(400, 'strict: expected initializeUpload');
    }
    if (parsed.data.initializeUploadRequest.owner !== author) return problem(403, 'Not enough permissions');
    const name = `C4D22AQ${String(this.kept.length).padStart(5, '0')}`;
    const image: FakeLinkedinImage = {
      id: `urn:li:image:${name}`,
      owner: author,
      bytes: 0,
      status: 'WAITING_UPLOAD',
      inWork: 0,
    };
    this.kept.push(image);
    return { status: 200, json: { value: { uploadUrl: `http://${headers.host}${UPLOAD}${name}`, image: image.id } } };
  }

  /** The images below a post. @returns undefined when one of them is not there, or not ready */
  of(
    content: z.infer<typeof contentSchema>,
    author: string,
  ): readonly { readonly id: string; readonly bytes: number; readonly alt: string | null }[] | undefined {
    const wanted: readonly z.infer<typeof imageSchema>[] =
      'media' in content ? [content.media] : content.multiImage.images;
    const images = wanted.flatMap(({ id, altText = null }) => {
      const image = this.kept.find((one) => one.id === id && one.owner === author && one.status === 'AVAILABLE');
      return image === undefined ? [] : [{ id, bytes: image.bytes, alt: altText }];
    });
    return images.length < wanted.length ? undefined : images;
  }

  private show(urn: string, author: string): FakeAnswer {
    if (this.isSecretive) return problem(403, 'Not enough permissions to access: images.GET');
    const image = this.kept.find(({ id, owner }) => id === urn && owner === author);
    if (image === undefined) return problem(404, 'Not Found');
    if (image.status === 'PROCESSING' && this.fails) image.status = 'PROCESSING_FAILED';
    if (image.status === 'PROCESSING' && image.inWork-- === 0) image.status = 'AVAILABLE';
    return { status: 200, json: { id: urn, owner: author, status: image.status } };
  }
}

function problem(status: number, message: string): FakeAnswer {
  return { status, json: { message, status } };
}
