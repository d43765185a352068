import type { FakeFacebookPhoto } from './facebook-photos';
import type { FakeAnswer, FakeRequest } from './fake-provider';
import { strictProblem } from './graph-answers';

/** A post, as the fake keeps it. */
export interface FakeFacebookPost {
  readonly id: string;
  readonly page: string;
  /** The page, or a visitor. */
  readonly from: string | undefined;
  readonly message: string;
  readonly link: string | undefined;
  readonly photos: readonly FakeFacebookPhoto[];
  readonly isPublished: boolean;
  /** Whether a moderator has hidden it from visitors. */
  readonly isHidden?: boolean;
  /** Epoch milliseconds. */
  readonly at: number;
}

const MAX_PAGE = 100;
const FIELDS = /^id,message,created_time,from,is_published,attachments\{[\w,{}.()]+\}$/;

/** The post by which Facebook tells that a page is new. */
export function welcomeTo(page: string, at: number): FakeFacebookPost {
  return { id: `${page}_1`, page, from: page, message: 'Welcome', link: undefined, photos: [], isPublished: true, at };
}

/** The answer to `GET /{page}/feed`: the newest post first. The address of the next page has the token in it, as Facebook's has. */
export function feedPage(
  posts: readonly FakeFacebookPost[],
  { headers, path, query }: FakeRequest,
  token: string,
): FakeAnswer {
  const limit = Number(query.get('limit') ?? 25);
  if (!FIELDS.test(query.get('fields') ?? '')) return strictProblem('unexpected fields');
  if (!(limit >= 1 && limit <= MAX_PAGE)) return strictProblem('limit is 1 to 100');
  const isSeen = ({ isHidden = false }: FakeFacebookPost) => !isHidden || query.get('include_hidden') === 'true';
  const newest = posts
    .filter(isSeen)
    .toReversed()
    .toSorted((one, other) => other.at - one.at);
  const start = Number(Buffer.from(query.get('after') ?? '', 'base64url').toString() || 0);
  const end = start + limit;
  const after = cursor(end);
  const next = new URLSearchParams({ access_token: token, limit: String(limit), after });
  const paging = {
    cursors: { before: cursor(start), after },
    ...(end < newest.length ? { next: `http://${headers.host}${path}?${next.toString()}` } : {}),
  };
  const data = newest.slice(start, end).map(shownOf);
  return { status: 200, json: { data, ...(newest.length > 0 ? { paging } : {}) } };
}

function cursor(at: number): string {
  return Buffer.from(String(at)).toString('base64url');
}

function shownOf({ id, from, message, link, photos, isPublished, at }: FakeFacebookPost) {
  const shown = photos.map((photo) => ({
    media_type: 'photo',
    target: { id: photo.id },
    url: `https://www.facebook.com/photo/${photo.id}`,
  }));
  const below =
    link === undefined
      ? shown
      : [
          {
            media_type: 'link',
            url: `https://l.facebook.com/l.php?u=${encodeURIComponent(link)}`,
            unshimmed_url: link,
          },
        ];
  const attachments = shown.length > 1 ? [{ media_type: 'album', subattachments: { data: shown } }] : below;
  return {
    id,
    message,
    // Without a colon in the offset, and in whole seconds.
    created_time: `${new Date(at).toISOString().slice(0, 19)}+0000`,
    ...(from === undefined ? {} : { from: { id: from, name: `Page ${from}` } }),
    is_published: isPublished,
    ...(attachments.length === 0 ? {} : { attachments: { data: attachments } }),
  };
}
