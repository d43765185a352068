import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAudit } from '../../connectors/mysql/audit/audit';
import { Pool } from '../../connectors/mysql/sql/pool';
import { main } from '../../deploy/cli/program';
import { ownRecord } from '../../deploy/stack/host/processes';
import { NativeStack } from '../../deploy/stack/native-stack';
import { newState } from '../../deploy/stack/stack-state';
import { HostState } from '../../deploy/targets/local/host-state';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { variablesOf } from '../support/stack/cli';
import { freshWorld, type World } from '../support/stack/stack';

jest.setTimeout(120_000);

let world: World;
let sql: Pool;
let folder: string;
let up: jest.SpyInstance;
let down: jest.SpyInstance;
const before = { cwd: process.cwd(), env: process.env, exitCode: process.exitCode };

/** A local stack that is this deployment on the tests' stack: nothing is started or stopped. */
beforeAll(async () => {
  world = await freshWorld();
  sql = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  folder = mkdtempSync(join(tmpdir(), 'downspout-up-'));
  const stack = join(folder, '.downspout');
  mkdirSync(stack);
  const { DOWNSPOUT_NAMESPACE, ...settings } = variablesOf(world.environment);
  writeFileSync(join(stack, 'stack.json'), JSON.stringify(newState('native')));
  writeFileSync(join(stack, 'env.json'), JSON.stringify(settings));
  writeFileSync(join(folder, 'topology.yaml'), 'components: { webhook: {} }\n');
  up = jest.spyOn(NativeStack.prototype, 'up').mockResolvedValue(settings);
  down = jest.spyOn(NativeStack.prototype, 'down').mockResolvedValue(undefined);
  process.chdir(folder);
  process.env = { PATH: before.env['PATH'], DOWNSPOUT_NAMESPACE, DOWNSPOUT_WHO: 'ann' };
});

afterAll(async () => {
  process.chdir(before.cwd);
  process.env = before.env;
  process.exitCode = before.exitCode;
  jest.restoreAllMocks();
  await sql.close();
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What `down` says. */
async function said(...more: readonly string[]): Promise<string> {
  let text = '';
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((piece) => {
    text += String(piece);
    return true;
  });
  await main(['node', 'downspout', 'down', ...more]);
  write.mockRestore();
  return text;
}

/** The rows that a command line leaves. */
async function audited(verb: string, ...more: readonly string[]) {
  const newest = async () => (await readAudit(sql, {}, 1))[0]?.id ?? 0;
  const last = await newest();
  const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  await main(['node', 'downspout', verb, ...more]);
  write.mockRestore();
  const rows = await readAudit(sql, {}, 10);
  return rows.filter(({ id }) => id > last).map(({ who, verb: did, subject, outcome }) => [who, did, subject, outcome]);
}

test('`up` and `down` leave a row, and rehearsals none', async () => {
  expect(await audited('up')).toEqual([['ann', 'up', 'local stack', 'done']]);
  expect(up).toHaveBeenCalledTimes(1);
  expect(await audited('up', '--dry-run')).toEqual([]);
  expect(await audited('down', '--dry-run')).toEqual([]);
  expect(down).not.toHaveBeenCalled();
  expect(await audited('down')).toEqual([['ann', 'down', 'local stack', 'done']]);
  expect(down).toHaveBeenCalledTimes(1);
});

test('`down` says which workers of a deploy go on without the stack, and what ends them', async () => {
  expect(await said()).not.toMatch(/supervisor --stop/);
  const state = join(folder, '.downspout', 'workers');
  mkdirSync(state);
  const worker = {
    component: 'due',
    replica: 1,
    releaseNumber: 7,
    restarts: 0,
    phase: 'ready',
    ...ownRecord(),
  } as const;
  new HostState(state, 'h').close([worker]);
  expect(await said()).toMatch(
    /\nOn this host 1 worker of a deploy go on; if they use the stack, they wait for it\. `downspout supervisor --stop` ends them\.\n$/,
  );
  expect(JSON.parse(await said('--json'))).toMatchObject({ left: { supervisor: null, workers: 1 } });
});
