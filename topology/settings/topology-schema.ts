import { z } from 'zod';
import { backlogOrders, DAY_MS, MAX_SEND_WITHIN_MS, MIN_SEND_WITHIN_MS, onLateWays } from '../core/lateness';
import type { Limits, Quota } from '../core/limits';
import { durationText, parseDurationMs, parseSizeBytes, sizeText } from '../core/quantities';
import { SPOUT } from '../streams';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;
const MIB = 1_024 ** 2;
const ON_LATE_ERROR = `expected ${onLateWays.join(', ')}`;

/** A whole number. Its range stands in the description, in the error and in the JSON Schema. */
function count(description: string, fallback: number, most: number) {
  return whole(description, most)
    .default(fallback)
    .meta({ description: `${description}: 1 to ${most}.` });
}

function whole(description: string, most: number) {
  const error = `expected a whole number from 1 to ${most}`;
  return z
    .int({ error })
    .min(1, { error })
    .max(most, { error })
    .meta({ description: `${description}: 1 to ${most}.` });
}

const DURATION = {
  parse: parseDurationMs,
  show: durationText,
  units: 'ms|s|min|m|h|d|w',
  example: '30s',
  noun: 'a time',
} as const;

/** Milliseconds, written with a unit; a bare number is milliseconds. */
function duration(description: string, fallback: string, least: number, most: number) {
  return quantity(description, fallback, { ...DURATION, least, most });
}

/** Bytes, written with a unit; a bare number is bytes. */
function size(description: string, fallback: string, least: number, most: number) {
  const form = { parse: parseSizeBytes, show: sizeText, units: 'B|KiB|MiB|GiB', example: '128MiB' };
  return quantity(description, fallback, { ...form, noun: 'a size', least, most });
}

const RATE_ERROR = 'expected requests and a time, with its unit, from 1s to 7d, for example 100/15min';
const RATE = /^(\d{1,7})\s*\/\s*(\d+(?:\.\d+)?\s*(?:s|min|m|h|d|w))$/;
const MAX_GAP_MS = HOUR_MS;
const MAX_WINDOW_MS = 7 * DAY_MS;

/** `100/15min`: so many requests in any 15 minutes. */
function rate() {
  return z
    .string({ error: RATE_ERROR })
    .regex(RATE, { error: RATE_ERROR })
    .transform((value, context) => {
      const [, requests = '', window = ''] = RATE.exec(value) ?? [];
      const parsed = { count: Number(requests), windowMs: parseDurationMs(window) ?? 0 };
      if (parsed.count >= 1 && parsed.windowMs >= SECOND_MS && parsed.windowMs <= MAX_WINDOW_MS) return parsed;
      context.addIssue({ code: 'custom', message: RATE_ERROR, input: value });
      return z.NEVER;
    })
    .optional()
    .meta({ description: 'So many requests within any such time, from 1s to 7d, for example 100/15min.' });
}

const GAP = { ...DURATION, least: 0, most: MAX_GAP_MS };
export const quotaFields = {
  rate: rate(),
  perDay: whole('How many requests within any 24 hours', 10_000_000).optional(),
  gap: given(GAP, errorOf(GAP))
    .optional()
    .meta({ description: `How far apart two requests begin at least: ${rangeOf(GAP)}.` }),
};

function quota(of: string) {
  return z
    .strictObject(quotaFields)
    .meta({ description: `What may be sent of ${of}; nothing in it: as much as is due.` })
    .transform(({ rate: own, perDay, gap: gapMs = 0 }): Quota => {
      const day = perDay === undefined ? [] : [{ count: perDay, windowMs: DAY_MS }];
      return { rates: [...(own === undefined ? [] : [own]), ...day], gapMs };
    });
}

export const limitFields = {
  perAccount: quota('one account').optional(),
  perApp: quota('all accounts together, which are connected by one app').optional(),
};

function limits() {
  return z
    .strictObject(limitFields)
    .transform((own): Limits => own)
    .optional()
    .meta({
      description:
        'How much is sent, however much is due, each with rate, perDay and gap; where one is missing what its provider documents: perAccount or perApp.',
    });
}

/** As providers name them. YAML reads 202605 as a number. */
function version(description: string) {
  const error = 'expected a version, such as 202605';
  return z
    .union([z.int({ error }).min(1, { error }), z.string({ error }).regex(/^[0-9A-Za-z.]{1,20}$/, { error })], {
      error,
    })
    .transform(String)
    .meta({ description: `${description}: letters, digits and dots, such as 202605.` });
}

