import { Unavailable } from '../../../topology/core/errors';
import { SpoutWorld } from '../spout-world';

let world: SpoutWorld;

afterEach(async () => {
  await world.close();
});

async function register(session: string, lease: number): Promise<void> {
  await world.db
    .registry()
    .register({ session, components: ['webhook'], host: 'h', pid: 1, version: '1', statusUrl: null }, lease);
}

async function claim(session: string, ids: readonly number[]): Promise<void> {
  const rows = world.db.sendRows();
  expect(await rows.claim(session, await rows.read(ids), 5_000)).toBe(ids.length);
}

function away(): never {
  throw new Unavailable('the database is away');
}

describe('rows of dead sessions', () => {
  test.each([true, false])('are scheduled again and emitted within lease and interval (CDC on: %s)', async (cdc) => {
    world = new SpoutWorld();
    const { db, now } = world;
    world.spout();
    const rows = Array.from({ length: 10 }, (_, index) => db.insert({ account: `a${index}`, dueAt: now }));
    await world.run(1_000);
    await register('dead', 8_000);
    await register('alive', 60_000);
    await claim(
      'dead',
      rows.slice(0, 5).map(({ id }) => id),
    );
    await claim(
      'alive',
      rows.slice(5).map(({ id }) => id),
    );
    world.ack();
    world.cdc = cdc;
    await world.run(7_000);
    expect(world.ids()).toHaveLength(10);
    await world.run(cdc ? 3_500 : 5_500);
    expect(rows.map(({ state }) => state)).toEqual([...Array(5).fill('scheduled'), ...Array(5).fill('sending')]);
    expect(rows.slice(0, 5).every(({ inDoubt, version }) => inDoubt && version === 2)).toBe(true);
    expect(world.emitted().filter(({ version }) => version === 2)).toHaveLength(5);
    expect(db.workers.get('dead')?.dead).toBe(true);
    expect(db.workers.get('alive')?.dead).toBe(false);
  });

  test('a session is not marked dead within one lease after the database answered again', async () => {
    world = new SpoutWorld();
    const { db, now } = world;
    world.spout();
    const row = db.insert({ dueAt: now });
    await world.run(1_000);
    await register('s', 10_000);
    await claim('s', [row.id]);
    world.ack();
    db.before = away;
    await world.run(20_000);
    db.before = () => {};
    await world.run(9_000);
    expect(db.workers.get('s')?.dead).toBe(false);
    expect(world.errors.some((error) => error instanceof Unavailable)).toBe(true);
    await world.run(5_000);
    expect(db.workers.get('s')?.dead).toBe(true);
    expect(row).toMatchObject({ state: 'scheduled', version: 2 });
  });

  test('are left alone while nothing is known of the database’s clock', async () => {
    world = new SpoutWorld();
    const { db, now } = world;
    world.clockKnown = false;
    const row = db.insert({ dueAt: now });
    world.spout();
    await world.run(10_000);
    expect(world.ids()).toEqual([]);
    world.clockKnown = true;
    await world.run(200);
    expect(world.ids()).toEqual([row.id]);
  });
});

test('a long sweep takes a twentieth of the time and continues where it was', async () => {
  world = new SpoutWorld(['webhook', 'x']);
  const { db, now, clock } = world;
  world.cdc = false;
  db.pausedChannels.add('x');
  for (let index = 0; index < 12_000; index++) db.insert({ account: 'one', channel: 'x', dueAt: now - 20_000 + index });
  let busy = 0;
  const spout = world.spout();
  await world.run(3_000);
  db.after = async (operation) => {
    if (operation !== 'page') return;
    busy += 100;
    await clock.sleep(100);
  };
  const row = db.insert({ dueAt: now });
  await world.run(4_000);
  expect(world.ids()).toEqual([row.id]);
  busy = 0;
  await world.run(60_000);
  // Besides, each channel opens a bucket every five seconds: 24 pages.
  expect(busy).toBeLessThan(24 * 100 + 60_000 * 0.05 * 1.2);
  expect(spout.gauges()['reconcile_age_ms.x']).toBeLessThan(40_000);
});

test('acks that cannot be read do not keep rows from being recovered', async () => {
  world = new SpoutWorld();
  const { db, log, now } = world;
  world.spout();
  const row = db.insert({ dueAt: now });
  await world.run(1_000);
  await claim('unknown', [row.id]);
  log.before = (operation) => {
    if (operation === 'acks') away();
  };
  await world.run(5_000);
  expect(row).toMatchObject({ state: 'scheduled', version: 2, inDoubt: true });
  expect(world.emitted().at(-1)).toMatchObject({ version: 2 });
});
