import { finishRelease } from '../../connectors/mysql/operators/releases';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { packageVersion } from '../../topology/settings/package';
import { runCli, variablesOf } from '../support/stack/cli';
import { freshWorld, testSettings, type World } from '../support/stack/stack';

jest.setTimeout(120_000);

let world: World;
let admin: Pool;

beforeAll(async () => {
  world = await freshWorld(testSettings('{ due: { partitions: 2 }, webhook: { partitions: 2 } }'));
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
}, 60_000);

afterAll(async () => {
  await admin.close();
  await world.close();
}, 60_000);

const cli = (line: string) => runCli(line.split(' '), { environment: variablesOf(world.environment) });

/** A release as a version before the column wrote it. */
async function oldRelease(): Promise<number> {
  const specification = JSON.stringify({ components: { due: { partitions: 2 }, webhook: { partitions: 2 } } });
  const { insertId } = await admin.run(
    'INSERT INTO releases (specification, package_version, target, reason, who, host, created_at) VALUES ' +
      `('${specification}', '${packageVersion()}', 'local', 'deploy', 'ann', 'here', 1795000000000)`,
  );
  await finishRelease(admin, insertId, 'live');
  return insertId;
}

test('before the newest migrations, verbs that begin a release say so and change nothing, and the others go on', async () => {
  await admin.run('ALTER TABLE releases DROP COLUMN environment');
  await admin.run('DROP TABLE account_limits');
  await admin.run('DELETE FROM __drizzle_migrations ORDER BY created_at DESC LIMIT 2');
  const [one, two] = [await oldRelease(), await oldRelease()];

  for (const line of ['scale webhook=3 --yes', 'rollback --yes', 'scale webhook=3 --dry-run']) {
    const refused = await cli(line);
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toMatch(
      /lacks 0040_account_limits, 0041_release_environment, which .*`downspout deploy`.*`downspout migrate`\. Nothing was changed\./,
    );
  }
  const history = await cli('history --json');
  expect(history.code).toBe(0);
  expect(JSON.parse(history.stdout)).toMatchObject({ releases: [{ number: two, outcome: 'live' }, { number: one }] });
  for (const line of [
    `diff ${one} ${two}`,
    'list',
    'ps',
    'audit',
    'pause webhook',
    'resume webhook',
    'messages list',
  ]) {
    expect(await cli(line)).toMatchObject({ code: 0 });
  }
  expect(await cli('resume webhook')).toMatchObject({ code: 1, stderr: expect.stringContaining('was not paused') });
  // No worker runs, which is what it ends with 1 for; what it reads it shows.
  const status = JSON.parse((await cli('status --json')).stdout) as { database: object | null };
  expect(status.database).toMatchObject({ limited: [] });

  // Nobody could bring it: it is refused before anybody is asked.
  const others = { ...variablesOf(world.environment), ADMIN_DATABASE_URL: '' };
  const alone = await runCli(['deploy', '--yes'], { environment: others });
  expect(alone).toMatchObject({ code: 4, stderr: expect.stringContaining('lacks 0040_account_limits') });

  expect(await cli('migrate')).toMatchObject({ code: 0 });
  expect((await cli('rollback --dry-run')).code).toBe(0);
});

test('a schema of the next version stops nothing but what would take it back', async () => {
  await admin.run('ALTER TABLE releases ADD COLUMN of_next_version int');
  await admin.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('of a later version', 4102444800000)");
  for (const line of ['history', 'diff 1 2', 'list', 'ps', 'pause webhook', 'resume webhook']) {
    expect(await cli(line)).toMatchObject({ code: 0 });
  }
  const scaled = await cli('scale webhook=1 --dry-run --json');
  expect(scaled).toMatchObject({ code: 1, stdout: expect.stringContaining('a newer version was deployed on it') });
});
