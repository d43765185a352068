import { z } from 'zod';
import { type FakeAnswer, type FakeProtocol, type FakeRequest, jsonOf } from '../../../deploy/fakes/fake-provider';

/** A message, as the gateway keeps it. */
interface FakeSmsMessage {
  readonly id: string;
  readonly key: string;
  readonly to: string;
  readonly text: string;
}

/** A number that the gateway does not know. */
export const NOBODY = '+19990000000';
/** Messages to +19990000408 are answered by 408, and so on. */
const ANSWERS = /^\+19990000([345]\d\d)$/;

const messageSchema = z.strictObject({ to: z.string(), text: z.string().min(1).max(1_600) });
const UNKNOWN: FakeAnswer = { status: 404, json: { error: 'unknown' } };

/** The gateway of the example in docs/writing-a-channel.md: it keeps a key for ever, and can be asked for it. */
export class FakeSms implements FakeProtocol {
  readonly name = 'sms';
  private readonly messages = new Map<string, FakeSmsMessage>();

  /** @param tokens of accounts, and the accounts' names */
  constructor(private readonly tokens: Readonly<Record<string, string>>) {}

  posts(): readonly FakeSmsMessage[] {
    return [...this.messages.values()];
  }

  publishes({ method, path }: FakeRequest): boolean {
    return method === 'POST' && path === '/v1/messages';
  }

  throttled(afterMs: number): FakeAnswer {
    const headers = { 'retry-after': String(Math.ceil(afterMs / 1_000)) };
    return { status: 429, headers, json: { error: 'too many' } };
  }

  async handle(request: FakeRequest): Promise<FakeAnswer> {
    const { method, path, headers } = request;
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1] ?? '';
    const account = Object.hasOwn(this.tokens, token) ? this.tokens[token] : undefined;
    if (account === undefined) return { status: 401, json: { error: 'this token is not valid' } };
    if (method === 'GET' && path === '/v1/account') return { status: 200, json: { name: account } };
    const asked = /^\/v1\/messages\/(.+)$/.exec(path)?.[1];
    if (method === 'GET' && asked !== undefined) {
      const found = this.messages.get(asked);
      return found === undefined ? UNKNOWN : { status: 200, json: { id: found.id } };
    }
    return this.publishes(request) ? this.take(request) : UNKNOWN;
  }

  private take({ headers, body }: FakeRequest): FakeAnswer {
    const key = headers['idempotency-key'];
    const parsed = messageSchema.safeParse(jsonOf(body));
    if (typeof key !== 'string' || !/^application\/json\b/.test(headers['content-type'] ?? '') || !parsed.success) {
      return { status: 400, json: { error: 'not as documented' } };
    }
    if (parsed.data.to === NOBODY) return { status: 422, json: { error: 'nobody has this number' } };
    const status = ANSWERS.exec(parsed.data.to)?.[1];
    if (status !== undefined) return { status: Number(status), json: { error: 'as you like' } };
    const message = this.messages.get(key) ?? { id: `m-${this.messages.size + 1}`, key, ...parsed.data };
    this.messages.set(key, message);
    return { status: 201, json: { id: message.id } };
  }
}
