import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import type { FakeAnswer, FakeProtocol, FakeRequest, FakeWork } from './fake-provider';

/** What a fake of Instagram or Threads may be told. Times are milliseconds. */
export interface FakeContainersOptions {
  readonly clock: Clock;
  /** Tokens, and the id of the user that each is of. */
  readonly tokens: Readonly<Record<string, string>>;
  /** Posts of a user in moving 24 hours. */
  readonly limit?: number;
}

/** What Meta may say of media instead of fetching them. */
export interface FakeTrouble {
  readonly code: number;
  readonly subcode: number;
  readonly message: string;
}

interface Container {
  readonly id: string;
  readonly user: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly madeAt: number;
  state: 'IN_PROGRESS' | 'FINISHED' | 'PUBLISHED' | 'ERROR' | 'EXPIRED';
  /** How often it is in work before it is done. */
  inWork: number;
  /** Of `ERROR`. */
  why: string | undefined;
}

/** A post, as the fake keeps it. */
export interface FakeContainerPost {
  readonly id: string;
  readonly container: string;
  readonly user: string;
  readonly text: string;
  /** Fields of what is shown: of each item of a carousel, else of the post itself where it has an image or a video. */
  readonly images: readonly Readonly<Record<string, string>>[];
  readonly fields: Readonly<Record<string, string>>;
  readonly at: number;
}

/** What differs between Instagram and Threads. */
export interface ContainerDialect {
  readonly name: string;
  readonly version: string;
  /** Of a refresh of a token. */
  readonly grant: string;
  readonly edges: { readonly create: string; readonly publish: string; readonly limit: string };
  readonly status: { readonly state: string; readonly error: string };
  /** Of a form that makes a container. */
  readonly form: z.ZodType<Readonly<Record<string, string | undefined>>>;
  readonly textField: string;
  /** Why a form that is well-formed is refused. */
  readonly refusal: (fields: Readonly<Record<string, string>>) => FakeTrouble | undefined;
  /** Items of a carousel, at least and at most. */
  readonly items: readonly [number, number];
  readonly permalink: (post: string) => string;
}

const DAY_MS = 86_400_000;
const FIRST_ID = 17_900_000_000_000_000n;
const EXPIRED = refused(190, 463, 'Error validating access token: Session has expired');
const REVOKED = refused(190, 460, 'Error validating access token: the session was invalidated');
const PUBLISHED = refused(100, 0, 'This container was published already');

/**
 * The two steps in which Instagram and Threads publish. A container that is published again is answered with an error that Meta does not
 * document. Containers that are not published end after 24 hours. Its answers carry the header of Meta's usage.
 */
export class FakeContainers implements FakeProtocol {
  readonly name: string;
  readonly revoked = new Set<string>();
  /** Tokens whose sixty days are over. */
  readonly expired = new Set<string>();
  /** Tokens that were given for others: the first of each, and when. */
  private readonly issued = new Map<string, { readonly first: string; readonly at: number }>();
  /** How often the next containers are in work before they are done. */
  inWork = 0;
  /** What becomes of the next containers when they are done: they are finished, or end with this error. */
  failsWith: string | undefined;
  /** Refuses containers with this text in them. */
  readonly unfetchable = new Map<string, FakeTrouble>();
  readonly containers: Container[] = [];
  private readonly kept: FakeContainerPost[] = [];

  constructor(
    private readonly dialect: ContainerDialect,
    private readonly options: FakeContainersOptions,
  ) {
    this.name = dialect.name;
  }

  posts(): readonly FakeContainerPost[] {
    return this.kept;
  }

