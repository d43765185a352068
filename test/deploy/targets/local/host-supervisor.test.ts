import { mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FakeWorker, HostsWorld } from './hosts-world';

let world: HostsWorld;
beforeEach(() => {
  world = new HostsWorld();
});
afterEach(() => world.close());

const names = (workers: readonly FakeWorker[]) => workers.map(({ name }) => name).toSorted();

/** Lets supervisors look, and every worker that they started become ready. */
async function settle(milliseconds = 1_500): Promise<void> {
  await world.clock.advance(milliseconds);
  for (const worker of world.started) if (!worker.over) world.makeReady(worker);
  await world.clock.advance(milliseconds);
}

describe('HostSupervisor', () => {
  test('1. A worker that dies is started again', async () => {
    world.store.want('due', 1, 7);
    const host = world.host('a');
    await settle();
    expect(world.store.observed('due', 1)).toMatchObject({ state: 'ready', releaseNumber: 7, pid: 1 });
    host.workers()[0]?.die();
    await world.clock.advance(249);
    expect(host.workers()).toEqual([]);
    expect(world.store.observed('due', 1)).toMatchObject({
      state: 'waiting',
      pid: null,
      deaths: 1,
      lastError: 'ended by SIGKILL',
    });
    await world.clock.advance(1);
    expect(names(host.workers())).toEqual(['due-1 of release 7']);
    await settle();
    expect(world.store.observed('due', 1)).toMatchObject({ state: 'ready', pid: 2 });
    host.die();
  });

  test('2. Workers go on while the database is away, and what was asked for meanwhile is caught up with', async () => {
    world.store.want('due', 1, 7);
    const host = world.host('a');
    await settle();
    world.store.away = true;
    await world.clock.advance(60_000);
    expect(names(host.workers())).toEqual(['due-1 of release 7']);
    host.workers()[0]?.die();
    await world.clock.advance(250);
    expect(names(host.workers())).toEqual(['due-1 of release 7']);
    world.store.want('due', 2, 7);
    world.store.away = false;
    await settle();
    expect(names(host.workers())).toEqual(['due-1 of release 7', 'due-2 of release 7']);
    host.die();
  });

  test('a disk that takes nothing more ends neither supervisor nor workers: logs grow, what dies is started again, and what is not wanted any more drains', async () => {
    world.store.want('due', 1, 7);
    const host = world.host('a');
    await settle();
    const log = join(host.folder, 'logs', 'due-1.log');
    writeFileSync(log, '');
    truncateSync(log, 11 * 1024 * 1024);
    // What should make room for the newest log cannot be removed.
    mkdirSync(`${log}.5`);
    await settle();
    world.store.want('due', 2, 7);
    await settle();
    expect(names(host.workers())).toEqual(['due-1 of release 7', 'due-2 of release 7']);
    // Nothing can be written into the folder any more.
    rmSync(host.folder, { recursive: true });
    host.workers()[0]?.die();
    await world.clock.advance(250);
    expect(host.workers()).toHaveLength(2);
    world.store.placements = [];
    await world.clock.advance(1_000);
    expect(host.workers().map(({ asked }) => asked)).toEqual([true, true]);
    host.die();
  });

  test('the log of a detached supervisor stays below its bound, also while no worker runs', async () => {
    const host = world.host('a');
    await settle();
    const log = join(host.folder, 'logs', 'supervisor.log');
    writeFileSync(log, '');
    truncateSync(log, 11 * 1024 * 1024);
    await settle();
    expect([log, `${log}.1`].map((path) => statSync(path).size)).toEqual([0, 11 * 1024 * 1024]);
    host.die();
  });

  test('an outage of the database moves no work from one host to another', async () => {
    const [a, b] = [world.host('a'), world.host('b')];
    await world.clock.advance(1_000);
    world.store.want('due', 1, 7);
    world.store.want('due', 2, 7);
    await settle();
    const before = [a, b].map((host) => names(host.workers()));
    expect(before.map((own) => own.length)).toEqual([1, 1]);
    world.store.away = true;
    await world.clock.advance(30_000);
    world.store.away = false;
    await settle(7_000);
    expect([a, b].map((host) => names(host.workers()))).toEqual(before);
    expect(world.started).toHaveLength(2);
    for (const host of [a, b]) host.die();
  });

  test('3. A worker is replaced by one that is ready: the old one drains only then, two seconds later', async () => {
    world.store.want('webhook', 1, 7);
    const host = world.host('a');
    await settle();
    world.store.want('webhook', 1, 8);
    await world.clock.advance(5_000);
    const [old, next] = host.workers();
    expect([old?.name, old?.asked, next?.name]).toEqual(['webhook-1 of release 7', false, 'webhook-1 of release 8']);
    expect(world.store.observed('webhook', 1)).toMatchObject({ state: 'starting', releaseNumber: 7 });
    world.makeReady(next as FakeWorker);
    await world.clock.advance(1_000);
    expect(old?.asked).toBe(false);
    await world.clock.advance(2_000);
    expect(old?.asked).toBe(true);
    expect(world.store.observed('webhook', 1)).toMatchObject({ state: 'draining', releaseNumber: 8 });
    old?.die('with exit code 0');
    await world.clock.advance(1_000);
    expect(world.store.observed('webhook', 1)).toMatchObject({ state: 'ready', releaseNumber: 8 });
    host.die();
  });

  test('4. What a dead host ran is run here', async () => {
    const [a, b] = [world.host('a'), world.host('b')];
    await world.clock.advance(1_000);
    for (const replica of [1, 2]) for (const component of ['due', 'webhook']) world.store.want(component, replica, 7);
    await settle();
    expect([a, b].map((host) => host.workers().length)).toEqual([2, 2]);
    a.die();
    await world.clock.advance(4_000);
    expect(b.workers()).toHaveLength(2);
    await world.clock.advance(4_000);
    expect(names(b.workers())).toEqual(
      ['due-1', 'due-2', 'webhook-1', 'webhook-2'].map((name) => `${name} of release 7`),
    );
    b.die();
  });

  test('a worker whose host was away drains when another one is ready in its place, and not before', async () => {
    const [a, b] = [world.host('a'), world.host('b')];
    await world.clock.advance(1_000);
    for (const replica of [1, 2]) world.store.want('due', replica, 7);
    await settle();
    const own = a.workers()[0] as FakeWorker;
    world.store.placements = world.store.placements.map((one) =>
      one.supervisor === a.id ? { ...one, supervisor: b.id, observed: null } : one,
    );
    await world.clock.advance(3_000);
    expect(own.asked).toBe(false);
    await settle();
    expect(own.asked).toBe(true);
    for (const host of [a, b]) host.die();
  });

  test('a host that came later gets what is replaced, and nothing that runs is moved for balance alone', async () => {
    const a = world.host('a');
    for (const replica of [1, 2, 3, 4]) world.store.want('webhook', replica, 7);
    await settle();
    const b = world.host('b');
    await settle();
    expect([a, b].map((host) => host.workers().length)).toEqual([4, 0]);
    for (const replica of [1, 2, 3]) {
      world.store.want('webhook', replica, 8);
      await settle(3_000);
    }
    expect(names(b.workers())).toEqual(['webhook-1 of release 8', 'webhook-2 of release 8']);
    expect(world.started.slice(0, 3).map(({ asked }) => asked)).toEqual([true, true, true]);
    for (const host of [a, b]) host.die();
  });

  test('5. Nothing is orphaned: ending drains every worker', async () => {
    world.store.want('due', 1, 7);
    world.store.want('webhook', 1, 7);
    const host = world.host('a');
    await settle();
    let isOver = false;
    const ending = host.end().then(() => {
      isOver = true;
    });
    await world.clock.advance(3_000);
    expect(host.workers().map(({ asked }) => asked)).toEqual([true, true]);
    expect(isOver).toBe(false);
    for (const worker of host.workers()) worker.die('with exit code 0');
    await world.clock.advance(0);
    await ending;
    expect(world.store.placements.map(({ supervisor }) => supervisor)).toEqual([null, null]);
    expect(world.store.supervisors[0]?.leftAt).not.toBeNull();
    expect(world.clock.timers).toBe(0);
  });

  test('a worker that nobody wants any more drains', async () => {
    world.store.want('due', 1, 7);
    const host = world.host('a');
    await settle();
    world.store.placements = [];
    await world.clock.advance(1_000);
    expect(host.workers()[0]?.asked).toBe(true);
    host.die();
  });
});
