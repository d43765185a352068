import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import { type FakeAnswer, type FakeProtocol, type FakeRequest, jsonOf } from './fake-provider';
import { type FakePhoto, photosIn } from './telegram-photos';

/** A chat that bots may know. */
interface FakeChat {
  readonly id: number;
  readonly type: 'private' | 'group' | 'supergroup' | 'channel';
  /** Without its @. */
  readonly username?: string;
  /** Why nothing is taken: the text of a 403. */
  readonly forbids?: string;
  /** The number that the group has since it is a supergroup. */
  readonly movedTo?: number;
}

/** What a fake Telegram may be told. */
export interface FakeTelegramOptions {
  readonly clock: Clock;
  /** Tokens, and the user names of their bots. */
  readonly bots: Readonly<Record<string, string>>;
  readonly chats: readonly FakeChat[];
  /** Messages of a bot to a chat in a minute. */
  readonly limit?: number;
}

/** A message, as the fake keeps it. */
export interface FakeMessage {
  readonly id: number;
  readonly bot: string;
  readonly chat: number;
  readonly text: string;
  readonly parseMode: string | null;
  readonly replyTo: number | null;
  readonly topic: number | null;
  readonly preview: boolean;
  readonly silent: boolean;
  readonly photos: readonly FakePhoto[];
}

const WINDOW_MS = 60_000;
/** In a group; it is one a second elsewhere. */
const USUAL_LIMIT = 20;
const MAX_UNITS = 4_096;
const MAX_CAPTION_UNITS = 1_024;
const SENDS = /\/(?:sendMessage|sendPhoto|sendVideo|sendMediaGroup)$/;
const TAGS = 'b|strong|i|em|u|ins|s|strike|del|code|pre|blockquote|tg-spoiler|a|span';
const TAG = new RegExp(`<(/?)(${TAGS})(?: [a-z]+="[^"<>]*")*>`, 'g');

const messageSchema = z.strictObject({
  chat_id: z.union([z.int(), z.string()]),
  text: z.string(),
  parse_mode: z.enum(['HTML', 'MarkdownV2']).optional(),
  message_thread_id: z.int().optional(),
  reply_parameters: z.strictObject({ message_id: z.int() }).optional(),
  link_preview_options: z.strictObject({ is_disabled: z.boolean() }).optional(),
  disable_notification: z.boolean().optional(),
});

/** Telegram's Bot API, as far as sending text goes. It knows no keys: what is sent twice is there twice. */
export class FakeTelegram implements FakeProtocol {
  readonly name = 'telegram';
  readonly revoked = new Set<string>();
  private readonly kept: FakeMessage[] = [];
  /** By bot and chat. */
  private readonly windows = new Map<string, { endsAt: number; count: number }>();

  constructor(private readonly options: FakeTelegramOptions) {}

  posts(): readonly FakeMessage[] {
    return this.kept;
  }

  publishes({ method, path }: FakeRequest): boolean {
    return method === 'POST' && SENDS.test(path);
  }

  /** Its tokens do not end, and it knows no message again. */
  readonly says = { revoke: problem(401, 'Unauthorized') };

  throttled(afterMs: number): FakeAnswer {
    const seconds = Math.ceil(afterMs / 1_000);
    const answer = problem(429, `Too Many Requests: retry after ${seconds}`, { retry_after: seconds });
    return { ...answer, headers: { 'retry-after': String(seconds) } };
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    const [, token = '', called = ''] = /^\/bot(\d+:[\w-]+)\/(\w+)$/.exec(request.path) ?? [];
    if (token === '') return problem(404, 'Not Found');
    const bot = Object.hasOwn(this.options.bots, token) ? this.options.bots[token] : undefined;
    if (bot === undefined || this.revoked.has(token)) return problem(401, 'Unauthorized');
    if (called === 'getMe') return ok({ id: Number.parseInt(token, 10), is_bot: true, first_name: bot, username: bot });
    if (!this.publishes(request)) return problem(404, 'Not Found: method not found');
    if (called !== 'sendMessage') {
      const read = photosIn(called, request);
      return typeof read === 'string' ? refusal(read) : this.take(read.message, bot, read.photos);
    }
    if (request.headers['content-type'] !== 'application/json') return refusal('strict: expected application/json');
    return this.take(jsonOf(request.body), bot, []);
  }

