import { crc32 } from 'node:zlib';
import { instructionOf } from '../../../connectors/mysql/sql/failures';
import { InParts } from '../../../connectors/mysql/sql/in-parts';
import type { OpenRows, ShardCursor } from '../../../spouts/open-rows';
import { Unavailable } from '../../../topology/core/errors';
import { LEASE_MS } from '../../../topology/core/lease';
import type { Assignment } from '../../../topology/core/spout';
import type { MemoryRow } from '../../support/mysql/memory-table';
import { SpoutWorld, sameShard } from '../spout-world';

let world: SpoutWorld;

afterEach(async () => {
  await world.close();
});

async function register(session: string, lease: number): Promise<void> {
  await world.db
    .registry()
    .register({ session, components: ['webhook'], host: 'h', pid: 1, version: '1', statusUrl: null }, lease);
}

async function claim(session: string, ids: readonly number[]): Promise<void> {
  const rows = world.db.sendRows();
  expect(await rows.claim(session, await rows.read(ids, Number.POSITIVE_INFINITY), 5_000)).toBe(ids.length);
}

/** A row that the session `s` is sending, whose lease the database counts until `leaseMs` from now. */
async function sending(leaseMs: number) {
  const row = world.db.insert({ dueAt: world.now });
  await register('s', leaseMs);
  await claim('s', [row.id]);
  return row;
}

function isDead(): boolean | undefined {
  return world.db.workers.get('s')?.dead;
}

const noReport = { partitions: {}, gauges: {} };

function away(): never {
  throw new Unavailable('the database is away');
}

/** Reads and recovers as `change` says. */
function around(change: (own: OpenRows) => Partial<OpenRows>): void {
  const own = world.db.openRows();
  world.db.openRows = () => ({ ...own, ...change(own) });
}

describe('rows of dead sessions', () => {
  test.each([true, false])('are scheduled again and emitted within lease and interval (CDC on: %s)', async (cdc) => {
    world = new SpoutWorld();
    const { db, now } = world;
    world.spout();
    const rows = Array.from({ length: 10 }, (_, index) => db.insert({ account: `a${index}`, dueAt: now }));
    await world.run(1_000);
    await register('dead', LEASE_MS);
    await register('alive', 60_000);
    await claim(
      'dead',
      rows.slice(0, 5).map(({ id }) => id),
    );
    await claim(
      'alive',
      rows.slice(5).map(({ id }) => id),
    );
    world.ack();
    world.cdc = cdc;
    await world.run(7_000);
    expect(world.ids()).toHaveLength(10);
    // The spout first sees the row when it is half a second overdue, and a round of reconcile comes every two seconds.
    await world.run(LEASE_MS - 7_000 + 500 + 2_000 + (cdc ? 0 : 2_000));
    expect(rows.map(({ state }) => state)).toEqual([...Array(5).fill('scheduled'), ...Array(5).fill('sending')]);
    expect(rows.slice(0, 5).every(({ inDoubt, version }) => inDoubt && version === 2)).toBe(true);
    expect(world.emitted().filter(({ version }) => version === 2)).toHaveLength(5);
    expect(db.workers.get('dead')?.dead).toBe(true);
    expect(db.workers.get('alive')?.dead).toBe(false);
  });

  test('are left alone while nothing is known of the database’s clock', async () => {
    world = new SpoutWorld();
    const { db, now } = world;
    world.clockKnown = false;
    const row = db.insert({ dueAt: now });
    world.spout();
    await world.run(10_000);
    expect(world.ids()).toEqual([]);
    world.clockKnown = true;
    await world.run(200);
    expect(world.ids()).toEqual([row.id]);
  });
});

