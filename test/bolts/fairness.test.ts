import type { MemoryRow } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

describe('5. one slow account, host or provider holds nobody else', () => {
  let world: World;

  async function start(options: WorldOptions = {}): Promise<World> {
    world = await new World(options).open();
    return world;
  }

  afterEach(() => world.close());

  const lateness = (row: MemoryRow): number => (world.begun(row)[0] ?? Number.NaN) - row.dueAt;

  it('keeps within the slots of all, of each account and of each host', async () => {
    await start({ settings: { concurrency: 12, perAccount: 3, perOrigin: 5 } });
    const rows = Array.from({ length: 200 }, (_, n) => world.row(100, { account: `a${n % 7}`, host: `host${n % 3}` }));
    world.emit(...rows);
    await world.advance(10_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.channel.peak.get('all')).toBeLessThanOrEqual(12);
    for (let n = 0; n < 7; n++) expect(world.channel.peak.get(`a${n}`)).toBeLessThanOrEqual(3);
    for (let n = 0; n < 3; n++) expect(world.channel.peak.get(`http://host${n}`)).toBeLessThanOrEqual(5);
    expect(world.channel.peak.get('all')).toBeGreaterThan(8);
  });

  it('a host that hangs leaves slots for the others, from the first moment on', async () => {
    await start();
    world.channel.byHost = (host) => (host === 'http://hangs' ? { outcome: 'hangs' } : undefined);
    const stuck = Array.from({ length: 100 }, (_, n) => world.row(100, { account: `s${n}`, host: 'hangs' }));
    const others = Array.from({ length: 50 }, (_, n) => world.row(101, { account: `o${n}`, host: `fine${n % 5}` }));
    world.emit(...stuck, ...others);
    await world.advance(1_000);
    expect(world.states(others)).toEqual(['delivered']);
    expect(Math.max(...others.map(lateness))).toBeLessThan(200);
  });

  it('many slow hosts together leave slots for the others', async () => {
    await start({ settings: { concurrency: 64 } });
    world.channel.byHost = (host) =>
      host.includes('slow') ? { outcome: { kind: 'delivered' }, after: 5_000 } : undefined;
    const slow = Array.from({ length: 100 }, (_, n) => world.row(100, { account: `s${n}`, host: `slow${n % 20}` }));
    const others = Array.from({ length: 50 }, (_, n) => world.row(101, { account: `o${n}`, host: 'fine' }));
    world.emit(...slow, ...others);
    await world.advance(1_000);
    expect(world.states(others)).toEqual(['delivered']);
  });

  it('a host that was quick and hangs suddenly leaves slots for the others', async () => {
    await start();
    const quick = Array.from({ length: 60 }, (_, n) => world.row(100, { account: `q${n}`, host: 'fickle' }));
    world.emit(...quick);
    await world.advance(1_000);
    world.channel.byHost = (host) => (host === 'http://fickle' ? { outcome: 'hangs' } : undefined);
    const stuck = Array.from({ length: 60 }, (_, n) => world.row(100, { account: `s${n}`, host: 'fickle' }));
    const others = Array.from({ length: 20 }, (_, n) => world.row(101, { account: `o${n}`, host: 'fine' }));
    world.emit(...stuck, ...others);
    await world.advance(1_000);
    expect(world.states(others)).toEqual(['delivered']);
  });

  it('hosts that keep failing are tried sparingly, and grow back with success', async () => {
    await start({ settings: { concurrency: 64, perOrigin: 64 } });
    let down = true;
    world.channel.byHost = () =>
      down ? { outcome: { kind: 'retry', reason: 'connection refused' }, after: 5 } : undefined;
    const rows = Array.from({ length: 40 }, (_, n) => world.row(100, { account: `a${n}` }));
    world.emit(...rows);
    await world.advance(300);
    expect(world.bolt.gauges()['slow_hosts']).toBe(1);
    world.channel.peak.clear();
    const later = Array.from({ length: 20 }, (_, n) => world.row(100, { account: `b${n}` }));
    world.emit(...later);
    await world.advance(3_000);
    expect(world.channel.peak.get('http://one')).toBe(1);
    down = false;
    const after = Array.from({ length: 300 }, (_, n) => world.row(100, { account: `c${n}` }));
    world.emit(...after);
    await world.advance(3_000);
    expect(world.states(after)).toEqual(['delivered']);
    expect(world.channel.peak.get('http://one')).toBeGreaterThan(20);
    expect(world.bolt.gauges()['slow_hosts']).toBe(0);
  });

  it('a tuple that waits 30 s for its account is dropped, and comes again', async () => {
    await start({ settings: { perAccount: 1 } });
    world.channel.latency = 900;
    const rows = world.rows(60, 100, { account: 'slow' });
    const offsets = world.emit(...rows);
    await world.advance(29_000);
    expect(world.acked.length).toBeLessThan(50);
    await world.advance(5_000);
    expect(world.acked.toSorted((a, b) => a - b)).toEqual(offsets);
    expect(world.bolt.gauges()).toMatchObject({ held: 0 });
    await world.advance(5_000);
    const waiting = rows.filter((row) => row.state === 'scheduled');
    expect(waiting.length).toBeGreaterThan(5);
    world.emit(...waiting);
    await world.advance(25_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.channel.journal).toHaveLength(60);
  });

  it('what is claimed for a host that hangs is given back', async () => {
    await start();
    world.channel.byHost = () => ({ outcome: { kind: 'delivered' }, after: 5 });
    world.emit(...world.rows(20, 100));
    await world.advance(500);
    world.channel.byHost = () => ({ outcome: 'hangs' });
    const rows = Array.from({ length: 30 }, (_, n) => world.row(100, { account: `s${n}` }));
    world.emit(...rows);
    await world.advance(8_000);
    expect(world.bolt.gauges()['claimed_waiting']).toBeGreaterThan(0);
    await world.advance(6_000);
    expect(world.bolt.gauges()['claimed_waiting']).toBe(0);
    const given = rows.filter((row) => row.version === 2);
    expect(given.length).toBeGreaterThan(0);
    for (const row of given) expect(row).toMatchObject({ state: 'scheduled', inDoubt: false });
  });

  it('a row that somebody has locked holds nobody else', async () => {
    await start();
    world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(3) : undefined);
    const rows = Array.from({ length: 40 }, (_, n) => world.row(100, { account: `a${n}` }));
    const locked = rows[7] as MemoryRow;
    world.database.locked.add(locked.id);
    world.emit(...rows);
    await world.advance(1_000);
    expect(world.states(rows.filter((row) => row !== locked))).toEqual(['delivered']);
    expect(world.state(locked)).toBe('scheduled');
    world.database.locked.clear();
    await world.advance(1_100);
    expect(world.state(locked)).toBe('delivered');
  });

  it.each([0, 2_000])(
    'first attempts of an account start in (wake, id) order (claimAheadMaxMs %i)',
    async (claimAheadMaxMs) => {
      await start({ settings: { claimAheadMaxMs, claimBatch: 20, perAccount: 3 } });
      let trip = 0;
      world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep((trip += 7) % 40) : undefined);
      const rows = Array.from({ length: 300 }, (_, n) =>
        world.row(1_500 + ((n * 37) % 11) * 5, { account: `a${n % 4}`, host: `host${n % 2}` }),
      );
      world.emit(...rows.toReversed());
      await world.advance(8_000);
      expect(world.states(rows)).toEqual(['delivered']);
      for (let n = 0; n < 4; n++) {
        const started = world.channel.journal.filter(({ account }) => account === `a${n}`).map(({ id }) => id);
        const planned = rows
          .filter(({ account }) => account === `a${n}`)
          .toSorted((a, b) => a.dueAt - b.dueAt || a.id - b.id)
          .map(({ id }) => id);
        expect(started).toEqual(planned);
      }
    },
  );
});
