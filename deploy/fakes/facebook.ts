import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import { type FakeFacebookPost, feedPage, welcomeTo } from './facebook-feed';
import { FakeFacebookPhotos } from './facebook-photos';
import { type FakeAnswer, type FakeProtocol, type FakeRequest, jsonOf } from './fake-provider';
import { businessUsage, type GraphProblem, graphProblem, strictProblem } from './graph-answers';

/** What a fake of Facebook may be told. Times are milliseconds. */
export interface FakeFacebookOptions {
  readonly clock: Clock;
  /** Tokens, and the id of the page that each is of. */
  readonly pages: Readonly<Record<string, string>>;
  /** Versions of the Graph API that there are. */
  readonly versions?: readonly string[];
  /** Calls in an hour for a page, of all kinds together. */
  readonly calls?: number;
  /** How long a post is missing in the feed. */
  readonly unseenMs?: number;
  /** Whether the pages have nothing on them. */
  readonly areEmpty?: boolean;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FIRST_ID = 122_000_000_000_000n;
const MAX_CHARACTERS = 63_206;

const DUPLICATE = graphProblem({
  code: 506,
  subcode: 1_455_006,
  message: 'Duplicate status message',
  userMessage: 'This status update is identical to the last one you posted.',
});

const postSchema = z.strictObject({
  message: z.string(),
  link: z.url().optional(),
  attached_media: z
    .array(z.strictObject({ media_fbid: z.string() }))
    .min(1)
    .optional(),
});

/**
 * Facebook, as far as posting on a page and finding its posts goes. As Facebook does, it names what it refuses by codes, refuses what
 * reads like the post before it, says in a header how much is used, and gives addresses of further pages that have the token in them.
 */
export class FakeFacebook implements FakeProtocol {
  readonly name = 'facebook';
  readonly photos = new FakeFacebookPhotos();
  /** Tokens that serve no more, and the subcode that says why. */
  readonly revoked = new Map<string, number>();
  /** What the next posts are answered, after they were taken or not. */
  readonly errors: (GraphProblem & { readonly isTaken: boolean })[] = [];
  private readonly kept: FakeFacebookPost[] = [];
  private readonly windows = new Map<string, { endsAt: number; count: number }>();
  private readonly startedAt: number;

  constructor(private readonly options: FakeFacebookOptions) {
    this.startedAt = options.clock.now();
  }

  posts(): readonly FakeFacebookPost[] {
    return this.kept;
  }

  publishes({ method, path }: FakeRequest): boolean {
    return method === 'POST' && /^\/[^/]+\/\d+\/feed$/.test(path);
  }

  uploads({ method, path }: FakeRequest): boolean {
    return method === 'POST' && /^\/[^/]+\/\d+\/photos$/.test(path);
  }

  readonly says = {
    expire: graphProblem({ code: 190, subcode: 463, message: 'Error validating access token' }),
    revoke: graphProblem({ code: 190, subcode: 460, message: 'Error validating access token' }),
    duplicate: DUPLICATE,
  };

  throttled(afterMs: number): FakeAnswer {
    const message = '(#80001) There have been too many calls to this Page account. Wait a bit and try again.';
    return { ...graphProblem({ code: 80_001, message }), headers: businessUsage('1', 'pages', 100, afterMs) };
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    const { path, query, headers } = request;
    const [, version = '', what = '', edge] = /^\/([^/]+)\/([^/]*)(?:\/([^/]+))?$/.exec(path) ?? [];
    const { versions = ['v24.0', 'v25.0', 'v26.0'], pages, calls = 4_800, clock } = this.options;
    if (!versions.includes(version)) {
      return graphProblem({ code: 2_500, message: `Unknown path components: ${path}` });
    }
    if (query.has('access_token')) return strictProblem('a token in a URL gets into logs');
    if (headers.authorization === undefined) {
      return graphProblem({ code: 104, message: 'An access token is required to request this resource.' });
    }
    const token = /^Bearer (\S+)$/.exec(headers.authorization)?.[1] ?? '';
    const page = Object.hasOwn(pages, token) ? pages[token] : undefined;
    if (page === undefined) {
      return graphProblem({
        code: 190,
        message: 'Invalid OAuth access token - Cannot parse access token',
        status: 401,
      });
    }
    const subcode = this.revoked.get(token);
    if (subcode !== undefined) return graphProblem({ code: 190, subcode, message: 'Error validating access token' });
    const window = this.windowOf(page);
    if (window.count >= calls) return this.throttled(window.endsAt - clock.now());
    window.count++;
    const answer = this.answerTo(request, { what, edge, page, token });
    return {
      ...answer,
      headers: { ...businessUsage(page, 'pages', Math.floor((100 * window.count) / calls)), ...answer.headers },
    };
  }

