import { z } from 'zod';
import { Unavailable, UserError } from '../../topology/core/errors';

/** How a field of an account's credentials is asked for. */
export interface CredentialField {
  /** What stands before the cursor when a person types it. */
  readonly prompt: string;
  /** Nobody is ever shown it: it is typed unseen, and what a provider quotes of it is left out. */
  readonly isSecret: boolean;
}

/** Characters. */
const MIN_QUOTED = 6;

/** What the fields of each schema register. */
export const credentialFields = z.registry<CredentialField>();

/** Schemas of packages. What such a one says of credentials may quote them, in any form. */
const ofPackages = new WeakSet<object>();

/** Nothing that this schema says of kept credentials is repeated. */
export function distrustTexts(schema: object): void {
  ofPackages.add(schema);
}

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
  const values = valuesIn(channel, schema, text);
  const result = checkCredentials(channel, schema, values);
  if (result.success) return result.data;
  throw new UserError(without(schema, values, problemsOf(schema, result.error.issues, messageOf)));
}

/** @throws UserError for a text that is no JSON, unless there is one field */
function valuesIn(channel: string, { shape }: z.ZodObject, text: string): object {
  const names = Object.keys(shape);
  const values = objectIn(text) ?? (names.length === 1 ? { [names[0] as string]: text } : undefined);
  if (values !== undefined) return values;
  throw new UserError(`credentials: expected JSON with ${names.join(', ')} for ${channel}.`);
}

/** The schema of a package may throw, and what it says then may quote what it was given. @throws UserError, without that */
export function checkCredentials<T extends z.ZodObject>(
  channel: string,
  schema: T,
  values: object,
): z.ZodSafeParseResult<z.infer<T>> {
  try {
    return schema.safeParse(values);
  } catch {
    throw new UserError(
      `credentials: the schema of ${channel} fails for them: correct them, or install another version.`,
    );
  }
}

/** A line each. */
function problemsOf(
  { shape }: z.ZodObject,
  issues: readonly z.core.$ZodIssue[],
  lineOf: (issue: z.core.$ZodIssue, shape: z.ZodObject['shape']) => string,
): string {
  const lines = issues.map((issue) =>
    // Its own message quotes the names that were given, which may be secrets in the wrong place.
    issue.code === 'unrecognized_keys'
      ? `expected no fields but ${Object.keys(shape).join(', ')}`
      : lineOf(issue, shape),
  );
  return [...new Set(lines)].join('\n');
}

function messageOf({ path, message }: z.core.$ZodIssue): string {
  return `${path.join('.')}: ${message}`;
}

/** The field alone: a schema of a package may have written the rest of the path too. */
function fieldOf({ path: [name = ''] }: z.core.$ZodIssue, shape: z.ZodObject['shape']): string {
  return `${Object.hasOwn(shape, name) ? String(name) : 'credentials'}: not what the channel expects`;
}

/** The text without the secrets, which the messages of a package's schema may quote. Short ones are found everywhere. */
function without(schema: z.ZodObject, values: object, text: string): string {
  const secrets = Object.entries<unknown>({ ...values }).flatMap(([name, value]) => {
    const type = Object.hasOwn(schema.shape, name) ? (schema.shape[name] as z.ZodType) : undefined;
    const isPlain = type !== undefined && credentialFields.get(type)?.isSecret === false;
    return isPlain || typeof value !== 'string' ? [] : [value, value.trim(), JSON.stringify(value).slice(1, -1)];
  });
  // One may be the beginning of another.
  const longestFirst = secrets.filter(({ length }) => length >= MIN_QUOTED).toSorted((a, b) => b.length - a.length);
  return longestFirst.reduce((shown, value) => shown.replaceAll(value, '…'), text);
}

/** Credentials as they are kept. */
export function textOf(schema: z.ZodObject, credentials: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(schema.shape);
  return names.length === 1 ? String(credentials[names[0] as string]) : JSON.stringify(credentials);
}

/**
 * Credentials that were kept.
 * @throws UserError naming what is wrong: of a package's schema the fields alone, because the text may be kept with messages
 */
export function parseKept<T extends z.ZodObject>(channel: string, schema: T, text: string): z.infer<T> {
  if (!ofPackages.has(schema)) return parseCredentials(channel, schema, text);
  const result = checkCredentials(channel, schema, valuesIn(channel, schema, text));
  if (result.success) return result.data;
  throw new UserError(problemsOf(schema, result.error.issues, fieldOf));
}

/** The same for the account's messages. @throws Unavailable when the channel has other fields by now */
export function readCredentials<T extends z.ZodObject>(channel: string, schema: T, text: string): z.infer<T> {
  try {
    return parseKept(channel, schema, text);
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
