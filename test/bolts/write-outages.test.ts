import { Unavailable } from '../../topology/core/errors';
import type { MemoryRow } from '../support/mysql/memory-table';
import { Refusals } from './refusals';
import { World, type WorldOptions } from './world';

/*
 * Outages of the messages' table or of the ledger alone: leases are renewed all the while, so the database does not count as away.
 */

let world: World;
afterEach(() => world.close());

async function open(refusals: Refusals, options: WorldOptions): Promise<void> {
  world = new World(options, undefined, refusals.around);
  refusals.world = world;
  await world.open();
}

const rowsOf = (count: number) =>
  Array.from({ length: count }, (_, n) => world.row(100, { account: `a${n}`, host: `h${n}` }));

/** As reconcile does, what is scheduled is emitted again. */
async function reconciled(rows: readonly MemoryRow[], forMs: number): Promise<void> {
  for (let ms = 0; ms < forMs; ms += 500) {
    await world.advance(500);
    world.emit(...rows.filter(({ state }) => state === 'scheduled'));
  }
}

/** Those that were not sent once, or may be in doubt. */
function unlikeWritten(rows: readonly MemoryRow[]): MemoryRow[] {
  return rows.filter(
    (row) => row.state !== 'delivered' || row.version > 1 || row.inDoubt || world.begun(row).length !== 1,
  );
}

const classes = ['blind', 'idempotent'] as const;

describe.each(classes)('under a %s channel', (channelClass) => {
  test.each([20, 52, 104, 240])('a table that is altered for %i s puts nothing in doubt', async (seconds) => {
    const refusals = new Refusals(1062);
    await open(refusals, { class: channelClass });
    let until = 0;
    world.database.before = async (operation) => {
      if (operation !== 'writeBack' && operation !== 'writeAlone') return;
      const end = world.clock.now() + 10_000;
      while (world.clock.now() < until && world.clock.now() < end) await world.clock.sleep(100);
      if (world.clock.now() < until) throw new Unavailable('the table is locked');
    };
    const rows = rowsOf(5);
    world.emit(...rows);
    await world.advance(101);
    until = world.clock.now() + seconds * 1_000;
    await reconciled(rows, seconds * 1_000 + 60_000);
    expect(unlikeWritten(rows)).toEqual([]);
  });

  test('a ledger that comes and goes, half a second in ten, puts nothing in doubt', async () => {
    const refusals = new Refusals(1062);
    await open(refusals, { class: channelClass, settings: { concurrency: 50, maxHeld: 400 } });
    const rows: MemoryRow[] = [];
    for (let ms = 0; ms < 120_000; ms += 100) {
      refusals.isAway = ms % 10_000 >= 500;
      const n = (ms / 100) % 60;
      const row = world.row(100, { account: `a${n}`, host: `h${n}` });
      rows.push(row);
      world.emit(row);
      await world.advance(100);
      if (ms % 2_000 === 0) world.emit(...rows.filter(({ state }) => state === 'scheduled'));
    }
    refusals.isAway = false;
    await reconciled(rows, 60_000);
    expect(unlikeWritten(rows)).toEqual([]);
    // Not one by one.
    expect(refusals.written.length).toBeLessThan(rows.length / 2);
  });

  test('a ledger that takes nothing for five minutes ends the claims, and after it outcomes are written in batches', async () => {
    const refusals = new Refusals(1062);
    await open(refusals, { class: channelClass, settings: { maxHeld: 400 } });
    refusals.isAway = true;
    const rows: MemoryRow[] = [];
    const begun = () => rows.filter((row) => world.begun(row).length > 0).length;
    for (let second = 0; second < 300; second++) {
      const n = second % 30;
      const row = world.row(100, { account: `a${n}`, host: `h${n}` });
      rows.push(row);
      world.emit(row);
      await reconciled(rows, 1_000);
    }
    // Half of what may be held may be unwritten.
    expect(begun()).toBeLessThanOrEqual(200);
    expect(refusals.written).toEqual([]);
    refusals.isAway = false;
    await world.advance(2_500);
    expect(refusals.written.slice(0, 4).reduce((sum, size) => sum + size, 0)).toBeGreaterThanOrEqual(195);
    await reconciled(rows, 120_000);
    expect(unlikeWritten(rows)).toEqual([]);
  });
});

test('3. what failed together stays together: an outage that begins while refused outcomes are looked for refuses none of the others', async () => {
  const refusals = new Refusals(1062);
  await open(refusals, { settings: { concurrency: 200, perAccount: 200, perOrigin: 200, claimBatch: 200 } });
  const rows = rowsOf(200);
  const bad = rows.filter((_, n) => n % 10 === 0);
  for (const { id } of bad) refusals.writeBack.add(id);
  let isFirst = true;
  world.database.after = (operation) => {
    if (operation === 'writeBack' && isFirst) refusals.isAway = true;
    if (operation === 'writeBack') isFirst = false;
  };
  world.emit(...rows);
  await world.advance(60_000);
  expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['sending', 'delivered']));
  refusals.isAway = false;
  await world.advance(100_000);
  expect(unlikeWritten(rows.filter((row) => !bad.includes(row)))).toEqual([]);
  for (const row of bad) expect(row).toMatchObject({ state: 'scheduled', version: 2, inDoubt: true });
});

test('refused outcomes are not given up while the ledger is away, and are after it', async () => {
  const refusals = new Refusals(1062);
  await open(refusals, {});
  const [bad, ...others] = rowsOf(3) as [MemoryRow, MemoryRow, MemoryRow];
  refusals.writeBack.add(bad.id);
  world.emit(bad, ...others);
  await world.advance(3_000);
  refusals.isAway = true;
  await world.advance(600_000);
  expect(bad).toMatchObject({ state: 'sending', version: 1 });
  refusals.isAway = false;
  await world.advance(90_000);
  expect(bad).toMatchObject({ state: 'scheduled', version: 2, inDoubt: true });
});

test('a drain waits for a table that is away for fifteen seconds', async () => {
  const refusals = new Refusals(1062);
  await open(refusals, {});
  const rows = rowsOf(2);
  world.emit(...rows);
  await world.advance(101);
  refusals.isAway = true;
  let isDrained = false;
  void world.bolt.drain().then(() => {
    isDrained = true;
  });
  await world.advance(15_000);
  expect(isDrained).toBe(false);
  refusals.isAway = false;
  await world.advance(3_000);
  expect(isDrained).toBe(true);
  expect(unlikeWritten(rows)).toEqual([]);
});
