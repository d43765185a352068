import { z } from 'zod';
import { Unavailable, UserError } from '../../topology/core/errors';

/** How a field of an account's credentials is asked for. */
export interface CredentialField {
  /** What stands before the cursor when a person types it. */
  readonly prompt: string;
  /** Nobody is ever shown it: it is typed unseen, and what a provider quotes of it is left out. */
  readonly isSecret: boolean;
}

/** What the fields of each schema register. */
export const credentialFields = z.registry<CredentialField>();

/** The fields of a channel's credentials, in the order of their schema: each is a text. */
export function fieldsOf(schema: z.ZodObject): readonly (CredentialField & { readonly name: string })[] {
  return Object.entries<z.ZodType>(schema.shape).map(([name, type]) => {
    const field = credentialFields.get(type);
    if (field === undefined) throw new TypeError(`credential ${name} does not say how it is asked for`);
    return { name, ...field };
  });
}

/**
 * Credentials as a person gives them: JSON with the schema's fields; where there is one field, its text will do.
 * @throws UserError naming what is wrong, and nothing of what was given
 */
export function parseCredentials<T extends z.ZodObject>(channel: string, schema: T, text: string): z.infer<T> {
  const names = Object.keys(schema.shape);
  const value = objectIn(text) ?? (names.length === 1 ? { [names[0] as string]: text } : undefined);
  if (value === undefined) {
    throw new UserError(`credentials: expected JSON with ${names.join(', ')} for ${channel}.`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ code, path, message }) =>
    // Its own message quotes the names that were given, which may be secrets in the wrong place.
    code === 'unrecognized_keys' ? `expected no fields but ${names.join(', ')}` : `${path.join('.')}: ${message}`,
  );
  throw new UserError(problems.join('\n'));
}

/** Credentials as they are kept. */
export function textOf(schema: z.ZodObject, credentials: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(schema.shape);
  return names.length === 1 ? String(credentials[names[0] as string]) : JSON.stringify(credentials);
}

/** Credentials that were kept. @throws Unavailable when the channel has other fields by now */
export function readCredentials<T extends z.ZodObject>(channel: string, schema: T, text: string): z.infer<T> {
  try {
    return parseCredentials(channel, schema, text);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new Unavailable(`its credentials cannot be used; set them again (${error.message})`);
  }
}

/** The secrets among credentials: what no text may quote. */
export function secretsIn(schema: z.ZodObject, credentials: Readonly<Record<string, unknown>>): string[] {
  return fieldsOf(schema).flatMap(({ name, isSecret }) => {
    const value = credentials[name];
    return isSecret && typeof value === 'string' ? [value] : [];
  });
}

function objectIn(text: string): object | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
