import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';
import { type FakeAnswer, type FakeProtocol, type FakeRequest, jsonOf } from './fake-provider';
import { completionSchema, type FakeSlackFile, FakeSlackFiles } from './slack-files';

/** What a fake of Slack may be told. */
export interface FakeSlackOptions {
  readonly clock: Clock;
  /** Tokens, and the names of the apps that they are of. */
  readonly tokens: Readonly<Record<string, string>>;
  /** Messages to one conversation at once; one more is allowed each second. */
  readonly burst?: number;
  /** Questions in a minute, of all kinds together. */
  readonly questions?: number;
}

/** A message, as the fake keeps it. */
export interface FakeSlackMessage {
  readonly ts: string;
  readonly app: string;
  readonly conversation: string;
  readonly text: string;
  readonly thread: string | undefined;
  readonly unfurl: boolean | undefined;
  readonly metadata: unknown;
  readonly files: readonly FakeSlackFile[];
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
/** A longer text is cut, not refused. */
const MAX_CHARACTERS = 40_000;
const MAX_PAGE = 999;
const CONVERSATION = /^[CGD][A-Z0-9]{6,30}$/;

const messageSchema = z.strictObject({
  channel: z.string(),
  text: z.string(),
  thread_ts: z.string().optional(),
  unfurl_links: z.boolean().optional(),
  unfurl_media: z.boolean().optional(),
  metadata: z
    .strictObject({ event_type: z.string().regex(/^\w+$/), event_payload: z.record(z.string(), z.unknown()) })
    .optional(),
});

type NewMessage = z.infer<typeof messageSchema>;

const querySchema = z.strictObject({
  channel: z.string(),
  ts: z.string().optional(),
  oldest: z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .optional(),
  inclusive: z.enum(['true', 'false']).optional(),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(100),
  include_all_metadata: z.enum(['true', 'false']).optional(),
  cursor: z.string().optional(),
});
type Query = z.infer<typeof querySchema>;

/**
 * Slack, as far as posting and finding one's messages goes. As Slack does, it answers 200 to what it refuses, cuts long texts,
 * shows metadata only when it is asked to, and has a thread's messages in no history but the thread's own.
 */
export class FakeSlack implements FakeProtocol {
  readonly name = 'slack';
  /** Tokens that serve no more, and the word for why. */
  readonly revoked = new Map<string, string>();
  /** Conversations in which the app may not post, and the word for why. */
  readonly closed = new Map<string, string>();
  /** What the next messages are answered, after they were taken or not. */
  readonly errors: { readonly error: string; readonly isTaken: boolean }[] = [];
  /** Whether lists say nothing of files but that they are there. */
  hidesFiles = false;
  private readonly files = new FakeSlackFiles();
  private readonly kept: FakeSlackMessage[] = [];
  private readonly fullAt = new Map<string, number>();
  private lastTs = 0n;
  private window = { endsAt: 0, count: 0 };

  constructor(private readonly options: FakeSlackOptions) {}

  posts(): readonly FakeSlackMessage[] {
    return this.kept;
  }

  publishes({ method, path }: FakeRequest): boolean {
    return method === 'POST' && /^\/api\/(?:chat\.postMessage|files\.completeUploadExternal)$/.test(path);
  }

  uploads(request: FakeRequest): boolean {
    return this.files.uploads(request);
  }

  /** It does not know a message again by anything that it documents. */
  readonly says = { expire: refusal('token_expired'), revoke: refusal('token_revoked') };

  throttled(afterMs: number): FakeAnswer {
    const seconds = Math.max(1, Math.ceil(afterMs / SECOND_MS));
    return { status: 429, headers: { 'retry-after': String(seconds) }, json: { ok: false, error: 'ratelimited' } };
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    const { method, path, headers, body } = request;
    if (this.uploads(request)) return this.files.take(request);
    const name = /^\/api\/([\w.]+)$/.exec(path)?.[1];
    if (name === undefined) return { status: 404, json: { error: 'strict: expected /api/<method>' } };
    if (headers.authorization === undefined) return refusal('not_authed');
    const token = /^Bearer (\S+)$/.exec(headers.authorization)?.[1] ?? '';
    const app = Object.hasOwn(this.options.tokens, token) ? this.options.tokens[token] : undefined;
    if (app === undefined) return refusal('invalid_auth');
    const revoked = this.revoked.get(token);
    if (revoked !== undefined) return refusal(revoked);
    if (method === 'POST' && name === 'files.getUploadURLExternal') return this.files.place(request, app);
    if (method === 'POST' && !/^application\/json(; charset=utf-8)?$/.test(headers['content-type'] ?? '')) {
      return refusal('invalid_post_type', 'strict: expected application/json');
    }
    if (name === 'files.completeUploadExternal' && method === 'POST') return this.complete(jsonOf(body), app);
    if (this.publishes(request)) return this.postText(jsonOf(body), app);
    if (method === 'POST' && name === 'auth.test') return ok({ url: 'https://slack.test/', team: 'Test', user: app });
    if (method === 'GET' && (name === 'conversations.history' || name === 'conversations.replies')) {
      return this.list(request, name === 'conversations.replies');
    }
    return refusal('unknown_method');
  }

  private postText(given: unknown, app: string): FakeAnswer {
    const parsed = messageSchema.safeParse(given);
    if (!parsed.success) return refusal('invalid_arguments', z.prettifyError(parsed.error));
    return this.post(parsed.data, app, () => []);
  }

