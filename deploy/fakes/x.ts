import { parseTweet } from 'twitter-text';
import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import { FakeOAuth, type FakeOAuthOptions } from './fake-oauth';
import { type FakeAnswer, type FakeProtocol, type FakeRequest, type FakeWork, jsonOf } from './fake-provider';
import { type FakeXImage, FakeXMedia, keyOf } from './x-media';
import { type FakeXPost, FakeXView } from './x-view';

/** What a fake of X may be told. Times are milliseconds. */
export interface FakeXOptions {
  readonly clock: Clock;
  /** Tokens, and whose they are. */
  readonly tokens: Readonly<Record<string, FakeXUser>>;
  readonly oauth?: FakeOAuthOptions;
  /** Posts of others that can be answered: their ids, and the names of who wrote them. */
  readonly others?: Readonly<Record<string, string>>;
  /** Posts of a user in 15 minutes. */
  readonly limit?: number;
  /** Posts of a user in a day. */
  readonly perDay?: number;
  /** As X counts them. */
  readonly maxCharacters?: number;
  /** For how long the same text is refused. */
  readonly duplicateMs?: number;
  /** How long after it was taken a post is listed. */
  readonly listedAfterMs?: number;
}

interface FakeXUser {
  readonly id: string;
  readonly username: string;
}

const WINDOW_MS = 900_000;
const DAY_MS = 86_400_000;
const DUPLICATE = 'You are not allowed to create a Tweet with duplicate content.';
const FIRST_ID = 1_990_000_000_000_000_000n;
const OAUTH = {
  path: '/2/oauth2/token',
  isRotating: true,
  hasBasic: true,
  lifetimeMs: 7_200_000,
  wrongToken: { error: 'invalid_request', error_description: 'Value passed for the token was invalid.' },
} as const;
const id = z.string().regex(/^\d{1,19}$/);

const postSchema = z.strictObject({
  text: z.string().min(1),
  media: z.strictObject({ media_ids: z.array(id).min(1).max(4) }).optional(),
  reply: z.strictObject({ in_reply_to_tweet_id: id }).optional(),
  reply_settings: z.enum(['following', 'mentionedUsers', 'subscribers', 'verified']).optional(),
});

const names = (known: readonly string[]) =>
  z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(known)));
const querySchema = z.strictObject({
  max_results: z.coerce.number().int().min(5).max(100).default(10),
  pagination_token: z.string().optional(),
  start_time: z.iso.datetime().optional(),
  exclude: names(['retweets', 'replies']).optional(),
  'tweet.fields': names(['attachments', 'created_at', 'entities', 'note_tweet', 'referenced_tweets']).optional(),
  expansions: names(['attachments.media_keys']).optional(),
  'media.fields': names(['alt_text', 'type']).optional(),
});

/**
 * X, as far as posting and finding one's posts goes. As X does, it puts its own links in the place of all others, escapes `&`, `<` and
 * `>`, puts the name of who is answered before a reply, and refuses the same text for some time without saying which post has it.
 */
export class FakeX implements FakeProtocol {
  readonly name = 'x';
  readonly revoked = new Set<string>();
  readonly media = new FakeXMedia();
  /** Whether the developer account has used up what it paid for. */
  isOutOfCredits = false;
  private readonly kept: FakeXPost[] = [];
  readonly oauth: FakeOAuth;
  private readonly view: FakeXView;

  constructor(private readonly options: FakeXOptions) {
    const { oauth = { clients: {}, refreshTokens: {} }, clock } = options;
    this.oauth = new FakeOAuth(OAUTH, oauth, clock);
    this.view = new FakeXView(options.others ?? {});
  }

  posts(): readonly FakeXPost[] {
    return this.kept;
  }