  /** A post that nobody scheduled: of a visitor, by hand, a draft. */
  add(post: Pick<FakeFacebookPost, 'page' | 'message'> & Partial<FakeFacebookPost>): FakeFacebookPost {
    const { page } = post;
    const id = `${page}_${FIRST_ID + BigInt(this.kept.length)}`;
    const at = this.options.clock.now();
    const added = { id, from: page, link: undefined, photos: [], isPublished: true, at, ...post };
    this.kept.push(added);
    return added;
  }

  private answerTo(
    request: FakeRequest,
    {
      what,
      edge,
      page,
      token,
    }: { readonly what: string; readonly edge: string | undefined; readonly page: string; readonly token: string },
  ): FakeAnswer {
    const { method, query } = request;
    if (method === 'GET' && what === 'me' && edge === undefined) {
      if (query.get('fields') !== 'id,name') return strictProblem('expected fields=id,name');
      return { status: 200, json: { id: page, name: `Page ${page}` } };
    }
    if (method === 'GET' && what === '') return this.photos.show(query, page);
    if (what !== page) {
      const message =
        '(#200) If posting to a page, requires both pages_read_engagement and pages_manage_posts permission';
      return graphProblem({ code: 200, message, status: 403 });
    }
    if (this.publishes(request)) return this.post(request, page);
    if (this.uploads(request)) return this.photos.upload(request, page);
    if (method === 'GET' && edge === 'feed') return this.list(request, page, token);
    return graphProblem({ code: 2_500, message: 'Unknown path components' });
  }

  private post({ headers, body }: FakeRequest, page: string): FakeAnswer {
    if (headers['content-type'] !== 'application/json') return strictProblem('expected application/json');
    const parsed = postSchema.safeParse(jsonOf(body));
    if (!parsed.success) return strictProblem(z.prettifyError(parsed.error));
    const { message, link, attached_media: media = [] } = parsed.data;
    if (message.trim() === '' && link === undefined) return strictProblem('an empty post');
    if (message.length > MAX_CHARACTERS) return strictProblem('message is too long');
    if (link !== undefined && media.length > 0) return strictProblem('a link and photos');
    if (link !== undefined && new URL(link).hostname.endsWith('facebook.com')) {
      return graphProblem({ code: 100, subcode: 1_609_008, message: 'Invalid parameter' });
    }
    const ordered = this.errors.shift();
    if (ordered?.isTaken === false) return graphProblem(ordered);
    const before = this.kept.filter((post) => post.page === page && post.from === page).at(-1);
    if (before?.message === message && before.link === link && before.photos.length === media.length) {
      return DUPLICATE;
    }
    const photos = this.photos.attach(
      media.map(({ media_fbid }) => media_fbid),
      page,
    );
    if (photos === undefined) return graphProblem({ code: 100, message: '(#100) Invalid parameter: attached_media' });
    const { id } = this.add({ page, message: message.trim(), link, photos });
    return ordered === undefined ? { status: 200, json: { id } } : graphProblem(ordered);
  }

  private list(request: FakeRequest, page: string, token: string): FakeAnswer {
    const { clock, unseenMs = 0, areEmpty = false } = this.options;
    const now = clock.now();
    const seen = this.kept.filter((post) => post.page === page && now - post.at >= unseenMs);
    const first = welcomeTo(page, this.startedAt - DAY_MS);
    return feedPage(areEmpty ? seen : [first, ...seen], request, token);
  }

  private windowOf(page: string): { endsAt: number; count: number } {
    const now = this.options.clock.now();
    const known = this.windows.get(page);
    if (known !== undefined && known.endsAt > now) return known;
    const opened = { endsAt: now + HOUR_MS, count: 0 };
    this.windows.set(page, opened);
    return opened;
  }
}
