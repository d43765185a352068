import type { Clock } from '../../topology/core/clock';
import { type FakeAttachment, type MessageBody, messageIn } from './discord-attachments';
import type { FakeAnswer, FakeProtocol, FakeRequest } from './fake-provider';

/** What a fake Discord may be told. Times are milliseconds. */
export interface FakeDiscordOptions {
  readonly clock: Clock;
  /** Tokens, and their bots. */
  readonly bots: Readonly<Record<string, { readonly id: string; readonly username: string }>>;
  /** Ids of channels that every bot may write in. */
  readonly channels: readonly string[];
  /** Messages of a bot in a channel in five seconds. */
  readonly limit?: number;
  /** How long a nonce is known. */
  readonly nonceLifetimeMs?: number;
}

/** A message, as the fake keeps it. */
export interface FakeDiscordMessage {
  readonly id: string;
  readonly bot: string;
  readonly channel: string;
  readonly content: string;
  readonly nonce: string | null;
  readonly replyTo: string | null;
  readonly notifies: readonly string[] | null;
  readonly flags: number;
  readonly attachments: readonly FakeAttachment[];
  /** Epoch milliseconds. */
  readonly at: number;
}

const UNAUTHORIZED = problem(401, 0, '401: Unauthorized');
const FIRST_MS = 1_420_070_400_000;
const WINDOW_MS = 5_000;
const USUAL_LIMIT = 5;
const NONCE_MS = 180_000;
const MAX_CHARACTERS = 2_000;
const PAGE = 50;
const MAX_PAGE = 100;

/** Discord's API, as far as a bot's text and finding it goes. */
export class FakeDiscord implements FakeProtocol {
  readonly name = 'discord';
  readonly revoked = new Set<string>();
  /** Why nothing may be written in a channel: an error's number and text. */
  readonly forbids = new Map<string, { readonly code: number; readonly message: string }>();
  /** Channels whose history bots may not read: they are shown an empty list, and no error. */
  readonly unreadable = new Set<string>();
  private readonly kept: FakeDiscordMessage[] = [];
  private readonly deleted = new Set<string>();
  /** Messages whose nonces are known no more. */
  private readonly forgotten = new Set<string>();
  /** By bot and channel. */
  private readonly windows = new Map<string, { endsAt: number; count: number }>();

  constructor(private readonly options: FakeDiscordOptions) {}

  posts(): readonly FakeDiscordMessage[] {
    return this.kept;
  }

  /** As if a moderator had deleted it. */
  delete(id: string): void {
    this.deleted.add(id);
  }

  publishes({ method }: FakeRequest): boolean {
    return method === 'POST';
  }

  /** Its tokens do not end, and of a message that it has it gives the first one. */
  readonly says = { revoke: UNAUTHORIZED };

  forgets(match: string): void {
    for (const { id, content } of this.kept) if (content.includes(match)) this.forgotten.add(id);
  }

  throttled(afterMs: number): FakeAnswer {
    const seconds = afterMs / 1_000;
    return {
      status: 429,
      headers: { ...limitHeaders(0, afterMs), 'retry-after': String(Math.ceil(seconds)), 'x-ratelimit-scope': 'user' },
      json: { message: 'You are being rate limited.', retry_after: seconds, global: false },
    };
  }