  publishes({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path === '/2/tweets';
  }

  uploads(request: FakeRequest): boolean {
    return this.media.uploads(request);
  }

  refreshes(request: FakeRequest): boolean {
    return this.oauth.asks(request);
  }

  works(work: FakeWork): void {
    if (work.do === 'stall') this.media.inWork = work.times;
    else this.media.fails = work.times > 0;
  }

  /** It says the same of both. */
  readonly says = {
    expire: problem(401, 'Unauthorized'),
    revoke: problem(401, 'Unauthorized'),
    duplicate: problem(403, DUPLICATE),
  };

  throttled(afterMs: number): FakeAnswer {
    const headers = this.limitHeaders(0, this.options.clock.now() + afterMs);
    return { ...problem(429, 'Too Many Requests'), headers };
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    const { method, path, headers } = request;
    if (this.refreshes(request)) return this.oauth.handle(request);
    const token = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    const owner = this.oauth.ownerOf(token) ?? '';
    const user = Object.hasOwn(this.options.tokens, owner) ? this.options.tokens[owner] : undefined;
    if (user === undefined || this.revoked.has(token)) return problem(401, 'Unauthorized');
    if (this.isOutOfCredits)
      return problem(402, 'Your enrolled account does not have any credits to fulfill this request.');
    if (this.publishes(request)) return this.post(request, user);
    if (path.startsWith('/2/media/')) return this.media.handle(request, user.id);
    if (method !== 'GET') return problem(404, 'Not Found');
    if (path === '/2/users/me') return { status: 200, json: { data: { ...user, name: `Name of ${user.username}` } } };
    const listed = /^\/2\/users\/(\d{1,19})\/tweets$/.exec(path)?.[1];
    return listed === undefined ? problem(404, 'Not Found') : this.list(request, listed);
  }

  private post({ headers, body }: FakeRequest, { id: userId }: FakeXUser): FakeAnswer {
    if (headers['content-type'] !== 'application/json') return problem(415, 'strict: expected application/json');
    const parsed = postSchema.safeParse(jsonOf(body));
    if (!parsed.success) return invalid(`strict: ${z.prettifyError(parsed.error)}`);
    const {
      clock,
      limit = 100,
      perDay = 10_000,
      maxCharacters = 280,
      duplicateMs = DAY_MS,
      others = {},
    } = this.options;
    const now = clock.now();
    const own = this.kept.filter((post) => post.userId === userId);
    const ofToday = own.filter(({ at }) => at > now - DAY_MS);
    if (ofToday.length >= perDay) return { ...problem(429, 'Too Many Requests'), headers: this.dayHeaders(ofToday) };
    const recent = own.filter(({ at }) => at > now - WINDOW_MS);
    if (recent.length >= limit) return this.throttled((recent[0] as FakeXPost).at + WINDOW_MS - now);
    const { media, reply, reply_settings: replySettings } = parsed.data;
    const text = parsed.data.text.normalize('NFC').trim();
    if (text === '' || parseTweet(text).weightedLength > maxCharacters) return invalid('Your Tweet text is too long.');
    const replyTo = reply?.in_reply_to_tweet_id;
    const isThere =
      this.kept.some((post) => post.id === replyTo) || (replyTo !== undefined && Object.hasOwn(others, replyTo));
    if (replyTo !== undefined && !isThere) {
      return problem(403, 'You attempted to reply to a Tweet that is deleted or not visible to you.');
    }
    const images = media === undefined ? [] : this.media.ofPost(media.media_ids, userId);
    if (images === undefined) return invalid('Your media IDs are invalid.');
    const isTwin = (post: FakeXPost) => post.text === text && post.replyTo === replyTo && now - post.at < duplicateMs;
    if (images.length === 0 && own.some((post) => post.images.length === 0 && isTwin(post))) {
      return problem(403, DUPLICATE);
    }
    const added = {
      id: String(FIRST_ID + BigInt(this.kept.length)),
      userId,
      text,
      replyTo,
      replySettings,
      images: images.map((image: FakeXImage) => ({ key: keyOf(image), bytes: image.bytes.length, alt: image.alt })),
      at: now,
    };
    this.kept.push(added);
    const left = this.limitHeaders(limit - recent.length - 1, now + WINDOW_MS);
    return { status: 201, headers: left, json: { data: { id: added.id, text: this.view.of(added).text } } };
  }

  private list({ query }: FakeRequest, userId: string): FakeAnswer {
    const parsed = querySchema.safeParse(Object.fromEntries(query));
    if (!parsed.success) return invalid(`strict: ${z.prettifyError(parsed.error)}`);
    const { max_results: most, pagination_token: token, start_time: start } = parsed.data;
    const { clock, listedAfterMs = 0 } = this.options;
    const newest = this.kept
      .filter(({ at, ...post }) => post.userId === userId && at >= (start === undefined ? 0 : Date.parse(start)))
      .filter(({ at }) => at <= clock.now() - listedAfterMs)
      .toReversed();
    const from = token === undefined ? 0 : Number(token.replace('page-', ''));
    const listed = newest.slice(from, from + most);
    const fields = parsed.data['tweet.fields'] ?? [];
    const data = listed.map((post) => {
      const whole = this.view.of(post);
      return { id: whole.id, text: whole.text, ...Object.fromEntries(fields.map((field) => [field, whole[field]])) };
    });
    const images = parsed.data.expansions === undefined ? [] : listed.flatMap((post) => post.images);
    const media = images.map(({ key, alt }) => ({
      media_key: key,
      type: key.startsWith('7_') ? 'video' : 'photo',
      ...(alt !== null && { alt_text: alt }),
    }));
    const next = from + most < newest.length ? { next_token: `page-${from + most}` } : {};
    return {
      status: 200,
      headers: this.limitHeaders(899, clock.now() + WINDOW_MS),
      json: {
        ...(data.length > 0 && { data }),
        ...(media.length > 0 && { includes: { media } }),
        meta: { result_count: data.length, ...next },
      },
    };
  }

  private limitHeaders(remaining: number, endsAt: number): Record<string, string> {
    const { limit = 100 } = this.options;
    return {
      'x-rate-limit-limit': String(limit),
      'x-rate-limit-remaining': String(Math.max(0, remaining)),
      'x-rate-limit-reset': String(Math.ceil(endsAt / 1_000)),
    };
  }

  /** The shorter window is not used up then, and ends sooner. */
  private dayHeaders(ofToday: readonly FakeXPost[]): Record<string, string> {
    const { clock, perDay = 10_000 } = this.options;
    return {
      ...this.limitHeaders(50, clock.now() + WINDOW_MS),
      'x-user-limit-24hour-limit': String(perDay),
      'x-user-limit-24hour-remaining': '0',
      'x-user-limit-24hour-reset': String(Math.ceil(((ofToday[0] as FakeXPost).at + DAY_MS) / 1_000)),
    };
  }
}

function problem(status: number, detail: string): FakeAnswer {
  return { status, json: { title: titleOf(status), detail, type: 'about:blank', status } };
}

function titleOf(status: number): string {
  return { 401: 'Unauthorized', 402: 'CreditsDepleted', 403: 'Forbidden', 429: 'Too Many Requests' }[status] ?? 'Error';
}

function invalid(detail: string): FakeAnswer {
  const type = 'https://api.x.com/2/problems/invalid-request';
  return { status: 400, json: { title: 'Invalid Request', detail, type, status: 400 } };
}
