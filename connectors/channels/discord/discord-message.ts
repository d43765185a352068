import { createHash } from 'node:crypto';
import type { Payload } from '../../../topology/payloads/payloads';
import type { MediaFile } from '../media/media-file';
import type { ApiRequest } from '../provider/api';
import { namePrefixOf } from '../provider/file-names';
import type { FormPart } from '../provider/multipart';

export const USUAL_SERVER = 'https://discord.com';
/** Discord refuses requests whose user agent is not of this form. */
const USER_AGENT = 'DiscordBot (https://www.npmjs.com/package/downspout, 1)';
const NONCE_CHARACTERS = 24;
const SUPPRESS_EMBEDS = 1 << 2;
const SUPPRESS_NOTIFICATIONS = 1 << 12;

/** What an account needs. */
export interface DiscordCredentials {
  readonly token: string;
  readonly server?: string | undefined;
}

/** A message before its key is known. */
export interface DiscordMessage {
  readonly channelId: string;
  /** The body of the request. */
  readonly body: {
    readonly content: string;
    readonly allowed_mentions: { readonly parse: readonly string[] };
    readonly message_reference?: { readonly message_id: string; readonly fail_if_not_exists: true };
    readonly flags?: number;
  };
}

/** A function of the row alone. Whom a message notifies is always said, because Discord would notify everybody. */
export function messageOf(payload: Payload<'discord'>): DiscordMessage {
  const { channelId, text, replyTo, mentions = [], linkPreview, silent } = payload;
  const flags = (linkPreview === false ? SUPPRESS_EMBEDS : 0) | (silent === true ? SUPPRESS_NOTIFICATIONS : 0);
  return {
    channelId,
    body: {
      content: text,
      allowed_mentions: { parse: mentions },
      ...(replyTo === undefined ? {} : { message_reference: { message_id: replyTo, fail_if_not_exists: true } }),
      ...(flags === 0 ? {} : { flags }),
    },
  };
}

/** What a request with images has in place of its JSON. Their names say of which message they are, for a lookup. */
export function partsOf(json: object, images: readonly MediaFile[], idempotencyKey: string): FormPart[] {
  const prefix = namePrefixOf(idempotencyKey);
  const files = images.map((file) => ({ ...file, name: prefix + file.name }));
  const attachments = files.map(({ name, alt }, id) => ({
    id,
    filename: name,
    ...(alt === undefined ? {} : { description: alt }),
  }));
  const text = JSON.stringify({ ...json, attachments });
  const parts = files.map((file, id): FormPart => ({ name: `files[${id}]`, file }));
  return [{ name: 'payload_json', text, type: 'application/json' }, ...parts];
}

/** The key as Discord takes it: at most 25 characters. */
export function nonceOf(idempotencyKey: string): string {
  return createHash('sha256').update(idempotencyKey).digest('base64url').slice(0, NONCE_CHARACTERS);
}

export function requestTo(account: DiscordCredentials, path: string): ApiRequest {
  const { token, server = USUAL_SERVER } = account;
  const url = new URL(`/api/v10${path}`, server);
  const headers = { authorization: `Bot ${token}`, 'user-agent': USER_AGENT };
  return { method: 'GET', url, headers };
}
