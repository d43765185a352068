import { isImage, isVideo, partsOf } from './fake-form';
import type { FakeAnswer, FakeRequest } from './fake-provider';

/** An image or a video as the fake keeps it, and what readers see of it. */
export interface FakeImage {
  readonly id: string;
  readonly account: string;
  readonly type: string;
  readonly bytes: number;
  readonly description: string | null;
  /** How often it answers "in work" before it has done with it. */
  inWork: number;
  isAttached: boolean;
}

const MAX_BYTES = 16 * 1024 * 1024;
const MAX_VIDEO_BYTES = 99 * 1024 * 1024;
const MAX_DESCRIPTION = 1_500;

/** Images that were uploaded for posts to come. */
export class FakeMastodonMedia {
  /** How often the next images are in work before they are done. */
  inWork = 0;
  /** Whether the server gives up the next images while it works on them. */
  fails = false;
  private kept: FakeImage[] = [];
  private made = 0;

  get images(): readonly FakeImage[] {
    return this.kept;
  }

  upload({ headers, body }: FakeRequest, account: string): FakeAnswer {
    const parts = partsOf(headers['content-type'], body);
    if (parts === undefined) return problem(400, 'strict: expected multipart/form-data');
    const [file, description, ...others] = parts;
    if (file?.name !== 'file' || file.filename === undefined) return problem(400, 'strict: expected a file');
    if (others.length > 0 || (description !== undefined && description.name !== 'description')) {
      return problem(400, 'strict: expected a description');
    }
    const hasVideo = isVideo(file.type, file.body);
    if (!isImage(file.type, file.body) && !hasVideo) {
      return problem(422, 'Validation failed: File content type is invalid');
    }
    if (file.body.length > MAX_VIDEO_BYTES) return problem(422, 'Validation failed: File size must be less than 99 MB');
    if (file.body.length > MAX_BYTES && !hasVideo)
      return problem(422, 'Validation failed: File size must be less than 16 MB');
    const alt = description?.body.toString() ?? null;
    if ((alt ?? '').length > MAX_DESCRIPTION) return problem(422, 'Validation failed: Description is too long');
    const image: FakeImage = {
      id: String(7_000 + this.made++),
      account,
      type: file.type as string,
      bytes: file.body.length,
      description: alt,
      inWork: this.inWork,
      isAttached: false,
    };
    this.kept.push(image);
    return { status: image.inWork > 0 ? 202 : 200, json: shown(image) };
  }

  show(id: string | undefined, account: string): FakeAnswer {
    const image = this.of(account, id);
    // As Mastodon has it: what a post has is shown with the post only.
    if (image === undefined || image.isAttached) return problem(404, 'Record not found');
    if (this.fails) return problem(422, 'Error processing thumbnail for uploaded media');
    if (image.inWork > 0) image.inWork--;
    return { status: image.inWork > 0 ? 206 : 200, json: shown(image) };
  }

  /** The server has thrown away what no post uses. */
  expire(): void {
    this.kept = [];
  }

  /** Makes images part of a post. */
  attach(ids: readonly string[], account: string): readonly FakeImage[] | FakeAnswer {
    const images = ids.map((id) => this.of(account, id));
    const known = images.filter((image) => image !== undefined && !image.isAttached) as FakeImage[];
    if (known.length < ids.length) return problem(422, 'Validation failed: Media not found');
    if (known.some(({ inWork }) => inWork > 0)) {
      return problem(422, 'Cannot attach files that have not finished processing. Try again in a moment!');
    }
    if (known.length > 1 && known.some(({ type }) => isFilm(type))) {
      return problem(422, 'Cannot attach a video to a post that already contains images');
    }
    for (const image of known) image.isAttached = true;
    return known;
  }

  private of(account: string, id: string | undefined): FakeImage | undefined {
    return this.kept.find((image) => image.id === id && image.account === account);
  }
}

function shown({ id, type, inWork, description }: FakeImage) {
  return {
    id,
    type: isFilm(type) ? 'video' : 'image',
    url: inWork > 0 ? null : `https://mastodon.test/media/${id}`,
    description,
  };
}

function isFilm(type: string): boolean {
  return type.startsWith('video/');
}

function problem(status: number, error: string): FakeAnswer {
  return { status, json: { error } };
}
