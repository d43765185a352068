import { type DeployLock, mayTakeDeployLock } from '../../connectors/mysql/operators/deploy-lock';
import { migrate } from '../../connectors/mysql/schema/migrate';
import { hasTable } from '../../connectors/mysql/schema/schema-state';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { operatorUrl } from '../../topology/settings/connections';
import type { Environment } from '../../topology/settings/environment';
import { madeUsers } from '../provisioning/users';

/**
 * Makes the schema and its users, under the right to deploy. Both each time, because a command before this one may have been ended
 * between them. Without ADMIN_DATABASE_URL, or the right to make users, somebody else has.
 */
export async function prepareDatabase(environment: Environment): Promise<void> {
  const admin = environment.ADMIN_DATABASE_URL;
  if (admin === undefined) return;
  await migrate(admin);
  await madeUsers(admin, environment);
}

/**
 * Makes schema and users before the right to deploy is taken, but only where it could not be taken without them: its table is
 * missing, so nobody has it; or the operators' user is, whose place the administrator takes then.
 * @param take takes the right over a connection
 * @returns whether something may have been changed
 * @throws UserError when somebody else deploys; then nothing was changed
 */
export async function prepareForLock(
  environment: Environment,
  take: (pool: Pool) => Promise<DeployLock>,
): Promise<boolean> {
  const admin = environment.ADMIN_DATABASE_URL;
  if (admin === undefined) return false;
  if (!(await hasTable(admin, 'deploy_lock'))) {
    await prepareDatabase(environment);
    return true;
  }
  if (await withPool(operatorUrl(environment), mayTake)) return false;
  await withPool(admin, async (pool) => {
    const lock = await take(pool);
    try {
      await prepareDatabase(environment);
    } finally {
      await lock.free();
    }
  });
  return true;
}

/** What the server refuses this user, the login too, is put right with the users; a server that is away is not. */
async function mayTake(pool: Pool): Promise<boolean> {
  try {
    await mayTakeDeployLock(pool);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

async function withPool<T>(url: string, work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = Pool.open(url, { clock: systemClock, size: 2 });
  try {
    return await work(pool);
  } finally {
    await pool.close();
  }
}
