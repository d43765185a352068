import type { AuditRow } from '../../connectors/mysql/audit/audit';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { type CliResult, runCli, variablesOf } from '../support/stack/cli';
import { freshDatabase, type World } from '../support/stack/stack';

// Each line of a test starts a process.
jest.setTimeout(60_000);

let world: World;
let admin: Pool;

beforeEach(async () => {
  world = await freshDatabase();
  admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
});

afterEach(async () => {
  await admin.close();
  await world.close();
});

const cli = (...args: string[]): Promise<CliResult> =>
  runCli(args, { environment: { ...variablesOf(world.environment), DOWNSPOUT_WHO: 'ann' } });

async function audit(...args: string[]): Promise<AuditRow[]> {
  const { code, stdout, stderr } = await cli('audit', '--json', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as AuditRow[];
}

test('2. What failed is recorded too, as far as the database answers', async () => {
  expect(await cli('pause', 'webhook', '--account', 'acme')).toMatchObject({ code: 0 });
  expect(await cli('resume', 'webhook')).toMatchObject({ code: 1 });
  expect(await audit()).toMatchObject([
    { who: 'ann', verb: 'resume', subject: 'webhook', outcome: expect.stringMatching(/^failed: .* was not paused/) },
    { who: 'ann', verb: 'pause', subject: 'acme on webhook', after: { account: 'acme' }, outcome: 'done' },
  ]);
  expect(await audit('--verb', 'pause', '--since', '1h', '--limit', '1')).toHaveLength(1);
  const { stdout } = await cli('audit');
  expect(stdout).toMatch(/ann@\S+ +resume +webhook/);
});

test('1. Nothing is changed that cannot be recorded', async () => {
  await admin.run(`REVOKE INSERT ON audit FROM '${new URL(required(world.environment, 'DATABASE_URL')).username}'@'%'`);
  const refused = await cli('pause', 'webhook');
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/recorded in the table audit.*denied.*`downspout migrate --users`/);
  expect(await admin.rows('SELECT 1 FROM pauses')).toEqual([]);
});