describe('A session is marked dead only when this spout has seen its lease unrenewed for a whole lease and the database says that it ran out', () => {
  test('a spout that has just started lets a worker renew a lease that ran out while the database was away', async () => {
    world = new SpoutWorld();
    const row = await sending(-20_000);
    world.spout();
    await world.run(LEASE_MS - 100);
    expect(isDead()).toBe(false);
    await world.db.registry().renew('s', LEASE_MS, noReport);
    await world.run(LEASE_MS - 100);
    expect(isDead()).toBe(false);
    await world.run(2_500);
    expect(isDead()).toBe(true);
    expect(row).toMatchObject({ state: 'scheduled', version: 2 });
  });

  test('a step of the database’s clock ends no lease that is renewed', async () => {
    world = new SpoutWorld();
    world.spout();
    await world.run(1_000);
    const row = await sending(LEASE_MS);
    world.ack();
    for (let step = 0; step < 6; step++) {
      world.db.skew += 2 * LEASE_MS;
      await world.run(3_000);
      expect(await world.db.registry().renew('s', LEASE_MS, noReport)).toBe(true);
    }
    expect(row.state).toBe('sending');
  });

  test('a lease that the database still counts is not ended, however long it has not been renewed', async () => {
    world = new SpoutWorld();
    world.spout();
    const row = await sending(6 * LEASE_MS);
    await world.run(5 * LEASE_MS);
    expect(isDead()).toBe(false);
    await world.run(LEASE_MS + 2_500);
    expect(row).toMatchObject({ state: 'scheduled', version: 2 });
  });

  test('time in which the spout stood still counts half a lease at most', async () => {
    world = new SpoutWorld();
    await sending(LEASE_MS);
    world.spout();
    await world.run(3_000);
    world.clock.jump(30_000);
    await world.run(100);
    expect(isDead()).toBe(false);
    await world.run(2 * LEASE_MS);
    expect(isDead()).toBe(true);
  });
});

test('A lease is watched again from the beginning when the database was away, because its worker could not renew it then', async () => {
  world = new SpoutWorld();
  const { db, now } = world;
  world.spout();
  const row = db.insert({ dueAt: now });
  await world.run(1_000);
  await register('s', LEASE_MS);
  await claim('s', [row.id]);
  world.ack();
  await world.run(8_000);
  db.before = away;
  await world.run(20_000);
  db.before = () => {};
  await world.run(LEASE_MS - 1_000);
  expect(db.workers.get('s')?.dead).toBe(false);
  expect(world.errors.some((error) => error instanceof Unavailable)).toBe(true);
  await world.run(4_000);
  expect(db.workers.get('s')?.dead).toBe(true);
  expect(row).toMatchObject({ state: 'scheduled', version: 2 });
});

test('Leases are watched before anybody wants to know of them, so that a row that was claimed ahead waits no longer', async () => {
  world = new SpoutWorld();
  const { db } = world;
  world.spout();
  await world.run(1_000);
  await register('s', LEASE_MS);
  const row = db.insert({ dueAt: world.now + 4_000 });
  await claim('s', [row.id]);
  await world.run(LEASE_MS + 2_000 + 100);
  expect(isDead()).toBe(true);
  expect(row).toMatchObject({ state: 'scheduled', version: 2 });
});

test('a session that leaves nothing is not marked dead, however long its worker sleeps', async () => {
  world = new SpoutWorld();
  world.spout();
  await register('s', LEASE_MS);
  await world.run(3 * LEASE_MS);
  expect(isDead()).toBe(false);
  expect(await world.db.registry().renew('s', LEASE_MS, noReport)).toBe(true);
});

test('leases that nobody renews or asks about any more are forgotten', async () => {
  world = new SpoutWorld();
  const { db } = world;
  let asked: readonly string[] = [];
  around((own) => ({
    leasesOf: (sessions, recentMs) => {
      asked = sessions;
      return own.leasesOf(sessions, recentMs);
    },
  }));
  world.spout();
  await register('s', LEASE_MS);
  await world.run(5 * LEASE_MS);
  expect(asked).toEqual(['s']);
  await world.run(2 * LEASE_MS);
  expect([asked, db.workers.get('s')?.dead]).toEqual([[], false]);
});

test('rows are read although the leases cannot be', async () => {
  world = new SpoutWorld();
  const { db } = world;
  world.cdc = false;
  db.before = (operation) => {
    if (operation === 'leasesOf') away();
  };
  world.spout();
  await world.run(1_000);
  const row = db.insert({ dueAt: world.now });
  await world.run(5_000);
  expect(world.emitted().map(({ id }) => id)).toContain(row.id);
  expect(world.errors.splice(0).length).toBeGreaterThan(0);
});

