import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import { UserError } from '../../../topology/core/errors';
import type { ChannelClass, Outcome } from '../../../topology/message';
import { checkGiven, failureOf, type GivenChannel } from '../../../topology/payloads/given-channel';
import type { MediaItem } from '../../../topology/payloads/media';
import { isObjectSchema, type ObjectSchema, type OutputOf } from '../../../topology/payloads/object-schema';
import type { WhoAmI } from '../channel-kind';
import type { CredentialField } from '../credentials';
import type { MediaLimits } from '../media/media-fetch';
import type { MediaFile } from '../media/media-file';
import type { Api } from '../provider/api';
import type { Refreshed } from '../provider/refresh';

/** What every function of a channel is given. */
export interface ProviderTools<Credentials> {
  readonly account: string;
  readonly credentials: Credentials;
  /** Makes a request of which nobody sees an effect: a question, an upload. It throws for nothing that a provider does. */
  readonly ask: Api;
}

interface MessageTools<Credentials> extends ProviderTools<Credentials> {
  readonly id: number;
  /** The same for every attempt of a message: the provider's key, where it has such. */
  readonly idempotencyKey: string;
  /** Epoch milliseconds, what the user asked for. A time in a request's body comes from here, so that each attempt has the same. */
  readonly dueAt: number;
  /** Epoch milliseconds by the database's clock. */
  readonly now: () => number;
}

/** What `send` is given. */
export interface SendTools<Credentials> extends MessageTools<Credentials> {
  /** An earlier attempt may have been accepted: a provider that says "duplicate" then has ours. */
  readonly inDoubt: boolean;
  /**
   * Makes the one request that can make the message visible. It is called again only after an answer that says that nothing was
   * taken: while one was lost or is under way it answers `not_started`, unless the channel is idempotent and has no `keyLifetimeMs`.
   */
  readonly publish: Api;
  /** Of the payload's `media`, in their order; none where it has none. */
  readonly files: readonly MediaFile[];
  /** Waits, for as long as the provider works on what it was given. Milliseconds. */
  readonly wait: (ms: number) => Promise<void>;
}

/** What `lookup` is given. */
export interface LookupTools<Credentials> extends MessageTools<Credentials> {
  /** Epoch milliseconds: no request of this message began earlier. */
  readonly notBefore: number;
  /** Of the payload: another message may have the same text. */
  readonly media: readonly MediaItem[];
}

/** What `refresh.ask` is given: its `ask` makes the one request. */
export interface RefreshTools<Credentials> extends ProviderTools<Credentials> {
  /** Epoch milliseconds by the database's clock. */
  readonly now: () => number;
}

/** How credentials are refreshed that end. A field `expiresAt` of theirs, an instant in ISO 8601, says when that is. */
export interface RefreshDefinition<Credentials> {
  /** Whether these have what it needs. */
  isPossible(credentials: Credentials): boolean;
  /** The old ones end with the answer, so that a lost answer is the loss of the account. */
  readonly isRotating: boolean;
  /** How long before their end they are refreshed, whole milliseconds. */
  readonly aheadMs: number;
  /** Asks the provider. No reason may quote what it gave. */
  ask(tools: RefreshTools<Credentials>): Promise<Refreshed<Credentials>>;
}

/** How a field of the payload is typed on the command line. */
export interface FieldOption {
  /** The option without its dashes. */
  readonly option: string;
  /** What stands for the value in the help. */
  readonly placeholder: string;
  readonly description: string;
  /** `text`: as it is. `json`: parsed when it is JSON, a text otherwise. */
  readonly takes: 'text' | 'json';
}

/**
 * A channel over HTTP that a package offers as its default export. All of it is a function of what it is given, and it makes no
 * request but by `ask` and `publish`: these check addresses, keep time-outs, go through proxies, and know whether anything was written.
 */
export interface ChannelDefinition<
  Name extends string = string,
  Payload extends ObjectSchema = ObjectSchema,
  Credentials extends ObjectSchema = ObjectSchema,
> extends GivenChannel<Name, Payload> {
  /** What the provider does with a request that it has seen before. */
  readonly class: ChannelClass;
  /** Of idempotent ones whose provider forgets keys: how long it knows one at least, milliseconds. */
  readonly keyLifetimeMs?: number;
  /** How long after its time-out a request may still be accepted, milliseconds. */
  readonly acceptedLateMs: number;
  /** What it takes of the payload's `media`, where it takes any. */
  readonly media?: MediaLimits;
  /** Fields of the payload that have an option of their own; the others are given by --payload. */
  readonly options?: { readonly [Field in keyof OutputOf<Payload>]?: FieldOption };
  /** What an account needs. Each field is a text. */
  readonly credentials: Credentials;
  /** How each field of the credentials is asked for, and whether it is secret. */
  readonly prompts: { readonly [Field in keyof OutputOf<Credentials>]-?: CredentialField };
  /** Scheme, host and port that the account's messages go to, such as `https://api.example.com`: its slots are taken. */
  originOf(credentials: OutputOf<Credentials>): string;
  /**
   * Sends a message. An answer that does not rule out that the message was accepted is `unknown`. It must end within seven times the
   * channel's `timeout`, and the time for its images.
   */
  send(payload: OutputOf<Payload>, tools: SendTools<OutputOf<Credentials>>): Promise<Outcome | 'not_started'>;
  /** Of lookup channels, and those whose keys end: whether an earlier attempt was accepted. `absent` must be certain. */
  lookup?(payload: OutputOf<Payload>, tools: LookupTools<OutputOf<Credentials>>): Promise<LookupAnswer>;
  /** Where the provider gives new credentials for those that end. */
  readonly refresh?: RefreshDefinition<OutputOf<Credentials>>;
  /** Asks the provider whose the credentials are; nothing else happens. */
  whoAmI?(tools: ProviderTools<OutputOf<Credentials>>): Promise<WhoAmI>;
}

