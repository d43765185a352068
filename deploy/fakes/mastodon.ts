import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import { type FakeAnswer, type FakeProtocol, type FakeRequest, type FakeWork, jsonOf } from './fake-provider';
import { type FakeImage, FakeMastodonMedia } from './mastodon-media';

/** What a fake server of Mastodon's may be told. Times are milliseconds. */
export interface FakeMastodonOptions {
  readonly clock: Clock;
  /** Tokens, and whose they are. */
  readonly tokens: Readonly<Record<string, string>>;
  readonly maxCharacters?: number;
  /** Requests of a token in five minutes, or in another time. */
  readonly limit?: number;
  readonly windowMs?: number;
  /** How long a key is known. */
  readonly keyLifetimeMs?: number;
  /** How long after a post its key is written: as in Mastodon itself, two requests that overlap both post. */
  readonly keyGapMs?: number;
}

/** A post, as the fake keeps it. */
export interface FakePost {
  readonly id: string;
  readonly account: string;
  readonly key: string | undefined;
  readonly text: string;
  readonly spoiler: string;
  readonly visibility: string;
  readonly language: string | null;
  /** None any more once that was deleted. */
  replyTo: string | null;
  readonly images: readonly FakeImage[];
  /** Epoch milliseconds. */
  readonly at: number;
}

const HOUR_MS = 3_600_000;
const REVOKED = 'The access token was revoked';
const WINDOW_MS = 300_000;
const FIRST_ID = 109_000_000_000_000_000n;
const PAGE = 20;
const MAX_PAGE = 40;

const statusSchema = z.strictObject({
  status: z.string(),
  in_reply_to_id: z.string().optional(),
  sensitive: z.boolean().optional(),
  spoiler_text: z.string().optional(),
  visibility: z.enum(['public', 'unlisted', 'private', 'direct']).optional(),
  language: z.string().optional(),
  media_ids: z.array(z.string()).min(1).max(4).optional(),
});

/** A server of Mastodon's, as far as posting and finding one's posts goes. */
export class FakeMastodon implements FakeProtocol {
  readonly name = 'mastodon';
  readonly revoked = new Set<string>();
  /** Accounts that moderators have limited: what they post publicly is unlisted. */
  readonly silenced = new Set<string>();
  readonly media = new FakeMastodonMedia();
  /** Requests that were refused because there were too many. */
  refused = 0;
  private readonly kept: FakePost[] = [];
  private taken = 0;
  /** Posts by account and key. */
  private readonly keys = new Map<string, FakePost>();
  private readonly windows = new Map<string, { endsAt: number; count: number }>();

  constructor(private readonly options: FakeMastodonOptions) {}

  posts(): readonly FakePost[] {
    return this.kept;
  }

  /** As its owner may. */
  delete(deleted: string): void {
    const index = this.kept.findIndex(({ id }) => id === deleted);
    if (index >= 0) this.kept.splice(index, 1);
    for (const post of this.kept) if (post.replyTo === deleted) post.replyTo = null;
  }

