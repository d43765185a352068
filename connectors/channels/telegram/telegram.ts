import { z } from 'zod';
import type { Payload } from '../../../topology/payloads/payloads';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import type { MediaFile } from '../media/media-file';
import { type ApiRequest, isUnanswered } from '../provider/api';
import { apiServer } from '../provider/api-server';
import { providerKind } from '../provider/provider-channel';
import { answerOf, meaningOf } from './telegram-answers';
import { photosOf, type TelegramMessage } from './telegram-photos';

const USUAL_SERVER = 'https://api.telegram.org';
/** A request that nobody waits for any more may run on in the server for so long. */
const ACCEPTED_LATE_MS = 30_000;
/** Of a photo. */
const MAX_PHOTO_BYTES = 10_000_000;
const MAX_VIDEO_BYTES = 50_000_000;

const credentials = z.strictObject({
  token: z
    .string()
    .regex(/^\d{3,20}:[A-Za-z0-9_-]{20,128}$/, 'expected the token of a bot, as @BotFather gives it')
    .register(credentialFields, { prompt: 'Bot token', isSecret: true }),
  server: apiServer(USUAL_SERVER),
});
type Credentials = z.infer<typeof credentials>;

/** Messages of bots on Telegram. What the answers mean is in docs/channels.md. */
export const telegram = providerKind({
  name: 'telegram',
  class: 'blind',
  acceptedLateMs: ACCEPTED_LATE_MS,
  limits: { perAccount: { rates: [{ count: 30, windowMs: 1_000 }], gapMs: 0 } },
  credentials,
  originOf: ({ server = USUAL_SERVER }) => new URL(server).origin,
  prepare: messageOf,
  media: {
    types: ['image/jpeg', 'image/png', 'image/webp'],
    maxBytes: MAX_PHOTO_BYTES,
    video: { types: ['video/mp4'], maxBytes: MAX_VIDEO_BYTES, isBesides: true },
  },
  async send(message, { credentials: account, publish, now, files }) {
    const first = await publish(requestOf(account, message, files));
    if (isUnanswered(first)) return first;
    const moved = answerOf(first).movedTo;
    if (moved === undefined) return meaningOf(first, now());
    // The group has become a supergroup. Telegram did not take the message, and says where the chat is now.
    const second = await publish(requestOf(account, { ...message, chat_id: moved }, files));
    return isUnanswered(second) ? second : meaningOf(second, now());
  },
  async whoAmI({ credentials: account, ask }): Promise<WhoAmI> {
    const ended = await ask({ method: 'GET', url: urlOf(account, 'getMe') });
    if (isUnanswered(ended)) return { kind: 'no', reason: ended === 'not_started' ? 'interrupted' : ended.reason };
    const { username, said } = answerOf(ended);
    if (username !== undefined) return { kind: 'ok', name: `@${ended.shown(username)}` };
    return { kind: 'no', reason: `HTTP ${ended.status}: ${said}` };
  },
});

/** The body of the request: a function of the row alone. */
function messageOf(payload: Payload<'telegram'>): TelegramMessage {
  const { chat, text, parseMode, replyTo, topic, linkPreview, silent } = payload;
  return {
    chat_id: chat.startsWith('@') ? chat : Number(chat),
    text,
    ...(parseMode === undefined ? {} : { parse_mode: parseMode }),
    ...(topic === undefined ? {} : { message_thread_id: Number(topic) }),
    ...(replyTo === undefined ? {} : { reply_parameters: { message_id: Number(replyTo) } }),
    ...(linkPreview === undefined ? {} : { link_preview_options: { is_disabled: !linkPreview } }),
    ...(silent === undefined ? {} : { disable_notification: silent }),
  };
}

/** One request for the text and all media, so they are taken together. */
function requestOf(account: Credentials, message: TelegramMessage, files: readonly MediaFile[]): ApiRequest {
  if (files.length === 0) return { method: 'POST', url: urlOf(account, 'sendMessage'), json: message };
  const { method, parts } = photosOf(message, files);
  return { method: 'POST', url: urlOf(account, method), parts };
}

/** The token is in the path, so nobody may be shown a URL. */
function urlOf({ token, server = USUAL_SERVER }: Credentials, method: string): URL {
  return new URL(`/bot${token}/${method}`, server);
}
