import { PartlyClaimed, Unavailable } from '../../topology/core/errors';
import type { Outcome } from '../../topology/message';
import { type MemoryRow, wakeOf } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

/**
 * Runs for some time in which five messages a second of fifty accounts go to quick hosts beside the hostile ones.
 * @param hosts of the quick ones
 * @returns how late the others were, at most and all but a twentieth, and how many were not sent
 */
async function othersBeside(
  world: World,
  hostile: readonly MemoryRow[],
  hosts = 10,
  seconds = 60,
): Promise<{ late: number; p95: number; missing: number }> {
  const all = [...hostile];
  const sent: MemoryRow[] = [];
  const acked = new Set<number>();
  let offsets = new Map<number, MemoryRow>();
  const emit = (rows: readonly MemoryRow[]) => {
    for (const [n, offset] of world.emit(...rows).entries()) offsets.set(offset, rows[n] as MemoryRow);
  };
  emit(hostile);
  for (let second = 0; second < seconds; second++) {
    const rows = Array.from({ length: 5 }, (_, n) => {
      const k = (second * 5 + n) % 50;
      return world.row(1_000 + n * 200, { account: `other${k}`, host: `quick${k % hosts}` });
    });
    sent.push(...rows);
    all.push(...rows);
    emit(rows);
    await world.advance(1_000);
    // As the spouts do: what was acked and still waits comes again.
    for (const offset of world.acked.splice(0)) acked.add(offset);
    const pending = new Set<MemoryRow>();
    const left = new Map<number, MemoryRow>();
    for (const [offset, row] of offsets) {
      if (acked.has(offset)) continue;
      pending.add(row);
      left.set(offset, row);
    }
    offsets = left;
    emit(
      all.filter((row) => row.state === 'scheduled' && (wakeOf(row) ?? 0) < world.database.now() && !pending.has(row)),
    );
  }
  await world.advance(2_000);
  const late = sent.map((row) => (world.begun(row)[0] ?? Number.NaN) - row.dueAt).filter((ms) => !Number.isNaN(ms));
  late.sort((one, other) => one - other);
  const p95 = late[Math.ceil(late.length * 0.95) - 1] ?? Number.NaN;
  return { late: Math.max(...late), p95, missing: sent.length - late.length };
}

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

  it('lanes that keep failing are tried sparingly, and grow back with success', async () => {
    await start({ settings: { concurrency: 64, perOrigin: 64 } });
    let down = true;
    world.channel.byHost = () => (down ? { outcome: { kind: 'unknown', reason: 'connection reset' } } : undefined);
    world.emit(...world.rows(5, 100));
    await world.advance(300);
    expect(world.bolt.gauges()['slow_lanes']).toBe(1);
    for (let n = 0; n < 4; n++) {
      world.emit(...world.rows(4, 100));
      await world.advance(1_000);
    }
    world.channel.peak.clear();
    world.emit(...world.rows(20, 100));
    await world.advance(3_000);
    expect(world.channel.peak.get('http://one')).toBe(1);
    down = false;
    const after = world.rows(100, 100);
    world.emit(...after);
    await world.advance(3_000);
    expect(world.states(after)).toEqual(['delivered']);
    expect(world.channel.peak.get('http://one')).toBe(8);
    expect(world.bolt.gauges()['slow_lanes']).toBe(0);
  });

  describe('an origin that takes no connections', () => {
    const outcome: Outcome = { kind: 'retry', reason: 'http://away: connection refused', unreachable: true };
    let down: boolean;
    let tries: number[];
    let rows: MemoryRow[];
    let tenthsWithoutRoom: number;

    beforeEach(async () => {
      const settings = { concurrency: 256, perAccount: 32, perOrigin: 256, claimBatch: 500, maxHeld: 2_000 };
      await start({ settings, giveUpAfterMs: 1_200_000 });
      down = true;
      tries = [];
      tenthsWithoutRoom = 0;
      world.channel.byHost = (host) => {
        if (host !== 'http://away') return undefined;
        tries.push(world.clock.now());
        return down ? { outcome, isUnwritten: true, connecting: 1 } : undefined;
      };
      rows = Array.from({ length: 100 }, (_, n) => world.rows(20, 0, { account: `a${n}`, host: 'away' })).flat();
    });

    /** Emits what waits, once a second, as the spouts do. */
    async function run(seconds: number): Promise<void> {
      for (let second = 0; second < seconds; second++) {
        const now = world.database.now();
        world.emit(...rows.filter((row) => row.state === 'scheduled' && (wakeOf(row) as number) <= now));
        for (let tenth = 0; tenth < 10; tenth++) {
          await world.advance(100);
          if (!world.bolt.hasRoom()) tenthsWithoutRoom++;
        }
      }
    }

    it('is tried sparingly, and its messages leave room for others meanwhile', async () => {
      await run(5);
      const first = tries.length;
      expect(first).toBeLessThan(300);
      await run(55);
      // Its pauses grow to 30 s.
      expect(tries.length - first).toBeLessThanOrEqual(5);
      expect(tries.length - first).toBeGreaterThanOrEqual(3);
      expect(tenthsWithoutRoom).toBe(0);
      expect(world.bolt.gauges()['held']).toBeLessThan(200);
      expect(rows.every(({ attempts, firstAttemptAt }) => attempts > 0 && firstAttemptAt !== null)).toBe(true);
      const waiting = rows.filter(({ attempts }) => attempts > 2);
      expect(waiting[0]).toMatchObject({ lastError: 'http://away takes no connections: connection refused' });
      // Claims become rare: on average a message is claimed every 15 s now.
      const claims = world.claims.flatMap(({ at, ids }) => (at >= world.clock.now() - 15_000 ? ids : []));
      expect(claims.length).toBeLessThan(2_500);
    });

    it('has all its messages soon after it takes connections again', async () => {
      await run(600);
      down = false;
      await run(30);
      expect(rows.filter(({ state }) => state === 'delivered').length).toBeGreaterThan(0);
      // A quarter of the outage, and the longest pause.
      await run(160);
      expect(world.states(rows)).toEqual(['delivered']);
    });

    it('is tried for others when the account whose turn it is is paused', async () => {
      rows = [];
      world.emit(...world.rows(5, 0, { account: 'first', host: 'away' }));
      await world.advance(2_100);
      expect(tries.length).toBe(5);
      down = false;
      world.pausedAccounts.add('paused');
      // The second of them wakes later, so what is known of the account stays.
      const paused = [10, 1_900].map((delay) => world.row(delay, { account: 'paused', host: 'away' }));
      const other = world.row(20, { account: 'other', host: 'away' });
      world.emit(...paused, other);
      await world.advance(500);
      expect(world.begun(other)).toHaveLength(1);
      expect(world.states(paused)).toEqual(['scheduled']);
    });

    it('has its messages given up in time', async () => {
      rows = rows.slice(0, 200);
      await run(1_190);
      expect(world.states(rows)).toEqual(['scheduled']);
      // The longest back-off is a minute.
      await run(90);
      expect(world.states(rows)).toEqual(['failed']);
    });
  });

  it('what keeps the requests of one account from being made takes a shared origin from nobody else', async () => {
    await start({ settings: { concurrency: 256, perAccount: 32, perOrigin: 256, claimBatch: 500 } });
    const outcome: Outcome = { kind: 'retry', reason: 'too many of its names wait' };
    world.channel.byHost = (_, account) => (account === 'broken' ? { outcome, isUnwritten: true } : undefined);
    const fine: MemoryRow[] = [];
    const broken: MemoryRow[] = [];
    for (let second = 0; second < 20; second++) {
      const rows = Array.from({ length: 5 }, (_, n) => world.row(500, { account: `fine${n}`, host: 'shared' }));
      broken.push(...world.rows(5, 200, { account: 'broken', host: 'shared' }));
      fine.push(...rows);
      world.emit(...broken.filter((row) => row.state === 'scheduled'), ...rows);
      await world.advance(1_000);
    }
    expect(Math.max(...fine.map(lateness))).toBeLessThan(50);
    expect(world.states(broken)).toEqual(['scheduled']);
  });

  describe('others are on time, with the default settings,', () => {
    jest.setTimeout(30_000);

    const defaults = { concurrency: 256, perAccount: 32, perOrigin: 256, claimBatch: 500, maxHeld: 50_000 };

    const timesOut = { outcome: { kind: 'unknown', reason: 'no answer within 10 s' }, after: 10_000 } as const;

    beforeEach(async () => {
      await start({ settings: defaults });
      world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(3) : undefined);
      world.channel.byHost = (host, account) =>
        host.includes('hangs') || account.startsWith('hostile') ? timesOut : undefined;
    });

    it('while one account has 1,000 messages to 1,000 hosts that hang', async () => {
      const rows = Array.from({ length: 1_000 }, (_, n) => world.row(1_000, { account: 'hostile', host: `hangs${n}` }));
      const { late, missing } = await othersBeside(world, rows);
      expect(missing).toBe(0);
      expect(late).toBeLessThan(250);
    });

    it('while one account has 1,000 messages to a host that hangs for it, and that others use too', async () => {
      const rows = Array.from({ length: 1_000 }, () => world.row(1_000, { account: 'hostile', host: 'quick0' }));
      const { late, missing } = await othersBeside(world, rows, 1);
      expect(missing).toBe(0);
      expect(late).toBeLessThan(250);
    });

    it('while ten accounts have 100 messages each to hosts that hang', async () => {
      const rows = Array.from({ length: 1_000 }, (_, n) =>
        world.row(1_000, { account: `hostile${n % 10}`, host: `hangs${n}` }),
      );
      const { late, missing } = await othersBeside(world, rows);
      expect(missing).toBe(0);
      expect(late).toBeLessThan(250);
    });

    it('while the quick hosts of eight accounts begin to hang', async () => {
      let hangs = false;
      world.channel.byHost = (_, account) => (hangs && account.startsWith('hostile') ? timesOut : undefined);
      const rowsAt = (delay: number) =>
        Array.from({ length: 8 }, (_, n) =>
          world.rows(40, delay, { account: `hostile${n}`, host: `fickle${n}` }),
        ).flat();
      world.emit(...rowsAt(100));
      await world.advance(900);
      hangs = true;
      const { late, missing } = await othersBeside(world, rowsAt(1_000), 50, 15);
      expect(missing).toBe(0);
      expect(late).toBeLessThan(250);
    });

    it.each([
      [60, 20],
      [120, 10],
      [200, 5],
    ])('all but a twentieth, while the quick hosts of %i accounts begin to hang', async (accounts, each) => {
      let hangs = false;
      world.channel.byHost = (_, account) => (hangs && account.startsWith('hostile') ? timesOut : undefined);
      const rowsAt = (delay: number, count: number) =>
        Array.from({ length: accounts }, (_, n) =>
          world.rows(count, delay, { account: `hostile${n}`, host: `fickle${n}` }),
        ).flat();
      world.emit(...rowsAt(100, 2));
      await world.advance(900);
      hangs = true;
      const { late, p95, missing } = await othersBeside(world, rowsAt(1_000, each), 50);
      expect(missing).toBe(0);
      expect(p95).toBeLessThan(250);
      expect(late).toBeLessThan(2_500);
      expect(world.channel.peak.get('all')).toBeLessThanOrEqual(2 * 256);
    });

    it('while one account has 20,000 messages at one instant', async () => {
      world.channel.byHost = () => undefined;
      const rows = Array.from({ length: 20_000 }, () => world.row(1_000, { account: 'large', host: 'own' }));
      const { late, missing } = await othersBeside(world, rows);
      expect(missing).toBe(0);
      expect(late).toBeLessThan(250);
      expect(world.states(rows)).toEqual(['delivered']);
    });
  });

  it('a message on short notice is on time although its lane waits for a later one', async () => {
    await start({
      settings: {
        concurrency: 256,
        perAccount: 32,
        perOrigin: 256,
        claimBatch: 500,
        claimAheadMaxMs: 2_000,
        maxHeld: 50_000,
      },
    });
    const crowd = Array.from({ length: 40 }, (_, n) =>
      world.rows(150, 1_500 + 10 * (n % 7), { account: `a${n}`, host: `h${n}` }),
    );
    world.emit(...crowd.flat());
    await world.advance(400);
    const early = world.row(100, { account: 'a36', host: 'h36' });
    world.emit(early);
    await world.advance(2_000);
    expect(lateness(early)).toBeLessThan(50);
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

  it('a row that somebody keeps locked is claimed apart, later and later, and its tuple is not kept', async () => {
    world = new World({}, undefined, (rows) => ({
      ...rows,
      // A statement waits for a locked row, and with it all that it was to claim.
      claim: async (session, claimed, aheadMs) => {
        if (claimed.some(({ id }) => world.database.locked.has(id))) await world.clock.sleep(1_000);
        return rows.claim(session, claimed, aheadMs);
      },
    }));
    await world.open();
    const locked = world.row(1_000);
    world.database.locked.add(locked.id);
    let [offset] = world.emit(locked);
    const sent: MemoryRow[] = [];
    const dropped: number[] = [];
    for (let second = 0; second < 600; second++) {
      // Some are of the account that the locked row belongs to.
      const other = world.row(1_500, second % 3 === 0 ? {} : { account: `a${second % 20}` });
      sent.push(other);
      world.emit(other);
      await world.advance(1_000);
      if (offset === undefined || !world.acked.includes(offset)) continue;
      dropped.push(second);
      [offset] = world.emit(locked);
    }
    const claims = world.claims.filter(({ ids }) => ids.includes(locked.id));
    expect(claims.slice(1).filter(({ ids }) => ids.length > 1)).toEqual([]);
    expect(claims.length).toBeLessThan(60);
    // No tuple of it is kept for much longer than half a minute.
    expect(Math.max(...dropped.map((second, n) => second - (dropped[n - 1] ?? 0)))).toBeLessThan(35);
    await world.advance(2_000);
    // Only the first claim kept the next message of the account waiting.
    expect(Math.max(...sent.slice(1).map(lateness))).toBeLessThan(100);
    world.database.locked.clear();
    world.emit(locked);
    await world.advance(30_000);
    expect(world.state(locked)).toBe('delivered');
  });

  it('a row that the database refuses to write is claimed apart, later and later', async () => {
    let refused: number | undefined;
    world = new World({}, undefined, (rows) => ({
      ...rows,
      claim: async (session, claimed, aheadMs) => {
        const others = claimed.filter(({ id }) => id !== refused);
        const won = await rows.claim(session, others, aheadMs);
        if (others.length < claimed.length) throw new PartlyClaimed(`message ${refused} cannot be claimed`, won);
        return won;
      },
    }));
    await world.open();
    const bad = world.row(100, { account: 'bad' });
    refused = bad.id;
    world.emit(bad);
    const sent: MemoryRow[] = [];
    for (let second = 0; second < 60; second++) {
      const others = Array.from({ length: 10 }, (_, n) => world.row(100 * n, { account: `a${n}` }));
      sent.push(...others);
      world.emit(...others);
      // Reconcile brings it back.
      if (second % 2 === 0) world.emit(bad);
      await world.advance(1_000);
    }
    const claims = world.claims.filter(({ ids }) => ids.includes(bad.id));
    expect(claims.length).toBeGreaterThan(8);
    expect(claims.length).toBeLessThan(25);
    expect(claims.slice(1).filter(({ ids }) => ids.length > 1)).toEqual([]);
    expect(world.errors).toHaveLength(claims.length);
    await world.advance(2_000);
    expect(world.states(sent)).toEqual(['delivered']);
    // As when the trigger is gone.
    refused = undefined;
    world.emit(bad);
    await world.advance(30_000);
    expect(world.state(bad)).toBe('delivered');
  });

  it('a row that was locked for long is on time when it is edited to wake later', async () => {
    await start();
    const row = world.row(100);
    world.database.locked.add(row.id);
    let [offset] = world.emit(row);
    for (let second = 0; second < 180; second++) {
      await world.advance(1_000);
      if (offset !== undefined && world.acked.includes(offset)) [offset] = world.emit(row);
    }
    world.database.locked.clear();
    world.database.edit(row.id, { dueAt: world.database.now() + 20_000 });
    await world.advance(18_000);
    world.emit(row);
    await world.advance(3_000);
    expect(world.begun(row)).toHaveLength(1);
    expect(lateness(row)).toBeLessThan(50);
  });

  it('rows whose claim had no answer for as long as an outage lasted are claimed again at once after it', async () => {
    await start({ settings: { concurrency: 256, perAccount: 64, perOrigin: 256, claimBatch: 500 } });
    const rows = Array.from({ length: 200 }, (_, n) => world.row(100, { account: `a${n}` }));
    world.emit(...rows);
    await world.advance(50);
    world.database.before = () => Promise.reject(new Unavailable('MySQL does not answer'));
    await world.advance(60_000);
    world.database.before = () => {};
    await world.advance(2_000);
    // Rows that waited for room all the time were dropped; reconcile brings them back.
    world.emit(...rows.filter((row) => row.state === 'scheduled'));
    await world.advance(3_000);
    expect(world.states(rows)).toEqual(['delivered']);
  });

  it('many rows that are locked at once delay no other row', async () => {
    await start();
    const rows = Array.from({ length: 30 }, (_, n) => world.row(100, { account: `l${n}` }));
    for (const { id } of rows) world.database.locked.add(id);
    world.emit(...rows);
    await world.advance(500);
    world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(1) : undefined);
    const others = Array.from({ length: 20 }, (_, n) => world.row(1_000 + n * 100, { account: `o${n}` }));
    world.emit(...others);
    await world.advance(4_000);
    expect(Math.max(...others.map(lateness))).toBeLessThan(50);
    const mixed = world.claims.filter(({ ids }) => ids.some((id) => id === others[0]?.id) && ids.length > 20);
    expect(mixed).toEqual([]);
  });

  it('an account that comes while seven others take all they may has half of what they leave', async () => {
    await start({ settings: { concurrency: 64, perAccount: 8, perOrigin: 64, claimBatch: 500, maxHeld: 10_000 } });
    world.channel.latency = 100;
    const large = Array.from({ length: 7 }, (_, n) => ({ account: `large${n}`, host: `large${n}` }));
    const late = { account: 'late', host: 'late' };
    world.emit(...[...large, late].flatMap((who) => world.rows(32, 10, who)));
    await world.advance(2_000);
    const rows = world.rows(100, 1_500, late);
    world.emit(...large.flatMap((who) => world.rows(800, 1_000, who)), ...rows);
    await world.advance(8_000);
    // Alone it would have eight at a time.
    expect(Math.max(...rows.map(lateness))).toBeLessThan((100 / 4) * 100 + 200);
    expect(world.states(rows)).toEqual(['delivered']);
  });

  it('an account that a crowd of others stopped goes on when they are done, whatever else it waits for', async () => {
    await start();
    const others = ['one', 'other'].map((name) => ({ account: name, host: name }));
    const mine = { account: 'mine', host: 'quick' };
    world.emit(...[...others, mine].map((who) => world.row(50, who)));
    await world.advance(1_000);
    world.channel.byHost = (host) => {
      if (host === 'http://slow') return { outcome: { kind: 'delivered' }, after: 9_000 };
      return host === 'http://quick' ? undefined : { outcome: { kind: 'delivered' }, after: 500 };
    };
    world.emit(world.row(0, { ...mine, host: 'slow' }));
    await world.advance(100);
    const crowd = others.flatMap((who) => world.rows(8, 0, who));
    world.emit(...crowd);
    await world.advance(100);
    const rows = world.rows(3, 0, mine);
    world.emit(...rows);
    await world.advance(1_500);
    expect(world.states([...crowd, ...rows])).toEqual(['delivered']);
    expect(Math.max(...rows.map(lateness))).toBeLessThan(600);
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

  /** The requests of this account, as numbers of rows. */
  const startedOf = (account: string) =>
    world.channel.journal.filter((request) => request.account === account).map(({ id }) => id);

  describe('an account whose messages are overdue starts them in their order', () => {
    it('although the database answers in the order of ids, and what it answers is taken in slices', async () => {
      world = await new World({}, undefined, (rows) => ({
        ...rows,
        read: async (...query) => (await rows.read(...query)).toSorted((a, b) => a.id - b.id),
      })).open();
      const later = world.row(-1_000, { account: 'a' });
      const others = Array.from({ length: 80 }, (_, n) =>
        world.row(-500, { account: `b${n}`, payload: { url: 'http://one/', body: 'x'.repeat(7_000) } }),
      );
      const earlier = world.row(-2_000, { account: 'a' });
      world.emit(earlier, later, ...others);
      await world.advance(5_000);
      expect(world.states([earlier, ...others, later])).toEqual(['delivered']);
      expect(startedOf('a')).toEqual([earlier.id, later.id]);
    });

    it.each([
      ['', 10],
      [', or its payload, which is large', 50_000],
    ])('although a message is emitted once more while its row is being read%s', async (_what, bytes) => {
      await start();
      const payload = { url: 'http://one/', body: 'x'.repeat(bytes) };
      world.database.before = (operation) => (operation === 'read' ? world.clock.sleep(50) : undefined);
      const first = world.row(-2_000, { account: 'a', payload });
      const second = world.row(-1_000, { account: 'a', payload });
      world.emit(first, second);
      // Its row is read for 50 ms, then its payload.
      await world.advance(bytes > 10 ? 60 : 10);
      world.emit(first);
      await world.advance(5_000);
      expect(world.states([first, second])).toEqual(['delivered']);
      expect(startedOf('a')).toEqual([first.id, second.id]);
      expect(new Set(world.acked)).toEqual(new Set([0, 1, 2]));
    });
  });
});
