import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import { FakeBlueskyBlobs, mediaEmbeds, problem } from './bluesky-blobs';
import { type FakeAnswer, type FakeProtocol, type FakeRequest, jsonOf } from './fake-provider';

/** What a fake PDS may be told. */
export interface FakeBlueskyOptions {
  readonly clock: Clock;
  /** App passwords by handle. */
  readonly passwords: Readonly<Record<string, string>>;
  /** Points of an account in an hour; a post costs two. */
  readonly points?: number;
  /** Sessions of an account that may be opened in five minutes. */
  readonly logins?: number;
}

/** A post, as the fake keeps it. */
export interface FakeBlueskyPost {
  readonly uri: string;
  readonly cid: string;
  readonly handle: string;
  readonly value: z.infer<typeof recordSchema>;
}

const HOUR_MS = 3_600_000;
const LOGIN_WINDOW_MS = 300_000;
const COST = 2;
const MAX_GRAPHEMES = 300;
const MAX_BYTES = 3_000;
const COLLECTION = 'app.bsky.feed.post';
const TID = /^[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}$/;

const reference = z.strictObject({ uri: z.string().startsWith('at://'), cid: z.string().min(1) });
const facet = z.strictObject({
  index: z.strictObject({ byteStart: z.int().min(0), byteEnd: z.int().min(1) }),
  features: z.array(
    z.discriminatedUnion('$type', [
      z.strictObject({ $type: z.literal('app.bsky.richtext.facet#link'), uri: z.url() }),
      z.strictObject({ $type: z.literal('app.bsky.richtext.facet#mention'), did: z.string().startsWith('did:') }),
      z.strictObject({ $type: z.literal('app.bsky.richtext.facet#tag'), tag: z.string().max(640) }),
    ]),
  ),
});
const recordSchema = z.strictObject({
  $type: z.literal(COLLECTION),
  text: z.string(),
  createdAt: z.iso.datetime({ offset: true }),
  facets: z.array(facet).optional(),
  langs: z.array(z.string()).max(3).optional(),
  reply: z.strictObject({ root: reference, parent: reference }).optional(),
  embed: z
    .discriminatedUnion('$type', [
      z.strictObject({
        $type: z.literal('app.bsky.embed.external'),
        external: z.strictObject({ uri: z.url(), title: z.string(), description: z.string() }),
      }),
      ...mediaEmbeds,
    ])
    .optional(),
});
const putSchema = z.strictObject({
  repo: z.string(),
  collection: z.literal(COLLECTION),
  rkey: z.string().regex(TID, 'Invalid TID string'),
  record: recordSchema,
  swapRecord: z.null(),
});
const loginSchema = z.strictObject({ identifier: z.string(), password: z.string() });

/** A server of Bluesky's, as far as posting and finding one's posts goes. */
export class FakeBluesky implements FakeProtocol {
  readonly name = 'bluesky';
  /** Handles whose app password is revoked. Their sessions live on. */
  readonly revoked = new Set<string>();
  /** How many sessions were opened, and refreshed. */
  readonly counts = { opened: 0, refreshed: 0 };
  private readonly kept = new Map<string, FakeBlueskyPost>();
  /** Handles by access token, and by refresh token. */
  private readonly access = new Map<string, string>();
  private readonly refresh = new Map<string, string>();
  /** Tokens of each kind that were ever given: another one is none. */
  private readonly given = { access: new Set<string>(), refresh: new Set<string>() };
  private readonly windows = new Map<string, { endsAt: number; left: number }>();
  private tokens = 0;
  private readonly blobs = new FakeBlueskyBlobs();

  constructor(private readonly options: FakeBlueskyOptions) {}

  posts(): readonly FakeBlueskyPost[] {
    return [...this.kept.values()];
  }

  /** All access tokens have ended; the refresh tokens too, where both is said. */
  expire(both = false): void {
    this.access.clear();
    if (both) this.refresh.clear();
  }

