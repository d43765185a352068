import { UserError } from '../../../topology/core/errors';
import { hasMoreValues, writeJson } from '../../../topology/core/json-text';
import { MAX_SEND_WITHIN_MS, MIN_SEND_WITHIN_MS, type OnLate, onLateWays } from '../../../topology/core/lateness';
import { durationText, parseDurationMs } from '../../../topology/core/quantities';
import { shortJson } from '../../../topology/core/short-json';
import type { MessageId } from '../../../topology/message';
import type { Schemas } from '../../../topology/payloads/given-channel';
import {
  type ChannelName,
  MAX_PAYLOAD_BYTES,
  MAX_PAYLOAD_VALUES,
  type Payload,
  parseBy,
  payloads,
} from '../../../topology/payloads/payloads';
import { checkNamesOfEdit, checkNamesOfMessage } from './field-names';
import { looksLike } from './time-hints';

/** A point in time: a Date, epoch milliseconds, or ISO 8601 with a zone, e.g. `2027-01-31T09:00:00+01:00`. */
export type Time = Date | number | string;

/**
 * A message as an application describes it.
 * @typeParam P its payload, where the channel is none of ours
 */
export interface NewMessage<C extends string = ChannelName, P = C extends ChannelName ? Payload<C> : unknown> {
  /** On whose behalf: 1 to 64 characters. */
  readonly account: string;
  readonly channel: C;
  readonly payload: P;
  /** A time in the past is allowed: the message is sent at once. */
  readonly dueAt: Time;
  /** Scheduling twice under the same key of an account is scheduling once. At most 128 characters. */
  readonly dedupeKey?: string;
  /** What the user typed, when it was a wall time, for display only. */
  readonly localTime?: string;
  readonly zone?: string;
  /** How long after its due time it may be sent, retries included; as its channel says unless given. */
  readonly sendWithin?: SendWithin;
  /** What happens to it afterwards: it is sent all the same, is skipped, or waits for a person; as its channel says unless given. */
  readonly onLate?: OnLate | 'channel';
}

/** Milliseconds, or a text with a unit such as `24h`: 1 s to 49 days. `channel`: as the channel says. */
export type SendWithin = number | string;

/** Names one message. */
export type Target = { readonly id: MessageId } | { readonly account: string; readonly dedupeKey: string };

/** Names one message, by its id alone too. */
export type MessageName = MessageId | Target;

/** What an edit changes. */
export interface EditChange {
  readonly dueAt?: Time;
  /** Must fit the message's channel. */
  readonly payload?: unknown;
  /** The version that the author of the edit saw: the edit is refused if the plan has changed since. */
  readonly version?: number;
  readonly localTime?: string;
  readonly zone?: string;
  readonly sendWithin?: SendWithin;
  readonly onLate?: OnLate | 'channel';
}

export type Edit = Target & EditChange;

/** What a person decided about messages that are `uncertain`. */
export type Decision =
  | {
      /** The provider has it. */
      readonly as: 'delivered';
      /** When it was delivered; now unless given. */
      readonly deliveredAt?: Time;
      readonly receipt?: string;
    }
  /** It is sent again now, although an earlier attempt may have been accepted. */
  | { readonly as: 'retry' };

export type Resolution = Target & Decision;

/** A resolution whose fields are checked. */
export interface CheckedResolution {
  readonly target: Target;
  readonly as: 'delivered' | 'retry';
  /** Epoch milliseconds; null for now. */
  readonly at: number | null;
  readonly receipt: string | null;
}

/** A message whose fields are checked, as the row takes them. */
export interface CheckedMessage {
  readonly account: string;
  readonly channel: string;
  /** JSON text. */
  readonly payload: string;
  /** Epoch milliseconds. */
  readonly dueAt: number;
  readonly dedupeKey: string | null;
  readonly localTime: string | null;
  readonly zone: string | null;
  /** Milliseconds; null: as the channel says. */
  readonly sendWithin: number | null;
  readonly onLate: OnLate | null;
}

