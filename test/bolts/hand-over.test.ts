import { HeldRows } from '../../bolts/claim/held-rows';
import { Unavailable } from '../../topology/core/errors';
import type { MemoryRow } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

describe('SendBolt, while another task takes its partitions over', () => {
  let world: World;
  let next: World | undefined;

  async function start(settings?: WorldOptions['settings'], options: WorldOptions = {}): Promise<World> {
    world = await new World({ ...options, settings: { claimAheadMaxMs: 2_000, ...settings } }).open();
    world.emit(world.row(10));
    await world.advance(1_000);
    return world;
  }

  /** The task that takes over, with the same table, provider and clock. */
  async function successor(settings?: WorldOptions['settings']): Promise<World> {
    next = await new World(
      { session: 'b'.repeat(32), settings: { claimAheadMaxMs: 2_000, ...settings } },
      world,
    ).open();
    return next;
  }

  /** @returns whether it has drained within ten seconds, which nothing waits for */
  async function drains(): Promise<boolean> {
    let isDrained = false;
    void world.bolt.drain().then(() => {
      isDrained = true;
    });
    await world.advance(10_000);
    return isDrained;
  }

  const on = (partition: number, ...rows: readonly MemoryRow[]) =>
    world.bolt.execute(rows.map((row, n) => world.delivery(row, 1_000 + n, partition)));

  afterEach(async () => {
    await world.close();
    await next?.close();
    next = undefined;
  });

  it('claims what wakes within a moment and begins it at its wake, and lets the rest go', async () => {
    await start();
    const [soon, later] = [world.rows(5, 600), world.row(1_900)];
    world.bolt.execute([...soon, later].map((row, n) => world.delivery(row, n, 1)));
    await world.advance(10);
    world.bolt.revoked([1]);
    await world.advance(10);
    expect([world.states(soon), world.state(later)]).toEqual([['sending'], 'scheduled']);
    expect(world.bolt.gauges()['held']).toBe(0);
    await world.advance(2_000);
    expect(soon.map((row) => world.begun(row))).toEqual(soon.map(({ dueAt }) => [dueAt]));
    expect(world.begun(later)).toEqual([]);
  });

  it('says at once that they may be taken over when it drains, and begins at their wake what it has claimed', async () => {
    await start();
    const [soon, later] = [world.rows(5, 600), world.row(1_900)];
    world.emit(...soon, later);
    await world.advance(10);
    const onBegun = jest.fn();
    let isDrained = false;
    void world.bolt.drain(onBegun).then(() => {
      isDrained = true;
    });
    await world.advance(10);
    expect(onBegun).toHaveBeenCalled();
    expect([world.states(soon), isDrained]).toEqual([['sending'], false]);
    await world.advance(700);
    expect(soon.map((row) => world.begun(row))).toEqual(soon.map(({ dueAt }) => [dueAt]));
    expect([world.state(later), isDrained]).toEqual(['scheduled', true]);
  });

  describe('whatever is thrown, it drains', () => {
    afterEach(() => jest.restoreAllMocks());

    it('while it looks for what to claim', async () => {
      const broken = jest.spyOn(HeldRows.prototype, 'takeRevoked').mockImplementationOnce(() => {
        throw new TypeError('a mistake');
      });
      await start();
      const begun = world.row(0);
      world.channel.script(begun.id, { outcome: { kind: 'delivered' }, after: 3_000 });
      world.emit(begun);
      await world.advance(100);
      world.emit(...world.rows(5, 600));
      await world.advance(10);
      expect(await drains()).toBe(true);
      expect(broken).toHaveBeenCalled();
      expect(world.bugs).toEqual([new TypeError('a mistake')]);
      // What it had begun before is finished and written.
      expect(world.state(begun)).toBe('delivered');
    });

    it('while it lets go what it does not claim', async () => {
      jest.spyOn(HeldRows.prototype, 'letGoRevoked').mockImplementationOnce(() => {
        throw new TypeError('a mistake');
      });
      await start();
      const soon = world.rows(5, 600);
      world.emit(...soon);
      await world.advance(10);
      expect(await drains()).toBe(true);
      expect(world.bugs).toEqual([new TypeError('a mistake')]);
      expect(world.states(soon)).toEqual(['delivered']);
    });

    it('when it begins to', async () => {
      jest.spyOn(HeldRows.prototype, 'revoke').mockImplementationOnce(() => {
        throw new TypeError('a mistake');
      });
      await start();
      const begun = world.row(0);
      world.channel.script(begun.id, { outcome: { kind: 'delivered' }, after: 3_000 });
      world.emit(begun);
      await world.advance(100);
      expect(await drains()).toBe(true);
      expect(world.bugs).toEqual([new TypeError('a mistake')]);
      expect(world.state(begun)).toBe('delivered');
    });

    it('in a claim', async () => {
      let isBroken = false;
      world = await new World({ settings: { claimAheadMaxMs: 2_000 } }, undefined, (rows) => ({
        ...rows,
        claim: (...claimed) => (isBroken ? Promise.reject(new Unavailable('no answer')) : rows.claim(...claimed)),
        read: (...read) => (isBroken ? Promise.resolve([undefined as never]) : rows.read(...read)),
      })).open();
      world.emit(world.row(10));
      await world.advance(1_000);
      world.emit(...world.rows(5, 600));
      await world.advance(10);
      isBroken = true;
      expect(await drains()).toBe(true);
      expect(world.bugs).toEqual([expect.any(TypeError)]);
    });
  });

  it.each([
    ['more than can begin at once', {}, (n: number) => ({ account: `a${n}` }), 17],
    ['more of one account than can begin at once', {}, () => ({ account: 'ann' }), 9],
    ['anything of a blind channel', { class: 'blind' as const }, (n: number) => ({ account: `a${n}` }), 5],
    ['anything of a lookup channel', { class: 'lookup' as const }, (n: number) => ({ account: `a${n}` }), 5],
  ])('does not claim %s', async (_, options, who, count) => {
    await start({}, options);
    const rows = Array.from({ length: count }, (__, n) => world.row(600, who(n)));
    world.emit(...rows);
    await world.advance(10);
    world.bolt.revoked([0]);
    await world.advance(2_000);
    expect(world.states(rows)).toEqual(['scheduled']);
    expect(world.bolt.gauges()['held']).toBe(0);
  });

  it('keeps what comes again while it claims, under its new ack', async () => {
    await start();
    const row = world.row(1_900);
    world.emit(world.row(600), row);
    await world.advance(10);
    world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(50) : undefined);
    world.bolt.revoked([0]);
    const [again] = world.emit(row);
    await world.advance(2_500);
    expect(world.state(row)).toBe('delivered');
    expect(world.acked).toContain(again);
  });

  it('leaves an account to it one of whose hosts is new: what wakes later overtakes nothing', async () => {
    await start();
    const first = world.row(300, { account: 'ann', host: 'new' });
    const second = world.row(600, { account: 'ann', host: 'one' });
    on(1, first, second);
    await world.advance(10);
    world.bolt.revoked([1]);
    const other = await successor();
    await world.advance(900);
    // It reads both again, as Kafka has them from the committed offset on.
    other.emit(first, second);
    await world.advance(3_000);
    expect(world.states([first, second])).toEqual(['delivered']);
    expect(world.begun(first)[0]).toBeLessThanOrEqual(world.begun(second)[0] as number);
  });

  it('claims no more of an account than can begin beside what is under way', async () => {
    await start({ perAccount: 4, concurrency: 32, perOrigin: 32 });
    const under = world.rows(4, 50, { account: 'ann' });
    for (const { id } of under) world.channel.script(id, { outcome: { kind: 'delivered' }, after: 900 + 2_500 });
    world.emit(world.row(10, { account: 'ann' }));
    on(1, ...under);
    await world.advance(100);
    expect(world.states(under)).toEqual(['sending']);
    const rows = world.rows(4, 500, { account: 'ann' });
    const later = world.row(1_700, { account: 'ann' });
    on(1, ...rows, later);
    await world.advance(10);
    world.bolt.revoked([1]);
    const other = await successor();
    await world.advance(800);
    other.emit(...rows, later);
    await world.advance(8_000);
    const last = Math.max(...rows.map((row) => world.begun(row)[0] ?? Number.POSITIVE_INFINITY));
    expect(last).toBeLessThanOrEqual(world.begun(later)[0] as number);
  });

  it('an account with many rows keeps no other from being claimed', async () => {
    await start();
    const many = world.rows(9, 700, { account: 'many' });
    const others = ['a', 'b', 'c'].map((account) => world.row(600, { account }));
    on(1, ...many, ...others);
    await world.advance(10);
    world.bolt.revoked([1]);
    await world.advance(10);
    expect(world.states(others)).toEqual(['sending']);
  });

  it('neither does an account whose host hangs and whose rows are overdue', async () => {
    await start();
    world.channel.byHost = (host) => (host === 'http://dead' ? { outcome: 'hangs' } : undefined);
    on(1, ...world.rows(20, 20, { account: 'dead', host: 'dead' }));
    await world.advance(2_000);
    const others = ['a', 'b', 'c'].map((account) => world.row(600, { account }));
    on(1, ...others);
    await world.advance(10);
    world.bolt.revoked([1]);
    await world.advance(10);
    expect(world.states(others)).toEqual(['sending']);
  });

  it('claims a steady stream that needs few slots', async () => {
    await start();
    // 40 in a second at 10 ms each: less than one slot of 16.
    const rows = Array.from({ length: 40 }, (_, n) => world.row(100 + 25 * n, { account: `a${n}` }));
    on(1, ...rows);
    await world.advance(10);
    world.bolt.revoked([1]);
    await world.advance(10);
    expect(world.states(rows)).toEqual(['sending']);
  });

  it('claims nothing of partitions that stay before its time', async () => {
    await start();
    const kept = world.row(1_000, { account: 'kept' });
    on(0, kept);
    on(1, world.row(1_900));
    await world.advance(10);
    world.bolt.revoked([1]);
    await world.advance(100);
    // A cancel is answered too_late from here on.
    expect(world.state(kept)).toBe('scheduled');
  });

  it('and these keep nothing that goes from being claimed', async () => {
    await start();
    on(0, ...Array.from({ length: 17 }, (_, n) => world.row(700, { account: `kept${n}` })));
    const goes = world.row(600, { account: 'goes' });
    on(1, goes);
    await world.advance(10);
    world.bolt.revoked([1]);
    await world.advance(10);
    expect(world.state(goes)).toBe('sending');
  });

  it('settles a payload that cannot be prepared at its instant, not before', async () => {
    await start();
    const bad = world.row(1_000, { payload: { uri: 1 } });
    on(1, bad);
    await world.advance(10);
    world.bolt.revoked([1]);
    await world.advance(500);
    expect(world.state(bad)).toBe('scheduled');
  });

  it('keeps rows of a paused account where the partition stays', async () => {
    await start();
    const row = world.row(1_000, { account: 'quiet' });
    on(0, row);
    await world.advance(10);
    world.pausedAccounts.add('quiet');
    world.bolt.revoked([1]);
    await world.advance(100);
    world.pausedAccounts.clear();
    await world.advance(2_000);
    expect(world.state(row)).toBe('delivered');
  });

  it('when it drains, it does not say that all has begun while an account has claimed more than may begin', async () => {
    await start({ concurrency: 500, perOrigin: 500, perAccount: 4, claimBatch: 500 });
    // Claims that take a second are the reason to claim the next crowd early.
    world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(1_000) : undefined);
    for (let n = 0; n < 3; n++) {
      world.emit(...Array.from({ length: 60 }, (_, m) => world.row(10, { account: `b${m}` })));
      await world.advance(3_000);
    }
    world.database.before = () => undefined;
    world.emit(world.row(10, { account: 'ann' }));
    await world.advance(500);
    const ann = world.rows(30, 3_000, { account: 'ann' });
    world.emit(...ann, ...Array.from({ length: 150 }, (_, n) => world.row(3_000, { account: `c${n}` })));
    await world.advance(2_500);
    expect(world.states(ann)).toEqual(['sending']);
    let begun = -1;
    void world.bolt.drain(() => {
      if (begun < 0) begun = ann.filter((row) => world.begun(row).length > 0).length;
    });
    await world.advance(400);
    expect(begun).toBe(-1);
  });

  it('claims nothing more of what went while a claim has no answer', async () => {
    await start();
    on(1, world.row(200, { account: 'x' }), world.row(1_700, { account: 'y' }));
    await world.advance(10);
    let slow = true;
    world.database.before = (operation) => {
      if (operation === 'claim' && slow) {
        slow = false;
        return world.clock.sleep(5_000);
      }
      return undefined;
    };
    const before = world.claims.length;
    world.bolt.revoked([1]);
    await world.advance(4_000);
    expect(world.claims.length).toBe(before + 1);
  });
});
