import { reasonOf, UserError } from '../core/errors';
import { shortJson } from '../core/short-json';
import { withMedia } from './media';
import { isObjectSchema, type ObjectSchema } from './object-schema';
import { payloads } from './payloads';

/** Of what a package offers as its channel. Another version is refused by its number. */
const CHANNEL_INTERFACE = 1;

const NAME = /^[a-z][a-z0-9-]{0,31}$/;
const PAGE = 'docs/writing-a-channel.md of Downspout shows one';

/** A channel of a package, as far as checking its messages needs it. */
export interface GivenChannel<Name extends string = string, Schema extends ObjectSchema = ObjectSchema> {
  readonly interface: typeof CHANNEL_INTERFACE;
  readonly name: Name;
  /** What a message contains. It checks and changes nothing: no defaults, no transforms. */
  readonly payload: Schema;
  /** What the channel takes of the payload's `media`, where it takes any. */
  readonly media?: unknown;
}

/** What a message of each channel contains, by the channel's name. */
export type Schemas = Readonly<Record<string, ObjectSchema>>;

/**
 * Our own schemas, and those of the channels that an application gives.
 * @throws UserError naming the place of the one that is no channel, and what to do
 */
export function schemasWith(given: readonly unknown[]): Schemas {
  return given.reduce<Schemas>((schemas, value, index) => {
    const channel = checkGiven(value, `channels[${index}]`, Object.keys(schemas));
    return { ...schemas, [channel.name]: schemaOf(channel) };
  }, payloads);
}

/** What a message of the channel contains. Where Downspout fetches its images, they are what they are on every channel, as when it is sent. */
export function schemaOf({ payload, media }: GivenChannel): ObjectSchema {
  if (media === undefined) return payload;
  return {
    shape: payload.shape,
    safeParse: (value) => {
      const checked = payload.safeParse(value);
      if (!checked.success) return checked;
      const images = withMedia.safeParse(checked.data);
      return images.success ? checked : images;
    },
  };
}

/**
 * @param source where it comes from, such as the name of its package
 * @param taken names that it may not have
 * @throws UserError naming the source, what is wrong and what to do
 */
export function checkGiven(value: unknown, source: string, taken: readonly string[]): GivenChannel {
  if (typeof value !== 'object' || value === null || !('interface' in value && 'name' in value)) {
    throw new UserError(
      `${source} is no channel: expected an object with interface, name and payload (of a package: its default export). ${PAGE}.`,
    );
  }
  const { interface: version, name, payload, media } = value as Partial<Record<keyof GivenChannel, unknown>>;
  if (version !== CHANNEL_INTERFACE) {
    throw new UserError(
      `${source} was written for interface ${shortJson(version)} of channels, and this Downspout has ${CHANNEL_INTERFACE}: ` +
        'install the version of the package that fits, or another Downspout.',
    );
  }
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new UserError(
      `${source}: its channel is called ${shortJson(name)}, and a name is a small letter and then up to 31 small letters, digits or "-".`,
    );
  }
  if (taken.includes(name)) {
    throw new UserError(`${source}: the name ${name} is taken already. Leave one of the two out, or rename it.`);
  }
  if (!isObjectSchema(payload)) {
    throw new UserError(`${source}: payload: expected z.strictObject({…}) of zod 4. ${PAGE}.`);
  }
  const failure = failureOf(payload);
  if (failure === undefined) return { interface: version, name, payload, media };
  throw new UserError(
    `${source}: payload: its schema ${failure}. A schema has to refuse what is wrong: correct it, or install another version of the package.`,
  );
}

/**
 * Tries a schema, and each of its fields, with what they are asked at any time: whether a field may be left out.
 * @returns what it throws then, which is no fault of a payload
 */
export function failureOf(schema: ObjectSchema): string | undefined {
  let what = '';
  try {
    for (const [name, field] of Object.entries(schema.shape)) {
      for (const value of [undefined, null]) {
        what = `${name}: ${value}`;
        field.safeParse(value);
      }
    }
    what = 'an object without fields';
    schema.safeParse({});
    return undefined;
  } catch (error) {
    return `throws for ${what} (${reasonOf(error)})`;
  }
}
