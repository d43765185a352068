/** What is used of a schema of zod's for an object. It may be of another copy of zod than ours. */
export interface ObjectSchema<T = unknown> {
  /** The schema of each field. */
  readonly shape: Readonly<Record<string, FieldSchema>>;
  safeParse(value: unknown): Checked<T>;
}

interface FieldSchema {
  safeParse(value: unknown): { readonly success: boolean };
}

type Checked<T> =
  | { readonly success: true; readonly data: T }
  | { readonly success: false; readonly error: { readonly issues: readonly SchemaIssue[] } };

/** What a schema finds wrong. */
export interface SchemaIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string;
  /** Of a name in a record, where the code is `invalid_key`. */
  readonly issues?: readonly { readonly message: string }[];
}

/** What a value is that the schema has taken. */
export type OutputOf<Schema> = Schema extends { safeParse(value: unknown): infer Result }
  ? Extract<Result, { readonly success: true }> extends { readonly data: infer Data }
    ? Data
    : never
  : never;

/** Whether it is a schema of an object, of zod 4. */
export function isObjectSchema(value: unknown): value is ObjectSchema {
  if (typeof value !== 'object' || value === null) return false;
  const { shape, safeParse } = value as Partial<ObjectSchema>;
  if (typeof safeParse !== 'function' || typeof shape !== 'object' || shape === null) return false;
  return [value, ...Object.values(shape)].every(isOfZod4);
}

function isOfZod4(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && '_zod' in schema;
}