test('a round ends when the database’s clock is lost amid it, because nothing more can be read', async () => {
  world = new SpoutWorld();
  const { db } = world;
  let asked = 0;
  let isKnown = true;
  const answer = () => {
    // Without an end it would go on for ever, in no time at all.
    if (++asked > 1_000) throw new Error('the clock is asked again and again');
    return isKnown;
  };
  Object.defineProperty(world, 'clockKnown', { get: answer });
  db.before = (operation) => {
    if (operation === 'leasesOf') isKnown = false;
  };
  world.spout();
  await world.run(500);
  expect([asked < 100, world.errors]).toEqual([true, []]);
  db.before = () => {};
  isKnown = true;
  const row = db.insert({ dueAt: world.now });
  await world.run(5_000);
  expect(world.emitted().map(({ id }) => id)).toContain(row.id);
});

test('a row that the database refuses to write is reported, holds no other, and is tried again after a minute', async () => {
  world = new SpoutWorld();
  const { db } = world;
  let recoveries = 0;
  db.before = (operation) => {
    if (operation === 'recover') recoveries++;
  };
  world.spout();
  const [poison, other] = [db.insert({ dueAt: world.now }), db.insert({ dueAt: world.now })];
  await claim('unknown', [poison.id, other.id]);
  poison.version = 2 ** 32 - 1;
  await world.run(50_000);
  expect([poison.state, other.state]).toEqual(['sending', 'scheduled']);
  expect(recoveries).toBe(1);
  expect(world.errors.splice(0)).toEqual([
    new Unavailable(`message ${poison.id} of a dead worker cannot be scheduled again: cannot be written`),
  ]);
  poison.version = 7;
  await world.run(15_000);
  expect(poison).toMatchObject({ state: 'scheduled', version: 8 });
});

describe('a row that the database refuses to recover, with nothing beside it to show that it is the row,', () => {
  let bad: MemoryRow;

  async function begin(channels?: readonly string[]): Promise<void> {
    world = new SpoutWorld(channels);
    const { db, clock } = world;
    bad = db.insert({ account: 'bad', dueAt: world.now });
    const parts = new InParts({ clock, rows: async () => [] });
    around((own) => ({
      recover: async (rows, delayMs) => {
        const refused = await parts.write(rows, async (part) => {
          if (part.some(({ id }) => id === bad.id)) {
            throw instructionOf(Object.assign(new Error('no'), { errno: 1062, sqlState: '23000' }));
          }
          await own.recover(part, delayMs);
        });
        return { recovered: 0, delivered: 0, refused: refused.map(({ row }) => ({ id: row.id, reason: 'no' })) };
      },
    }));
    await register('first', 5_000);
    await claim('first', [bad.id]);
  }

  test('keeps no other session from being marked dead, and no row of that from being recovered', async () => {
    await begin();
    const { db } = world;
    const others = Array.from({ length: 10 }, (_, index) => db.insert({ account: `a${index}`, dueAt: world.now }));
    await register('second', 30_000);
    await claim(
      'second',
      others.map(({ id }) => id),
    );
    world.spout();
    await world.run(45_000);
    expect(db.workers.get('second')?.dead).toBe(true);
    expect(new Set(others.map(({ id }) => db.rows.get(id)?.state))).toEqual(new Set(['scheduled']));
    expect(bad.state).toBe('sending');
    const said = world.errors.splice(0).length;
    await world.run(60_000);
    // It was refused beside others, and is tried once a minute from then on.
    expect([said > 0, world.errors.splice(0).length]).toEqual([true, 1]);
  });

  test('keeps no row of another channel from being found', async () => {
    await begin(['webhook', 'other']);
    world.spout();
    await world.run(30_000);
    world.cdc = false;
    const lost = world.db.insert({ account: 'a', channel: 'other', dueAt: world.now + 1_000 });
    await world.run(10_000);
    expect(world.ids('other')).toContain(lost.id);
    expect(world.errors.splice(0).length).toBeGreaterThan(0);
  });
});

