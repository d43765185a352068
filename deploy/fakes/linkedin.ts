import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import { FakeOAuth, type FakeOAuthOptions } from './fake-oauth';
import { type FakeAnswer, type FakeProtocol, type FakeRequest, type FakeWork, jsonOf } from './fake-provider';
import { contentSchema, FakeLinkedinImages } from './linkedin-images';
import { FakeLinkedinVideos } from './linkedin-videos';

/** What a fake of LinkedIn may be told. Times are milliseconds. */
export interface FakeLinkedinOptions {
  readonly clock: Clock;
  /** Tokens, and the author that each may post for. Those of organizations may read too. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly oauth?: FakeOAuthOptions;
  /** Versions of the API that are not given up. */
  readonly versions?: readonly string[];
  /** Posts of an author in a day, which ends at midnight UTC. */
  readonly perDay?: number;
  /** For how long the same post is refused. */
  readonly duplicateMs?: number;
}

/** A post, as the fake keeps it. */
export interface FakeLinkedinPost {
  readonly id: string;
  readonly author: string;
  /** As it was given. */
  readonly commentary: string;
  /** What readers see: it ends before the first reserved character that had no backslash. */
  readonly shown: string;
  readonly visibility: string;
  readonly link: string | undefined;
  /** And videos. */
  readonly images: readonly { readonly id: string; readonly bytes: number; readonly alt: string | null }[];
  /** Epoch milliseconds. */
  readonly at: number;
}

const DAY_MS = 86_400_000;
const FIRST_ID = 7_141_000_000_000_000_000n;
const OAUTH = {
  path: '/oauth/v2/accessToken',
  isRotating: false,
  hasBasic: false,
  lifetimeMs: 60 * DAY_MS,
  wrongToken: {
    error: 'invalid_grant',
    error_description: 'The provided authorization grant is invalid or has expired',
  },
} as const;
const REVOKED = problem(401, 'The token used in the request has been revoked by the user', {
  serviceErrorCode: 65_601,
});
const MAX_CHARACTERS = 3_000;
const MAX_PAGE = 100;

const postSchema = z.strictObject({
  author: z.string().regex(/^urn:li:(person|organization):[\w-]+$/),
  commentary: z.string(),
  visibility: z.enum(['PUBLIC', 'CONNECTIONS', 'LOGGED_IN']),
  distribution: z.strictObject({
    feedDistribution: z.enum(['MAIN_FEED', 'NONE']),
    targetEntities: z.array(z.never()),
    thirdPartyDistributionChannels: z.array(z.never()),
  }),
  content: z
    .union([
      z.strictObject({
        article: z.strictObject({ source: z.url(), title: z.string().min(1), description: z.string().optional() }),
      }),
      contentSchema,
    ])
    .optional(),
  lifecycleState: z.literal('PUBLISHED'),
  isReshareDisabledByAuthor: z.boolean(),
});

const querySchema = z.strictObject({
  q: z.literal('author'),
  author: z.string(),
  count: z.coerce.number().int().min(1).max(MAX_PAGE).default(10),
  start: z.coerce.number().int().min(0).default(0),
  sortBy: z.enum(['LAST_MODIFIED', 'CREATED']).default('LAST_MODIFIED'),
});

/**
 * LinkedIn, as far as posting and finding an organization's posts goes. As LinkedIn does, it cuts a post before a reserved character
 * and answers 201 all the same, says nothing of when a limit ends, and refuses the same post for some time with the URN of the first.
 */
export class FakeLinkedin implements FakeProtocol {
  readonly name = 'linkedin';
  readonly revoked = new Set<string>();
  readonly images = new FakeLinkedinImages();
  readonly videos = new FakeLinkedinVideos();
  private readonly kept: FakeLinkedinPost[] = [];

  readonly oauth: FakeOAuth;

  constructor(private readonly options: FakeLinkedinOptions) {
    const { oauth = { clients: {}, refreshTokens: {} }, clock } = options;
    this.oauth = new FakeOAuth(OAUTH, oauth, clock);
  }

  posts(): readonly FakeLinkedinPost[] {
    return this.kept;
  }