  async handle({ method, path, query, headers, body }: FakeRequest): Promise<FakeAnswer> {
    if (!/^DiscordBot \(https?:\/\/\S+, [\d.]+\)/.test(headers['user-agent'] ?? '')) {
      return problem(403, 40_333, 'internal network error');
    }
    const token = /^Bot (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    const bot = Object.hasOwn(this.options.bots, token) ? this.options.bots[token] : undefined;
    if (bot === undefined || this.revoked.has(token)) return UNAUTHORIZED;
    if (method === 'GET' && path === '/api/v10/users/@me') return ok({ ...bot, bot: true, discriminator: '0' });
    const [, channel = '', messages] = /^\/api\/v10\/channels\/(\d+)(\/messages)?$/.exec(path) ?? [];
    if (!this.options.channels.includes(channel)) return problem(404, 10_003, 'Unknown Channel');
    if (method === 'GET') return messages === undefined ? this.show(channel) : this.list(channel, query);
    if (method !== 'POST' || messages === undefined) return problem(405, 0, '405: Method Not Allowed');
    const read = messageIn(headers['content-type'], body);
    if ('wrong' in read) return invalid('strict', read.wrong);
    if (read.isTooLarge) return problem(413, 40_005, 'Request entity too large');
    return this.take(bot.id, channel, read);
  }

  private take(bot: string, channel: string, { message: given, attachments }: MessageBody): FakeAnswer {
    const { clock, limit = USUAL_LIMIT, nonceLifetimeMs = NONCE_MS } = this.options;
    const forbids = this.forbids.get(channel);
    if (forbids !== undefined) return problem(403, forbids.code, forbids.message);
    const window = this.windowOf(`${bot} ${channel}`);
    window.count++;
    if (window.count > limit) return this.throttled(window.endsAt - clock.now());
    const headers = limitHeaders(limit - window.count, window.endsAt - clock.now());
    const nonce = given.nonce ?? null;
    const isKnown = ({ id, at }: FakeDiscordMessage) => clock.now() - at < nonceLifetimeMs && !this.forgotten.has(id);
    const earlier = this.kept.find((one) => nonce !== null && one.bot === bot && one.nonce === nonce && isKnown(one));
    if (given.enforce_nonce === true && earlier !== undefined) {
      if (this.deleted.has(earlier.id)) return problem(404, 10_008, 'Unknown Message');
      return { ...ok({ ...shown(earlier), nonce }), headers };
    }
    const content = given.content.trim();
    if (content === '') return problem(400, 50_006, 'Cannot send an empty message');
    const characters = Array.from(content).length;
    if (characters > MAX_CHARACTERS) return invalid('content', `Must be ${MAX_CHARACTERS} or fewer in length.`);
    const replyTo = given.message_reference?.message_id ?? null;
    if (replyTo !== null && !this.in(channel).some(({ id }) => id === replyTo)) {
      return invalid('message_reference', 'Unknown message');
    }
    const at = clock.now();
    const message: FakeDiscordMessage = {
      id: String((BigInt(at - FIRST_MS) << 22n) + BigInt(this.kept.length % 4_096)),
      bot,
      channel,
      content,
      nonce,
      replyTo,
      notifies: given.allowed_mentions?.parse ?? null,
      flags: given.flags ?? 0,
      attachments,
      at,
    };
    this.kept.push(message);
    return { ...ok({ ...shown(message), nonce }), headers };
  }

  /** What can be seen in a channel, the oldest first. */
  private in(channel: string): readonly FakeDiscordMessage[] {
    return this.kept.filter((one) => one.channel === channel && !this.deleted.has(one.id));
  }

  private show(channel: string): FakeAnswer {
    const last = this.kept.findLast((one) => one.channel === channel);
    return ok({ id: channel, type: 0, last_message_id: last?.id ?? null });
  }

  /** The oldest messages behind `after`, the newest of them first; without their nonces. */
  private list(channel: string, query: URLSearchParams): FakeAnswer {
    if (this.unreadable.has(channel)) return ok([]);
    const limit = Math.min(MAX_PAGE, Number(query.get('limit') ?? PAGE));
    const after = BigInt(query.get('after') ?? 0);
    const newer = this.in(channel).filter(({ id }) => BigInt(id) > after);
    return ok(newer.slice(0, limit).toReversed().map(shown));
  }

  private windowOf(whose: string): { endsAt: number; count: number } {
    const now = this.options.clock.now();
    const known = this.windows.get(whose);
    if (known !== undefined && known.endsAt > now) return known;
    const opened = { endsAt: now + WINDOW_MS, count: 0 };
    this.windows.set(whose, opened);
    return opened;
  }
}

function shown({ id, channel, content, bot, replyTo, flags, attachments: kept, at }: FakeDiscordMessage) {
  const reference =
    replyTo === null ? {} : { message_reference: { type: 0, message_id: replyTo, channel_id: channel } };
  const author = { id: bot, bot: true };
  const attachments = kept.map(({ filename, bytes, description }) => ({ filename, size: bytes, description }));
  const timestamp = new Date(at).toISOString();
  return { id, channel_id: channel, content, author, flags, timestamp, attachments, ...reference };
}

function limitHeaders(remaining: number, afterMs: number): Record<string, string> {
  return {
    'x-ratelimit-limit': String(USUAL_LIMIT),
    'x-ratelimit-remaining': String(Math.max(0, remaining)),
    'x-ratelimit-reset-after': String(afterMs / 1_000),
    'x-ratelimit-bucket': 'messages',
  };
}

function ok(json: unknown): FakeAnswer {
  return { status: 200, json };
}

function problem(status: number, code: number, message: string): FakeAnswer {
  return { status, json: { message, code } };
}

function invalid(field: string, message: string): FakeAnswer {
  const errors = { [field]: { _errors: [{ code: 'BASE_TYPE_BAD', message }] } };
  return { status: 400, json: { message: 'Invalid Form Body', code: 50_035, errors } };
}