test('What fails for one channel or row is no break: a channel whose rows cannot be read keeps no other from being found, and says so', async () => {
  const channels = ['webhook', 'x', 'other'];
  world = new SpoutWorld(channels);
  const { db } = world;
  around((own) => ({
    page: async (channel, ...query) => {
      if (channel !== 'other') throw new Unavailable(`no ${channel} (error 1712)`);
      return own.page(channel, ...query);
    },
  }));
  const left = db.insert({ account: 'b', channel: 'other', dueAt: world.now });
  await register('first', 5_000);
  await claim('first', [left.id]);
  world.spout();
  await world.run(5_000);
  world.cdc = false;
  const lost = db.insert({ account: 'a', channel: 'other', dueAt: world.now + 1_000 });
  await world.run(20_000);
  expect(world.ids('other')).toContain(lost.id);
  // Nor is the database taken for away, after which each lease would be watched from the beginning.
  expect([db.workers.get('first')?.dead, left.state]).toEqual([true, 'scheduled']);
  const said = new Set(world.errors.splice(0).map((error) => (error as Error).message));
  expect(said).toEqual(new Set(['no webhook (error 1712)', 'no x (error 1712)']));
});

test('rows that are not recovered beside others are said, and the round goes on', async () => {
  world = new SpoutWorld();
  const { db } = world;
  around((own) => ({
    recover: async (rows, delayMs) => ({
      ...(await own.recover(rows.slice(1), delayMs)),
      failure: new Unavailable('a batch was refused'),
    }),
  }));
  const rows = [1, 2].map(() => db.insert({ dueAt: world.now }));
  await claim(
    'unknown',
    rows.map(({ id }) => id),
  );
  world.spout();
  await world.run(5_000);
  expect(rows.map(({ state }) => state)).toEqual(['sending', 'scheduled']);
  const said = new Set(world.errors.splice(0).map((error) => (error as Error).message));
  expect(said).toEqual(new Set(['a batch was refused']));
});

test('a channel whose page takes nine seconds leaves others their rounds', async () => {
  world = new SpoutWorld(['webhook', 'other']);
  const { clock } = world;
  let tries = 0;
  around((own) => ({
    page: async (channel, ...query) => {
      if (channel === 'other') return own.page(channel, ...query);
      tries++;
      await clock.sleep(9_000);
      throw new Unavailable('no answer');
    },
  }));
  world.spout();
  await world.run(120_000);
  tries = 0;
  await world.run(390_000);
  // Buckets and reconcile read it, each once in 39 s; it was read each second.
  expect(tries).toBeLessThanOrEqual(22);
  expect(tries).toBeGreaterThanOrEqual(16);
  expect(world.errors.splice(0).length).toBeGreaterThan(0);
});

test('a database that is away is asked for two channels at most', async () => {
  world = new SpoutWorld(['webhook', 'x', 'other', 'more']);
  let pages = 0;
  around(() => ({
    page: async () => {
      pages++;
      throw new Unavailable('away');
    },
  }));
  world.spout();
  await world.run(10_000);
  const before = pages;
  await world.run(500);
  expect(pages - before).toBeLessThanOrEqual(2 * 4 * 2);
  world.errors.splice(0);
});

test('a long sweep takes a twentieth of the time and continues where it was', async () => {
  world = new SpoutWorld(['webhook', 'x']);
  const { db, now, clock } = world;
  world.cdc = false;
  db.pausedChannels.add('x');
  for (let index = 0; index < 12_000; index++) db.insert({ account: 'one', channel: 'x', dueAt: now - 20_000 + index });
  let busy = 0;
  const spout = world.spout();
  await world.run(3_000);
  db.after = async (operation) => {
    if (operation !== 'page') return;
    busy += 100;
    await clock.sleep(100);
  };
  const row = db.insert({ dueAt: now });
  await world.run(4_000);
  expect(world.ids()).toEqual([row.id]);
  busy = 0;
  await world.run(60_000);
  // Besides, each channel opens a bucket every five seconds: 24 pages.
  expect(busy).toBeLessThan(24 * 100 + 60_000 * 0.05 * 1.2);
  expect(spout.gauges()['reconcile_age_ms.x']).toBeLessThan(40_000);
});

