import { migrate } from '../../connectors/mysql/schema/migrate';
import type { Environment } from '../../topology/settings/environment';
import { madeUsers } from '../provisioning/users';

/**
 * Makes the schema and its users, because the right to deploy is a row; both each time, because a command before this one may have
 * been ended between them. Without ADMIN_DATABASE_URL, or the right to make users, somebody else has.
 */
export async function prepareDatabase(environment: Environment): Promise<void> {
  const admin = environment.ADMIN_DATABASE_URL;
  if (admin === undefined) return;
  await migrate(admin);
  await madeUsers(admin, environment);
}
