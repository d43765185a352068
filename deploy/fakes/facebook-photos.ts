import { isImage, partsOf } from './fake-form';
import type { FakeAnswer, FakeRequest } from './fake-provider';
import { graphProblem, strictProblem } from './graph-answers';

/** A photo, as the fake keeps it. */
export interface FakeFacebookPhoto {
  readonly id: string;
  readonly page: string;
  readonly bytes: number;
  readonly alt: string | null;
  /** Whether a post has it; before, nobody sees it. */
  isAttached: boolean;
}

const FIRST_ID = 1_220_000_000_000_000n;
const MAX_BYTES = 4_000_000;
const MAX_ALT = 1_000;
const TYPES = new Set(['image/png', 'image/jpeg']);

/** Photos that were uploaded, unpublished, for posts to come. */
export class FakeFacebookPhotos {
  /** Whether it may be read what photos show. */
  hidesAlts = false;
  private readonly kept: FakeFacebookPhoto[] = [];

  /** The answer to `POST /{page}/photos`. */
  upload({ headers, body }: FakeRequest, page: string): FakeAnswer {
    const parts = partsOf(headers['content-type'], body);
    if (parts === undefined) return strictProblem('expected multipart/form-data');
    const byName = new Map(parts.map((part) => [part.name, part]));
    const unknown = [...byName.keys()].filter((name) => !['published', 'alt_text_custom', 'source'].includes(name));
    if (unknown.length > 0 || byName.size < parts.length)
      return strictProblem(`unexpected parts ${unknown.join(', ')}`);
    const source = byName.get('source');
    if (source?.filename === undefined) return strictProblem('expected a file as source');
    if (byName.get('published')?.body.toString() !== 'false')
      return strictProblem('nobody may see a photo before its post');
    const alt = byName.get('alt_text_custom')?.body.toString() ?? null;
    if ((alt ?? '').length > MAX_ALT) return strictProblem('alt_text_custom is too long');
    if (!TYPES.has(source.type ?? '') || !isImage(source.type, source.body) || source.body.length >= MAX_BYTES) {
      const userMessage = 'Your photos should be smaller than 4 MB and saved as JPG or PNG files.';
      return graphProblem({ code: 1, subcode: 1_366_046, message: "Can't Read Files", userMessage });
    }
    const id = String(FIRST_ID + BigInt(this.kept.length));
    this.kept.push({ id, page, bytes: source.body.length, alt, isAttached: false });
    return { status: 200, json: { id } };
  }

  /** Makes photos part of a post. @returns undefined when one of them is not there, or has a post */
  attach(ids: readonly string[], page: string): readonly FakeFacebookPhoto[] | undefined {
    const photos = ids.flatMap((id) => this.kept.find((one) => one.id === id && one.page === page) ?? []);
    if (photos.length < ids.length || photos.some(({ isAttached }) => isAttached)) return undefined;
    for (const photo of photos) photo.isAttached = true;
    return photos;
  }

  /** The answer to `GET /?ids=…&fields=alt_text_custom`. */
  show(query: URLSearchParams, page: string): FakeAnswer {
    if (query.get('fields') !== 'alt_text_custom') return strictProblem('expected fields=alt_text_custom');
    const ids = (query.get('ids') ?? '').split(',');
    const photos = ids.flatMap((id) => this.kept.find((one) => one.id === id && one.page === page) ?? []);
    if (photos.length < ids.length)
      return graphProblem({ code: 100, subcode: 33, message: 'Unsupported get request.' });
    const shown = photos.map(({ id, alt }) => [
      id,
      { id, ...(alt === null || this.hidesAlts ? {} : { alt_text_custom: alt }) },
    ]);
    return { status: 200, json: Object.fromEntries(shown) };
  }
}