  /** As its owner does. */
  edit(uri: string, text: string): void {
    const post = this.kept.get(uri);
    if (post !== undefined) this.kept.set(uri, { ...post, cid: `${post.cid}x`, value: { ...post.value, text } });
  }

  /** As its owner does. */
  remove(uri: string): void {
    this.kept.delete(uri);
  }

  /** The server has thrown away what no post names. */
  forgetBlobs(): void {
    this.blobs.forget(this.posts());
  }

  uploads({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path === '/xrpc/com.atproto.repo.uploadBlob';
  }

  publishes({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path === '/xrpc/com.atproto.repo.putRecord';
  }

  /** `expire`: the session's token; another session is opened then. `duplicate`: another record has its key. */
  readonly says = {
    expire: problem(400, 'ExpiredToken', 'Token has expired'),
    revoke: problem(400, 'InvalidToken', 'Token could not be verified'),
    duplicate: problem(400, 'InvalidSwap', 'Record was at bafyreia'),
  };

  throttled(afterMs: number): FakeAnswer {
    const reset = Math.ceil((this.options.clock.now() + afterMs) / 1_000);
    const headers = { 'ratelimit-limit': '5000', 'ratelimit-remaining': '0', 'ratelimit-reset': String(reset) };
    return { ...problem(429, 'RateLimitExceeded', 'Rate Limit Exceeded'), headers };
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    const { method, path, headers, query } = request;
    const bearer = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1];
    const name = `${method} ${path.replace(/^\/xrpc\//, '')}`;
    if (name === 'POST com.atproto.server.createSession') return this.login(request);
    if (name === 'POST com.atproto.server.refreshSession') return this.refreshed(bearer ?? '');
    const handle = bearer === undefined ? undefined : this.access.get(bearer);
    if (bearer !== undefined && handle === undefined) {
      return this.given.access.has(bearer)
        ? problem(400, 'ExpiredToken', 'Token has expired')
        : problem(400, 'InvalidToken', 'Token could not be verified');
    }
    if (name === 'GET com.atproto.identity.resolveHandle') return this.resolve(query.get('handle') ?? '');
    if (name === 'GET com.atproto.repo.getRecord') return this.read(query);
    const isUpload = this.uploads(request);
    if (!isUpload && !this.publishes(request)) return problem(501, 'MethodNotImplemented', 'Method Not Implemented');
    if (handle === undefined) return problem(401, 'AuthMissing', 'Authentication Required');
    return isUpload ? this.blobs.upload(request, handle) : this.put(request, handle);
  }

  private login({ headers, body }: FakeRequest): FakeAnswer {
    const parsed = loginSchema.safeParse(jsonOf(body));
    if (headers['content-type'] !== 'application/json' || !parsed.success) {
      return problem(400, 'InvalidRequest', 'strict: expected identifier and password as JSON');
    }
    const { identifier, password } = parsed.data;
    const { passwords, logins = 30 } = this.options;
    const wait = this.spend(`login ${identifier}`, LOGIN_WINDOW_MS, logins, 1);
    if (wait !== undefined) return this.throttled(wait);
    const isRight = Object.hasOwn(passwords, identifier) && passwords[identifier] === password;
    if (!isRight || this.revoked.has(identifier)) {
      return problem(401, 'AuthenticationRequired', 'Invalid identifier or password');
    }
    this.counts.opened++;
    return this.session(identifier);
  }

  private refreshed(token: string): FakeAnswer {
    const handle = this.refresh.get(token);
    if (handle === undefined) {
      return this.given.refresh.has(token)
        ? problem(400, 'ExpiredToken', 'Token has been revoked')
        : problem(400, 'InvalidToken', 'Token could not be verified');
    }
    this.refresh.delete(token);
    this.counts.refreshed++;
    return this.session(handle);
  }

  private session(handle: string): FakeAnswer {
    const number = ++this.tokens;
    const accessJwt = `access-token-${number}-of-${handle}`;
    const refreshJwt = `refresh-token-${number}-of-${handle}`;
    this.access.set(accessJwt, handle);
    this.refresh.set(refreshJwt, handle);
    this.given.access.add(accessJwt);
    this.given.refresh.add(refreshJwt);
    return { status: 200, json: { did: didOf(handle), handle, accessJwt, refreshJwt, active: true } };
  }

  private resolve(handle: string): FakeAnswer {
    if (Object.hasOwn(this.options.passwords, handle)) return { status: 200, json: { did: didOf(handle) } };
    return problem(400, 'InvalidRequest', 'Unable to resolve handle');
  }

  private read(query: URLSearchParams): FakeAnswer {
    const repo = query.get('repo') ?? '';
    const did = repo.startsWith('did:') ? repo : didOf(repo);
    const post = this.kept.get(`at://${did}/${query.get('collection')}/${query.get('rkey')}`);
    if (post === undefined) return problem(400, 'RecordNotFound', 'Could not locate record');
    return { status: 200, json: { uri: post.uri, cid: post.cid, value: post.value } };
  }

  private put({ headers, body }: FakeRequest, handle: string): FakeAnswer {
    if (headers['content-type'] !== 'application/json') return problem(400, 'InvalidRequest', 'strict: expected JSON');
    if (headers['user-agent'] === undefined) return problem(400, 'InvalidRequest', 'strict: expected a user agent');
    const parsed = putSchema.safeParse(jsonOf(body));
    if (!parsed.success) return problem(400, 'InvalidRequest', `strict: ${z.prettifyError(parsed.error)}`);
    const { repo, rkey, record } = parsed.data;
    if (repo !== didOf(handle)) return problem(401, 'AuthenticationRequired', 'Authentication Required');
    const wrong = this.problemOf(record);
    if (wrong !== undefined) return problem(400, 'InvalidRequest', `Invalid ${COLLECTION} record: ${wrong}`);
    const wait = this.spend(`write ${handle}`, HOUR_MS, this.options.points ?? 5_000, COST);
    if (wait !== undefined) return this.throttled(wait);
    const lacking = this.blobs.problemOf(record.embed, handle);
    if (lacking !== undefined) return lacking;
    const uri = `at://${repo}/${COLLECTION}/${rkey}`;
    const there = this.kept.get(uri);
    if (there !== undefined && JSON.stringify(there.value) !== JSON.stringify(record)) {
      return problem(400, 'InvalidSwap', `Record was at ${there.cid}`);
    }
    const post = there ?? { uri, cid: `bafyrei${this.kept.size}`, handle, value: record };
    this.kept.set(uri, post);
    const json = { uri, cid: post.cid, validationStatus: 'valid' };
    return { status: 200, json: there === undefined ? { ...json, commit: { cid: post.cid, rev: rkey } } : json };
  }

  private problemOf({ text, facets = [], reply }: z.infer<typeof recordSchema>): string | undefined {
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_BYTES) return 'Record/text must not be longer than 3000 bytes';
    if ([...new Intl.Segmenter().segment(text)].length > MAX_GRAPHEMES)
      return 'Record/text must not be longer than 300 graphemes';
    if (facets.some(({ index }) => index.byteStart >= index.byteEnd || index.byteEnd > bytes))
      return 'a facet beyond the text';
    const isThere = ({ uri, cid }: z.infer<typeof reference>) => this.kept.get(uri)?.cid === cid;
    if (reply !== undefined && !(isThere(reply.parent) && isThere(reply.root))) return 'a reply to what is not there';
    return undefined;
  }

  /** @returns how long to wait when there is too little left */
  private spend(of: string, windowMs: number, limit: number, cost: number): number | undefined {
    const now = this.options.clock.now();
    const known = this.windows.get(of);
    const window = known !== undefined && known.endsAt > now ? known : { endsAt: now + windowMs, left: limit };
    this.windows.set(of, window);
    if (window.left < cost) return window.endsAt - now;
    window.left -= cost;
    return undefined;
  }
}

function didOf(handle: string): string {
  return `did:plc:${handle.toLowerCase().replace(/[^a-z0-9]/g, '')}`;
}
