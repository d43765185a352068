import { z } from 'zod';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import { isUnanswered } from '../provider/api';
import { apiServer } from '../provider/api-server';
import { providerKind } from '../provider/provider-channel';
import { errorOf, meaningOf } from './discord-answers';
import { findMessage } from './discord-lookup';
import { messageOf, nonceOf, partsOf, requestTo, USUAL_SERVER } from './discord-message';

/** Discord knows a nonce for "the past few minutes" and says no more: this is less than two of them. */
const KEY_LIFETIME_MS = 110_000;
/** A request that nobody waits for any more may run on in the server for so long. */
const ACCEPTED_LATE_MS = 20_000;
const MIB = 1024 ** 2;
/** Discord takes 10 MiB a file and 25 MiB a request, the text with it. */
const MEDIA = {
  types: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'],
  maxBytes: 10 * MIB,
  maxTotalBytes: 24 * MIB,
  video: { types: ['video/mp4', 'video/quicktime'], maxBytes: 10 * MIB, isBesides: true },
} as const;

const credentials = z.strictObject({
  token: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{20,256}$/, 'expected the token of a bot, without "Bot" before it')
    .register(credentialFields, { prompt: 'Bot token', isSecret: true }),
  server: apiServer(USUAL_SERVER),
});

/** Messages of bots on Discord. What the answers mean is in docs/channels.md. */
export const discord = providerKind({
  name: 'discord',
  class: 'idempotent',
  keyLifetimeMs: KEY_LIFETIME_MS,
  acceptedLateMs: ACCEPTED_LATE_MS,
  limits: { perAccount: { rates: [{ count: 50, windowMs: 1_000 }], gapMs: 0 } },
  receiptIs: 'the ids of the channel and the message, as <channel>/<message>',
  credentials,
  originOf: ({ server = USUAL_SERVER }) => new URL(server).origin,
  prepare: messageOf,
  media: MEDIA,
  async send({ channelId, body }, { credentials: account, publish, idempotencyKey, inDoubt, now, files }) {
    const json = { ...body, nonce: nonceOf(idempotencyKey), enforce_nonce: true };
    const request = requestTo(account, `/channels/${channelId}/messages`);
    const sent = files.length === 0 ? { json } : { parts: partsOf(json, files, idempotencyKey) };
    const ended = await publish({ ...request, method: 'POST', ...sent });
    return isUnanswered(ended) ? ended : meaningOf(ended, { inDoubt, now: now() });
  },
  lookup: findMessage,
  async whoAmI({ credentials: account, ask }): Promise<WhoAmI> {
    const ended = await ask(requestTo(account, '/users/@me'));
    if (isUnanswered(ended)) return { kind: 'no', reason: ended === 'not_started' ? 'interrupted' : ended.reason };
    const { username } = (ended.json() ?? {}) as { username?: unknown };
    if (ended.isOk && typeof username === 'string') return { kind: 'ok', name: `@${ended.shown(username)}` };
    return { kind: 'no', reason: `HTTP ${ended.status}: ${errorOf(ended).said}` };
  },
});