describe('an account with very many overdue rows does not lengthen the sweep of the others in its shard', () => {
  const rowsOfMany = 20_000;

  /** A paused account with rows from `sinceMs` ago on, in a shard with another account; each page takes 60 ms, or what is given. */
  async function crowd(
    sinceMs: number,
    pageMs: (cursors: readonly ShardCursor[]) => number = () => 60,
    assignment?: Assignment,
  ): Promise<string> {
    world = new SpoutWorld();
    world.cdc = false;
    const { db, clock } = world;
    const [few, many] = sameShard();
    db.pausedAccounts = [{ channel: 'webhook', account: many }];
    const since = world.now - sinceMs;
    for (let index = 0; index < rowsOfMany; index++) db.insert({ account: many, dueAt: since + index });
    const rows = db.openRows();
    let isSlow = false;
    db.openRows = () => ({
      ...rows,
      page: async (channel, cursors, below, limit) => {
        if (isSlow) await clock.sleep(pageMs(cursors));
        return rows.page(channel, cursors, below, limit);
      },
    });
    world.spout(assignment);
    await world.run(5_000);
    isSlow = true;
    await world.run(5_000);
    return few;
  }

  test('a row that woke in the last minute is recovered after lease and some rounds', async () => {
    const account = await crowd(600_000);
    const row = world.db.insert({ account, dueAt: world.now });
    await register('s', LEASE_MS);
    await claim('s', [row.id]);
    const begun = world.now;
    while (row.state === 'sending' && world.now < begun + 60_000) await world.run(1_000);
    expect(world.now - begun).toBeLessThan(LEASE_MS + 15_000);
    expect(world.spouts[0]?.gauges()['reconcile_age_ms.webhook']).toBeGreaterThan(world.now - begun);
  });

  test('the very beginning is read rarely too where that takes long, also when each shard is half way', async () => {
    let fromBeginning = 0;
    await crowd(
      600_000,
      (cursors) => {
        if (cursors.every(({ afterWake }) => afterWake >= world.now - 3_600_000)) return 60;
        fromBeginning++;
        return 4_000;
      },
      { partitions: [crc32(sameShard()[1]) % 256], of: 256 },
    );
    fromBeginning = 0;
    await world.run(180_000);
    // The only shard is half way. One in a minute, and another where it starts over.
    expect(fromBeginning).toBeGreaterThan(0);
    expect(fromBeginning).toBeLessThanOrEqual(4);
  });

  test('a row that woke before theirs is emitted in the next round', async () => {
    const account = await crowd(600_000);
    const row = world.db.insert({ account, dueAt: world.now - 3_600_000 });
    await world.run(10_000);
    expect(world.ids()).toEqual([row.id]);
  });
});

test('where the beginning of the index takes long to read, most sweeps begin at the first open row', async () => {
  world = new SpoutWorld();
  world.cdc = false;
  const { db, clock } = world;
  let fromBeginning = 0;
  let others = 0;
  const lost: string[] = [];
  const rows = db.openRows();
  // The entries of very many rows that have ended are still there.
  db.openRows = () => ({
    ...rows,
    page: async (channel, cursors, below, limit) => {
      if (cursors.some(({ afterWake }) => afterWake < world.now - 3_600_000)) {
        fromBeginning++;
        await clock.sleep(8_000);
      } else others++;
      return rows.page(channel, cursors, below, limit);
    },
  });
  world.spout();
  await world.run(20_000);
  [fromBeginning, others] = [0, 0];
  for (let n = 0; n < 10; n++) {
    const row = db.insert({ account: `a${n}`, dueAt: world.now });
    await world.run(30_000);
    if (!world.ids().includes(row.id)) lost.push(`${n}`);
  }
  expect(lost).toEqual([]);
  expect(fromBeginning).toBeLessThanOrEqual(6);
  expect(others).toBeGreaterThan(50);
  // What somebody plans for the past is found within a minute, too.
  const past = db.insert({ account: 'past', dueAt: world.now - 7_200_000 });
  await world.run(75_000);
  expect(world.ids()).toContain(past.id);
});

test('acks that cannot be read do not keep rows from being recovered', async () => {
  world = new SpoutWorld();
  const { db, log, now } = world;
  world.spout();
  const row = db.insert({ dueAt: now });
  await world.run(1_000);
  await claim('unknown', [row.id]);
  log.before = (operation) => {
    if (operation === 'acks') away();
  };
  await world.run(5_000);
  expect(row).toMatchObject({ state: 'scheduled', version: 2, inDoubt: true });
  expect(world.emitted().at(-1)).toMatchObject({ version: 2 });
});
