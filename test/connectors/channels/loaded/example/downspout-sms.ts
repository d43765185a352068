import type { ChannelDefinition, Outcome, Reply } from 'downspout/channel';
import { z } from 'zod';

const payload = z.strictObject({
  to: z.string().regex(/^\+[1-9]\d{6,14}$/, 'expected a number such as +4915112345678'),
  text: z.string().min(1).max(1_600),
});
const credentials = z.strictObject({
  server: z.url({ protocol: /^https?$/ }),
  token: z.string().min(8),
});

/** What the gateway's answer to a message means. */
function meaningOf(reply: Reply, now: number): Outcome {
  const { status } = reply;
  const { id } = (reply.json() ?? {}) as { id?: unknown };
  if (reply.isOk && typeof id === 'string') return { kind: 'delivered', status, receipt: reply.shown(id) };
  if (status === 401) {
    return {
      kind: 'unusable',
      status,
      reason: 'The gateway does not take the token any more. Connect the account again',
    };
  }
  if (status === 429) {
    const afterMs = reply.waitMs('retry-after', now) ?? 60_000;
    return { kind: 'retry', status, reason: 'The account has sent as much as it may for now', afterMs };
  }
  // The gateway read no whole request, or did not want it so early.
  if (status === 408 || status === 425) {
    return { kind: 'retry', status, reason: `The gateway did not take the request (HTTP ${status})` };
  }
  // 409: a request with this key is being worked on. What is above 499 says nothing of the message.
  if (status >= 300 && status < 500 && status !== 409) {
    return {
      kind: 'rejected',
      status,
      reason: `The gateway does not take the message (HTTP ${status}: ${reply.shown()})`,
    };
  }
  return { kind: 'unknown', status, reason: `The gateway did not say (HTTP ${status}); it may have the message` };
}

const sms: ChannelDefinition<'sms', typeof payload, typeof credentials> = {
  interface: 1,
  name: 'sms',
  // The gateway keeps an Idempotency-Key for a day, and can be asked for it afterwards.
  class: 'idempotent',
  keyLifetimeMs: 23 * 3_600_000,
  acceptedLateMs: 30_000,
  payload,
  options: {
    to: { option: 'to-number', placeholder: 'number', takes: 'text', description: 'the number of the phone' },
    text: { option: 'text', placeholder: 'text', takes: 'text', description: 'the message' },
  },
  credentials,
  prompts: {
    server: { prompt: 'Server of the gateway', isSecret: false },
    token: { prompt: 'Token', isSecret: true },
  },
  originOf: ({ server }) => new URL(server).origin,

  async send({ to, text }, { credentials: { server, token }, idempotencyKey, publish, now }) {
    const ended = await publish({
      method: 'POST',
      url: new URL('/v1/messages', server),
      headers: { authorization: `Bearer ${token}`, 'idempotency-key': idempotencyKey },
      json: { to, text },
    });
    // Without an answer this is what it means for the message.
    return ended === 'not_started' || ended.kind !== 'answered' ? ended : meaningOf(ended, now());
  },

  async lookup(_, { credentials: { server, token }, idempotencyKey, ask }) {
    const url = new URL(`/v1/messages/${idempotencyKey}`, server);
    const ended = await ask({ method: 'GET', url, headers: { authorization: `Bearer ${token}` } });
    if (ended === 'not_started') return { kind: 'unknown', reason: 'the worker stops' };
    if (ended.kind !== 'answered') return { kind: 'unknown', reason: ended.reason };
    if (ended.isOk) return { kind: 'accepted' };
    return ended.status === 404 ? { kind: 'absent' } : { kind: 'unknown', reason: `HTTP ${ended.status}` };
  },

  async whoAmI({ credentials: { server, token }, ask }) {
    const url = new URL('/v1/account', server);
    const ended = await ask({ method: 'GET', url, headers: { authorization: `Bearer ${token}` } });
    if (ended === 'not_started') return { kind: 'no', reason: 'interrupted' };
    if (ended.kind !== 'answered') return { kind: 'no', reason: ended.reason };
    const { name } = (ended.json() ?? {}) as { name?: unknown };
    if (ended.isOk && typeof name === 'string') return { kind: 'ok', name: ended.shown(name) };
    return { kind: 'no', reason: `HTTP ${ended.status}: ${ended.shown()}` };
  },
};
export default sms;