  private take(given: unknown, bot: string, photos: readonly FakePhoto[]): FakeAnswer {
    const parsed = messageSchema.safeParse(given);
    if (!parsed.success) return refusal(`strict: ${z.prettifyError(parsed.error)}`);
    const { chat_id: wanted, message_thread_id: topic, parse_mode: parseMode, ...rest } = parsed.data;
    const chat = this.options.chats.find(({ id, username }) => id === wanted || `@${username}` === wanted);
    if (chat === undefined) return refusal('chat not found');
    if (chat.forbids !== undefined) return problem(403, `Forbidden: ${chat.forbids}`);
    if (chat.movedTo !== undefined) {
      return refusal('group chat was upgraded to a supergroup chat', { migrate_to_chat_id: chat.movedTo });
    }
    const waitMs = this.waitMs(`${bot} ${chat.id}`);
    if (waitMs > 0) return this.throttled(waitMs);
    const seen = parseMode === 'HTML' ? textIn(rest.text) : rest.text;
    if (seen === undefined) return refusal("can't parse entities: unsupported or unclosed tag");
    if (seen.trim() === '') return refusal('message text is empty');
    const most = photos.length === 0 ? MAX_UNITS : MAX_CAPTION_UNITS;
    if (parseMode !== 'MarkdownV2' && seen.trim().length > most) {
      return refusal(photos.length === 0 ? 'message is too long' : 'message caption is too long');
    }
    const replyTo = rest.reply_parameters?.message_id ?? null;
    if (replyTo !== null && !this.kept.some(({ id, chat: other }) => id === replyTo && other === chat.id)) {
      return refusal('message to be replied not found');
    }
    const id = this.kept.length + 1;
    this.kept.push({
      id,
      bot,
      chat: chat.id,
      text: rest.text,
      parseMode: parseMode ?? null,
      replyTo,
      topic: topic ?? null,
      preview: rest.link_preview_options?.is_disabled !== true,
      silent: rest.disable_notification === true,
      photos,
    });
    const { type, username } = chat;
    const date = Math.floor(this.options.clock.now() / 1_000);
    const message = {
      message_id: id,
      date,
      chat: { id: chat.id, type, ...(username === undefined ? {} : { username }) },
    };
    return ok(photos.length > 1 ? photos.map((_, n) => ({ ...message, message_id: id + n })) : message);
  }

  /** How long the bot has to wait for the chat; 0 when it need not. */
  private waitMs(whose: string): number {
    const { clock, limit = USUAL_LIMIT } = this.options;
    const now = clock.now();
    const known = this.windows.get(whose);
    const window = known !== undefined && known.endsAt > now ? known : { endsAt: now + WINDOW_MS, count: 0 };
    this.windows.set(whose, window);
    window.count++;
    return window.count > limit ? window.endsAt - now : 0;
  }
}

/** What readers see of a text with tags; undefined when a tag is unknown or not closed. */
function textIn(html: string): string | undefined {
  const open: string[] = [];
  let isWrong = false;
  const text = html.replace(TAG, (_, slash: string, name: string) => {
    if (slash === '') open.push(name);
    else isWrong ||= open.pop() !== name;
    return '';
  });
  if (isWrong || open.length > 0 || text.includes('<')) return undefined;
  return text.replace(/&(?:lt|gt|amp|quot);/g, 'x');
}

function ok(result: object): FakeAnswer {
  return { status: 200, json: { ok: true, result } };
}

function refusal(description: string, parameters?: object): FakeAnswer {
  return problem(400, `Bad Request: ${description}`, parameters);
}

function problem(status: number, description: string, parameters?: object): FakeAnswer {
  const more = parameters === undefined ? {} : { parameters };
  return { status, json: { ok: false, error_code: status, description, ...more } };
}
