import { all, SpoutWorld, sameShard } from './spout-world';

let world: SpoutWorld;

function begin(...options: ConstructorParameters<typeof SpoutWorld>): SpoutWorld {
  world = new SpoutWorld(...options);
  return world;
}

afterEach(async () => {
  await world.close();
});

describe('1. Every row that has woken is emitted while any replica runs, with or without CDC', () => {
  test.each([true, false])(
    'rows that are overdue, near and far, inserted, edited and canceled (CDC on: %s)',
    async (cdc) => {
      const { db, now } = begin();
      const expected = [
        db.insert({ dueAt: 0 }),
        db.insert({ dueAt: now - 1 }),
        db.insert({ dueAt: now + 3_000 }),
        db.insert({ dueAt: now + 90_000 }),
      ];
      world.spout();
      await world.run(1_000);
      world.cdc = cdc;
      expected.push(
        db.insert({ dueAt: 0 }),
        db.insert({ dueAt: now + 1_000 }),
        db.insert({ dueAt: now + 30_000 }),
        db.insert({ dueAt: now + 100_000 }),
      );
      const canceled = db.insert({ dueAt: now + 20_000 });
      const edited = db.insert({ dueAt: now + 50_000 });
      await world.run(1_000);
      db.cancel(canceled.id);
      db.edit(edited.id, { dueAt: now + 40_000 });
      await world.run(cdc ? 99_000 : 103_000);
      expect(world.ids()).toEqual([...expected, edited].map(({ id }) => id));
      const late = world.emitted().filter(({ at, wakeAt }) => at > Math.max(wakeAt, now) + 3_000 && wakeAt > now);
      expect(late).toEqual([]);
    },
  );

  test('a replica takes over what another one had', async () => {
    const { db, now } = begin();
    const first = world.spout({ partitions: [0, 1], of: 4 });
    const second = world.spout({ partitions: [2, 3], of: 4 });
    const rows = Array.from({ length: 40 }, (_, index) => db.insert({ account: `a${index}`, dueAt: now + 20_000 }));
    await world.run(5_000);
    await first.close();
    world.assign(first, { partitions: [], of: 4 });
    world.assign(second, { partitions: [0, 1, 2, 3], of: 4 });
    await world.run(15_000);
    expect(world.ids()).toEqual(rows.map(({ id }) => id));
  });

  test('a tuple that the bolt dropped while its row still waits is emitted again', async () => {
    const { db, now } = begin();
    const row = db.insert({ dueAt: now + 1_000 });
    world.spout();
    await world.run(1_000);
    world.ack('webhook', () => false);
    await world.run(4_000);
    expect(world.ids()).toEqual([row.id, row.id]);
  });

  test('events of an old replay emit nothing, and rows that still wait are read', async () => {
    const { db, now } = begin();
    world.cdc = false;
    world.spout();
    await world.run(5_000);
    const soon = db.insert({ dueAt: now + 30_000 });
    const edited = db.insert({ dueAt: now + 31_000 });
    const gone = db.insert({ dueAt: now + 32_000 });
    const old = { committedAt: now - 100_000 };
    world.tell(world.changeOf(soon.id, old));
    world.tell(world.changeOf(edited.id, { ...old, wakeAt: now + 10_000 }));
    world.tell(world.changeOf(gone.id, old));
    db.delete(gone.id);
    await world.run(40_000);
    expect(world.emitted().map(({ id, at }) => [id, at])).toEqual([
      [soon.id, soon.dueAt - 2_000],
      [edited.id, edited.dueAt - 2_000],
    ]);
  });
});

