import { all, SpoutWorld } from './spout-world';

let world: SpoutWorld;

beforeEach(() => {
  world = new SpoutWorld();
});

afterEach(async () => {
  await world.close();
});

function fill(count: number, dueAt: number): void {
  for (let index = 0; index < count; index++) world.db.insert({ account: `a${index}`, dueAt });
}

/** Shards that the database was asked for since. */
function watchShards(): Set<number> {
  const shards = new Set<number>();
  const rows = world.db.openRows();
  world.db.openRows = () => ({
    ...rows,
    page: (channel, cursors, below, limit) => {
      for (const { shard, afterWake } of cursors) if (afterWake < 0 && below > world.now) shards.add(shard);
      return rows.page(channel, cursors, below, limit);
    },
  });
  return shards;
}

test('kept partitions keep their buckets and their pending tuples; new ones are read', async () => {
  const shards = watchShards();
  fill(100, world.now + 20_000);
  fill(100, world.now);
  const spout = world.spout({ partitions: [0, 1], of: 4 });
  await world.run(5_000);
  const before = world.ids().length;
  expect(shards.size).toBe(128);
  shards.clear();
  world.assign(spout, { partitions: [1, 2], of: 4 });
  await world.run(5_000);
  expect([...shards].every((shard) => shard % 4 === 2)).toBe(true);
  const moved = [...world.db.rows.values()].filter(({ shard, dueAt }) => shard % 4 === 2 && dueAt <= world.now);
  expect(world.ids()).toHaveLength(before + moved.length);
  await world.run(10_000);
  const owned = [...world.db.rows.values()].filter(({ shard }) => shard % 4 === 1 || shard % 4 === 2);
  expect(owned.every(({ id }) => world.ids().includes(id))).toBe(true);
});

test('lost partitions are forgotten, what is pending and what overflowed too', async () => {
  for (let index = 0; index < 3_000; index++) world.db.insert({ account: 'much', dueAt: world.now + 30_000 });
  fill(100, world.now + 20_000);
  fill(100, world.now);
  const spout = world.spout();
  await world.run(5_000);
  expect(spout.gauges()['overflowed_accounts.webhook']).toBe(1);
  world.assign(spout, { partitions: [], of: 4 });
  expect(spout.gauges()).toMatchObject({
    'entries.webhook': 0,
    'pending.webhook': 0,
    'overflowed_accounts.webhook': 0,
  });
  await world.run(30_000);
  expect(world.ids()).toHaveLength(100);
});

test('another number of partitions: everything is read again, nothing pending is emitted again', async () => {
  const shards = watchShards();
  fill(50, world.now + 20_000);
  fill(50, world.now);
  const spout = world.spout();
  await world.run(5_000);
  shards.clear();
  world.assign(spout, { partitions: [0, 1, 2, 3, 4, 5, 6, 7], of: 8 });
  await world.run(20_000);
  expect(shards.size).toBe(256);
  expect(world.ids()).toEqual([...world.db.rows.keys()]);
});

test('a page that was asked for before its partition was lost and regained is not believed', async () => {
  const { db, clock, now } = world;
  const row = db.insert({ dueAt: now + 5_000 });
  await world.run(50);
  let slow = true;
  db.after = async (operation) => {
    if (operation !== 'page' || !slow) return;
    slow = false;
    await clock.sleep(1_000);
  };
  const spout = world.spout();
  await world.run(100);
  world.assign(spout, { partitions: [], of: 4 });
  db.edit(row.id, { dueAt: now + 30_000 });
  await world.run(100);
  world.assign(spout, all);
  await world.run(40_000);
  expect(world.emitted()).toMatchObject([{ id: row.id, version: 2, at: now + 28_000 }]);
});

test('a page that is older than an event does not undo it', async () => {
  const { db, clock, now } = world;
  const edited = db.insert({ dueAt: now + 5_000 });
  const canceled = db.insert({ dueAt: now + 5_000 });
  let slow = true;
  db.after = async (operation) => {
    if (operation !== 'page' || !slow) return;
    slow = false;
    await clock.sleep(1_000);
  };
  world.spout();
  await world.run(100);
  db.edit(edited.id, { dueAt: now + 30_000 });
  db.cancel(canceled.id);
  await world.run(40_000);
  expect(world.emitted()).toMatchObject([{ id: edited.id, version: 2 }]);
});

test('the first tuples after a restart do not wait for the backlog, and channels take turns', async () => {
  await world.close();
  world = new SpoutWorld(['webhook', 'x'], { maxPending: 2_000 });
  const { db, clock } = world;
  for (let index = 0; index < 15_000; index++)
    db.insert({ account: `a${index % 300}`, dueAt: world.now - 60_000 + index });
  const others = Array.from({ length: 20 }, (_, index) =>
    db.insert({ account: `a${index}`, channel: 'x', dueAt: world.now }),
  );
  db.before = (operation) => (operation === 'page' ? clock.sleep(100) : undefined);
  world.spout();
  await world.run(300);
  expect(world.ids().length).toBeGreaterThan(500);
  expect(world.ids('x')).toHaveLength(others.length);
});