  publishes({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path.endsWith(`/${this.dialect.edges.publish}`);
  }

  uploads({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path.endsWith(`/${this.dialect.edges.create}`);
  }

  refreshes({ method, path }: FakeRequest): boolean {
    return method === 'GET' && path === '/refresh_access_token';
  }

  /** A publication names its container only. */
  contentOf({ body }: FakeRequest): Buffer {
    const id = new URLSearchParams(String(body)).get('creation_id');
    const container = this.containers.find((one) => one.id === id);
    return container === undefined ? body : Buffer.from(JSON.stringify(container.fields));
  }

  works(work: FakeWork): void {
    if (work.do === 'stall') this.inWork = work.times;
    else this.failsWith = work.times > 0 ? 'INVALID_FORMAT 2207026' : undefined;
  }

  readonly says = { expire: EXPIRED, revoke: REVOKED, duplicate: PUBLISHED };

  throttled(afterMs: number): FakeAnswer {
    const minutes = Math.ceil(afterMs / 60_000);
    const usage = { 1: [{ type: this.name, call_count: 100, estimated_time_to_regain_access: minutes }] };
    const headers = { 'x-business-use-case-usage': JSON.stringify(usage) };
    return { ...refused(4, 0, 'Application request limit reached'), headers };
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    const { method, path, query, headers, body } = request;
    const { tokens } = this.options;
    const token = /^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    const first = this.issued.get(token)?.first ?? token;
    const user = Object.hasOwn(tokens, first) ? tokens[first] : undefined;
    if (user === undefined) return refused(190, 0, 'Invalid OAuth access token - Cannot parse access token');
    if (this.revoked.has(token)) return REVOKED;
    if (this.expired.has(token)) return EXPIRED;
    if (this.refreshes(request)) return this.refresh(query, token, first);
    const [, version, node = '', edge = ''] = path.split('/');
    if (version !== this.dialect.version) return refused(2_635, 0, `strict: expected ${this.dialect.version}`);
    if (method === 'GET') return this.read(node, edge, query, user);
    if (method !== 'POST') return refused(100, 0, 'Unsupported method');
    if (headers['content-type'] !== 'application/x-www-form-urlencoded')
      return refused(100, 0, 'strict: expected a form');
    if (node !== user) return missing(node);
    const form = Object.fromEntries(new URLSearchParams(String(body)));
    if (edge === this.dialect.edges.create) return this.create(form, user);
    return edge === this.dialect.edges.publish ? this.publish(form, user) : missing(edge);
  }

  /** The token of before lives on. */
  private refresh(query: URLSearchParams, token: string, first: string): FakeAnswer {
    const given = Object.fromEntries(query);
    if (JSON.stringify(given) !== JSON.stringify({ grant_type: this.dialect.grant })) {
      return refused(100, 0, `strict: expected grant_type=${this.dialect.grant} alone`);
    }
    const now = this.options.clock.now();
    const { at = now - DAY_MS } = this.issued.get(token) ?? {};
    if (now - at < DAY_MS) return refused(100, 0, 'The token is not 24 hours old');
    const next = `${first}-token-${this.issued.size + 1}`;
    this.issued.set(next, { first, at: now });
    return { status: 200, json: { access_token: next, token_type: 'bearer', expires_in: (60 * DAY_MS) / 1_000 } };
  }

  private read(node: string, edge: string, query: URLSearchParams, user: string): FakeAnswer {
    const fields = (query.get('fields') ?? '').split(',');
    if (edge !== '' && (node !== user || edge !== this.dialect.edges.limit)) return missing(edge);
    if (edge !== '') {
      const { limit = 100 } = this.options;
      const config = { quota_total: limit, quota_duration: DAY_MS / 1_000 };
      return { status: 200, json: { data: [{ quota_usage: this.used(user), config }] } };
    }
    if (node === user) return { status: 200, json: { id: user, username: `name_of_${user}` } };
    const post = this.kept.find((one) => one.id === node && one.user === user);
    if (post !== undefined) return { status: 200, json: { id: node, permalink: this.dialect.permalink(node) } };
    const container = this.containers.find((one) => one.id === node && one.user === user);
    const { state, error } = this.dialect.status;
    if (container === undefined || fields.join() !== `${state},${error}`) return missing(node);
    this.age(container);
    const { why } = container;
    return { status: 200, json: { id: node, [state]: container.state, ...(why && { [error]: why }) } };
  }

  private create(form: Readonly<Record<string, string>>, user: string): FakeAnswer {
    const parsed = this.dialect.form.safeParse(form);
    if (!parsed.success) return refused(100, 0, `strict: ${z.prettifyError(parsed.error)}`);
    const trouble = [...this.unfetchable].find(([text]) => JSON.stringify(form).includes(text))?.[1];
    const refusal = trouble ?? this.dialect.refusal(form) ?? this.carouselTrouble(form, user);
    if (refusal !== undefined) return refused(refusal.code, refusal.subcode, refusal.message);
    const id = String(FIRST_ID + BigInt(this.containers.length));
    const { inWork } = this;
    this.containers.push({
      id,
      user,
      fields: form,
      madeAt: this.options.clock.now(),
      state: 'IN_PROGRESS',
      inWork,
      why: undefined,
    });
    return { status: 200, json: { id } };
  }

  private carouselTrouble({ children }: Readonly<Record<string, string>>, user: string): FakeTrouble | undefined {
    if (children === undefined) return undefined;
    const [least, most] = this.dialect.items;
    const ids = children.split(',');
    if (ids.length < least || ids.length > most) return { code: 36_000, subcode: 2_207_028, message: 'carousel' };
    const items = ids.map((id) => this.containers.find((one) => one.id === id && one.user === user));
    if (items.some((item) => item?.fields['is_carousel_item'] !== 'true' || item.state === 'EXPIRED')) {
      return { code: 100, subcode: 2_207_006, message: 'strict: an item of the carousel is not there' };
    }
    if (items.some((item) => item?.state !== 'FINISHED')) {
      return { code: 9_007, subcode: 2_207_027, message: 'The media is not ready for publishing' };
    }
    return undefined;
  }

  private publish(form: Readonly<Record<string, string>>, user: string): FakeAnswer {
    const container = this.containers.find((one) => one.id === form['creation_id'] && one.user === user);
    if (Object.keys(form).join() !== 'creation_id') return refused(100, 0, 'strict: expected creation_id alone');
    if (container === undefined) return refused(24, 2_207_006, 'The media could not be found');
    if (container.fields['is_carousel_item'] === 'true') return refused(100, 0, 'strict: an item is no post');
    this.age(container);
    if (container.state === 'PUBLISHED') return PUBLISHED;
    if (container.state !== 'FINISHED') return refused(9_007, 2_207_027, 'The media is not ready for publishing');
    const { limit = 100, clock } = this.options;
    if (this.used(user) >= limit) return refused(9, 2_207_042, 'The maximum number of posts has been reached');
    container.state = 'PUBLISHED';
    const { fields, id } = container;
    const children = fields['children']?.split(',') ?? [];
    const shown = children.map((child) => this.containers.find((one) => one.id === child)?.fields ?? {});
    const isAlone = fields['image_url'] !== undefined || fields['video_url'] !== undefined;
    const images = isAlone ? [fields] : shown;
    const text = fields[this.dialect.textField] ?? '';
    const post = `${id}9`;
    this.kept.push({ id: post, container: id, user, text, images, fields, at: clock.now() });
    return { status: 200, json: { id: post } };
  }

  private age(container: Container): void {
    const isOver = this.options.clock.now() - container.madeAt >= DAY_MS;
    if (isOver && container.state !== 'PUBLISHED') container.state = 'EXPIRED';
    if (container.state !== 'IN_PROGRESS' || container.inWork-- > 0) return;
    container.why = this.failsWith;
    container.state = this.failsWith === undefined ? 'FINISHED' : 'ERROR';
  }

  private used(user: string): number {
    const since = this.options.clock.now() - DAY_MS;
    return this.kept.filter((post) => post.user === user && post.at > since).length;
  }
}

function missing(what: string): FakeAnswer {
  return refused(100, 33, `Unsupported request. Object with ID '${what}' does not exist`);
}

function refused(code: number, subcode: number, message: string): FakeAnswer {
  const error = { message, type: 'OAuthException', code, ...(subcode > 0 && { error_subcode: subcode }) };
  return { status: 400, json: { error: { ...error, fbtrace_id: 'A0' } } };
}