  publishes({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path === '/api/v1/statuses';
  }

  uploads({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path === '/api/v2/media';
  }

  works(work: FakeWork): void {
    if (work.do === 'stall') this.media.inWork = work.times;
    else this.media.fails = work.times > 0;
  }

  /** Its tokens do not end, and of a message that it has it gives the first one. */
  readonly says = { revoke: problem(401, REVOKED) };

  forgets(match: string): void {
    for (const [key, { text }] of this.keys) if (text.includes(match)) this.keys.delete(key);
  }

  throttled(afterMs: number): FakeAnswer {
    return {
      status: 429,
      headers: this.limitHeaders(0, this.options.clock.now() + afterMs),
      json: { error: 'Too many requests' },
    };
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const account = Object.hasOwn(this.options.tokens, token) ? this.options.tokens[token] : undefined;
    if (account === undefined) return problem(401, 'The access token is invalid');
    if (this.revoked.has(token)) return problem(401, REVOKED);
    const { clock, limit = 300 } = this.options;
    const window = this.windowOf(token);
    window.count++;
    if (window.count > limit) {
      this.refused++;
      return this.throttled(window.endsAt - clock.now());
    }
    const answer = await this.answerTo(request, account);
    return { ...answer, headers: { ...this.limitHeaders(limit - window.count, window.endsAt), ...answer.headers } };
  }

  private answerTo(request: FakeRequest, account: string): Promise<FakeAnswer> | FakeAnswer {
    const { method, path } = request;
    if (this.publishes(request)) return this.post(request, account);
    if (this.uploads(request)) return this.media.upload(request, account);
    if (method !== 'GET') return problem(404, 'Record not found');
    const image = /^\/api\/v1\/media\/([^/]+)$/.exec(path)?.[1];
    if (image !== undefined) return this.media.show(image, account);
    if (path === '/api/v1/accounts/verify_credentials')
      return ok({ id: idOf(account), username: account, acct: account });
    const listed = /^\/api\/v1\/accounts\/([^/]+)\/statuses$/.exec(path)?.[1];
    if (listed !== undefined) return this.list(request, listed);
    const [, sought, itsSource] = /^\/api\/v1\/statuses\/([^/]+)(\/source)?$/.exec(path) ?? [];
    const post = this.kept.find(({ id }) => id === sought);
    if (post !== undefined && itsSource === undefined) return ok(statusOf(post));
    if (post === undefined || post.account !== account) return problem(404, 'Record not found');
    return ok({ id: post.id, text: post.text, spoiler_text: post.spoiler });
  }

  private async post({ headers, body }: FakeRequest, account: string): Promise<FakeAnswer> {
    if (headers['content-type'] !== 'application/json') return problem(400, 'strict: expected application/json');
    if (headers['user-agent'] === undefined) return problem(400, 'strict: expected a user agent');
    const parsed = statusSchema.safeParse(jsonOf(body));
    if (!parsed.success) return problem(400, `strict: ${z.prettifyError(parsed.error)}`);
    const { clock, keyLifetimeMs = HOUR_MS, keyGapMs = 50 } = this.options;
    const key =
      headers['idempotency-key'] === undefined ? undefined : `${account} ${String(headers['idempotency-key'])}`;
    const earlier = key === undefined ? undefined : this.keys.get(key);
    if (earlier !== undefined && clock.now() - earlier.at < keyLifetimeMs) return ok(statusOf(earlier));
    const wrong = this.problemOf(parsed.data);
    if (wrong !== undefined) return wrong;
    const { status, spoiler_text, visibility, language, in_reply_to_id, media_ids = [] } = parsed.data;
    const images = this.media.attach(media_ids, account);
    if ('status' in images) return images;
    const post: FakePost = {
      id: String(FIRST_ID + BigInt(this.taken++)),
      account,
      key: headers['idempotency-key'] === undefined ? undefined : String(headers['idempotency-key']),
      text: status.trim(),
      spoiler: (spoiler_text ?? '').trim(),
      visibility: this.visibilityOf(account, visibility),
      language: language ?? null,
      replyTo: in_reply_to_id ?? null,
      images,
      at: clock.now(),
    };
    this.kept.push(post);
    await clock.sleep(keyGapMs);
    if (key !== undefined) this.keys.set(key, post);
    return ok(statusOf(post));
  }

  private visibilityOf(account: string, wanted = 'public'): string {
    return wanted === 'public' && this.silenced.has(account) ? 'unlisted' : wanted;
  }

  private problemOf({
    status,
    spoiler_text = '',
    in_reply_to_id,
  }: z.infer<typeof statusSchema>): FakeAnswer | undefined {
    const { maxCharacters = 500 } = this.options;
    if (status.trim() === '') return problem(422, "Validation failed: Text can't be blank");
    if (lengthOf(status) + characters(spoiler_text) > maxCharacters) {
      return problem(422, `Validation failed: Text character limit of ${maxCharacters} exceeded`);
    }
    if (in_reply_to_id === undefined || this.kept.some(({ id }) => id === in_reply_to_id)) return undefined;
    return problem(404, "The post you're trying to reply to does not appear to exist");
  }

  private list({ query }: FakeRequest, listed: string): FakeAnswer {
    const limit = Math.min(MAX_PAGE, Number(query.get('limit') ?? PAGE));
    const below = BigInt(query.get('max_id') ?? FIRST_ID * 9n);
    const newest = this.kept.toReversed().filter(({ id, account }) => idOf(account) === listed && BigInt(id) < below);
    return ok(newest.slice(0, limit).map(statusOf));
  }

  private windowOf(token: string): { endsAt: number; count: number } {
    const now = this.options.clock.now();
    const known = this.windows.get(token);
    if (known !== undefined && known.endsAt > now) return known;
    const opened = { endsAt: now + (this.options.windowMs ?? WINDOW_MS), count: 0 };
    this.windows.set(token, opened);
    return opened;
  }

  private limitHeaders(remaining: number, endsAt: number): Record<string, string> {
    const { limit = 300 } = this.options;
    return {
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(Math.max(0, remaining)),
      // A time, not seconds.
      'x-ratelimit-reset': new Date(endsAt).toISOString(),
    };
  }
}

function statusOf({ id, account, spoiler, visibility, language, replyTo, text, images, at }: FakePost) {
  return {
    id,
    created_at: new Date(at).toISOString(),
    in_reply_to_id: replyTo,
    spoiler_text: spoiler,
    visibility,
    language,
    uri: `https://mastodon.test/users/${account}/statuses/${id}`,
    url: `https://mastodon.test/@${account}/${id}`,
    content: `<p>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</p>`,
    account: { id: idOf(account), acct: account },
    media_attachments: images.map((image) => ({ id: image.id, type: 'image', description: image.description })),
  };
}

/** As the server counts: words that are URLs have 23 characters, and a mention has none behind its user. */
function lengthOf(text: string): number {
  const words = text.split(/(\s+)/).map((word) => {
    if (/^https?:\/\/./.test(word)) return 'x'.repeat(23);
    return /^@[a-z0-9_]+@/i.test(word) ? word.slice(0, word.indexOf('@', 1)) : word;
  });
  return characters(words.join(''));
}

function characters(text: string): number {
  return [...new Intl.Segmenter().segment(text)].length;
}

function idOf(account: string): string {
  return String(Buffer.from(account).reduce((sum, byte) => (sum * 31 + byte) % 1_000_000_007, 7));
}

function ok(json: unknown): FakeAnswer {
  return { status: 200, json };
}

function problem(status: number, error: string): FakeAnswer {
  return { status, json: { error } };
}
