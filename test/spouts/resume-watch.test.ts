import { Unavailable } from '../../topology/core/errors';
import type { MemoryRow } from '../support/mysql/memory-table';
import { SpoutWorld } from './spout-world';

let world: SpoutWorld;

beforeEach(() => {
  world = new SpoutWorld();
  world.resumes = true;
});
afterEach(() => world.close());

/** Rows that were suspended long ago; the last of them is due first. */
function suspended(account: string, count: number): MemoryRow[] {
  world.cdc = false;
  const rows = Array.from({ length: count }, (_, n) => {
    const row = world.db.insert({ account, dueAt: world.now - 60_000 - n });
    row.state = 'suspended';
    return row;
  });
  world.cdc = true;
  return rows;
}

const name = (account: string) => ({ account, channel: 'webhook' });
const states = (rows: readonly MemoryRow[]) => [...new Set(rows.map(({ state }) => state))];

test('the owner of partition 0 schedules suspended messages again once their account can be used, and they are emitted', async () => {
  const rows = suspended('shop', 25);
  const other = world.spout({ partitions: [1, 2, 3], of: 4 });
  await world.run(5_000);
  expect(states(rows)).toEqual(['suspended']);
  world.db.accounts.say(name('shop'), 'resuming');
  await world.run(5_000);
  expect(states(rows)).toEqual(['suspended']);
  world.assign(other, { partitions: [0, 1, 2, 3], of: 4 });
  await world.run(5_000);
  expect(states(rows)).toEqual(['scheduled']);
  expect(world.db.accounts.stateOf(name('shop'))).toBe('usable');
  expect(world.emitted().map(({ id }) => id)).toEqual(rows.toReversed().map(({ id }) => id));
  expect(world.emitted().every(({ version }) => version === 2)).toBe(true);
});

test('without CDC reconcile finds what was resumed', async () => {
  const rows = suspended('shop', 3);
  world.cdc = false;
  world.spout();
  await world.run(3_000);
  world.db.accounts.say(name('shop'), 'resuming');
  await world.run(70_000);
  expect(world.ids()).toEqual(rows.map(({ id }) => id));
});

test('a message that a person has kept back is emitted by nobody, and an edit of it when it is due', async () => {
  const [row, other] = suspended('shop', 2) as [MemoryRow, MemoryRow];
  world.spout();
  await world.run(10_000);
  expect(world.emitted()).toEqual([]);
  world.db.edit(row.id, { dueAt: world.now + 3_000 });
  expect(row.state).toBe('scheduled');
  await world.run(10_000);
  expect(world.emitted()).toMatchObject([{ id: row.id, version: 2 }]);
  expect(other.state).toBe('suspended');
});

test('an edit of a message whose account is being resumed keeps its place among the others', async () => {
  const rows = suspended('shop', 25);
  world.db.accounts.say(name('shop'), 'resuming');
  const row = rows[12] as MemoryRow;
  world.db.edit(row.id, { payload: 'new' });
  expect(row.state).toBe('suspended');
  world.spout();
  await world.run(10_000);
  expect(states(rows)).toEqual(['scheduled']);
  const resumed = world.emitted().filter(({ id, version }) => version === (id === row.id ? 3 : 2));
  expect(resumed.map(({ id }) => id)).toEqual(rows.toReversed().map(({ id }) => id));
});

test('Accounts take turns: one with many messages does not keep another waiting', async () => {
  const many = suspended('many', 400);
  const few = suspended('zebra', 5);
  for (const account of ['many', 'zebra']) world.db.accounts.say(name(account), 'resuming');
  let calls = 0;
  world.onResume = () => {
    if (states(few)[0] === 'suspended') calls++;
  };
  world.spout();
  await world.run(60_000);
  expect(calls).toBe(2);
  expect(states([...many, ...few])).toEqual(['scheduled']);
});

test('rows that a person has kept back are passed over without a rest, however many stand before those that wait', async () => {
  const waiting = suspended('shop', 5);
  const kept = suspended('shop', 500);
  for (const row of kept) row.dueAt -= 600_000;
  world.db.accounts.set(name('shop'), ['token'], 'keep');
  for (const row of waiting) world.db.overwrite(row.id, 'suspended since');
  world.db.accounts.say(name('shop'), 'resuming');
  world.spout();
  await world.run(20_000);
  expect(states(waiting)).toEqual(['scheduled']);
  expect(states(kept)).toEqual(['suspended']);
  expect(world.db.accounts.stateOf(name('shop'))).toBe('usable');
});

test('what one owner has not resumed when it dies, the next one does', async () => {
  const rows = suspended('shop', 200);
  const first = world.spout();
  await world.run(1_500);
  world.db.accounts.say(name('shop'), 'resuming');
  let calls = 0;
  world.onResume = () => {
    if (++calls > 3) throw new Unavailable('the database is away');
  };
  await world.run(2_000);
  expect(states(rows).toSorted()).toEqual(['scheduled', 'suspended']);
  world.assign(first, { partitions: [], of: 4 });
  world.onResume = () => {};
  world.spout();
  await world.run(5_000);
  expect(states(rows)).toEqual(['scheduled']);
});

test('an account whose rows cannot be written does not hold up those after it', async () => {
  const bad = suspended('bad', 3);
  const good = suspended('good', 25);
  for (const account of ['bad', 'good']) world.db.accounts.say(name(account), 'resuming');
  world.db.unresumable.add('bad');
  world.spout();
  await world.run(10_000);
  expect(states(bad)).toEqual(['suspended']);
  expect(states(good)).toEqual(['scheduled']);
  expect(world.errors).not.toEqual([]);
  world.db.unresumable.clear();
  await world.run(10_000);
  expect(states(bad)).toEqual(['scheduled']);
});

test('A round that comes no further is followed by a rest: a row that somebody holds is not asked for all the time', async () => {
  const [row] = suspended('shop', 1) as [MemoryRow];
  world.db.locked.add(row.id);
  world.db.accounts.say(name('shop'), 'resuming');
  let calls = 0;
  world.onResume = () => {
    if (++calls > 1_000) throw new Error('it is asked for without a rest');
  };
  world.spout();
  await world.run(10_000);
  expect(world.errors).toEqual([]);
  expect(calls).toBeGreaterThan(10);
  expect(calls).toBeLessThanOrEqual(24);
  world.db.locked.clear();
  await world.run(3_000);
  expect(states([row])).toEqual(['scheduled']);
});