  private complete(given: unknown, app: string): FakeAnswer {
    const parsed = completionSchema.safeParse(given);
    if (!parsed.success) return refusal('invalid_arguments', z.prettifyError(parsed.error));
    const { files, channel_id: channel, initial_comment: text, thread_ts } = parsed.data;
    return this.post({ channel, text, thread_ts }, app, () => this.files.share(files, app));
  }

  /** @param attach makes the message's files part of it, or says why not */
  private post(message: NewMessage, app: string, attach: () => readonly FakeSlackFile[] | string): FakeAnswer {
    const { channel, text, thread_ts, unfurl_links, metadata } = message;
    const closed = CONVERSATION.test(channel) ? this.closed.get(channel) : 'channel_not_found';
    if (closed !== undefined) return refusal(closed);
    if (text.trim() === '') return refusal('no_text');
    if (
      thread_ts !== undefined &&
      !this.kept.some(({ ts, conversation }) => ts === thread_ts && conversation === channel)
    ) {
      return refusal('thread_not_found');
    }
    const waitMs = this.waitMsFor(channel);
    if (waitMs > 0) return this.throttled(waitMs);
    const ordered = this.errors.shift();
    if (ordered?.isTaken === false) return refusal(ordered.error);
    const files = attach();
    if (typeof files === 'string') return refusal(files);
    const posted: FakeSlackMessage = {
      ts: this.nextTs(),
      app,
      conversation: channel,
      text: text.slice(0, MAX_CHARACTERS),
      thread: thread_ts,
      unfurl: unfurl_links,
      metadata,
      files,
    };
    this.kept.push(posted);
    if (ordered !== undefined) return refusal(ordered.error);
    if (files.length > 0) return ok({ files: files.map(({ id, title }) => ({ id, title })) });
    return ok({ channel, ts: posted.ts, message: shownOf(posted, true) });
  }

  private list({ query }: FakeRequest, isThread: boolean): FakeAnswer {
    const { clock, questions = 50 } = this.options;
    if (this.window.endsAt <= clock.now()) this.window = { endsAt: clock.now() + MINUTE_MS, count: 0 };
    this.window.count++;
    if (this.window.count > questions) return this.throttled(this.window.endsAt - clock.now());
    const parsed = querySchema.safeParse(Object.fromEntries(query));
    if (!parsed.success) return refusal('invalid_arguments', z.prettifyError(parsed.error));
    const asked = parsed.data;
    const closed = this.closed.get(asked.channel);
    if (closed === 'not_in_channel' || closed === 'channel_not_found') return refusal(closed);
    const all = this.kept.filter(({ conversation }) => conversation === asked.channel);
    if (!isThread) return pageOf(all.filter(({ thread }) => thread === undefined).toReversed(), asked, this.hidesFiles);
    const parent = all.find(({ ts }) => ts === asked.ts);
    if (parent === undefined) return refusal('thread_not_found');
    return pageOf([parent, ...all.filter(({ thread }) => thread === parent.ts)], asked, this.hidesFiles);
  }

  /** How long the conversation takes no more messages. */
  private waitMsFor(conversation: string): number {
    const { clock, burst = 5 } = this.options;
    const now = clock.now();
    const fullAt = Math.max(this.fullAt.get(conversation) ?? 0, now - burst * SECOND_MS);
    if (fullAt + SECOND_MS > now) return fullAt + SECOND_MS - now;
    this.fullAt.set(conversation, fullAt + SECOND_MS);
    return 0;
  }

  /** No two messages have the same. */
  private nextTs(): string {
    const now = BigInt(Math.floor(this.options.clock.now())) * 1_000n;
    this.lastTs = now > this.lastTs ? now : this.lastTs + 1n;
    const digits = String(this.lastTs);
    return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
  }
}

function pageOf(messages: readonly FakeSlackMessage[], asked: Query, hidesFiles: boolean): FakeAnswer {
  const { oldest = '0', inclusive, limit, include_all_metadata, cursor } = asked;
  const from = Number(oldest);
  const wanted = messages.filter(({ ts }) => Number(ts) > from || (inclusive === 'true' && Number(ts) === from));
  const start = cursor === undefined ? 0 : Number(Buffer.from(cursor, 'base64').toString());
  const isMore = start + limit < wanted.length;
  return ok({
    messages: wanted
      .slice(start, start + limit)
      .map((one) => shownOf(one, include_all_metadata === 'true', hidesFiles)),
    has_more: isMore,
    ...(isMore ? { response_metadata: { next_cursor: Buffer.from(String(start + limit)).toString('base64') } } : {}),
  });
}

function shownOf(
  { ts, app, text, thread, metadata, files }: FakeSlackMessage,
  hasMetadata: boolean,
  hidesFiles = false,
) {
  const shown = files.map(({ id, name, title }) =>
    hidesFiles ? { id, mode: 'hidden_by_limit' } : { id, name, title },
  );
  return {
    type: 'message',
    ts,
    bot_id: `B${app}`,
    text,
    ...(thread === undefined ? {} : { thread_ts: thread }),
    ...(files.length === 0 ? {} : { subtype: 'file_share', files: shown }),
    ...(hasMetadata && metadata !== undefined ? { metadata } : {}),
  };
}

function ok(more: object): FakeAnswer {
  return { status: 200, json: { ok: true, ...more } };
}

function refusal(error: string, detail?: string): FakeAnswer {
  return { status: 200, json: { ok: false, error, ...(detail === undefined ? {} : { detail }) } };
}
