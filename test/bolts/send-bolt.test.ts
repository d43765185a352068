import { DEPLOYMENT_ID, World, type WorldOptions } from './world';

describe('SendBolt', () => {
  let world: World;
  const worlds: World[] = [];

  async function start(options: WorldOptions = {}, beside?: World): Promise<World> {
    const made = await new World(options, beside).open();
    worlds.push(made);
    return made;
  }

  afterEach(async () => {
    for (const one of worlds.splice(0)) await one.close();
  });

  it('sends a message at its wake, once, and writes down what came of it', async () => {
    world = await start();
    const row = world.row(1_000);
    const due = row.dueAt;
    world.emit(row);
    await world.advance(999);
    expect(world.channel.journal).toEqual([]);
    expect(world.acked).toEqual([]);
    expect(world.state(row)).toBe('scheduled');
    await world.advance(200);
    expect(world.begun(row)).toEqual([due]);
    expect(world.acked).toEqual([0]);
    expect(row).toMatchObject({ state: 'delivered', receipt: `receipt-${row.id}`, attempts: 1, version: 1 });
    expect(world.database.ledger).toMatchObject([{ id: row.id, version: 1, startedAt: due, finishedAt: due + 10 }]);
    expect(world.channel.warmed).toEqual([['account']]);
    expect(world.bolt.gauges()).toMatchObject({ held: 0, held_bytes: 0, in_flight: 0, unwritten: 0 });
  });

  it('names a plan to its provider by one key, and the next plan of the message by another', async () => {
    world = await start();
    const row = world.row(1_000);
    world.channel.script(
      row.id,
      { outcome: { kind: 'retry', reason: 'full' } },
      { outcome: { kind: 'retry', reason: 'full' } },
    );
    world.emit(row);
    await world.advance(2_000);
    world.emit(row);
    await world.advance(60_000);
    world.database.edit(row.id, { payload: { url: 'http://one/', body: 'new' } });
    world.emit(row);
    await world.advance(10_000);
    const key = (planNumber: number) => `downspout-${DEPLOYMENT_ID.slice(0, 16)}-${row.id}-${planNumber}`;
    expect(world.channel.journal.map((request) => request.key)).toEqual([key(1), key(1), key(2)]);
  });

  describe('1. no request that can become visible without a committed claim on the row, in the very version that was read', () => {
    it('a row that was canceled while held is dropped', async () => {
      world = await start();
      const row = world.row(1_000);
      world.emit(row);
      await world.advance(500);
      expect(world.database.cancel(row.id)).toEqual({ result: 'canceled' });
      await world.advance(2_000);
      expect(world.channel.journal).toEqual([]);
      expect(world.acked).toEqual([0]);
    });

    it('a row that was edited while held leaves with its new content, at its new time', async () => {
      world = await start();
      const [sooner, later, far] = [world.row(1_000), world.row(1_000), world.row(1_000)];
      world.emit(sooner, later, far);
      await world.advance(500);
      world.database.edit(sooner.id, { payload: { url: 'http://one/', body: 'new' } });
      world.database.edit(later.id, { dueAt: later.dueAt + 1_000 });
      world.database.edit(far.id, { dueAt: far.dueAt + 60_000 });
      await world.advance(5_000);
      expect(world.channel.journal.map(({ id, content }) => [id, content])).toEqual([
        [sooner.id, JSON.stringify({ url: 'http://one/', body: 'new' })],
        [later.id, JSON.stringify({ url: 'http://one/' })],
      ]);
      expect(world.begun(later)).toEqual([later.dueAt]);
      expect(new Set(world.acked)).toEqual(new Set([0, 1, 2]));
    });

    it('an edit that forgot the version is seen by updated_at', async () => {
      world = await start();
      const row = world.row(1_000);
      world.emit(row);
      await world.advance(500);
      Object.assign(row, { payload: JSON.stringify({ url: 'http://one/', body: 'new' }), updatedAt: 'later' });
      await world.advance(2_000);
      expect(world.channel.journal.map(({ content }) => content)).toEqual([row.payload]);
    });

    it('a lost answer to a claim is asked for, and the row is sent once', async () => {
      world = await start();
      const rows = world.rows(5, 1_000);
      world.emit(...rows);
      let lost = 0;
      world.database.after = (operation) => {
        if (operation === 'claim' && lost++ === 0) throw new Error('connection lost');
      };
      await world.advance(2_000);
      expect(world.channel.journal).toHaveLength(5);
      expect(world.states(rows)).toEqual(['delivered']);
      expect(world.errors).toHaveLength(1);
    });

    it('a claim that takes effect after its answer was lost is found', async () => {
      world = await start();
      const row = world.row(1_000);
      world.emit(row);
      const rows = world.database.sendRows();
      let late: (() => Promise<unknown>) | undefined;
      world.database.before = (operation) => {
        if (operation !== 'claim' || late !== undefined) return;
        late = () => rows.claim(world.session, [{ ...row }], 0);
        throw new Error('connection lost');
      };
      await world.advance(1_001);
      world.database.pausedChannels.add('webhook');
      await late?.();
      await world.advance(2_000);
      world.database.pausedChannels.clear();
      await world.advance(20_000);
      expect(world.state(row)).toBe('delivered');
      expect(world.channel.journal).toHaveLength(1);
    });

    it('a row that the database refuses to claim holds no other', async () => {
      world = await start();
      const rows = world.rows(50, 1_000);
      const refused = rows[7] as (typeof rows)[0];
      world.database.locked.add(refused.id);
      world.database.after = (operation) => {
        const has = world.claims.at(-1)?.ids.includes(refused.id) === true;
        if (operation === 'claim' && has) throw new Error(`message ${refused.id} cannot be claimed`);
      };
      world.emit(...rows);
      await world.advance(2_000);
      const later = world.rows(50, 1_000);
      world.emit(...later);
      await world.advance(2_000);
      expect(world.states([...rows.filter((row) => row !== refused), ...later])).toEqual(['delivered']);
      expect(Math.max(...later.map((row) => (world.begun(row)[0] as number) - row.dueAt))).toBeLessThan(100);
      expect(world.state(refused)).toBe('scheduled');
      expect(world.errors[0]).toContain(`message ${refused.id} cannot be claimed`);
    });

    it('a claim that is found late lets no second batch of its account begin', async () => {
      world = await start();
      const row = world.row(1_000);
      world.emit(row);
      const rows = world.database.sendRows();
      let late: (() => Promise<unknown>) | undefined;
      world.database.before = (operation) => {
        if (operation !== 'claim') return;
        if (late !== undefined) return;
        late = () => rows.claim(world.session, [{ ...row }], 0);
        throw new Error('connection lost');
      };
      await world.advance(1_001);
      world.pausedAccounts.add('account');
      await late?.();
      world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(5_000) : undefined);
      await world.advance(14_000);
      world.pausedAccounts.clear();
      const [first, second] = [world.row(0), world.row(2_500)];
      world.emit(first, second);
      await world.advance(2_600);
      expect(world.state(row)).toBe('delivered');
      await world.advance(20_000);
      const claimedAt = (id: number) => world.claims.find(({ ids }) => ids.includes(id))?.at ?? 0;
      expect(claimedAt(second.id) - claimedAt(first.id)).toBeGreaterThanOrEqual(5_000);
      expect(world.channel.journal.map(({ id }) => id)).toEqual([row.id, first.id, second.id]);
    });

    it('the row as read counts, never the tuple', async () => {
      world = await start();
      const gone = world.row(500);
      const [delivered, other, far] = [world.row(500), world.row(500), world.row(100_000)];
      delivered.state = 'delivered';
      Object.assign(other, { channel: 'x' });
      world.database.rows.delete(gone.id);
      world.emit(gone, delivered, other, { ...far, dueAt: far.dueAt - 99_500 });
      await world.advance(10);
      expect(new Set(world.acked)).toEqual(new Set([0, 1, 2, 3]));
      await world.advance(2_000);
      expect(world.channel.journal).toEqual([]);
    });

    it('two workers with the same tuples send each message once', async () => {
      world = await start();
      const second = await start({ session: 'b'.repeat(32) }, world);
      const rows = world.rows(200, 1_000);
      for (let at = 0; at < rows.length; at += 20) {
        world.emit(...rows.slice(at, at + 20));
        second.emit(...rows.slice(at, at + 20).toReversed());
      }
      await world.advance(5_000);
      expect(world.channel.journal).toHaveLength(200);
      expect(world.states(rows)).toEqual(['delivered']);
    });
  });

  describe('2. never early', () => {
    it('goes by the lower bound of the database clock', async () => {
      world = await start();
      world.database.skew = 5_000;
      world.uncertainty = 40;
      const row = world.row(1_000);
      world.emit(row);
      await world.advance(1_039);
      expect(world.channel.journal).toEqual([]);
      await world.advance(2);
      expect(world.channel.journal).toHaveLength(1);
    });

    it('nothing starts while nothing is known of the clock', async () => {
      world = await start();
      world.knowsTheTime = false;
      const row = world.row(1_000);
      world.emit(row);
      await world.advance(5_000);
      expect(world.channel.journal).toEqual([]);
      world.knowsTheTime = true;
      await world.advance(200);
      expect(world.channel.journal).toHaveLength(1);
    });

    it('claims ahead and starts on time', async () => {
      world = await start({ settings: { claimAheadMaxMs: 2_000, concurrency: 300, perOrigin: 300, claimBatch: 100 } });
      world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(100) : undefined);
      const crowd = () => Array.from({ length: 250 }, (_, n) => world.row(1_900, { account: `a${n}` }));
      for (let round = 0; round < 8; round++) {
        // Each crowd teaches it how fast claims are.
        world.emit(...crowd());
        await world.advance(5_000);
      }
      expect(world.channel.accepted).toHaveLength(2_000);
      const rows = crowd();
      const due = rows[0]?.dueAt as number;
      world.emit(...rows);
      await world.advance(1_300);
      expect(world.states(rows)).toEqual(['scheduled']);
      await world.advance(599);
      expect(world.states(rows)).toEqual(['sending']);
      expect(world.bolt.gauges()['claimed_waiting']).toBe(250);
      expect(world.channel.journal).toHaveLength(2_000);
      await world.advance(2);
      const begun = world.channel.journal.slice(2_000).map(({ at }) => at);
      expect(begun).toHaveLength(250);
      expect(Math.min(...begun)).toBeGreaterThanOrEqual(due);
    });

    it.each([
      ['claimAheadMaxMs is 0', { settings: { claimAheadMaxMs: 0 } }],
      ['the channel is blind', { class: 'blind' as const, settings: { claimAheadMaxMs: 2_000 } }],
    ])('never claims ahead when %s', async (_, options) => {
      world = await start(options);
      const rows = Array.from({ length: 250 }, (__, n) => world.row(1_900, { account: `a${n}` }));
      world.emit(...rows);
      await world.advance(1_899);
      expect(world.states(rows)).toEqual(['scheduled']);
    });
  });

  describe('3. a zombie cannot send or write', () => {
    it('nothing starts while the lease is out; what was claimed goes on when it holds again', async () => {
      world = await start();
      const row = world.row(1_000);
      world.emit(row);
      world.channel.script(row.id, { outcome: { kind: 'delivered' }, connecting: 500 });
      await world.advance(1_100);
      expect(world.state(row)).toBe('sending');
      world.leaseHolds = false;
      const held = world.row(100);
      world.emit(held);
      await world.advance(1_000);
      expect(world.channel.journal).toEqual([]);
      expect(world.state(held)).toBe('scheduled');
      world.leaseHolds = true;
      await world.advance(500);
      expect(world.states([row, held])).toEqual(['delivered']);
      expect(row.attempts).toBe(1);
    });

    it('a session marked dead between claim and send neither sends nor writes', async () => {
      world = await start();
      const row = world.row(1_000);
      world.emit(row);
      world.channel.script(row.id, { outcome: { kind: 'delivered' }, connecting: 500 });
      await world.advance(1_100);
      world.leaseHolds = false;
      const openRows = world.database.openRows();
      await world.database.registry().leave(world.session);
      expect(await openRows.leasesOf([world.session])).toEqual([]);
      expect(await openRows.recover([{ id: row.id, version: 1, session: world.session }], 0)).toMatchObject({
        recovered: 1,
      });
      await world.advance(2_000);
      expect(world.channel.journal).toEqual([]);
      const drained = world.bolt.drain();
      await world.advance(1);
      await drained;
      expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, version: 2 });
    });

    it('what a dead session had accepted settles the row in doubt through the ledger', async () => {
      world = await start();
      const row = world.row(1_000);
      world.emit(row);
      world.channel.script(row.id, { outcome: { kind: 'delivered', receipt: 'r' }, after: 500 });
      await world.advance(1_100);
      world.leaseHolds = false;
      await world.database.registry().leave(world.session);
      await world.database.openRows().recover([{ id: row.id, version: 1, session: world.session }], 60_000);
      await world.advance(1_000);
      expect(row).toMatchObject({ state: 'delivered', receipt: 'r' });
      expect(world.database.ledger).toHaveLength(1);
    });
  });
});
