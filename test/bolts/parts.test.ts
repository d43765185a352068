import { World, type WorldOptions } from './world';

describe('the parts of SendBolt', () => {
  let world: World;

  async function start(options: WorldOptions = {}): Promise<World> {
    world = await new World(options).open();
    return world;
  }

  afterEach(() => world.close());

  describe('HeldRows', () => {
    it('1. the row as read counts, never the tuple', async () => {
      await start();
      const row = world.row(500);
      world.emit({ ...row, version: 7, dueAt: row.dueAt - 500 });
      await world.advance(499);
      expect(world.channel.journal).toEqual([]);
      await world.advance(100);
      expect(world.begun(row)).toEqual([row.dueAt]);
    });

    it('2. a tuple is acked when its row is claimed or dropped, and not before', async () => {
      await start();
      const [sent, canceled] = [world.row(500), world.row(500)];
      world.emit(sent, canceled);
      world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(50) : undefined);
      world.database.cancel(canceled.id);
      await world.advance(1);
      expect(world.acked).toEqual([1]);
      await world.advance(548);
      expect(world.acked).toEqual([1]);
      await world.advance(2);
      expect(world.acked).toEqual([1, 0]);
      expect(world.state(sent)).toBe('sending');
    });
  });

  describe('Claimer', () => {
    it('1. won is only what the database says', async () => {
      await start();
      const [mine, theirs, unchanged] = [world.row(500), world.row(500), world.row(500)];
      world.emit(mine, theirs, unchanged);
      await world.advance(100);
      Object.assign(theirs, { state: 'sending', claim: 'f'.repeat(32) });
      world.database.locked.add(unchanged.id);
      await world.advance(500);
      expect(world.channel.journal.map(({ id }) => id)).toEqual([mine.id]);
      expect(world.acked).toEqual([0, 1]);
    });

    it('2. ids sorted, none twice', async () => {
      await start({ settings: { claimBatch: 20 } });
      world.channel.latency = 1;
      const rows = Array.from({ length: 100 }, (_, n) => world.row(500 - (n % 5), { account: `a${n}` }));
      world.emit(...rows.toReversed(), ...rows);
      await world.advance(2_000);
      for (const { ids } of world.claims) expect(ids).toEqual(ids.toSorted((one, other) => one - other));
      const all = world.claims.flatMap(({ ids }) => ids);
      expect(all).toHaveLength(100);
      expect(new Set(all).size).toBe(100);
    });
  });

  describe('ClaimPlanner', () => {
    it('1. at the instant, as many as can start soon', async () => {
      await start({ class: 'blind', settings: { concurrency: 6, perAccount: 6, perOrigin: 6, claimBatch: 50 } });
      world.emit(...world.rows(4, 100, { host: 'h' }));
      await world.advance(200);
      world.channel.latency = 500;
      const rows = world.rows(30, 100, { host: 'h' });
      world.emit(...rows);
      await world.advance(150);
      // One slot is kept from a single host only when there are eight.
      expect(rows.filter(({ state }) => state === 'sending')).toHaveLength(world.bolt.gauges()['in_flight'] as number);
      expect(world.bolt.gauges()).toMatchObject({ claimed_waiting: 0 });
      await world.advance(10_000);
      expect(world.states(rows)).toEqual(['delivered']);
    });

    it('2. ahead of it only for a crowd', async () => {
      await start({ settings: { claimAheadMaxMs: 2_000, claimBatch: 100 } });
      const single = world.row(1_000);
      const crowd = Array.from({ length: 400 }, (_, n) => world.row(1_900, { account: `a${n}`, host: 'two' }));
      world.emit(single, ...crowd);
      // The host is known as quick, or only what can start at once would be claimed for it.
      world.emit(world.row(10, { host: 'two' }));
      await world.advance(3_000);
      const at = (id: number) => world.claims.find(({ ids }) => ids.includes(id));
      expect(at(single.id)).toMatchObject({ ahead: 0, at: single.dueAt });
      const first = at(crowd[0]?.id as number);
      expect(first?.ahead).toBeGreaterThan(20);
      expect(first?.ahead).toBeLessThan(200);
      expect(Math.min(...crowd.flatMap((row) => world.begun(row)))).toBeGreaterThanOrEqual(crowd[0]?.dueAt as number);
    });

    it('rows of a large account gather to a claim while there is enough to send', async () => {
      await start({ settings: { concurrency: 40, perAccount: 4, perOrigin: 40, claimBatch: 100 } });
      world.channel.latency = 5;
      world.emit(world.row(10, { host: 'h' }));
      await world.advance(100);
      const large = world.rows(200, 100, { account: 'large', host: 'h' });
      const others = Array.from({ length: 1_800 }, (_, n) => world.row(100, { account: `a${n}`, host: 'h' }));
      world.emit(...large, ...others);
      await world.advance(5_000);
      expect(world.states([...large, ...others])).toEqual(['delivered']);
      expect(world.claims.length).toBeLessThan(2_000 / 25);
    });
  });

  describe('RefusedResults', () => {
    it('1. a refused result is written again by itself, later and later, and at last its row is released', async () => {
      await start();
      const [refused, mended] = [world.row(100), world.row(100)];
      for (const { id } of [refused, mended]) world.database.poisoned.add(id);
      const tries: number[] = [];
      world.database.before = (operation) => {
        if (operation === 'writeAlone') tries.push(world.clock.now());
      };
      world.emit(refused, mended);
      await world.advance(10_000);
      world.database.poisoned.delete(mended.id);
      await world.advance(10_000);
      expect(world.state(mended)).toBe('delivered');
      expect(world.state(refused)).toBe('sending');
      await world.advance(60_000);
      expect(refused).toMatchObject({ state: 'scheduled', inDoubt: true, version: 2 });
      expect(refused.retryAt).toBeGreaterThan(refused.dueAt + 60_000);
      const own = tries.slice(2);
      expect(own.at(-1) as number).toBeGreaterThan((own[0] as number) + 15_000);
      expect(world.bolt.gauges()).toMatchObject({ unwritten: 0, held_bytes: 0 });
    });

    it('a row that may be looked up is released for as long as its request may still be accepted', async () => {
      await start({ class: 'lookup' });
      world.channel.acceptedWithin = 105_000;
      const row = world.row(100);
      world.database.poisoned.add(row.id);
      world.emit(row);
      await world.advance(300);
      void world.bolt.drain();
      await world.advance(3_000);
      expect(row).toMatchObject({ state: 'scheduled', inDoubt: true });
      expect(row.retryAt).toBeGreaterThanOrEqual(row.dueAt + 105_000);
    });

    it('draining waits for no other try', async () => {
      await start();
      const row = world.row(100);
      world.database.poisoned.add(row.id);
      world.emit(row);
      await world.advance(300);
      let isDrained = false;
      void world.bolt.drain().then(() => {
        isDrained = true;
      });
      await world.advance(3_000);
      expect(isDrained).toBe(true);
      expect(row).toMatchObject({ state: 'scheduled', inDoubt: true });
    });
  });

  describe('WriteBack', () => {
    it('1. a result is kept until it is written', async () => {
      await start();
      const rows = world.rows(4, 100);
      world.emit(...rows);
      let away = true;
      world.database.before = (operation) => {
        if ((operation === 'writeBack' || operation === 'writeAlone') && away) throw new Error('away');
      };
      await world.advance(60_000);
      expect(world.bolt.gauges()['unwritten']).toBe(4);
      away = false;
      await world.advance(3_000);
      expect(world.states(rows)).toEqual(['delivered']);
    });

    it('2. one bad row holds nobody else', async () => {
      await start();
      const rows = world.rows(4, 100);
      world.database.poisoned.add(rows[0]?.id as number);
      world.emit(...rows);
      await world.advance(1_000);
      expect(world.states(rows.slice(1))).toEqual(['delivered']);
      expect(world.errors).toHaveLength(1);
      expect(world.bolt.gauges()).toMatchObject({ unwritten: 1 });
    });

    it('writes at most 32 MiB of payloads at once', async () => {
      const sizes: number[] = [];
      const settings = { maxHeldBytes: 256 * 1024 * 1024, concurrency: 64, perAccount: 64, perOrigin: 64 };
      world = new World({ settings }, undefined, (rows) => ({
        ...rows,
        writeBack: (session, results) => {
          sizes.push(results.length);
          return rows.writeBack(session, results);
        },
      }));
      await world.open();
      // A known lane, or only some could be under way at once.
      for (let n = 0; n < 70; n++) {
        world.emit(world.row(10));
        await world.advance(20);
      }
      await world.advance(1_000);
      sizes.length = 0;
      const body = 'x'.repeat(1_000_000);
      const rows = Array.from({ length: 50 }, () => world.row(1_000, { payload: { url: 'http://one/', body } }));
      world.emit(...rows);
      await world.advance(5_000);
      expect(world.states(rows)).toEqual(['delivered']);
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(50);
      expect(Math.max(...sizes)).toBe(33);
    });

    it('writes 500 results, or what there is after 100 ms', async () => {
      await start();
      const sizes: number[] = [];
      const rows = world.rows(4, 100);
      world.emit(...rows);
      world.database.after = (operation) => {
        if (operation === 'writeBack') sizes.push(world.database.ledger.length);
      };
      await world.advance(100 + 10 + 99);
      expect(sizes).toEqual([]);
      await world.advance(2);
      expect(sizes).toEqual([4]);
    });
  });
});
