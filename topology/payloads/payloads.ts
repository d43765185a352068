import type { z } from 'zod';
import { bluesky } from './bluesky';
import { discord } from './discord';
import { email } from './email';
import { linkedin } from './linkedin';
import { mastodon } from './mastodon';
import { fields, type PayloadField } from './payload-field';
import { slack } from './slack';
import { telegram } from './telegram';
import { webhook } from './webhook';

export type { PayloadField } from './payload-field';

/** What the client takes, as compact JSON. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** The same payload as MySQL writes it: a space after each comma and colon makes it half as long again, at most. */
export const MAX_STORED_PAYLOAD_BYTES = MAX_PAYLOAD_BYTES * 1.5;
/** Of the line that says what is wrong: a payload may have thousands of wrong fields. */
const MAX_REASON_CHARACTERS = 500;

/**
 * What a message of each channel must contain. The client checks it when a message is scheduled, and the bolt again when
 * it is sent, because rows may also be written with plain SQL.
 */
export const payloads = {
  webhook,
  mastodon,
  telegram,
  discord,
  slack,
  linkedin,
  email,
  bluesky,
} satisfies Record<string, z.ZodObject>;

export type ChannelName = keyof typeof payloads;
export type Payload<C extends ChannelName = ChannelName> = z.infer<(typeof payloads)[C]>;

/** The fields of a channel's payload, in the order of its schema. */
export function payloadFields(channel: ChannelName): readonly PayloadField[] {
  return Object.entries<z.ZodType>(payloads[channel].shape).map(([name, type]) => {
    const field = fields.get(type);
    if (field === undefined) throw new TypeError(`payload field ${channel}.${name} does not say how it is typed`);
    return { name, required: !type.safeParse(undefined).success, ...field };
  });
}

/** The payload, or one line that names each wrong field. */
export function parsePayload<C extends ChannelName>(
  channel: C,
  value: unknown,
): { readonly ok: true; readonly payload: Payload<C> } | { readonly ok: false; readonly reason: string } {
  const result = payloads[channel].safeParse(withoutNulls(channel, value));
  if (result.success) return { ok: true, payload: result.data as Payload<C> };
  const issues = result.error.issues.map(
    (issue) => `payload${issue.path.map((part) => `.${String(part)}`).join('')}: ${messageOf(issue)}`,
  );
  const reason = issues.join('; ');
  const isLong = reason.length > MAX_REASON_CHARACTERS;
  return { ok: false, reason: isLong ? `${reason.slice(0, MAX_REASON_CHARACTERS)}…` : reason };
}

/** What is wrong with a name of a record stands one level below that it is wrong. */
function messageOf(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
}

/** Without the fields that are null and may be left out: JSON written by many languages has null for what is not given. */
function withoutNulls(channel: ChannelName, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { shape } = payloads[channel] as z.ZodObject;
  const isLeftOut = ([name, field]: [string, unknown]) => {
    const type = field === null && Object.hasOwn(shape, name) ? (shape[name] as z.ZodType) : undefined;
    return type !== undefined && type.safeParse(undefined).success && !type.safeParse(null).success;
  };
  const entries = Object.entries(value);
  return entries.some(isLeftOut) ? Object.fromEntries(entries.filter((entry) => !isLeftOut(entry))) : value;
}
