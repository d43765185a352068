import { migrate } from '../../connectors/mysql/schema/migrate';
import { createUsers } from '../../connectors/mysql/schema/users';
import type { Environment } from '../../topology/settings/environment';
import { userUrls } from '../provisioning/users';

/** Makes the schema and its users, because the right to deploy is a row. Without ADMIN_DATABASE_URL somebody else has. */
export async function prepareDatabase(environment: Environment): Promise<void> {
  const admin = environment.ADMIN_DATABASE_URL;
  if (admin === undefined) return;
  const statements = await migrate(admin);
  if (statements.length === 0) return;
  await createUsers(admin, userUrls(environment));
}