interface QuantityForm {
  readonly noun: string;
  readonly units: string;
  readonly example: string;
  readonly least: number;
  readonly most: number;
  readonly parse: (text: string) => number | undefined;
  readonly show: (value: number) => string;
}

function quantity(description: string, fallback: string, form: QuantityForm) {
  return (
    given(form, errorOf(form))
      // Otherwise the default would be of the parsed kind, and a file without the field could not be told from one with it.
      .prefault(fallback)
      .meta({ description: `${description}: ${rangeOf(form)}.`, default: fallback })
  );
}

/** Milliseconds; null for `none`, and undefined when the file does not have it. */
function durationOrNone(description: string, least: number, most: number) {
  const form = { ...DURATION, least, most };
  const error = `${errorOf(form)}, or none`;
  return z
    .union([z.literal('none', { error }).transform(() => null), given(form, error)], { error })
    .optional()
    .meta({ description: `${description}: ${rangeOf(form)}, or none.` });
}

function given({ least, most, units, parse }: QuantityForm, error: string) {
  const number = z.int({ error }).min(least, { error }).max(most, { error });
  const text = z.string({ error }).regex(new RegExp(`^\\d+(\\.\\d+)?\\s*(${units})$`), { error });
  return z
    .union([number, text], { error })
    .transform((value) => (typeof value === 'number' ? value : (parse(value) ?? Number.NaN)))
    .pipe(number);
}

function rangeOf({ least, most, show }: QuantityForm): string {
  return `${show(least)} to ${show(most)}`;
}

function errorOf(form: QuantityForm): string {
  const { noun, units, example } = form;
  return `expected ${noun} from ${rangeOf(form)}, with its unit (${units.replaceAll('|', ', ')}), for example ${example}`;
}

/** Of workers of a component. */
export const MAX_REPLICAS = 256;

export const spoutFields = {
  replicas: count('How many workers run it', 2, MAX_REPLICAS),
  partitions: count('How many partitions schedule-changes has; the shards are spread over them', 8, 256),
  lead: duration('How long before its wake a message is emitted', '2s', 0, 60 * SECOND_MS),
  reconcileInterval: duration('How often the open rows are gone over', '2s', 100, HOUR_MS),
  maxPending: count('How many messages of a channel may be emitted and not yet acked', 50_000, 1_000_000),
  maxPendingPerAccount: count('The same for one account', 1_000, 1_000_000),
  maxEntries: count('How many rows of the near future are kept in memory, per channel', 200_000, 10_000_000),
};

export const boltFields = {
  replicas: count('How many workers run it', 2, MAX_REPLICAS),
  partitions: count("How many partitions the channel's stream has; accounts are spread over them", 8, 256),
  concurrency: count(
    'How many requests of a worker may be in flight; besides, as many that a quick host has not answered for a second',
    256,
    10_000,
  ),
  perAccount: count('How many of them for one account', 32, 10_000),
  perOrigin: count('How many of them to one origin: scheme, host and port', 256, 10_000),
  claimBatch: count('How many messages are claimed at once', 500, 5_000),
  claimAheadMax: duration(
    'How long before its instant a crowd, or what another worker takes over, may be claimed; 0 switches it off',
    '2s',
    0,
    5_000,
  ),
  maxHeld: count('How many rows a worker prefetches', 50_000, 1_000_000),
  maxHeldBytes: size('How much memory they may take', '128MiB', 1, 64 * 1_024 * MIB),
  readyAhead: duration(
    'How long before its instant a message gets what takes long and nobody sees, where its channel makes such: a container, the upload of a video; 0 leaves all of it to the instant',
    '60s',
    0,
    HOUR_MS,
  ),
  timeout: duration('How long one request may take', '10s', 100, HOUR_MS),
  giveUpAfter: duration('How long after its first attempt a plan is tried', '24h', 0, 90 * DAY_MS),
  backOff: duration('The longest delay before the second attempt; it doubles', '1s', 1, DAY_MS),
  backOffMax: duration('The longest delay before any attempt', '1h', 1, DAY_MS),
  sendWithin: durationOrNone(
    "How long after its due time a message may be sent, retries included; without it the channel's own, none on webhook and 24h on every other",
    MIN_SEND_WITHIN_MS,
    MAX_SEND_WITHIN_MS,
  ),
  onLate: z.enum(onLateWays, { error: ON_LATE_ERROR }).default('suspend').meta({
    description:
      'What happens to a message that was not sent in time; it is sent all the same, ends failed, or waits for a person: send, skip or suspend.',
  }),
  backlog: z
    .enum(backlogOrders, { error: `expected ${backlogOrders.join(' or ')}` })
    .default('oldest')
    .meta({
      description:
        'In which order messages go out that could not be sent for more than a minute; newest spreads them over a tenth of that time: oldest or newest.',
    }),
  limits: limits(),
  apiVersion: version(
    "Of the provider's API, where its channel asks for one (linkedin: year and month; facebook: such as v25.0); without it the channel's own",
  ).optional(),
};