describe('2. Memory and work are bounded by configuration, not by the table', () => {
  test.each(['overdue', 'future', 'by events'])('rows that do not fit into memory: %s', async (kind) => {
    const { db, now, log } = begin(['webhook'], { maxEntries: 500, maxPending: 200 });
    const events = kind === 'by events';
    let pages = 0;
    db.before = (operation) => {
      if (operation === 'page') pages++;
    };
    const spout = world.spout(events ? all : null);
    await world.run(events ? 1_000 : 0);
    const rows = Array.from({ length: 3_000 }, (_, index) =>
      db.insert({ account: `a${index % 50}`, dueAt: kind === 'future' ? now + 30_000 + (index % 100) : now - index }),
    );
    if (!events) world.assign(spout, all);
    if (kind === 'future') await world.run(31_000);
    for (let round = 0; round < 100 && world.ids().length < rows.length; round++) {
      await world.run(1_000);
      expect(spout.gauges()['entries.webhook']).toBeLessThanOrEqual(550);
      const lag = [0, 1, 2, 3].reduce(
        (sum, partition) =>
          sum + log.high('due.webhook', partition) - Math.max(0, log.committedOf('bolts', 'due.webhook', partition)),
        0,
      );
      expect(lag).toBeLessThanOrEqual(200);
      world.ack();
    }
    expect(world.ids()).toEqual(rows.map(({ id }) => id));
    expect(pages).toBeLessThan(300);
  });

  test('rows that wake beyond the horizon are not in memory', async () => {
    const { db, now } = begin();
    for (let index = 0; index < 1_000; index++) db.insert({ account: `a${index}`, dueAt: now + 100_000 + index });
    const spout = world.spout();
    await world.run(10_000);
    expect(spout.gauges()['entries.webhook']).toBe(0);
    expect(spout.gauges()['frontier_ms.webhook']).toBeGreaterThanOrEqual(60_000);
    await world.run(90_000);
    expect(world.ids()).toHaveLength(1_000);
    expect(world.emitted().filter(({ at, wakeAt }) => at < wakeAt - 2_000 || at > wakeAt - 1_900)).toEqual([]);
  });

  test('thousands of edits of one row leave nothing in memory but its newest plan', async () => {
    const { db, now } = begin();
    const spout = world.spout();
    const row = db.insert({ dueAt: now + 50_000 });
    await world.run(100);
    for (let edit = 0; edit < 5_000; edit++) {
      db.edit(row.id, { dueAt: now + 20_000 + edit });
      if (edit % 500 === 0) await world.run(1);
    }
    await world.run(30_000);
    expect(spout.gauges()['entries.webhook']).toBe(1);
    expect(world.emitted()).toMatchObject([{ id: row.id, version: 5_001 }]);
  });
});

describe('3. No flood: a tuple is emitted again only if it was acked (or is gone from Kafka) and the row still waits, and once more at most when the partition changes its owner', () => {
  test('a tuple that is not acked is not emitted again, however long its row is overdue', async () => {
    const { db, now } = begin();
    world.spout();
    for (let index = 0; index < 100; index++) db.insert({ account: `a${index}`, dueAt: now + index * 10 });
    await world.run(120_000);
    expect(world.ids()).toHaveLength(100);
  });

  test('a row is emitted once more when its partition changes its owner', async () => {
    const { db, now } = begin();
    const first = world.spout();
    for (let index = 0; index < 20; index++) db.insert({ account: `a${index}`, dueAt: now });
    await world.run(1_000);
    world.assign(first, { partitions: [0, 1], of: 4 });
    world.spout({ partitions: [2, 3], of: 4 });
    await world.run(30_000);
    const moved = [...db.rows.values()].filter(({ shard }) => shard % 4 >= 2);
    expect(world.ids()).toHaveLength(20 + moved.length);
  });

  test('a row acked while its page is being read is not emitted from that page', async () => {
    const { db, now } = begin();
    db.insert({ dueAt: now });
    world.spout();
    await world.run(1_900);
    // The page is read with the row still waiting; its answer is slow; meanwhile the bolt claims and commits.
    let slow = true;
    db.after = async (operation) => {
      if (operation !== 'page' || !slow) return;
      slow = false;
      world.ack();
      await world.clock.sleep(1_500);
    };
    await world.run(20_000);
    expect(world.ids()).toHaveLength(1);
  });

  test('tuples that are gone from Kafka are emitted again, once', async () => {
    const { db, log, now } = begin();
    for (let index = 0; index < 20; index++) db.insert({ account: `a${index}`, dueAt: now });
    world.spout();
    await world.run(1_000);
    expect(world.ids()).toHaveLength(20);
    log.create('due.webhook', 4);
    await world.run(10_000);
    expect(world.ids()).toHaveLength(20);
    for (let partition = 0; partition < 4; partition++) {
      log.dropBelow('due.webhook', partition, log.high('due.webhook', partition));
    }
    await world.run(10_000);
    expect(world.ids()).toHaveLength(20);
  });
});

