import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  listPlacements,
  listSupervisors,
  removePlacement,
  wantPlacement,
} from '../../connectors/mysql/operators/placements';
import { beginRelease, currentRelease, finishRelease, listReleases } from '../../connectors/mysql/operators/releases';
import { Pool } from '../../connectors/mysql/sql/pool';
import { DemoWorkers, stopDemoWorkers } from '../../deploy/demo/workers';
import { systemClock } from '../../topology/core/clock';
import { operatorUrl } from '../../topology/settings/connections';
import { required } from '../../topology/settings/environment';
import { runCli, variablesOf } from '../support/stack/cli';
import { Host } from '../support/stack/hosts';
import { freshWorld, testSettings, type World } from '../support/stack/stack';
import { until } from '../support/until';

jest.setTimeout(180_000);

const components = '{ due: { replicas: 1, partitions: 2 }, webhook: { replicas: 1, partitions: 2 } }';
const going = new AbortController().signal;

let world: World;
let pool: Pool;
let folder: string;
let said: string[];
let settings: Record<string, string>;

beforeAll(async () => {
  world = await freshWorld(testSettings(components));
  pool = Pool.open(operatorUrl(world.environment), { clock: systemClock, size: 2 });
  folder = mkdtempSync(join(tmpdir(), 'downspout-demo-'));
  const file = join(folder, 'topology.yaml');
  writeFileSync(file, `components: ${components}\n`);
  settings = { ...variablesOf(world.environment), DOWNSPOUT_TOPOLOGY: file };
}, 120_000);

afterAll(async () => {
  await stopDemoWorkers(folder, settings, systemClock);
  await pool.close();
  await world.close();
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

function demoWorkers(): DemoWorkers {
  said = [];
  const onEvent = (text: string) => void said.push(text);
  return new DemoWorkers({ clock: systemClock, settings, stackFolder: folder, pool, onEvent });
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Neither a process nor a wish for one. */
async function nothingIsLeft(pids: readonly number[]): Promise<void> {
  const supervisors = (await listSupervisors(pool)).map(({ pid }) => pid);
  await until('every process has ended', () => [...pids, ...supervisors].every((pid) => !isAlive(pid)));
  expect(await listPlacements(pool)).toEqual([]);
  const outcomes = (await listReleases(pool, 100)).map(({ outcome }) => outcome);
  expect(outcomes.filter((outcome) => outcome === 'live' || outcome === 'deploying')).toEqual([]);
}

test("the demo's workers are deployed, replaced when they die, and all gone when it ends", async () => {
  const workers = demoWorkers();
  const ending = new AbortController();
  await workers.deploy(going);
  const { pids } = workers;
  expect(pids).toHaveLength(2);
  expect(await workers.urls()).toHaveLength(2);
  expect(said).toContainEqual(expect.stringMatching(/webhook-1 runs/));
  const watching = workers.watch(ending.signal);
  process.kill(pids[0] as number, 'SIGKILL');
  await until('its death is told', () => said.some((line) => /died \(process \d+\) and runs again/.test(line)));
  ending.abort();
  await watching;
  const later = workers.pids;
  await workers.stop();
  await nothingIsLeft([...pids, ...later]);
});

test('a demo that is ended while it deploys leaves nothing, and neither does the one after a demo that was killed', async () => {
  const interrupt = new AbortController();
  const first = demoWorkers();
  const deploying = first.deploy(interrupt.signal);
  await until('it deploys', () => said.some((line) => /supervisor: runs/.test(line)));
  interrupt.abort();
  await deploying;
  const begun = first.pids;
  await first.stop();
  await nothingIsLeft(begun);

  // Nobody calls `stop` of a demo that was killed.
  const killed = demoWorkers();
  await killed.deploy(going);
  const left = killed.pids;
  expect(await stopDemoWorkers(folder, settings, systemClock)).toBe(2);
  await nothingIsLeft(left);
});

test('a supervisor that MySQL refuses is said to run by nobody', async () => {
  const wrong = required(world.environment, 'WORKER_DATABASE_URL').replace(/:[^:@]*@/, ':wrong@');
  const environment = { ...settings, WORKER_DATABASE_URL: wrong };
  const { code, stderr } = await runCli(['supervisor', '--detach', '--state', join(folder, 'wrong')], { environment });
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/ended with exit code 1.*Access denied/s),
  });
});

test('the demo refuses a stack on which workers were deployed already', async () => {
  const host = Host.start(world.environment);
  try {
    const isThere = async () => (await listSupervisors(pool)).some(({ leftAt }) => leftAt === null);
    await until('the other supervisor is there', isThere);
    await expect(demoWorkers().deploy(going)).rejects.toThrow(/Workers were deployed on this stack already/);
  } finally {
    await host.end();
    host.remove();
  }
});

test.each(['ann', 'demo'])(
  'what others have deployed is not taken back, and the demo refuses to begin, also while no supervisor runs: %s',
  async (who) => {
    const by = {
      packageVersion: '1',
      image: null,
      program: null,
      target: 'local' as const,
      environment: null,
      reason: 'deploy',
      host: 'here',
    };
    const number = await beginRelease(pool, { specification: {}, who, ...by });
    await finishRelease(pool, number, 'live');
    await wantPlacement(pool, { component: 'due', replica: 1 }, number);
    await expect(demoWorkers().deploy(going)).rejects.toThrow(
      `deployed on this stack already, by ${who} (release ${number})`,
    );
    await demoWorkers().stop();
    expect((await listPlacements(pool)).map(({ releaseNumber }) => releaseNumber)).toEqual([number]);
    expect((await currentRelease(pool))?.number).toBe(number);
    await removePlacement(pool, { component: 'due', replica: 1 });
    await finishRelease(pool, number, 'superseded');
  },
);
