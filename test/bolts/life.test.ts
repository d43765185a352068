import { UNSURE_MS } from '../../bolts/claim/held-rows';
import { PausedRows } from '../../bolts/claim/paused-rows';
import { AWAITED_LIMIT_MS } from '../../bolts/send/unbegun-attempts';
import { WakeQueue } from '../../bolts/slots/wake-queue';
import { STATEMENT_TIMEOUT_MS } from '../../connectors/mysql/sql/pool';
import { drainLimitMs } from '../../deploy/worker/drain-limit';
import { parseTopologySettings } from '../../topology/settings/topology-settings';
import type { MemoryRow } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

describe('SendBolt, come what may', () => {
  let world: World;

  async function start(options: WorldOptions = {}): Promise<World> {
    world = await new World(options).open();
    return world;
  }

  afterEach(() => world.close());

  it('a bad payload is settled at its instant, without a request', async () => {
    await start();
    const [bad, broken, fine] = [
      world.row(100, { payload: { uri: 1 } }),
      world.row(100, { payload: '[' }),
      world.row(100),
    ];
    world.emit(bad, broken, fine);
    await world.advance(99);
    expect(world.states([bad, broken, fine])).toEqual(['scheduled']);
    await world.advance(500);
    expect(bad).toMatchObject({ state: 'failed', lastError: 'payload.url: expected a text' });
    expect(broken).toMatchObject({ state: 'failed', lastError: expect.stringContaining('cannot be prepared') });
    expect(world.state(fine)).toBe('delivered');
    expect(world.channel.journal).toHaveLength(1);
  });

  it('begins no request of an account that was paused while the message was made ready', async () => {
    await start();
    world.channel.beforehand = async () => {
      await world.clock.sleep(5_000);
      return true;
    };
    const row = world.row(0);
    world.emit(row);
    await world.advance(1_000);
    expect(world.state(row)).toBe('sending');
    world.pausedAccounts.add('account');
    await world.advance(10_000);
    expect([world.state(row), world.begun(row)]).toEqual(['scheduled', []]);
    world.pausedAccounts.clear();
    world.emit(row);
    await world.advance(10_000);
    expect([world.state(row), world.begun(row)]).toEqual(['delivered', [expect.any(Number)]]);
  });

  describe('gives back a message that is made ready for longer than whoever pauses waits', () => {
    const FIFTEEN_MINUTES_MS = 900_000;
    let film: MemoryRow;

    /** Its video is on its way. */
    beforeEach(async () => {
      await start();
      world.channel.beforehand = async ({ account }) => {
        if (account === 'films') await world.clock.sleep(FIFTEEN_MINUTES_MS);
        return true;
      };
      film = world.row(0, { account: 'films' });
      world.emit(film);
      await world.advance(1_000);
    });

    it.each<[who: string, pauses: () => Set<string>, what: string]>([
      ['a person, of an account', () => world.pausedAccounts, 'films'],
      ['a person, of the channel', () => world.database.pausedChannels, 'webhook'],
      ['a command that adds partitions', () => world.database.emissionPausedChannels, 'webhook'],
    ])('%s', async (_, pauses, what) => {
      pauses().add(what);
      await world.advance(AWAITED_LIMIT_MS - 1_000);
      expect(world.state(film)).toBe('sending');
      // Two sweeps, and the write-back.
      await world.advance(4_000);
      expect([world.state(film), world.begun(film)]).toEqual(['scheduled', []]);
      // What was made ready publishes nothing, not even after the pause.
      pauses().clear();
      await world.advance(FIFTEEN_MINUTES_MS);
      expect([world.state(film), world.begun(film)]).toEqual(['scheduled', []]);
    });

    it('and nobody else’s, and none after a pause that has ended before', async () => {
      world.pausedAccounts.add('others');
      await world.advance(2 * AWAITED_LIMIT_MS);
      for (let times = 0; times < 3; times++) {
        world.pausedAccounts.add('films');
        await world.advance(AWAITED_LIMIT_MS - 2_000);
        world.pausedAccounts.clear();
        await world.advance(2_000);
      }
      expect(world.state(film)).toBe('sending');
    });

    it('a command that adds partitions has what is made ready in time sent', async () => {
      world.channel.beforehand = async () => {
        await world.clock.sleep(5_000);
        return true;
      };
      const short = world.row(0, { account: 'images' });
      world.emit(short);
      world.database.emissionPausedChannels.add('webhook');
      await world.advance(7_000);
      expect(world.state(short)).toBe('delivered');
    });
  });

  it('4. A paused account holds no partition: its rows wait for half a minute and are dropped then, because reconcile brings them back', async () => {
    await start();
    world.pausedAccounts.add('quiet');
    const [quiet, loud] = [world.row(500, { account: 'quiet' }), world.row(500, { account: 'loud' })];
    world.emit(quiet, loud);
    await world.advance(1_000);
    // Whoever is behind them in their partition does not wait for the end of the pause.
    expect(world.acked).toEqual([0, 1]);
    expect([quiet.state, loud.state]).toEqual(['scheduled', 'delivered']);
    await world.advance(29_000);
    expect(world.bolt.gauges()).toMatchObject({ held: 1 });
    await world.advance(2_000);
    expect(world.bolt.gauges()).toMatchObject({ held: 0, held_bytes: 0 });
    world.pausedAccounts.clear();
    world.emit(quiet);
    await world.advance(500);
    expect(quiet.state).toBe('delivered');
  });

  it('paused accounts take no room from others: without any left, what is paused is dropped at once', async () => {
    await start({ settings: { concurrency: 64, perAccount: 8, perOrigin: 64, claimBatch: 500, maxHeld: 10 } });
    const quiet = Array.from({ length: 10 }, (_, n) => world.row(10, { account: `quiet${n}` }));
    for (const { account } of quiet) world.pausedAccounts.add(account);
    world.emit(...quiet);
    await world.advance(100);
    expect(world.bolt.hasRoom()).toBe(false);
    await world.advance(2_000);
    expect(world.bolt.hasRoom()).toBe(true);
    expect(quiet.map(({ state }) => state)).toEqual(quiet.map(() => 'scheduled'));
  });

  it.each([
    ['a channel', 'ann'],
    ['an account', 'quiet'],
  ])(
    'The messages of an account do not overtake each other at the end of a pause, which the bolt sees later than the spout: %s',
    async (_, account) => {
      await start();
      world.pausedAccounts.add('quiet');
      if (account === 'ann') world.database.pausedChannels.add('webhook');
      const rows = [-5_000, 100, 8_000].map((inMs) => world.row(inMs, { account }));
      world.emit(...rows);
      await world.advance(7_500);
      expect(world.channel.journal).toEqual([]);
      world.pausedAccounts.clear();
      world.database.pausedChannels.clear();
      await world.advance(2_000);
      expect(world.channel.journal.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
    },
  );

  it('a channel with many rows is paused and resumed some of them at a time, so that nothing else waits long', async () => {
    await start({ settings: { concurrency: 64, perAccount: 8, perOrigin: 64, maxHeld: 10_000 } });
    const rows = Array.from({ length: 60 }, (_, n) => world.rows(100, 1_000, { account: `a${n}` })).flat();
    world.emit(...rows);
    await world.advance(500);
    world.database.pausedChannels.add('webhook');
    const most = async (method: jest.SpyInstance, forMs: number) => {
      let [ofTurn, ofMost] = [0, 0];
      const { calls } = method.mock;
      const turn = () => {
        ofMost = Math.max(ofMost, calls.length - ofTurn);
        ofTurn = calls.length;
      };
      let looking = setImmediate(function look() {
        turn();
        looking = setImmediate(look);
      });
      await world.advance(forMs);
      clearImmediate(looking);
      turn();
      const all = calls.length;
      method.mockRestore();
      return { ofMost, all };
    };
    const paused = await most(jest.spyOn(PausedRows.prototype, 'add'), 1_000);
    expect(paused).toEqual({ ofMost: 2_000, all: 6_000 });
    expect(world.channel.journal).toEqual([]);
    world.database.pausedChannels.clear();
    // An answer is a turn of its own, as one of a real database is.
    world.database.before = () => world.clock.sleep(1);
    const resumed = await most(jest.spyOn(WakeQueue.prototype, 'add'), 200);
    expect(resumed.all).toBeGreaterThanOrEqual(6_000);
    // What is claimed in the same turn waits to be started in a queue of the same kind.
    expect(resumed.ofMost).toBeLessThan(2_000 + 500);
    await world.advance(30_000);
    expect(world.states(rows)).toEqual(['delivered']);
  });

  it('a channel is resumed account after account: no message overtakes another of its account, and other accounts are not late', async () => {
    await start({ settings: { concurrency: 64, perAccount: 8, perOrigin: 64, maxHeld: 10_000 } });
    // The large one is taken up after the small ones, alone.
    const accounts = ['small', 'large', 'last'];
    for (const account of accounts) world.pausedAccounts.add(account);
    const sizes = { small: 1, large: 2_500, last: 100 };
    const rows = Object.entries(sizes).flatMap(([account, count]) =>
      Array.from({ length: count }, (_, n) => world.row(n / 10, { account })),
    );
    world.emit(...rows);
    await world.advance(1_500);
    const later = accounts.map((account) => world.row(500, { account }));
    const others = Array.from({ length: 5 }, (_, n) => world.row(500 + n, { account: `other${n}` }));
    world.emit(...later, ...others);
    await world.advance(499);
    expect(world.channel.journal).toEqual([]);
    world.pausedAccounts.clear();
    await world.advance(10_000);
    // As long as a few rows are gathered for one claim.
    for (const row of others) expect((world.begun(row)[0] ?? 0) - row.dueAt).toBeLessThan(25);
    for (const account of accounts) {
      const ids = [...rows, ...later].filter((row) => row.account === account).map(({ id }) => id);
      const begun = world.channel.journal.map(({ id }) => id).filter((id) => ids.includes(id));
      expect(begun).toEqual(ids);
    }
  });

  it('a row that waits in a pause is read again when its plan changes, and is forgotten when its partition moves', async () => {
    await start();
    world.pausedAccounts.add('quiet');
    const [edited, moved] = [world.row(10, { account: 'quiet' }), world.row(10, { account: 'quiet' })];
    world.emit(edited, moved);
    await world.advance(500);
    Object.assign(edited, { version: 2, updatedAt: 'later' });
    world.emit(edited);
    await world.advance(500);
    world.pausedAccounts.clear();
    await world.advance(500);
    expect(world.channel.journal.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual([edited.id, moved.id]);
    expect(world.bolt.gauges()).toMatchObject({ held: 0, held_bytes: 0 });
  });

  it('while the database is away results are kept and nothing new is claimed', async () => {
    await start();
    const rows = world.rows(4, 100);
    world.emit(...rows);
    await world.advance(105);
    world.database.before = () => {
      throw new Error('away');
    };
    const later = world.row(500);
    world.emit(later);
    await world.advance(20_000);
    expect(world.channel.journal).toHaveLength(4);
    expect(world.states(rows)).toEqual(['sending']);
    expect(world.bolt.gauges()).toMatchObject({ unwritten: 4, held: 1 });
    world.database.before = () => {};
    await world.advance(3_000);
    expect(world.states([...rows, later])).toEqual(['delivered']);
    expect(world.channel.journal).toHaveLength(5);
  });

  it('claims stop while much is unwritten', async () => {
    await start({ settings: { concurrency: 50, perAccount: 50, perOrigin: 50, claimBatch: 50, maxHeld: 5_000 } });
    world.database.before = (operation) => {
      if (['writeBack', 'writeAlone', 'journal'].includes(operation)) throw new Error('away');
    };
    const rows = world.rows(2_600, 100);
    world.emit(...rows);
    await world.advance(2_000);
    expect(world.bolt.gauges()['unwritten']).toBeGreaterThanOrEqual(2_000);
    expect(world.bolt.gauges()['unwritten']).toBeLessThan(2_200);
    world.database.before = () => {};
    await world.advance(5_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.channel.journal).toHaveLength(2_600);
  });

  /** How many requests had begun when results were first written, and how long after the first request that was. */
  async function firstWrite(after: number, claim = 0): Promise<{ begun: number; waited: number }> {
    const most = claim === 0 ? 40 : 400;
    await start({
      settings: {
        concurrency: most,
        perAccount: most,
        perOrigin: most,
        claimBatch: claim === 0 ? 500 : 100,
        maxHeld: 10_000,
      },
    });
    world.channel.byHost = () => ({ outcome: { kind: 'delivered' }, after });
    const writes: { begun: number; waited: number }[] = [];
    world.database.before = (operation) => {
      if (operation === 'claim' && claim > 0) return world.clock.sleep(claim);
      const [first] = world.channel.journal;
      if ((operation === 'writeBack' || operation === 'journal') && first !== undefined) {
        writes.push({ begun: world.channel.journal.length, waited: world.clock.now() - first.at });
      }
      return undefined;
    };
    const rows = world.rows(2_000, 100);
    world.emit(...rows);
    await world.advance(6_000);
    expect(world.states(rows)).toEqual(['delivered']);
    return writes[0] ?? { begun: 0, waited: 0 };
  }

  describe('3. requests first', () => {
    it('in a crowd, results wait for the requests', async () => {
      expect((await firstWrite(2)).begun).toBeGreaterThan(1_500);
    });

    it('also while rows wait for their claim', async () => {
      expect((await firstWrite(2, 10)).begun).toBeGreaterThan(1_500);
    });

    it('and, though all of them are sent, for about two seconds: those of other workers may not be', async () => {
      expect((await firstWrite(2)).waited).toBeGreaterThan(1_800);
    });

    it('and no longer than about two seconds', async () => {
      // 40 at a time in 50 ms: 800 requests a second.
      expect((await firstWrite(50)).begun).toBeLessThan(1_800);
    });
  });

  it('a lost answer to a write-back changes nothing', async () => {
    await start();
    const row = world.row(100);
    world.emit(row);
    let lost = 0;
    world.database.after = (operation) => {
      if ((operation === 'writeBack' || operation === 'writeAlone') && lost++ < 2) throw new Error('connection lost');
    };
    await world.advance(2_000);
    expect(row).toMatchObject({ state: 'delivered', version: 1 });
    expect(world.database.ledger).toHaveLength(1);
    expect(world.channel.journal).toHaveLength(1);
    expect(world.bolt.gauges()).toMatchObject({ unwritten: 0, held: 0, held_bytes: 0 });
  });

  it('a retry whose write-back was answered late is sent at its time', async () => {
    await start();
    const row = world.row(100);
    world.channel.script(row.id, { outcome: { kind: 'retry', reason: 'busy', status: 503 } });
    world.emit(row);
    let lost = 0;
    world.database.after = (operation) => {
      if ((operation === 'writeBack' || operation === 'writeAlone') && lost++ < 6) throw new Error('connection lost');
    };
    await world.advance(300);
    expect(row).toMatchObject({ state: 'scheduled', version: 2 });
    world.emit(row);
    await world.advance(20_000);
    expect(row).toMatchObject({ state: 'delivered', version: 2, attempts: 2 });
    expect(world.bolt.gauges()).toMatchObject({ unwritten: 0, held: 0, held_bytes: 0 });
  });

  it('a claim that was not answered and takes effect late is found out, though its account was paused meanwhile', async () => {
    await start();
    const row = world.row(100);
    world.database.before = (operation) => {
      if (operation === 'claim') throw new Error('no answer');
    };
    world.emit(row);
    const { id, version, updatedAt } = row;
    await world.advance(120);
    world.pausedAccounts.add(row.account);
    world.database.before = () => {};
    await world.advance(5_000);
    expect(world.acked).toEqual([]);
    await world.database.sendRows().claim(world.session, [{ id, version, updatedAt }], 0);
    await world.advance(15_000);
    // It is given back, because its account is paused.
    expect(row).toMatchObject({ state: 'scheduled', version: 2, inDoubt: false });
    expect(world.acked).toHaveLength(1);
    expect(world.bolt.gauges()).toMatchObject({ held: 0, held_bytes: 0 });
  });

  it.each([
    ['takes effect late', true],
    ['never takes effect', false],
  ])(
    'a drain waits for a claim that was not answered, because it would be one of the dead: one that %s',
    async (_, takesEffect) => {
      await start({ class: 'blind' });
      const row = world.row(100);
      world.database.before = (operation) => {
        if (operation === 'claim') throw new Error('no answer');
      };
      world.emit(row);
      const { id, version, updatedAt } = row;
      await world.advance(110);
      world.database.before = () => {};
      let drained = false;
      void world.bolt.drain().then(() => {
        drained = true;
      });
      await world.advance(5_000);
      expect(drained).toBe(false);
      if (takesEffect) await world.database.sendRows().claim(world.session, [{ id, version, updatedAt }], 0);
      await world.advance(15_000);
      expect(drained).toBe(true);
      expect(row).toMatchObject({ state: 'scheduled', version: takesEffect ? 2 : 1, inDoubt: false });
      expect(world.begun(row)).toEqual([]);
    },
  );

  it('a drain with a claim under way whose answer is lost late, and which takes effect later still, ends within its limit', async () => {
    await start({ class: 'blind' });
    const row = world.row(100);
    world.database.before = async (operation) => {
      if (operation !== 'claim') return;
      await world.clock.sleep(STATEMENT_TIMEOUT_MS);
      throw new Error('no answer');
    };
    world.emit(row);
    const { id, version, updatedAt } = row;
    await world.advance(100);
    let drained = false;
    void world.bolt.drain().then(() => {
      drained = true;
    });
    await world.advance(STATEMENT_TIMEOUT_MS + UNSURE_MS - 100);
    expect(drained).toBe(false);
    world.database.before = () => {};
    await world.database.sendRows().claim(world.session, [{ id, version, updatedAt }], 0);
    const settings = parseTopologySettings('components: { webhook: {} }', 't.yaml');
    const limitMs = drainLimitMs(['webhook'], settings);
    // The last two seconds are for what comes after the bolt.
    await world.advance(limitMs - 2_000 - (STATEMENT_TIMEOUT_MS + UNSURE_MS - 100));
    expect(drained).toBe(true);
    expect(row).toMatchObject({ state: 'scheduled', version: 2, inDoubt: false });
    expect(world.begun(row)).toEqual([]);
  });

  it('a row that cannot be written is reported and a locked one is handed in again; neither holds the others', async () => {
    await start();
    const rows = world.rows(5, 100);
    world.emit(...rows);
    await world.advance(105);
    const [poisoned, locked, ...others] = rows as [MemoryRow, MemoryRow, ...MemoryRow[]];
    world.database.poisoned.add(poisoned.id);
    world.database.locked.add(locked.id);
    await world.advance(500);
    expect(world.states(others)).toEqual(['delivered']);
    expect(world.state(locked)).toBe('sending');
    world.database.locked.clear();
    await world.advance(500);
    expect(world.state(locked)).toBe('delivered');
    expect(world.errors).toEqual([expect.stringContaining(`write back message ${poisoned.id}: `)]);
  });

  it('has room for so many rows and bytes', async () => {
    await start({ settings: { maxHeld: 10 } });
    world.emit(...world.rows(9, 1_000));
    expect(world.bolt.hasRoom()).toBe(true);
    await world.advance(10);
    world.emit(world.row(1_000));
    expect(world.bolt.hasRoom()).toBe(false);
    await world.advance(2_000);
    expect(world.bolt.hasRoom()).toBe(true);
    // Ten are a quarter of the memory, and forty all of it.
    for (let n = 0; n < 4; n++) {
      const payload = { url: 'http://one/', body: 'x'.repeat(2_490_000) };
      world.emit(world.row(1_500, { account: `a${n}`, payload }));
      await world.advance(10);
    }
    expect(world.bolt.gauges()['held_bytes']).toBeGreaterThan(7_000_000);
    expect(world.bolt.gauges()['held_bytes']).toBeLessThanOrEqual(10_000_000);
  });

  it('a tuple that comes again replaces the ack: the last one is given when the row is claimed', async () => {
    await start();
    const row = world.row(500);
    const acks: string[] = [];
    const deliver = (offset: number, name: string) =>
      world.bolt.execute([{ ...world.delivery(row, offset), ack: () => acks.push(name) }]);
    deliver(7, 'read');
    deliver(7, 'read again');
    await world.advance(10);
    deliver(7, 'after a rebalance');
    deliver(9, 'emitted twice');
    await world.advance(489);
    expect(acks).toEqual(['read', 'read again', 'after a rebalance']);
    world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(20) : undefined);
    await world.advance(10);
    deliver(9, 'while it is claimed');
    await world.advance(500);
    expect(acks.slice(3)).toEqual(['emitted twice', 'while it is claimed']);
    expect(world.channel.journal).toHaveLength(1);
  });

  it('forgets held tuples of partitions that were revoked, and finishes what is claimed', async () => {
    await start();
    const [mine, theirs, claimed] = [world.row(500), world.row(500), world.row(50)];
    world.bolt.execute([world.delivery(mine, 0, 0), world.delivery(theirs, 0, 1), world.delivery(claimed, 1, 1)]);
    await world.advance(55);
    world.bolt.revoked([1]);
    await world.advance(1_000);
    expect([mine, theirs, claimed].map((row) => row.state)).toEqual(['delivered', 'scheduled', 'delivered']);
    expect(world.bolt.gauges()).toMatchObject({ held: 0, held_bytes: 0 });
  });

  it('drains: what is under way is finished and written, what is held is neither sent nor acked', async () => {
    await start();
    world.channel.latency = 300;
    const [under, held] = [world.rows(4, 100), world.row(1_000)];
    world.emit(...under, held);
    await world.advance(110);
    let done = false;
    const drained = world.bolt.drain().then(() => {
      done = true;
    });
    world.emit(world.row(200));
    await world.advance(100);
    expect(done).toBe(false);
    await world.advance(600);
    await drained;
    expect(world.states(under)).toEqual(['delivered']);
    expect(world.state(held)).toBe('scheduled');
    expect(world.acked).toHaveLength(4);
    await world.close();
    expect(world.clock.timers).toBe(0);
  });

  it('drains: what could not end within the limit is not started but given back, without doubt', async () => {
    await start({ settings: { claimAheadMaxMs: 2_000 } });
    world.emit(world.row(10));
    await world.advance(100);
    world.channel.latency = 7_000;
    const rows = world.rows(60, 100);
    world.emit(...rows);
    await world.advance(200);
    const began = world.clock.now();
    const first = world.channel.journal.length;
    let drainedAt = 0;
    void world.bolt.drain().then(() => {
      drainedAt = world.clock.now();
    });
    await world.advance(20_000);
    // A second of starts, the longest request, and the write-back.
    expect(drainedAt - began).toBeLessThanOrEqual(1_000 + 7_000 + 200);
    expect(world.channel.journal.length - first).toBe(0);
    const given = rows.filter(({ state }) => state === 'scheduled');
    expect(given.length).toBeGreaterThan(20);
    for (const row of given) expect(row).toMatchObject({ inDoubt: false, attempts: 0 });
    expect(rows.length - given.length).toBe(first - 1);
  });

  it('drains: a worker that stops waits for requests only, so what fetches or uploads for longer is given back without doubt', async () => {
    await start({ class: 'blind' });
    const [slow, moved, quick] = [world.row(100), world.row(100), world.row(100)];
    const outcome = { kind: 'delivered' } as const;
    world.channel.script(slow.id, { outcome, connecting: 30_000 });
    world.channel.script(quick.id, { outcome, after: 5_000 });
    world.channel.script(moved.id, { outcome, after: 1_500, again: true });
    world.emit(slow, moved, quick);
    await world.advance(200);
    expect(world.states([slow, moved, quick])).toEqual(['sending']);
    const began = world.clock.now();
    let drainedAt = Number.NaN;
    void world.bolt.drain().then(() => {
      drainedAt = world.clock.now();
    });
    await world.advance(1_200);
    expect(slow).toMatchObject({ state: 'scheduled', inDoubt: false, attempts: 0, lastError: 'its worker stopped' });
    await world.advance(30_000);
    expect(drainedAt - began).toBeLessThanOrEqual(5_000 + 200);
    expect(quick).toMatchObject({ state: 'delivered' });
    // What was refused and may be sent again is not, either.
    expect(moved).toMatchObject({ state: 'scheduled', inDoubt: false, attempts: 0 });
    expect([slow, moved, quick].map((row) => world.begun(row).length)).toEqual([0, 1, 1]);
  });

  it('drains: a lookup that takes longer than that is given up, and nothing is sent after it', async () => {
    await start({ class: 'lookup' });
    const row = Object.assign(world.row(100), { inDoubt: true });
    world.channel.onLookup = () => world.clock.sleep(30_000);
    world.emit(row);
    await world.advance(200);
    void world.bolt.drain();
    await world.advance(1_200);
    expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, attempts: 0, lastError: 'its worker stopped' });
    await world.advance(60_000);
    expect(world.channel.journal).toEqual([]);
    expect(row).toMatchObject({ state: 'scheduled' });
  });

  it('a request begins before its attempt has ended, or never', async () => {
    await start();
    const row = world.row(100);
    const asked: (() => boolean)[] = [];
    let isReady = false;
    world.channel.beforehand = async ({ mayStart }) => {
      asked.push(mayStart);
      return isReady;
    };
    world.emit(row);
    await world.advance(200);
    isReady = true;
    world.emit(row);
    await world.advance(2_000);
    expect(row.state).toBe('delivered');
    // One attempt did not start, the other was delivered.
    expect(asked.map((mayStart) => mayStart())).toEqual([false, false]);
  });

  it.each([
    [2_000, 15, 20],
    [0, 101, 0],
  ])(
    'a claim that is made anyway takes what wakes in the next moment, and nothing begins early (claimAheadMaxMs %i)',
    async (claimAheadMaxMs, most, aheadMs) => {
      await start({ settings: { claimAheadMaxMs } });
      world.emit(world.row(10));
      await world.advance(100);
      const before = world.claims.length;
      const rows = Array.from({ length: 100 }, (_, n) => world.row(500 + 2 * n, { account: `a${n % 10}` }));
      world.emit(...rows);
      await world.advance(3_000);
      expect(world.states(rows)).toEqual(['delivered']);
      const claims = world.claims.slice(before);
      expect(claims.length).toBeLessThan(most);
      for (const { ahead } of claims) expect(ahead).toBeLessThanOrEqual(aheadMs);
      const late = rows.map((row) => (world.begun(row)[0] ?? Number.NaN) - row.dueAt);
      expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...late)).toBeLessThan(50);
    },
  );

  it('a crowd that takes longer than ten seconds, at a host that answers quickly, does not go round again', async () => {
    await start({ settings: { claimAheadMaxMs: 2_000, claimBatch: 500, perOrigin: 16 } });
    world.channel.latency = 500;
    const accounts = Array.from({ length: 40 }, (_, n) => ({ account: `a${n}` }));
    world.emit(...accounts.map((who) => world.row(10, who)));
    await world.advance(3_000);
    const rows = accounts.flatMap((who) => world.rows(12, 1_000, who));
    const versions = rows.map(({ version }) => version);
    world.emit(...rows);
    await world.advance(25_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(rows.map(({ version }) => version)).toEqual(versions);
  });

  it('what was claimed is given back when its channel or account is paused before it starts', async () => {
    await start({ settings: { claimAheadMaxMs: 2_000, claimBatch: 500 } });
    world.emit(world.row(10));
    await world.advance(100);
    world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(20) : undefined);
    const rows = Array.from({ length: 400 }, (_, n) => world.row(1_000, { account: `a${n % 40}` }));
    world.emit(...rows);
    await world.advance(998);
    expect(rows.filter(({ state }) => state === 'sending').length).toBeGreaterThan(20);
    world.database.pausedChannels.add('webhook');
    await world.advance(2_000);
    expect(world.states(rows)).toEqual(['scheduled']);
    expect(world.channel.journal).toHaveLength(1);
    for (const row of rows) expect(row).toMatchObject({ inDoubt: false, attempts: 0 });
  });

  it('drains: what was claimed ahead is begun at its wake and not given back', async () => {
    await start({ settings: { claimAheadMaxMs: 2_000, claimBatch: 500 } });
    // Claims that take a second are the reason to claim the next crowd early.
    world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(1_000) : undefined);
    for (let n = 0; n < 3; n++) {
      world.emit(...world.rows(60, 10));
      await world.advance(3_000);
    }
    world.database.before = () => undefined;
    const before = world.channel.journal.length;
    const instant = world.clock.now() + 3_000;
    const rows = Array.from({ length: 1_200 }, (_, n) => world.row(3_000, { account: `a${n % 40}` }));
    world.emit(...rows);
    await world.advance(1_850);
    const claimed = rows.filter(({ state }) => state === 'sending');
    expect(claimed.length).toBeGreaterThan(20);
    void world.bolt.drain();
    await world.advance(3_000);
    expect(world.states(claimed)).toEqual(['delivered']);
    expect(world.channel.journal).toHaveLength(before + claimed.length);
    expect(world.channel.journal[before]?.at).toBeGreaterThanOrEqual(instant);
  });

  it('drains: it says when nothing that it has claimed waits to begin, and not before', async () => {
    await start({ settings: { claimAheadMaxMs: 2_000, perAccount: 4 } });
    world.emit(world.row(10, { account: 'ann' }));
    await world.advance(100);
    world.channel.latency = 200;
    const rows = world.rows(12, 1_000, { account: 'ann' });
    world.emit(...rows);
    await world.advance(1_000);
    expect(world.states(rows)).toEqual(['sending']);
    let begun = -1;
    void world.bolt.drain(() => {
      if (begun < 0) begun = rows.filter((row) => world.begun(row).length > 0).length;
    });
    await world.advance(300);
    expect(begun).toBe(-1);
    await world.advance(200);
    expect(begun).toBe(12);
    expect(world.states(rows)).toEqual(['delivered', 'sending']);
  });

  it('drains at once when there is nothing to do', async () => {
    await start();
    const onBegun = jest.fn();
    await world.bolt.drain(onBegun);
    expect(onBegun).toHaveBeenCalled();
    expect(world.channel.journal).toEqual([]);
  });

  it('does nothing any more once it is closed', async () => {
    await start();
    const row = world.row(100);
    world.emit(row);
    await world.advance(10);
    await world.close();
    await world.advance(5_000);
    expect(row.state).toBe('scheduled');
    expect(world.clock.timers).toBe(0);
  });
});
