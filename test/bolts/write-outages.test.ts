import type { SendRows } from '../../bolts/send-rows';
import { Unavailable } from '../../topology/core/errors';
import type { MemoryRow } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

/*
 * Outages of the messages' table or of the ledger alone: leases are renewed all the while, so the database does not count as away.
 */

let world: World;
afterEach(() => world.close());

async function open(options: WorldOptions, around: (own: SendRows) => SendRows): Promise<void> {
  world = new World(options, undefined, around);
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

const classes = ['blind', 'idempotent'] as const;
const lengths = [20, 36, 52, 72, 88, 104, 124, 140, 168, 196, 220, 240];

describe.each(classes)('a table that is altered under a %s channel', (channelClass) => {
  test.each(lengths)('for %i s puts nothing in doubt', async (seconds) => {
    let until = 0;
    const locked = async (forMs: number) => {
      const end = world.clock.now() + forMs;
      while (world.clock.now() < until && world.clock.now() < end) await world.clock.sleep(100);
      if (world.clock.now() < until) throw new Unavailable('the table is locked');
    };
    await open({ class: channelClass }, (own) => ({
      ...own,
      writeBack: async (...args) => {
        await locked(10_000);
        return own.writeBack(...args);
      },
      release: async (...args) => {
        await locked(5_000);
        return own.release(...args);
      },
    }));
    const rows = rowsOf(5);
    world.emit(...rows);
    await world.advance(101);
    until = world.clock.now() + seconds * 1_000;
    await reconciled(rows, seconds * 1_000 + 60_000);
    for (const row of rows) {
      expect(row).toMatchObject({ state: 'delivered', version: 1 });
      expect(world.begun(row)).toHaveLength(1);
    }
  });
});

test('batches that get no answer while single results are written leave nothing in doubt', async () => {
  await open({ class: 'blind', settings: { concurrency: 100, perOrigin: 100, perAccount: 100 } }, (own) => ({
    ...own,
    writeBack: async (session, results) => {
      if (results.length === 1) return own.writeBack(session, results);
      await world.clock.sleep(10_000);
      throw new Unavailable('MySQL does not answer');
    },
  }));
  const rows = rowsOf(100);
  world.emit(...rows);
  // In ever smaller parts, and at last one by one.
  await reconciled(rows, 600_000);
  for (const row of rows) expect(row).toMatchObject({ state: 'delivered', version: 1 });
});

test.each(classes)(
  'a ledger that takes nothing for 20 minutes ends the claims of a %s channel',
  async (channelClass) => {
    let isAway = true;
    await open({ class: channelClass, settings: { maxHeld: 100 } }, (own) => ({
      ...own,
      writeBack: async (...args) => {
        if (isAway) throw new Unavailable('the table is full (error 1114)');
        return own.writeBack(...args);
      },
    }));
    const rows: MemoryRow[] = [];
    const begun = () => rows.map((row) => world.begun(row).length);
    for (let second = 0; second < 1_200; second++) {
      const row = world.row(100, { account: `a${second % 30}`, host: `h${second % 30}` });
      rows.push(row);
      world.emit(row);
      await reconciled(rows, 1_000);
    }
    // Half of what may be held may be unwritten.
    expect(begun().reduce((one, other) => one + other)).toBeLessThanOrEqual(50);
    isAway = false;
    await reconciled(rows, 120_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(Math.max(...begun())).toBe(1);
    for (const row of rows) expect(row).toMatchObject({ version: 1, inDoubt: false });
  },
);