/** What the table allows: from 2000 to 2100. Seconds, microseconds and the days of a spreadsheet are outside. */
const MIN_TIME_MS = Date.UTC(2000, 0, 1);
const MAX_TIME_MS = Date.UTC(2100, 0, 1);
/** In place of a message's own policy: its channel's counts. */
const AS_CHANNEL = 'channel';
const ISO =
  /^(?<year>[+-]\d{6}|\d{4})-(?<month>\d\d)-(?<day>\d\d)(?:[Tt ](?<clock>\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)(?<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?)?$/;

/** @throws UserError naming the first field that is wrong, and its value */
export function checkMessage(message: NewMessage<string>, schemas: Schemas = payloads): CheckedMessage {
  checkNamesOfMessage(message);
  return {
    account: checkAccount(message.account),
    channel: checkChannel(message.channel, schemas),
    payload: checkPayload(message.channel, message.payload, schemas),
    dueAt: checkTime('dueAt', message.dueAt),
    dedupeKey: optional(message.dedupeKey, (key) => checkText('dedupeKey', key, 128)),
    localTime: optional(message.localTime, (local) => checkText('localTime', local, 32)),
    zone: optional(message.zone, (zone) => checkText('zone', zone, 64)),
    sendWithin: optional(message.sendWithin, checkSendWithin),
    onLate: optional(message.onLate, checkOnLate),
  };
}

/** @returns milliseconds; null when the channel's counts. @throws UserError */
export function checkSendWithin(value: unknown): number | null {
  if (value === AS_CHANNEL) return null;
  const milliseconds = typeof value === 'string' ? millisecondsOf(value) : value;
  const isWithin = Number.isInteger(milliseconds) && Number(milliseconds) >= MIN_SEND_WITHIN_MS;
  if (isWithin && Number(milliseconds) <= MAX_SEND_WITHIN_MS) return Number(milliseconds);
  const range = `${durationText(MIN_SEND_WITHIN_MS)} to ${durationText(MAX_SEND_WITHIN_MS)}`;
  throw new UserError(
    `sendWithin: expected ${range}, such as 24h, or milliseconds, or channel, got ${shortJson(value)}`,
  );
}

/** @returns null when the channel's counts. @throws UserError */
export function checkOnLate(value: unknown): OnLate | null {
  if (value === AS_CHANNEL) return null;
  if ((onLateWays as readonly unknown[]).includes(value)) return value as OnLate;
  throw new UserError(`onLate: expected ${onLateWays.join(', ')} or channel, got ${shortJson(value)}`);
}

function millisecondsOf(text: string): number | undefined {
  return /^\d+$/.test(text.trim()) ? Number(text) : parseDurationMs(text);
}

/** An edit without its nulls: a field that is null is not given. @throws UserError for a field that is spelled otherwise, and for a version that none can be */
export function checkEdit(edit: Edit): Edit {
  checkNamesOfEdit(edit);
  // Compared with a text, no version is the one that was seen.
  if (!Number.isSafeInteger(edit.version ?? 1)) {
    throw new UserError(`version: expected a number, got ${shortJson(edit.version)}`);
  }
  return Object.fromEntries(Object.entries(edit).filter(([, value]) => value !== null)) as Edit;
}

/** A field that is null is not given, because JSON and many languages know no other way to leave a field out. */
function optional<T, Checked>(value: T | null | undefined, check: (value: T) => Checked): Checked | null {
  return value === undefined || value === null ? null : check(value);
}

export function checkAccount(account: unknown): string {
  return checkText('account', account, 64);
}

/** A channel that has a type of payload; whether the topology has a sender for it is another question. */
export function checkChannel(channel: unknown, schemas: Schemas = payloads): string {
  if (typeof channel === 'string' && Object.hasOwn(schemas, channel)) return channel;
  throw new UserError(
    `channel: expected one of ${Object.keys(schemas).join(', ')}, got ${shortJson(channel)}. ` +
      'A channel of a package is given to createClient({channels: […]}), and named under `channels` in topology.yaml.',
  );
}

/** @returns the payload as JSON text */
export function checkPayload(channel: string, payload: unknown, schemas: Schemas = payloads): string {
  const parsed = parseBy(schemas[checkChannel(channel, schemas)] as Schemas[string], payload);
  if (!parsed.ok) throw new UserError(parsed.reason);
  const json = writeJson(parsed.payload, 'payload');
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_PAYLOAD_BYTES) {
    throw new UserError(`payload: expected at most ${MAX_PAYLOAD_BYTES} bytes of JSON, got ${bytes}`);
  }
  // Only the body of a webhook is sent without being read.
  if (channel !== 'webhook' && hasMoreValues(json, MAX_PAYLOAD_VALUES)) {
    throw new UserError(`payload: expected at most ${MAX_PAYLOAD_VALUES} arrays, objects and members of these`);
  }
  // JSON escapes halves of characters; MySQL's takes none.
  if (/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(json)) throw new UserError('payload: a text is not valid Unicode');
  return json;
}

/**
 * @returns epoch milliseconds
 * @throws UserError for a time without a zone, which means another instant on every machine
 */
