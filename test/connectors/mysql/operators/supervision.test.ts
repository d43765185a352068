import { randomBytes } from 'node:crypto';
import {
  listPlacements,
  listSupervisors,
  removePlacement,
  restartPlacement,
  wantPlacement,
} from '../../../../connectors/mysql/operators/placements';
import {
  MySqlSupervision,
  type Supervision,
  type SupervisorIdentity,
} from '../../../../connectors/mysql/operators/supervision';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { MySqlWorkerRegistry } from '../../../../connectors/mysql/workers/worker-registry';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { MemorySupervision } from '../../../support/mysql/memory-supervision';
import { freshDatabase, type World } from '../../../support/stack/stack';

const LEASE_MS = 5_000;

let world: World;
let pool: Pool;
beforeAll(async () => {
  world = await freshDatabase();
  pool = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 4 });
}, 120_000);
afterAll(async () => {
  await pool.close();
  await world.close();
});

const identity = (host: string): SupervisorIdentity => ({
  id: randomBytes(16).toString('hex'),
  host,
  pid: 7,
  version: '1',
});

interface Ports {
  readonly supervision: Supervision;
  readonly want: (component: string, replica: number, release: number) => Promise<void>;
}

const memory = (): Ports => {
  const store = new MemorySupervision(systemClock);
  return { supervision: store, want: async (component, replica, release) => store.want(component, replica, release) };
};
const mysql = (): Ports => ({
  supervision: new MySqlSupervision(pool),
  want: (component, replica, release) => pool.use((sql) => wantPlacement(sql, { component, replica }, release)),
});

describe.each([
  ['memory', memory],
  ['MySQL', mysql],
])('supervision in %s', (_, open) => {
  let ports: Ports;
  beforeEach(async () => {
    await pool.run('DELETE FROM placements');
    await pool.run('DELETE FROM supervisors');
    ports = open();
  });

  const observed = {
    releaseNumber: 7,
    restarts: 0,
    session: 'ab'.repeat(16),
    pid: 9,
    state: 'ready' as const,
    deaths: 0,
    lastError: "it's \\ over",
    logFile: '/logs/due-1.log',
  };

  test('a supervisor sees itself with a lease, and what is wanted', async () => {
    await ports.want('due', 1, 7);
    const self = identity('a');
    const view = await ports.supervision.look(self, LEASE_MS);
    expect(view.supervisors).toMatchObject([{ ...self, leftAt: null }]);
    const left = (view.supervisors[0]?.leaseUntil ?? 0) - view.now;
    expect(left > 0 && left <= LEASE_MS).toBe(true);
    expect(view.placements).toEqual([
      {
        component: 'due',
        replica: 1,
        releaseNumber: 7,
        restarts: 0,
        supervisor: null,
        observed: null,
        observedAt: null,
      },
    ]);
    expect(view.workers).toEqual([]);
  });

  test('of two that take one placement one has it', async () => {
    await ports.want('due', 1, 7);
    const [a, b] = [identity('a'), identity('b')];
    const { placements } = await ports.supervision.look(a, LEASE_MS);
    const [placement] = placements as [(typeof placements)[number]];
    const won = await Promise.all([a, b].map(({ id }) => ports.supervision.claim(id, placement)));
    expect(won.filter(Boolean)).toHaveLength(1);
    const [after] = (await ports.supervision.look(a, LEASE_MS)).placements;
    expect(after?.supervisor).toBe(won[0] === true ? a.id : b.id);
  });

  test('what a supervisor says of its placement is there until another takes it; of those of others it says nothing', async () => {
    await ports.want('due', 1, 7);
    await ports.want('due', 2, 7);
    const [a, b] = [identity('a'), identity('b')];
    const { supervision } = ports;
    const both = (await supervision.look(a, LEASE_MS)).placements;
    for (const one of both) await supervision.claim(one.replica === 1 ? a.id : b.id, one);
    await supervision.observe(
      a.id,
      [1, 2].map((replica) => ({ component: 'due', replica, observed })),
    );
    const said = (await supervision.look(a, LEASE_MS)).placements;
    expect(said.map((one) => one.observed)).toEqual([observed, null]);
    expect(said[0]?.observedAt).toEqual(expect.any(Number));
    await supervision.claim(b.id, said[0] as (typeof said)[number]);
    expect((await supervision.look(b, LEASE_MS)).placements.map((one) => [one.supervisor, one.observed])).toEqual([
      [b.id, null],
      [b.id, null],
    ]);
    await supervision.observe(a.id, []);
  });

  test('what is given, and all that one had who left in good order, is free', async () => {
    await ports.want('due', 1, 7);
    await ports.want('due', 2, 7);
    const a = identity('a');
    const { supervision } = ports;
    for (const one of (await supervision.look(a, LEASE_MS)).placements) await supervision.claim(a.id, one);
    await supervision.release(identity('b').id, { component: 'due', replica: 1 });
    await supervision.release(a.id, { component: 'due', replica: 2 });
    const owners = async () =>
      (await supervision.look(identity('c'), LEASE_MS)).placements.map((one) => one.supervisor);
    expect(await owners()).toEqual([a.id, null]);
    await supervision.leave(a.id);
    expect(await owners()).toEqual([null, null]);
    const { supervisors } = await supervision.look(identity('d'), LEASE_MS);
    expect(supervisors.find(({ id }) => id === a.id)?.leftAt).toEqual(expect.any(Number));
    // Its next life.
    const again = await supervision.look({ ...a, pid: 8 }, LEASE_MS);
    expect(again.supervisors.find(({ id }) => id === a.id)).toMatchObject({ pid: 8, leftAt: null });
  });
});

test('a supervisor finds its own workers, and how many partitions each living worker owns', async () => {
  const [a, session] = [identity('a'), 'cd'.repeat(16)];
  const registry = new MySqlWorkerRegistry(pool, systemClock);
  const worker = { session, components: ['due'], host: 'a', pid: 12, version: '1', statusUrl: 'http://127.0.0.1:1' };
  await registry.register({ ...worker, place: { releaseNumber: 7, replica: 2, supervisor: a.id } }, 10_000);
  await registry.register({ ...worker, session: 'ef'.repeat(16), pid: 13 }, 10_000);
  await registry.renew(session, 10_000, { partitions: { due: [1, 4] }, gauges: {} });
  const { workers, owned } = await new MySqlSupervision(pool).look(a, LEASE_MS);
  expect(workers).toEqual([{ session, pid: 12, statusUrl: 'http://127.0.0.1:1' }]);
  expect(owned).toEqual(expect.arrayContaining([{ due: 2 }, {}]));
  const rows = await pool.rows('SELECT release_number, replica FROM workers ORDER BY pid');
  expect(rows).toEqual([
    [7, 2],
    [null, null],
  ]);
});

test('a deployer asks for workers, for new ones in their place, and for none', async () => {
  await pool.run('DELETE FROM placements');
  const key = { component: 'webhook', replica: 3 };
  const wanted = async () => (await listPlacements(pool)).map((one) => [one.releaseNumber, one.restarts]);
  await pool.use((sql) => wantPlacement(sql, key, 7));
  await pool.use((sql) => wantPlacement(sql, key, 8));
  expect(await wanted()).toEqual([[8, 0]]);
  expect(await pool.use((sql) => restartPlacement(sql, key))).toBe(true);
  expect(await wanted()).toEqual([[8, 1]]);
  await pool.use((sql) => removePlacement(sql, key));
  expect(await wanted()).toEqual([]);
  expect(await pool.use((sql) => restartPlacement(sql, key))).toBe(false);
  expect((await listSupervisors(pool)).length).toBeGreaterThan(0);
});