/** Options of `messages schedule` and `messages edit` that are not those of payloads, or that take something else. */
export const TAKEN_OPTIONS: readonly string[] =
  'account channel dedupe-key on-existing if-version due in send-within on-late payload payload-file header json dry-run verbose help version color no-color'.split(
    ' ',
  );

const code = z.custom<(...given: never) => unknown>((value) => typeof value === 'function', 'expected a function');
const schema = z.custom<ObjectSchema>(isObjectSchema, 'expected z.strictObject({…}) of zod 4');
const text = z.string().min(1);

const parts = z
  .looseObject({
    class: z.enum(['idempotent', 'lookup', 'blind']),
    keyLifetimeMs: z.number().positive().optional(),
    acceptedLateMs: z.number().min(0),
    media: z
      .strictObject({
        types: z.array(z.enum(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])).min(1),
        maxBytes: z.int().positive(),
        maxTotalBytes: z.int().positive().optional(),
      })
      .optional(),
    payload: schema,
    options: z
      .record(
        z.string(),
        z.strictObject({
          option: z
            .string()
            .max(32)
            .regex(
              /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/,
              'expected words of small letters and digits, with "-" between them',
            )
            .refine(
              (option) => !option.startsWith('no-'),
              'expected none that begins with "no-": it would turn another one off',
            )
            .refine((option) => !(attributeOf(option) in {}), 'every object has something of this name')
            .refine((option) => !TAKEN_OPTIONS.includes(option), 'the command line has this option already'),
          // Brackets and dots say something to the command line.
          placeholder: text.max(32).regex(/^[^\s<>[\].,]+$/, 'expected a word without brackets, dots and commas'),
          description: text,
          takes: z.enum(['text', 'json']),
        }),
      )
      .default({}),
    credentials: schema,
    prompts: z.record(z.string(), z.strictObject({ prompt: text, isSecret: z.boolean() })),
    originOf: code,
    send: code,
    lookup: code.optional(),
    refresh: z
      .looseObject({ isPossible: code, isRotating: z.boolean(), aheadMs: z.int().min(0), ask: code })
      .optional(),
    whoAmI: code.optional(),
  })
  .check(({ value: given, issues }) => {
    const wrong = (field: string, message: string) =>
      issues.push({ code: 'custom', path: [field], message, input: given });
    const { class: own, keyLifetimeMs, lookup, payload, options, credentials, prompts } = given;
    if (own === 'lookup' && lookup === undefined) wrong('lookup', 'a channel of class lookup must have it');
    if (own !== 'idempotent' && keyLifetimeMs !== undefined) wrong('keyLifetimeMs', 'only idempotent channels have it');
    const unknown = Object.keys(options).find((field) => !Object.hasOwn(payload.shape, field));
    if (unknown !== undefined) wrong('options', `the payload has no field ${unknown}`);
    const names = Object.values(options).map(({ option }) => option);
    const twice = names.find((option, index) => names.indexOf(option) < index);
    if (twice !== undefined) wrong('options', `two fields have the option ${twice}`);
    const fields = Object.keys(credentials.shape);
    if (fields.toSorted().join() !== Object.keys(prompts).toSorted().join()) {
      wrong('prompts', `expected one for each field of the credentials: ${fields.join(', ')}`);
    }
    const failure = failureOf(credentials);
    if (failure !== undefined) wrong('credentials', `its schema ${failure}`);
    for (const [name, { shape }] of Object.entries({ payload, credentials })) {
      // What is known of a field is kept by its schema.
      if (new Set(Object.values(shape)).size < Object.keys(shape).length) {
        wrong(name, 'two fields share one schema object; make one for each');
      }
    }
  });

/** What the command line makes of an option's name. */
function attributeOf(option: string): string {
  return option.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * @param source where it comes from: the name of a package, or a path
 * @param taken names that it may not have
 * @throws UserError naming the source, everything that is wrong, and what to do
 */
export function checkDefinition(value: unknown, source: string, taken: readonly string[]): ChannelDefinition {
  checkGiven(value, source, taken);
  const { error } = parts.safeParse(value);
  if (error === undefined) return value as ChannelDefinition;
  const faults = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new UserError(`${source}: its channel cannot be used. ${faults.join('; ')}.`);
}
