import { SchemaBehind, Unavailable, UserError } from '../../../topology/core/errors';
import { packageVersion } from '../../../topology/settings/package';
import { addressOf } from '../sql/address';
import { isSchemaError } from '../sql/failures';
import { missingMigrations } from './rights-check';

/** Migrations that are named one by one; of more only the first and the last. */
const NAMED = 3;

/**
 * For what cannot be done without the newest migration, before anything is changed. A schema that is newer than this version passes,
 * because migrations only add.
 * @param url of a user who may read the journal of migrations; who may not finds out later
 * @throws SchemaBehind saying what is missing and what brings it; Unavailable, UserError
 */
export async function requireSchema(url: string): Promise<void> {
  const missing = await missingMigrations(url);
  if (missing.length > 0) throw new SchemaBehind(`${sentence(url, missing)} Nothing was changed.`);
}

/**
 * What a failure means where a statement has named a table or a column that is not there: most verbs work with an older schema, and
 * which do not is known when they come as far.
 * @returns the error in its place, or the error itself where the schema is not behind
 */
export async function schemaBehindOf(url: string | undefined, error: unknown): Promise<unknown> {
  if (url === undefined || error instanceof SchemaBehind || !isSchemaError(error)) return error;
  try {
    const missing = await missingMigrations(url);
    return missing.length === 0 ? error : new SchemaBehind(sentence(url, missing), { cause: error });
  } catch (failure) {
    // What failed first is what is reported.
    if (failure instanceof Unavailable || failure instanceof UserError) return error;
    throw failure;
  }
}

function sentence(url: string, missing: readonly string[]): string {
  const names = missing.length <= NAMED ? missing.join(', ') : `${missing[0]} to ${missing.at(-1)}`;
  return (
    `The schema of ${addressOf(url).database} lacks ${names}, which Downspout ${packageVersion()} needs for this: ` +
    'run `downspout deploy`, which brings it with the release, or let somebody who may alter it run `downspout migrate`.'
  );
}
