import type { z } from 'zod';
import { reasonOf } from '../core/errors';
import { bluesky } from './bluesky';
import { discord } from './discord';
import { email } from './email';
import { facebook } from './facebook';
import { instagram } from './instagram';
import { linkedin } from './linkedin';
import { mastodon } from './mastodon';
import type { ObjectSchema, SchemaIssue } from './object-schema';
import { fields, type PayloadField } from './payload-field';
import { slack } from './slack';
import { telegram } from './telegram';
import { threads } from './threads';
import { webhook } from './webhook';
import { x } from './x';

export type { PayloadField } from './payload-field';

/** What the client takes, as compact JSON. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** The same payload as MySQL writes it: a space after each comma and colon makes it half as long again, at most. */
export const MAX_STORED_PAYLOAD_BYTES = MAX_PAYLOAD_BYTES * 1.5;
/**
 * Arrays, objects and their members together, of a payload that a bolt reads: that takes time for each of them, whatever their length, and
 * nothing else goes on meanwhile. 110,000 names of one object within the bytes above take a quarter of a second. A webhook's body is not read.
 */
export const MAX_PAYLOAD_VALUES = 10_000;
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
  x,
  facebook,
  instagram,
  threads,
} satisfies Record<string, z.ZodObject>;

export type ChannelName = keyof typeof payloads;
export type Payload<C extends ChannelName = ChannelName> = z.infer<(typeof payloads)[C]>;

/** The fields of a payload that say how they are typed, in the order of the schema: all of our own do. */
export function payloadFields({ shape }: ObjectSchema): readonly PayloadField[] {
  return Object.entries(shape).flatMap(([name, type]) => {
    const field = fields.get(type as z.ZodType);
    return field === undefined ? [] : [{ name, required: !type.safeParse(undefined).success, ...field }];
  });
}

/** A payload, or one line that names each wrong field. `isFault`: its schema failed, which says nothing of the payload. */
type ParsedPayload<T> =
  | { readonly ok: true; readonly payload: T }
  | { readonly ok: false; readonly reason: string; readonly isFault?: true };

export function parsePayload<C extends ChannelName>(channel: C, value: unknown): ParsedPayload<Payload<C>> {
  return parseBy<Payload<C>>(payloads[channel], value);
}

/** The same for any schema, which may be somebody else's. */
export function parseBy<T>(schema: ObjectSchema, value: unknown): ParsedPayload<T> {
  let result: ReturnType<ObjectSchema['safeParse']>;
  try {
    result = schema.safeParse(withoutNulls(schema, value));
  } catch (error) {
    return {
      ok: false,
      reason: shortened(`payload: the schema of its channel fails: ${reasonOf(error)}`),
      isFault: true,
    };
  }
  if (result.success) return { ok: true, payload: result.data as T };
  const issues = result.error.issues.map(
    (issue) => `payload${issue.path.map((part) => `.${String(part)}`).join('')}: ${messageOf(issue)}`,
  );
  return { ok: false, reason: shortened(issues.join('; ')) };
}

function shortened(reason: string): string {
  return reason.length > MAX_REASON_CHARACTERS ? `${reason.slice(0, MAX_REASON_CHARACTERS)}…` : reason;
}

/** What is wrong with a name of a record stands one level below that it is wrong. */
function messageOf(issue: SchemaIssue): string {
  return issue.code === 'invalid_key' ? (issue.issues?.[0]?.message ?? issue.message) : issue.message;
}

/** Without the fields that are null and may be left out: JSON written by many languages has null for what is not given. */
function withoutNulls({ shape }: ObjectSchema, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const isLeftOut = ([name, field]: [string, unknown]) => {
    const type = field === null && Object.hasOwn(shape, name) ? shape[name] : undefined;
    return type !== undefined && type.safeParse(undefined).success && !type.safeParse(null).success;
  };
  const entries = Object.entries(value);
  return entries.some(isLeftOut) ? Object.fromEntries(entries.filter((entry) => !isLeftOut(entry))) : value;
}
