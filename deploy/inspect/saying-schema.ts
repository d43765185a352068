import { schemaBehindOf } from '../../connectors/mysql/schema/schema-behind';
import { readerUrl } from '../../topology/settings/connections';
import type { Environment } from '../../topology/settings/environment';

/** What was read from the database; where that fails because its schema is too old, the error says which migrations it lacks. */
export async function sayingSchema<T>(environment: Environment, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw await schemaBehindOf(readerUrl(environment), error);
  }
}