export function checkTime(field: string, time: unknown): number {
  const instant = typeof time === 'string' ? parseTime(field, time) : time instanceof Date ? time.getTime() : time;
  if (typeof instant !== 'number' || !Number.isInteger(instant)) {
    const hint =
      typeof time === 'bigint' ? hintAt(Number(time)) : looksLike(typeof time === 'number' ? String(time) : time);
    const wanted = 'a Date, epoch milliseconds, or ISO 8601 with a zone';
    throw new UserError(`${field}: expected ${wanted}, got ${shortJson(time)}${hint}`);
  }
  if (instant >= MIN_TIME_MS && instant <= MAX_TIME_MS) return instant;
  throw new UserError(`${field}: expected a time between 2000 and 2100, got ${shortJson(time)}${hintAt(instant)}`);
}

/** What a number outside the range probably is. */
function hintAt(instant: number): string {
  const units = [
    ['seconds: multiply them by 1000', 1_000],
    ['microseconds: divide them by 1000', 1 / 1_000],
    ['nanoseconds: divide them by 1000000', 1 / 1_000_000],
  ] as const;
  const unit = units.find(([, factor]) => instant * factor >= MIN_TIME_MS && instant * factor <= MAX_TIME_MS);
  if (unit !== undefined) return `, which looks like ${unit[0]}`;
  // Excel counts days since 1899-12-30.
  const asDays = Date.UTC(1899, 11, 30) + instant * 86_400_000;
  return asDays >= MIN_TIME_MS && asDays <= MAX_TIME_MS
    ? ', which looks like a date of a spreadsheet: write it as text'
    : '';
}

function parseTime(field: string, time: string): number {
  const match = ISO.exec(time.trim());
  // Four or eight digits are a year or a date that somebody typed, not milliseconds.
  if (match === null && /^-?\d+$/.test(time) && !/^(?:\d{4}|\d{8})$/.test(time)) return Number(time);
  const { year, month, day, clock, zone } = match?.groups ?? {};
  if (match !== null && zone === undefined) {
    throw new UserError(`${field}: ${shortJson(time)} has no zone; end it with Z or an offset such as +01:00`);
  }
  // Date.parse takes 31 February for 3 March.
  const days = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  if (match === null || Number(day) > days) return Number.NaN;
  const offset = zone?.replace(/^([+-]\d\d):?(\d\d)?$/, (_, hours, minutes) => `${hours}:${minutes ?? '00'}`);
  // No country is further from UTC: somebody has mistyped it.
  if (offset !== undefined && /^[+-](?:1[5-9]|2|14:(?!00))/.test(offset)) return Number.NaN;
  return Date.parse(`${year}-${month}-${day}T${clock?.replace(',', '.')}${offset?.toUpperCase()}`);
}

/** @throws UserError naming the first field that is wrong, and its value */
export function checkResolution(resolution: Resolution): CheckedResolution {
  const target = checkTarget(resolution);
  if (resolution.as === 'retry') return { target, as: 'retry', at: null, receipt: null };
  const { as, deliveredAt, receipt } = resolution;
  if ((as as unknown) !== 'delivered') throw new UserError(`as: expected delivered or retry, got ${shortJson(as)}`);
  return {
    target,
    as,
    at: optional(deliveredAt, (time) => checkTime('deliveredAt', time)),
    receipt: optional(receipt, (given) => checkText('receipt', given, 512)),
  };
}

/** @throws UserError when it is neither an id nor an object that names a message */
export function targetOf(name: unknown): Target {
  if (typeof name === 'number') return { id: name };
  if (typeof name === 'object' && name !== null && ('id' in name || 'account' in name || 'dedupeKey' in name)) {
    return name as Target;
  }
  throw new UserError(`message: expected an id, {id}, or {account, dedupeKey}, got ${shortJson(name)}`);
}

/** @throws UserError naming the target's field */
export function checkTarget(target: Target): Target {
  if ('id' in target) {
    if (Number.isSafeInteger(target.id) && target.id > 0) return target;
    throw new UserError(`id: expected a positive integer, got ${shortJson(target.id)}`);
  }
  return { account: checkAccount(target.account), dedupeKey: checkText('dedupeKey', target.dedupeKey, 128) };
}

/** Characters are counted as the columns count them. */
export function checkText(field: string, value: unknown, longest: number): string {
  if (typeof value !== 'string' || value === '') {
    throw new UserError(`${field}: expected 1 to ${longest} characters, got ${shortJson(value)}`);
  }
  if (value.length > longest && Array.from(value).length > longest) {
    throw new UserError(`${field}: expected 1 to ${longest} characters, got ${Array.from(value).length}`);
  }
  if (/[\ud800-\udfff]/u.test(value)) throw new UserError(`${field}: not valid Unicode: ${shortJson(value)}`);
  return value;
}