export const topicFields = {
  replicationFactor: whole(
    "How many brokers keep each partition; without it the brokers' own default.replication.factor counts (3 in production)",
    32,
  ).optional(),
  minInsyncReplicas: whole(
    "How many of them must have a record before it counts as written; without it the brokers' own min.insync.replicas counts (2 in production)",
    32,
  ).optional(),
};

const spoutSchema = z
  .strictObject(spoutFields)
  .meta({ description: 'The spout: it emits what becomes due.' })
  .transform(({ lead, reconcileInterval, ...others }) => ({
    ...others,
    leadMs: lead,
    reconcileIntervalMs: reconcileInterval,
  }));

/** Its name in the JSON Schema. */
export const BOLT_SCHEMA = 'bolt';
const boltSchema = z
  .strictObject(boltFields)
  .meta({ id: BOLT_SCHEMA, description: 'A bolt: it sends the messages of the channel of its name.' })
  .transform(({ claimAheadMax, readyAhead, timeout, giveUpAfter, sendWithin, backOff, backOffMax, ...others }) => ({
    ...others,
    sendWithinMs: sendWithin,
    claimAheadMaxMs: claimAheadMax,
    readyAheadMs: readyAhead,
    timeoutMs: timeout,
    giveUpAfterMs: giveUpAfter,
    backOffMs: backOff,
    backOffMaxMs: backOffMax,
  }));
/** Of one bolt. The names in the file, with the unit of what is a time. */
export type BoltSettings = Readonly<z.infer<typeof boltSchema>>;

/** The name of a component is part of the names of its topic and group, and a channel's name has at most 32 characters. */
export const COMPONENT_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;

const componentsSchema = z
  .object({ [SPOUT]: spoutSchema.prefault({}) })
  .catchall(boltSchema)
  .meta({
    description: 'How much of each component there is. A channel that is missing has no sender: its messages wait.',
    propertyNames: { pattern: COMPONENT_NAME.source },
  })
  .transform(({ [SPOUT]: spout, ...bolts }) => ({
    spout,
    /** By channel. A channel that is missing has no sender: its messages wait. */
    bolts: bolts as Readonly<Record<string, BoltSettings>>,
  }));

/** The channels that a file may name. */
export const MAX_CHANNELS = 100;
/** A package of npm, with or without its scope, or a path. */
const CHANNEL_SOURCE = /^(?:\.{0,2}\/.{1,500}|(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]{0,213})$/;
const CHANNEL_ERROR =
  'expected the name of a package, such as @acme/downspout-sms, or a path that begins with ./, ../ or /';

export function isChannelSource(entry: unknown): entry is string {
  return typeof entry === 'string' && CHANNEL_SOURCE.test(entry);
}

export const topologySchema = z
  .strictObject({
    channels: z
      .array(z.string({ error: CHANNEL_ERROR }).regex(CHANNEL_SOURCE, { error: CHANNEL_ERROR }), {
        error: 'expected a list of packages',
      })
      .max(MAX_CHANNELS)
      .meta({
        description:
          'Channels that do not come with Downspout: the package of each, or a path from this file. Whoever writes this file decides what code workers run.',
      })
      .optional(),
    components: componentsSchema,
    topics: z.strictObject(topicFields).meta({ description: 'Of every topic.' }).prefault({}),
  })
  .meta({ title: 'topology.yaml of Downspout' })
  .transform(({ channels, components, topics }) => ({ ...components, topics, channels: channels ?? [] }));
/** topology.yaml, with defaults filled in. */
export type TopologySettings = Readonly<z.infer<typeof topologySchema>>;
