import { DeployLock } from '../../../../connectors/mysql/operators/deploy-lock';
import { rightsFaults, schemaFaults } from '../../../../connectors/mysql/schema/rights-check';
import { accountOf, createUsers, rightsOf } from '../../../../connectors/mysql/schema/users';
import { addressOf } from '../../../../connectors/mysql/sql/address';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { userUrls } from '../../../../deploy/provisioning/users';
import { prepareDatabase, prepareForLock } from '../../../../deploy/release/prepare-database';
import { systemClock } from '../../../../topology/core/clock';
import { Unavailable } from '../../../../topology/core/errors';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

let world: World;
let admin: Pool;
let database: string;
let appUrl: string;
/** Users of this test alone: the others of the server have theirs in every database. */
let workerUrl: string;
let operatorUrl: string;

beforeAll(async () => {
  world = await freshDatabase();
  const adminUrl = required(world.environment, 'ADMIN_DATABASE_URL');
  admin = Pool.open(adminUrl, { clock: systemClock, size: 1 });
  ({ database } = addressOf(adminUrl));
  appUrl = required(world.environment, 'DATABASE_URL');
  const named = (user: string) =>
    Object.assign(new URL(appUrl), { username: `${user}${process.pid}`, password: 'it is secret' }).href;
  workerUrl = named('rights_w');
  operatorUrl = named('rights_o');
}, 60_000);

afterAll(async () => {
  for (const url of [workerUrl, operatorUrl]) {
    await admin.run(`DROP USER IF EXISTS ${accountOf(addressOf(url).user)}`);
  }
  await admin.close();
  await world.close();
});

const worker = () => accountOf(addressOf(workerUrl).user);

test('the users that we make lack nothing', async () => {
  expect(await rightsFaults(appUrl, ['app'])).toEqual([]);
  expect(await rightsFaults(required(world.environment, 'WORKER_DATABASE_URL'), ['worker', 'operator'])).toEqual([]);
  expect(await rightsFaults(required(world.environment, 'CDC_DATABASE_URL'), ['cdc'])).toEqual([]);
});

test('when operators get a user of their own, the workers’ user may no longer deploy', async () => {
  const urls = { ...userUrls(world.environment), worker: workerUrl };
  await createUsers(required(world.environment, 'ADMIN_DATABASE_URL'), urls);
  expect(await rightsFaults(workerUrl, ['worker', 'operator'])).toEqual([]);
  await createUsers(required(world.environment, 'ADMIN_DATABASE_URL'), { ...urls, operator: operatorUrl });
  expect(await rightsFaults(workerUrl, ['worker'])).toEqual([]);
  expect(await rightsFaults(operatorUrl, ['operator'])).toEqual([]);
  const lacks = await rightsFaults(workerUrl, ['operator']);
  expect(lacks.join('\n')).toContain(`lacks INSERT, UPDATE, DELETE ON ${database}.releases`);
  const pool = Pool.open(workerUrl, { clock: systemClock, size: 1 });
  await expect(pool.run('DELETE FROM releases')).rejects.toThrow(/DELETE command denied/);
  await pool.close();
});

test('users that a command before did not come to make are made although the schema is up to date', async () => {
  const environment = { ...world.environment, WORKER_DATABASE_URL: workerUrl };
  await admin.run(`DROP USER IF EXISTS ${worker()}`);
  await prepareDatabase(environment);
  expect(await rightsFaults(workerUrl, ['worker', 'operator'])).toEqual([]);
});

const take = (pool: Pool) => DeployLock.take(pool, systemClock, { who: 'bob', host: 'h', doing: 'deploy' });

test('while somebody has the right to deploy, nothing is made before it, and no password is another one', async () => {
  const environment = { ...world.environment, WORKER_DATABASE_URL: workerUrl };
  // The user is as it should be, so the right can be taken without the administrator.
  expect(await prepareForLock(environment, take)).toBe(false);
  const other = Object.assign(new URL(workerUrl), { password: 'another' }).href;
  const lock = await DeployLock.take(admin, systemClock, { who: 'ann', host: 'h', doing: 'deploy (release 7)' });
  await expect(prepareForLock({ ...environment, WORKER_DATABASE_URL: other }, take)).rejects.toThrow(
    /^ann on h has been at `deploy \(release 7\)` since .*Nothing was changed/,
  );
  expect(await rightsFaults(workerUrl, ['worker'])).toEqual([]);
  await lock.free();
  expect(await prepareForLock({ ...environment, WORKER_DATABASE_URL: other }, take)).toBe(true);
  expect(await rightsFaults(other, ['worker'])).toEqual([]);
  expect(await prepareForLock(environment, take)).toBe(true);
});

test('a right that is missing is named with the statement that gives it', async () => {
  await admin.run(`REVOKE UPDATE ON \`${database}\`.scheduled_messages FROM ${worker()}`);
  const [fault, ...others] = await rightsFaults(workerUrl, ['worker']);
  const { user } = addressOf(workerUrl);
  expect(fault).toBe(
    `MySQL user ${user}@% lacks UPDATE ON ${database}.scheduled_messages: ` +
      `GRANT UPDATE ON \`${database}\`.\`scheduled_messages\` TO '${user}'@'%';`,
  );
  expect(others).toEqual([]);
  await admin.run(/GRANT .+;/.exec(fault ?? '')?.[0] ?? '');
  expect(await rightsFaults(workerUrl, ['worker'])).toEqual([]);
});

test('rights that come by a role of MySQL count when it is active', async () => {
  const role = `rights_role${process.pid}`;
  await admin.run(`REVOKE ALL PRIVILEGES, GRANT OPTION FROM ${worker()}`);
  await admin.run(`CREATE ROLE '${role}'`);
  for (const right of rightsOf('worker', database)) await admin.run(`GRANT ${right} TO '${role}'`);
  await admin.run(`GRANT '${role}' TO ${worker()}`);
  expect(await rightsFaults(workerUrl, ['worker'])).not.toEqual([]);
  await admin.run(`SET DEFAULT ROLE ALL TO ${worker()}`);
  expect(await rightsFaults(workerUrl, ['worker'])).toEqual([]);
  await admin.run(`DROP ROLE '${role}'`);
});

test('a user who is not let in is a fault, without the password', async () => {
  const wrong = Object.assign(new URL(workerUrl), { password: 'guessed' }).href;
  const [fault] = await rightsFaults(wrong, ['worker']);
  expect(fault).toContain(`MySQL user ${addressOf(workerUrl).user}: MySQL: Access denied`);
  expect(fault).not.toContain('guessed');
});

test('migrations that were not applied are named, by a user who may read their journal only', async () => {
  expect(await schemaFaults(appUrl)).toEqual([]);
  await admin.run('DELETE FROM __drizzle_migrations ORDER BY created_at DESC LIMIT 2');
  const [fault] = await schemaFaults(appUrl);
  expect(fault).toMatch(/lacks 00\d\d_\w+, 00\d\d_\w+: .*`downspout migrate`/);
});

test('a server that does not answer is away', async () => {
  const nowhere = Object.assign(new URL(appUrl), { port: '1' }).href;
  await expect(rightsFaults(nowhere, ['app'])).rejects.toThrow(Unavailable);
});