  publishes({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path === '/rest/posts';
  }

  uploads(request: FakeRequest): boolean {
    return this.images.uploads(request) || this.videos.uploads(request);
  }

  refreshes(request: FakeRequest): boolean {
    return this.oauth.asks(request);
  }

  works(work: FakeWork): void {
    if (work.do === 'stall') this.videos.inWork = work.times;
    else this.videos.fails = work.times > 0;
  }

  readonly says = {
    expire: problem(401, 'The token used in the request has expired', { serviceErrorCode: 65_602 }),
    revoke: REVOKED,
    duplicate: duplicateOf(`urn:li:share:${FIRST_ID - 1n}`),
  };

  throttled(): FakeAnswer {
    const message = 'Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls to this resource is reached.';
    return problem(429, message, { code: 'TOO_MANY_REQUESTS' });
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    const { method, path, headers } = request;
    if (this.refreshes(request)) return this.oauth.handle(request);
    const token = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    const owner = this.oauth.ownerOf(token) ?? '';
    const author = Object.hasOwn(this.options.tokens, owner) ? this.options.tokens[owner] : undefined;
    if (author === undefined) return problem(401, 'Invalid access token', { serviceErrorCode: 65_600 });
    if (this.revoked.has(token)) {
      return REVOKED;
    }
    if (method === 'GET' && path === '/v2/userinfo') return userinfo(author);
    if (this.videos.uploads(request)) return this.videos.take(request, author);
    if (this.uploads(request)) return this.images.take(request, author);
    if (!/^\/rest\/(?:posts(?:$|\/)|images|videos)/.test(path))
      return problem(404, `No virtual resource found for ${path}`);
    const { versions = ['202605', '202606'] } = this.options;
    const version = String(headers['linkedin-version'] ?? '');
    if (!/^\d{6}$/.test(version)) return problem(400, 'strict: expected LinkedIn-Version: YYYYMM');
    if (!versions.includes(version)) {
      return problem(426, `Requested version ${version}01 is not active`, { code: 'NONEXISTENT_VERSION' });
    }
    if (headers['x-restli-protocol-version'] !== '2.0.0') {
      return problem(400, 'strict: expected X-Restli-Protocol-Version: 2.0.0');
    }
    if (path.startsWith('/rest/posts/')) return this.show(request, author);
    if (path.startsWith('/rest/videos')) return this.videos.handle(request, author);
    if (path !== '/rest/posts') return this.images.handle(request, author);
    if (method === 'POST') return this.post(request, author);
    return method === 'GET' ? this.list(request, author) : problem(405, 'Method Not Allowed');
  }

  private post({ headers, body }: FakeRequest, author: string): FakeAnswer {
    if (headers['content-type'] !== 'application/json') return problem(415, 'strict: expected application/json');
    const parsed = postSchema.safeParse(jsonOf(body));
    if (!parsed.success) return problem(422, `strict: ${z.prettifyError(parsed.error)}`);
    const { commentary, visibility, content } = parsed.data;
    if (parsed.data.author !== author)
      return problem(403, 'Not enough permissions to access: posts.CREATE', { code: 'ACCESS_DENIED' });
    const { clock, perDay = 150, duplicateMs = DAY_MS } = this.options;
    const now = clock.now();
    const own = this.kept.filter((post) => post.author === author);
    if (own.filter(({ at }) => at >= now - (now % DAY_MS)).length >= perDay) return this.throttled();
    if (commentary.length > MAX_CHARACTERS) {
      return problem(422, `ERROR :: /commentary :: length of "${commentary.length}" is more than ${MAX_CHARACTERS}`);
    }
    const link = content !== undefined && 'article' in content ? content.article.source : undefined;
    const images = content === undefined || 'article' in content ? [] : this.mediaOf(content, author);
    if (images === undefined) return problem(400, 'An image of the post is not there, or is still in work');
    const earlier = own.find(
      (post) => post.commentary === commentary && post.link === link && now - post.at < duplicateMs,
    );
    if (earlier !== undefined) {
      return duplicateOf(earlier.id);
    }
    const id = `urn:li:share:${FIRST_ID + BigInt(this.kept.length)}`;
    this.kept.push({ id, author, commentary, shown: shownOf(commentary), visibility, link, images, at: now });
    return { status: 201, headers: { 'x-restli-id': id }, json: undefined };
  }

  private mediaOf(content: z.infer<typeof contentSchema>, author: string): FakeLinkedinPost['images'] | undefined {
    if (!('media' in content) || !content.media.id.startsWith('urn:li:video:')) return this.images.of(content, author);
    const video = this.videos.of(content.media.id, author);
    return video?.status === 'AVAILABLE' ? [{ id: video.id, bytes: video.size, alt: null }] : undefined;
  }

  private show({ method, path }: FakeRequest, author: string): FakeAnswer {
    if (method !== 'GET') return problem(405, 'Method Not Allowed');
    const urn = decodeURIComponent(path.slice('/rest/posts/'.length));
    if (!path.includes('%3A')) return problem(400, 'strict: expected an encoded URN');
    if (!author.startsWith('urn:li:organization:')) {
      return problem(403, 'Not enough permissions to access: posts.GET', { code: 'ACCESS_DENIED' });
    }
    const post = this.kept.find(({ id }) => id === urn);
    return post === undefined ? problem(404, 'Post not found') : { status: 200, json: shownPost(post) };
  }

  private list({ headers, query }: FakeRequest, author: string): FakeAnswer {
    if (headers['x-restli-method'] !== 'FINDER') return problem(400, 'strict: expected X-RestLi-Method: FINDER');
    const parsed = querySchema.safeParse(Object.fromEntries(query));
    if (!parsed.success) return problem(400, `strict: ${z.prettifyError(parsed.error)}`);
    const { author: asked, count, start } = parsed.data;
    if (asked !== author || !author.startsWith('urn:li:organization:')) {
      return problem(403, 'Not enough permissions to access: posts.FINDER-author', { code: 'ACCESS_DENIED' });
    }
    const newest = this.kept.filter((post) => post.author === author).toReversed();
    const elements = newest.slice(start, start + count).map(shownPost);
    const links = start + count < newest.length ? [{ rel: 'next', type: 'application/json' }] : [];
    return { status: 200, json: { elements, paging: { start, count, links } } };
  }
}

/** A reserved character ends the text unless a backslash stands before it, or it begins a hashtag, a mention or a template. */
function shownOf(commentary: string): string {
  let shown = '';
  for (let rest = commentary; rest !== ''; ) {
    const part =
      /^\\[\\|{}@[\]()<>#*_~]/.exec(rest)?.[0] ??
      /^@\[(?:\\[\\|{}@[\]()<>#*_~]|[^\\|{}@[\]()<>#*_~])+\]\(urn:li:\w+:[\w-]+\)/.exec(rest)?.[0] ??
      /^(?:#[\p{L}\p{N}]+|\{hashtag\|\\?#\|[^}]+\}|[^\\|{}@[\]()<>#*_~]+)/u.exec(rest)?.[0];
    if (part === undefined) break;
    shown += /^[\\@]/.test(part) ? part.replace(/\\(.)/g, '$1') : part;
    rest = rest.slice(part.length);
  }
  return shown;
}

function shownPost({ id, author, commentary, visibility, link, images, at }: FakeLinkedinPost): object {
  const times = { createdAt: at, publishedAt: at, lastModifiedAt: at };
  return { id, author, commentary, visibility, lifecycleState: 'PUBLISHED', ...times, ...contentOf(link, images) };
}

/** What stands below a post's text. */
function contentOf(link: string | undefined, images: FakeLinkedinPost['images']): object {
  if (link !== undefined) return { content: { article: { source: link } } };
  const shown = images.map(({ id, alt }) => ({ id, ...(alt === null ? {} : { altText: alt }) }));
  if (shown.length > 1) return { content: { multiImage: { images: shown } } };
  return shown.length === 1 ? { content: { media: shown[0] } } : {};
}

function userinfo(author: string): FakeAnswer {
  return { status: 200, json: { sub: author.split(':').at(-1), name: `Name of ${author}` } };
}

function duplicateOf(urn: string): FakeAnswer {
  return problem(422, `Content is a duplicate of ${urn}`, {
    errorDetails: { inputErrors: [{ description: 'Duplicate post is detected', code: 'DUPLICATE_POST' }] },
  });
}

function problem(status: number, message: string, more: object = {}): FakeAnswer {
  return { status, json: { message, status, ...more } };
}