describe('4. A slow or paused channel or account stalls only itself, however many rows wait on it', () => {
  test('a paused channel with more overdue rows than fit into memory', async () => {
    const { db, now } = begin(['webhook', 'x'], { maxEntries: 300 });
    for (let index = 0; index < 2_000; index++) {
      db.insert({ account: `a${index % 100}`, channel: 'x', dueAt: now - 5_000 + index });
    }
    db.pausedChannels.add('x');
    const spout = world.spout();
    const rows = Array.from({ length: 100 }, (_, index) =>
      db.insert({ account: `a${index}`, dueAt: now + index * 100 }),
    );
    await world.run(12_000);
    expect(world.ids('x')).toEqual([]);
    expect(world.ids()).toEqual(rows.map(({ id }) => id));
    expect(world.emitted().filter(({ at, wakeAt }) => at > Math.max(now + 50, wakeAt - 1_900 + 50))).toEqual([]);
    expect(spout.gauges()['entries.x']).toBeLessThanOrEqual(330);
    db.pausedChannels.delete('x');
    for (let round = 0; round < 30; round++) {
      await world.run(1_000);
      world.ack('x');
    }
    expect(world.ids('x')).toHaveLength(2_000);
  });

  test.each(['slow', 'paused'])(
    'a %s account with more rows than fit into memory; its rows are emitted in order',
    async (kind) => {
      const { db, now } = begin(['webhook'], { maxEntries: 600, maxPendingPerAccount: 20 });
      if (kind === 'paused') db.pausedAccounts = [{ channel: 'webhook', account: 'slow' }];
      for (let index = 0; index < 1_500; index++) db.insert({ account: 'slow', dueAt: now - 10_000 + index });
      const spout = world.spout();
      for (let index = 0; index < 500; index++) db.insert({ account: `a${index % 60}`, dueAt: now + index * 20 });
      for (let round = 0; round < 24; round++) {
        await world.run(500);
        const pending = world.emitted().filter(({ account }) => account === 'slow').length;
        expect(pending).toBeLessThanOrEqual(kind === 'paused' ? 0 : 20);
        expect(spout.gauges()['entries.webhook']).toBeLessThanOrEqual(660);
      }
      const others = world.emitted().filter(({ account }) => account !== 'slow');
      expect(others).toHaveLength(500);
      expect(others.filter(({ at, wakeAt }) => at > Math.max(now + 50, wakeAt - 1_900 + 50))).toEqual([]);
      expect(spout.gauges()['overflowed_accounts.webhook']).toBe(1);

      db.pausedAccounts = [];
      for (let round = 0; round < 150; round++) {
        await world.run(250);
        world.ack();
      }
      const slow = world.emitted().filter(({ account }) => account === 'slow');
      expect(slow.map(({ wakeAt }) => wakeAt)).toEqual(
        Array.from({ length: 1_500 }, (_, index) => now - 10_000 + index),
      );
      await world.run(2_000);
      expect(spout.gauges()).toMatchObject({ 'entries.webhook': 0, 'overflowed_accounts.webhook': 0 });
    },
  );

  test('many paused accounts do not fill the memory that the others need', async () => {
    const { db, now } = begin(['webhook'], { maxEntries: 2_000, maxPendingPerAccount: 100 });
    db.pausedAccounts = Array.from({ length: 30 }, (_, index) => ({ channel: 'webhook', account: `p${index}` }));
    for (let index = 0; index < 6_000; index++) db.insert({ account: `p${index % 30}`, dueAt: now - 10_000 + index });
    const spout = world.spout();
    await world.run(5_000);
    const later = world.now;
    const rows = Array.from({ length: 100 }, (_, index) => db.insert({ account: `a${index}`, dueAt: later + 20_000 }));
    await world.run(18_100);
    expect(world.ids()).toEqual(rows.map(({ id }) => id));
    expect(spout.gauges()['entries.webhook']).toBeLessThanOrEqual(2_200);
    world.ack();
    db.pausedAccounts = [];
    for (let round = 0; round < 60; round++) {
      await world.run(1_000);
      world.ack();
    }
    expect(world.ids()).toHaveLength(6_100);
  });

  test.each(['by events', 'read'])(
    'an account that overflowed stays in order, whatever order its rows came in: %s',
    async (how) => {
      const { db, now } = begin(['webhook'], { maxPendingPerAccount: 10 });
      const spout = world.spout();
      await world.run(1_000);
      world.cdc = how === 'by events';
      const count = 200;
      for (let index = count; index > 0; index--)
        db.insert({ dueAt: now + (world.cdc ? 20_000 : 70_000) + index * 10 });
      await world.run(1_000);
      expect(spout.gauges()['entries.webhook']).toBeLessThanOrEqual(30);
      for (let round = 0; round < 400; round++) {
        await world.run(250);
        world.ack();
      }
      const wakes = world.emitted().map(({ wakeAt }) => wakeAt);
      expect(wakes).toHaveLength(count);
      expect(wakes).toEqual(wakes.toSorted((a, b) => a - b));
    },
  );

  test('an account’s rows are found again behind thousands of its shard', async () => {
    const { db, now } = begin(['webhook'], { maxPendingPerAccount: 5 });
    const [few, many] = sameShard();
    const expected = Array.from({ length: 14 }, (_, index) => db.insert({ account: few, dueAt: now + 5_000 + index }));
    for (let index = 0; index < 4_500; index++) db.insert({ account: many, dueAt: now + 6_000 + index });
    expected.push(db.insert({ account: few, dueAt: now + 40_000 }));
    world.spout();
    for (let round = 0; round < 160; round++) {
      await world.run(250);
      world.ack();
    }
    const tuples = world.emitted().filter(({ account }) => account === few);
    expect(tuples.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    expect(tuples.at(-1)?.at).toBe(now + 38_000);
  });
});
