import { Unavailable } from '../../topology/core/errors';
import type { Limits, Quota } from '../../topology/core/limits';
import { type MemoryRow, wakeOf } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

const MINUTE_MS = 60_000;
const quota = (count: number, windowMs: number, gapMs = 0): Quota => ({ rates: [{ count, windowMs }], gapMs });

const worlds: World[] = [];

async function open(limits: Limits | undefined, options: WorldOptions = {}, beside?: World): Promise<World> {
  const world = await new World({ ...options, ...(limits === undefined ? {} : { limits }) }, beside).open();
  worlds.push(world);
  return world;
}

afterEach(async () => {
  for (const world of worlds.splice(0)) {
    await world.close();
    if (world.bugs.length > 0) throw world.bugs[0];
  }
});

/** Ids in the order in which their requests began. */
const begun = (world: World) => world.channel.journal.map(({ id }) => id);

describe('5. An account at a limit is paused until it may go on', () => {
  test('3. Claimed is only what limits allow, in its order; the rest costs no attempt or slot, and its tuples are acked', async () => {
    const world = await open({ perAccount: quota(5, MINUTE_MS) });
    const rows = world.rows(12, 1_000, { account: 'hog' });
    const other = world.row(1_000, { account: 'other' });
    const offsets = world.emit(...rows, other);
    await world.advance(1_100);
    expect(begun(world).toSorted((a, b) => a - b)).toEqual([...rows.slice(0, 5), other].map(({ id }) => id));
    expect(world.begun(other)[0]).toBeLessThanOrEqual(world.clock.now() - 50);
    expect(world.acked.toSorted((a, b) => a - b)).toEqual(offsets);
    expect(world.claims.flatMap(({ ids }) => ids)).toHaveLength(6);
    expect(world.states(rows.slice(5))).toEqual(['scheduled']);
    expect(rows.slice(5).map(({ id }) => world.database.rows.get(id)?.attempts)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    // It is closed for longer than its rows wait for it here.
    expect(world.bolt.gauges().held).toBe(0);
    const [gate] = world.database.limits.limited;
    expect(gate).toMatchObject({ channel: 'webhook', account: 'hog' });
    await world.advance((gate?.gateUntil ?? 0) - world.database.now());
    world.emit(...rows.slice(5, 10));
    await world.advance(300);
    expect(world.states(rows.slice(0, 10))).toEqual(['delivered']);
    expect(begun(world).slice(6)).toEqual(rows.slice(5, 10).map(({ id }) => id));
  });

  test('with a gap its rows wait here and begin in their order, one at a time, beside those of others', async () => {
    const world = await open({ perAccount: { rates: [], gapMs: 1_000 } });
    const rows = world.rows(6, 500, { account: 'slow' });
    const others = Array.from({ length: 4 }, (_, n) => world.row(500 + n * 1_000, { account: `other${n}` }));
    world.emit(...rows, ...others);
    await world.advance(7_500);
    const own = world.channel.journal.filter(({ account }) => account === 'slow');
    expect(own.map(({ id }) => id)).toEqual(rows.map(({ id }) => id));
    for (const [index, { at }] of own.slice(1).entries())
      expect(at - (own[index]?.at ?? 0)).toBeGreaterThanOrEqual(1_000);
    for (const [n, row] of others.entries()) expect(world.begun(row)).toEqual([own[0] ? own[0].at + n * 1_000 : 0]);
    expect(world.states([...rows, ...others])).toEqual(['delivered']);
  });

  test('what waits here for its turn holds no partition, however often it is emitted and however long it waits', async () => {
    const world = await open({ perAccount: { rates: [], gapMs: 4_000 } });
    const rows = world.rows(15, 100, { account: 'slow' });
    world.emit(...rows);
    for (let round = 0; round < 6; round++) {
      await world.advance(10_000);
      const waiting = rows.filter((row) => world.state(row) === 'scheduled');
      const offsets = world.emit(...waiting);
      await world.advance(100);
      expect(world.acked).toEqual(expect.arrayContaining(offsets));
    }
    await world.advance(5_000);
    expect(begun(world)).toEqual(rows.map(({ id }) => id));
  });

  test('what becomes due behind rows that wait does not pass them', async () => {
    const world = await open({ perAccount: { rates: [], gapMs: 3_000 } });
    const rows = [100, 200, 300, 2_900].map((delay) => world.row(delay, { account: 'slow' }));
    world.emit(...rows);
    await world.advance(12_000);
    expect(begun(world)).toEqual(rows.map(({ id }) => id));
  });

  test('edits and cancels of what waits work, and what is too late by then is not sent', async () => {
    const lateness = { sendWithinMs: 10_000, onLate: 'suspend' } as const;
    const world = await open({ perAccount: { rates: [], gapMs: 12_000 } }, { lateness });
    const [first, canceled, late] = world.rows(3, 100, { account: 'slow' });
    world.emit(first as never, canceled as never, late as never);
    await world.advance(1_000);
    world.database.cancel(canceled?.id ?? 0);
    await world.advance(20_000);
    expect([first, canceled, late].map((row) => world.state(row as never))).toEqual(['delivered', 'canceled', 'late']);
    expect(world.database.limits.accounts('webhook')).toEqual(['slow']);
  });
});

test('waiting at a limit does not count towards giving up, and the time between attempts does', async () => {
  const world = await open({ perAccount: quota(1, MINUTE_MS) }, { giveUpAfterMs: 30_000 });
  const row = world.row(100, { account: 'a' });
  world.channel.script(
    row.id,
    { outcome: { kind: 'retry', reason: 'not now', status: 408 } },
    { outcome: { kind: 'retry', reason: 'not now', status: 408 } },
    { outcome: { kind: 'delivered' } },
  );
  // It is tried again after a second, and waits for a minute at its limit each time.
  for (let round = 0; round < 4; round++) {
    world.emit(world.database.rows.get(row.id) as never);
    await world.advance(70_000);
  }
  expect(world.state(row)).toBe('delivered');
  expect(world.begun(row)).toHaveLength(3);
  const kept = await open(undefined, { giveUpAfterMs: 30_000 });
  const other = kept.row(100);
  kept.channel.script(
    other.id,
    { outcome: { kind: 'retry', reason: 'not now', status: 408 } },
    { outcome: { kind: 'retry', reason: 'not now', status: 408 } },
  );
  for (let round = 0; round < 2; round++) {
    kept.emit(kept.database.rows.get(other.id) as never);
    await kept.advance(70_000);
  }
  expect(kept.state(other)).toBe('failed');
});

describe('2. What was allowed and came to no request is not counted', () => {
  const DAY_MS = 86_400_000;
  // Of a shorter time than that of which each account has a part.
  const limits = { perApp: quota(20, 50 * MINUTE_MS) };

  test('of a row that somebody keeps locked', async () => {
    const world = await open(limits);
    const locked = world.row(100, { account: 'careless' });
    world.database.locked.add(locked.id);
    for (let round = 0; round < 10; round++) {
      world.emit(locked);
      await world.advance(35_000);
    }
    const others = world.rows(19, 100, { account: 'other' });
    world.emit(...others);
    await world.advance(5_000);
    expect(world.states(others)).toEqual(['delivered']);
    world.database.locked.clear();
    world.emit(locked);
    // It is tried later and later.
    await world.advance(120_000);
    expect(world.state(locked)).toBe('delivered');
    const late = world.row(100, { account: 'other' });
    world.emit(late);
    await world.advance(5_000);
    expect(world.state(late)).toBe('scheduled');
  });

  test('of one that is the only one of its day, and whose claim came to nothing', async () => {
    const world = await open({ perAccount: quota(1, DAY_MS) });
    const row = world.row(100, { account: 'a' });
    world.database.locked.add(row.id);
    world.emit(row);
    await world.advance(1_000);
    world.database.locked.clear();
    await world.advance(10_000);
    expect(world.state(row)).toBe('delivered');
    expect(world.database.limits.limited).toMatchObject([{ account: 'a' }]);
  });

  test('while the provider cannot be reached', async () => {
    const world = await open(limits);
    const rows = world.rows(10, 100, { account: 'a' });
    const outcome = { kind: 'retry', reason: 'connection refused', unreachable: true } as const;
    let isAway = true;
    world.channel.byHost = () => (isAway ? { outcome, isUnwritten: true } : undefined);
    const again = async (rounds: number) => {
      for (let round = 0; round < rounds; round++) {
        world.emit(...rows.filter((row) => world.state(row) === 'scheduled'));
        await world.advance(10_000);
      }
    };
    await again(20);
    isAway = false;
    await again(10);
    expect(world.states(rows)).toEqual(['delivered']);
    const others = world.rows(10, 100, { account: 'other' });
    world.emit(...others);
    await world.advance(5_000);
    expect(world.states(others)).toEqual(['delivered']);
  });
});

describe('two workers', () => {
  test('never exceed a limit of an account or of the app together', async () => {
    const limits = { perAccount: quota(4, MINUTE_MS), perApp: quota(6, MINUTE_MS) };
    const one = await open(limits);
    const other = await open(limits, { session: 'b'.repeat(32) }, one);
    const rows = one.rows(20, 500, { account: 'a' });
    one.emit(...rows.slice(0, 10));
    other.emit(...rows.slice(10), ...one.rows(10, 500, { account: 'b' }));
    await one.advance(10_000);
    const accounts = one.channel.journal.map(({ account }) => account);
    expect(accounts).toHaveLength(6);
    expect(accounts.filter((account) => account === 'a').length).toBeLessThanOrEqual(4);
  });
});

describe('a limit of the app', () => {
  test('is divided in turns: an account with a backlog does not keep another one waiting', async () => {
    const world = await open({ perApp: quota(10, 5_000) });
    const hog = world.rows(40, 500, { account: 'hog' });
    world.emit(...hog);
    await world.advance(1_000);
    const others = Array.from({ length: 4 }, (_, n) => world.row(500, { account: `other${n}` }));
    world.emit(...others);
    await world.advance(7_000);
    expect(world.states(others)).toEqual(['delivered']);
    const own = world.channel.journal.filter(({ account }) => account === 'hog').map(({ id }) => id);
    expect(own.length).toBeLessThanOrEqual(16);
    await world.advance(30_000);
    expect(world.channel.journal.filter(({ account }) => account === 'hog').map(({ id }) => id)).toEqual(
      hog.map(({ id }) => id),
    );
  });
});

test("one account does not use up the app's day: others go on whose messages come later, and it goes on when it may", async () => {
  const world = await open({ perApp: quota(40, 86_400_000) });
  const first = world.row(100, { account: 'small' });
  const hog = world.rows(60, 200, { account: 'hog' });
  world.emit(first, ...hog);
  await world.advance(30_000);
  const others = Array.from({ length: 8 }, (_, n) => world.row(100, { account: `other${n}` }));
  world.emit(...others, world.row(100, { account: 'small' }));
  await world.advance(5_000);
  expect(world.states([first, ...others])).toEqual(['delivered']);
  const own = () => world.channel.journal.filter(({ account }) => account === 'hog').length;
  expect(own()).toBe(20);
  const gate = world.database.limits.limited.find(({ account }) => account === 'hog');
  await world.advance((gate?.gateUntil ?? 0) - world.database.now());
  world.emit(...hog.filter((row) => world.state(row) === 'scheduled'));
  await world.advance(5_000);
  expect(own()).toBeGreaterThan(20);
});

test('what cannot be counted, because the database is older than the worker, is sent all the same', async () => {
  const world = await open({ perAccount: quota(1, MINUTE_MS) });
  const uncounted = new Unavailable('no such table');
  const all = { opensAt: new Map(), at: undefined, uncounted };
  world.sendLimits.take = async (_, wants) => ({
    ...all,
    allowed: new Map(wants.map((one) => [one.account, one.count])),
  });
  const rows = world.rows(3, 100, { account: 'a' });
  world.emit(...rows);
  await world.advance(1_000);
  expect(world.states(rows)).toEqual(['delivered']);
  expect(world.errors.join()).toContain('no such table');
});

test('a limit of the app lets out all that it has, however many accounts have more waiting than one turn takes up', async () => {
  const world = await open({ perApp: quota(100, 5_000) });
  const accounts = Array.from({ length: 60 }, (_, n) => world.rows(14, 500, { account: `a${n}` }));
  world.emit(...accounts.flat());
  for (let round = 0; round < 12; round++) {
    await world.advance(6_000);
    world.emit(...accounts.flat().filter((row) => world.state(row) === 'scheduled'));
  }
  expect(world.states(accounts.flat())).toEqual(['delivered']);
  for (const rows of accounts) {
    const ids = rows.map(({ id }) => id);
    expect(begun(world).filter((id) => ids.includes(id))).toEqual(ids);
  }
});

test('an app that is used up, or held by its provider, holds no account of another app', async () => {
  const world = await open({ perApp: quota(5, MINUTE_MS) });
  world.channel.appOf = (account) => (account === 'c' ? undefined : account === 'b' ? 'client-2' : 'client-1');
  const [many, few, others] = [
    world.rows(12, 500, { account: 'a' }),
    world.rows(3, 500, { account: 'b' }),
    world.rows(3, 500, { account: 'c' }),
  ];
  const offsets = world.emit(...many, ...few, ...others);
  await world.advance(1_000);
  expect(world.states([...few, ...others, ...many.slice(0, 5)])).toEqual(['delivered']);
  expect(begun(world)).toHaveLength(11);
  expect(world.acked).toHaveLength(offsets.length);
  expect(world.database.limits.limited.map(({ account }) => account)).toEqual(['a']);
  const [refused] = world.rows(1, 200, { account: 'b' }) as [MemoryRow];
  const hold = { of: 'app', ms: 40_000 } as const;
  world.channel.script(refused.id, { outcome: { kind: 'retry', reason: 'too many', afterMs: 40_000, hold } });
  world.emit(refused);
  await world.advance(500);
  const later = [world.row(200, { account: 'b' }), world.row(200, { account: 'c' })] as const;
  world.emit(...later);
  await world.advance(500);
  expect(later.map((row) => world.state(row))).toEqual(['scheduled', 'delivered']);
  expect(world.database.limits.limited.map(({ account }) => account).toSorted()).toEqual(['a', 'b']);
});

test('what was allowed for one app is given back to that one, though the account has another, or none that is known, by then', async () => {
  const world = await open({ perApp: quota(5, MINUTE_MS) });
  // Credentials that may not be used are known for a second at a time.
  let isKnown = true;
  world.channel.appOf = (account) => (account === 'blocked' && !isKnown ? undefined : 'client-1');
  world.emit(...world.rows(5, 100, { account: 'a' }));
  await world.advance(400);
  isKnown = false;
  const blocked = world.rows(3, 100, { account: 'blocked' });
  for (const { id } of blocked) world.channel.script(id, { outcome: 'not_started' });
  world.database.before = (operation) => {
    if (operation === 'claim') isKnown = true;
  };
  world.emit(...blocked);
  await world.advance(400);
  const more = world.rows(3, 100, { account: 'b' });
  world.emit(...more);
  await world.advance(2_000);
  expect(world.channel.journal.filter(({ account }) => account === 'b')).toEqual([]);
});

test('what is due at once after a start counts for its app, though the credentials that name it are still being read', async () => {
  const world = await open({ perApp: quota(5, MINUTE_MS) });
  const known = new Set<string>();
  world.channel.appOf = (account) => (known.has(account) ? 'client-1' : undefined);
  world.channel.warm = async (accounts) => {
    await world.clock.sleep(300);
    for (const account of accounts) known.add(account);
  };
  for (const account of ['a', 'b', 'c']) {
    world.emit(...world.rows(4, -10_000, { account }));
    await world.advance(1_000);
  }
  expect(begun(world)).toHaveLength(5);
  expect(world.database.limits.accounts('webhook')).not.toContain('');
});

test('an account goes on once what another one of its app did not use is given back', async () => {
  const world = await open({ perApp: quota(3, 50 * MINUTE_MS) });
  world.channel.appOf = () => 'client-1';
  const unmade = world.rows(3, 100, { account: 'careless' });
  for (const { id } of unmade) world.channel.script(id, { connecting: 5_000, outcome: 'not_started' });
  world.emit(...unmade);
  await world.advance(500);
  const other = world.row(100, { account: 'other' });
  world.emit(other);
  await world.advance(1_000);
  expect(world.database.limits.limited.map(({ account }) => account)).toContain('other');
  await world.advance(8_000);
  expect(world.database.limits.limited).toEqual([]);
  world.emit(other);
  await world.advance(1_000);
  expect(world.state(other)).toBe('delivered');
});

test('what the accounts have used whose credentials name no app, or its provider has said of it, stops no account of a named one', async () => {
  const world = await open({ perApp: quota(5, MINUTE_MS) });
  world.channel.appOf = (account) => (account === 'named' ? 'client-1' : undefined);
  world.emit(...world.rows(9, 100, { account: 'unnamed' }));
  await world.advance(500);
  // A gate of the channel would keep spouts from emitting anything of it.
  expect(world.database.limits.limited.map(({ account }) => account)).toEqual(['unnamed']);
  await world.advance(70_000);
  const refused = world.row(100, { account: 'unnamed' });
  const hold = { of: 'app', ms: 60_000 } as const;
  world.channel.script(refused.id, { outcome: { kind: 'retry', reason: 'too many', afterMs: 60_000, hold } });
  world.emit(refused);
  await world.advance(500);
  const named = world.row(100, { account: 'named' });
  world.emit(named);
  await world.advance(500);
  expect(world.state(named)).toBe('delivered');
  expect(world.database.limits.limited.map(({ account }) => account)).toEqual(['unnamed']);
});

test('without limits too a refusal holds the app that credentials name, and its accounts are gated as they wait', async () => {
  const world = await open(undefined);
  world.channel.appOf = (account) => (account === 'other' ? 'client-2' : 'client-1');
  const first = world.row(200, { account: 'a' });
  const hold = { of: 'app', ms: 60_000 } as const;
  world.channel.script(first.id, { outcome: { kind: 'retry', reason: 'too many', afterMs: 60_000, hold } });
  world.emit(first);
  await world.advance(500);
  const later = [world.row(200, { account: 'b' }), world.row(200, { account: 'other' })] as const;
  world.emit(...later);
  await world.advance(10_000);
  expect(later.map((row) => world.state(row))).toEqual(['scheduled', 'delivered']);
  expect(begun(world)).toEqual([first.id, later[1].id]);
  expect(world.database.limits.limited.map(({ account }) => account).toSorted()).toEqual(['a', 'b']);
});

test('a channel with a limit of the app goes on after a pause in which more has woken than one turn takes up', async () => {
  const world = await open({ perApp: quota(10_000, 86_400_000) });
  const accounts = Array.from({ length: 60 }, (_, n) => world.rows(14, 500, { account: `a${n}` }));
  world.database.pausedChannels.add('webhook');
  world.emit(...accounts.flat());
  await world.advance(5_000);
  world.database.pausedChannels.clear();
  await world.advance(20_000);
  expect(world.states(accounts.flat())).toEqual(['delivered']);
});

test('an account that goes on has its turn, however many claims of others are on the way', async () => {
  const world = await open({ perApp: quota(100_000, 86_400_000) });
  let claims = 0;
  world.database.before = (operation) =>
    operation === 'claim' ? world.clock.sleep(25 + ((claims++ * 17) % 40)) : undefined;
  const rows = world.rows(5, 100, { account: 'resumed' });
  world.pausedAccounts.add('resumed');
  let resumedAt = 0;
  world.emit(...rows);
  await world.advance(1_000);
  for (let n = 0; n < 400; n++) {
    if (n === 100) {
      world.pausedAccounts.clear();
      resumedAt = world.clock.now();
    }
    world.emit(
      ...Array.from({ length: 3 }, (_, m) => world.row(0, { account: `other${(n * 3 + m) % 100}`, host: `h${m}` })),
    );
    await world.advance(10);
  }
  for (const row of rows) expect(world.begun(row)[0]).toBeLessThanOrEqual(resumedAt + 500);
});

test('an account whose name is empty, which plain SQL may write, holds nobody else', async () => {
  const world = await open({ perAccount: quota(2, MINUTE_MS) });
  const rows = world.rows(5, 100, { account: '' });
  const others = world.rows(2, 500, { account: 'other' });
  world.channel.script(rows[0]?.id ?? 0, {
    outcome: { kind: 'retry', reason: 'too many', status: 429, hold: { of: 'account', ms: 30_000 } },
  });
  world.emit(...rows, ...others);
  await world.advance(3_000);
  expect(world.states(others)).toEqual(['delivered']);
  expect(world.states(rows.slice(2))).toEqual(['scheduled']);
  expect(world.database.limits.limited.map(({ account }) => account)).not.toContain('');
});

test('a crowd that could be claimed ahead of its instant begins no more within a short window than it may', async () => {
  const world = await open(
    { perAccount: quota(20, 1_000) },
    { settings: { claimAheadMaxMs: 2_000, perAccount: 64, concurrency: 200, perOrigin: 200, claimBatch: 50 } },
  );
  world.database.before = (operation) => (operation === 'claim' ? world.clock.sleep(200) : undefined);
  const first = world.rows(100, 500, { account: 'quick' });
  for (let n = 0; n < 400; n++) first.push(world.row(500, { account: `warm${n % 100}` }));
  world.emit(...first);
  await world.advance(7_000);
  const rows = world.rows(100, 2_000, { account: 'quick' });
  const more = Array.from({ length: 600 }, (_, n) => world.row(2_000, { account: `other${n % 100}` }));
  world.emit(...rows, ...more);
  await world.advance(12_000);
  const own = world.channel.journal.filter(({ account }) => account === 'quick').map(({ at }) => at);
  const within = own.map((at, n) => own.filter((other, m) => m >= n && other < at + 1_000).length);
  expect(Math.max(...within)).toBeLessThanOrEqual(20);
});

describe('what a provider says', () => {
  const refusal = { kind: 'retry', reason: 'too many', afterMs: 30_000, status: 429 } as const;

  test('3. What a provider has said holds at once here, and soon everywhere: one request is refused', async () => {
    const world = await open(undefined, { settings: { perAccount: 1, concurrency: 4 } });
    const rows = world.rows(8, 100, { account: 'hog' });
    const other = world.row(100, { account: 'other' });
    const refused = { ...refusal, hold: { of: 'account', ms: 30_000 } } as const;
    world.channel.script(rows[0]?.id ?? 0, { outcome: refused }, { outcome: { kind: 'delivered' } });
    world.emit(...rows, other);
    await world.advance(5_000);
    expect(world.channel.journal.map(({ account }) => account).toSorted()).toEqual(['hog', 'other']);
    expect(world.database.limits.limited).toMatchObject([{ channel: 'webhook', account: 'hog' }]);
    expect(world.states(rows)).toEqual(['scheduled']);
    expect(rows.slice(1).map(({ id }) => world.database.rows.get(id)?.attempts)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    await world.advance(26_000);
    world.emit(...rows.map(({ id }) => world.database.rows.get(id) as never));
    await world.advance(8_000);
    expect(world.states(rows)).toEqual(['delivered']);
  });

  test('10. What a provider has refused because there was too much is tried with one row at a time, and messages begin in their order', async () => {
    const world = await open(undefined);
    const rows = world.rows(40, 100, { account: 'hog' });
    const [taken, windowMs] = [5, 20_000];
    let refusals = 0;
    let left = taken;
    let until = 0;
    world.channel.byHost = () => {
      const now = world.clock.now();
      if (now >= until) [left, until] = [taken, now + windowMs];
      if (left-- > 0) return undefined;
      refusals++;
      const ms = until - now;
      return { outcome: { ...refusal, afterMs: ms, hold: { of: 'account', ms } } };
    };
    const firsts: number[] = [];
    let refusedAtFirst = 0;
    for (let round = 0; round < 120; round++) {
      const now = world.database.now();
      const waiting = rows.filter((row) => world.state(row) === 'scheduled' && (wakeOf(row) ?? 0) <= now + 2_000);
      world.emit(...waiting.toSorted((one, other) => (wakeOf(one) ?? 0) - (wakeOf(other) ?? 0) || one.id - other.id));
      await world.advance(2_000);
      if (round === 5) refusedAtFirst = refusals;
    }
    for (const id of begun(world)) if (!firsts.includes(id)) firsts.push(id);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(firsts).toEqual(rows.map(({ id }) => id));
    // After the first time, one for each time.
    expect(refusals - refusedAtFirst).toBeLessThanOrEqual(rows.length / taken);
  });

  test('is written until it is, whatever keeps the database from it', async () => {
    const world = await open(undefined);
    let isAway = true;
    world.database.before = (operation) => {
      if (operation === 'hold' && isAway) throw new Error('away');
    };
    const row = world.row(100, { account: 'a' });
    world.channel.script(row.id, { outcome: { ...refusal, hold: { of: 'account', ms: 30_000 } } });
    world.emit(row);
    await world.advance(3_000);
    expect(world.database.limits.limited).toEqual([]);
    isAway = false;
    await world.advance(2_000);
    const [held] = world.database.limits.limited;
    expect(held).toMatchObject({ account: 'a' });
    expect((held?.heldUntil ?? 0) - (world.begun(row)[0] ?? 0)).toBeLessThan(31_000);
  });

  test('4. A person may end that: the account is asked for again, here too, though what its provider said is not over', async () => {
    const world = await open(undefined, { settings: { perAccount: 1 } });
    const other = await open({ perAccount: quota(50, MINUTE_MS) }, { session: 'b'.repeat(32) }, world);
    const ms = 80_000_000;
    const [first, second, third] = world.rows(3, 100, { account: 'a' });
    world.channel.script(
      first?.id ?? 0,
      { outcome: { ...refusal, afterMs: ms, hold: { of: 'account', ms } } },
      { outcome: { kind: 'delivered' } },
    );
    world.emit(first as never, second as never);
    await world.advance(3_000);
    other.emit(third as never);
    await world.advance(60_000);
    expect(begun(world)).toEqual([first?.id]);
    expect(world.database.limits.limited).toMatchObject([{ account: 'a' }]);
    world.database.limits.endHold('webhook', 'a');
    await world.advance(31_000);
    world.emit(second as never);
    other.emit(third as never);
    await world.advance(3_000);
    expect(world.states([second as never, third as never])).toEqual(['delivered']);
  });

  test('with a message that was taken, that it was the last, keeps the next request from being refused', async () => {
    const world = await open(undefined, { settings: { perAccount: 1 } });
    const rows = world.rows(3, 100, { account: 'a' });
    const hold = { of: 'app', ms: 4_000 } as const;
    world.channel.script(rows[0]?.id ?? 0, { outcome: { kind: 'delivered', hold } });
    const other = world.row(600, { account: 'b' });
    world.emit(...rows, other);
    await world.advance(3_000);
    expect(begun(world)).toEqual([rows[0]?.id]);
    await world.advance(3_000);
    world.emit(...rows.map(({ id }) => world.database.rows.get(id) as never));
    await world.advance(2_000);
    expect(world.states([...rows, other])).toEqual(['delivered']);
  });
});

describe('without limits', () => {
  test('nothing is asked of the database before a claim, and nothing is written', async () => {
    const world = await open(undefined);
    const operations: string[] = [];
    world.database.before = (operation) => void operations.push(operation);
    world.emit(...world.rows(20, 100));
    await world.advance(1_000);
    expect(operations.filter((one) => one === 'take' || one === 'hold')).toEqual([]);
    expect(world.database.limits.accounts('webhook')).toEqual([]);
  });
});

test('1. No claim without having been allowed: while the database does not say what may begin nothing does, and everything does afterwards, in its order', async () => {
  const world = await open({ perAccount: quota(50, MINUTE_MS) });
  let away = true;
  world.database.before = (operation) => {
    if (operation === 'take' && away) throw new Error('away');
  };
  const rows = world.rows(5, 100, { account: 'a' });
  world.emit(...rows);
  await world.advance(2_000);
  expect(begun(world)).toEqual([]);
  away = false;
  await world.advance(1_000);
  expect(begun(world)).toEqual(rows.map(({ id }) => id));
});

test('one statement is made for a batch, whatever number of accounts and messages it has', async () => {
  const world = await open({ perAccount: quota(50, MINUTE_MS) });
  let takes = 0;
  world.database.before = (operation) => {
    if (operation === 'take') takes++;
  };
  world.emit(...Array.from({ length: 40 }, (_, n) => world.row(100, { account: `a${n % 10}` })));
  await world.advance(2_000);
  expect(world.channel.journal).toHaveLength(40);
  expect(takes).toBeLessThanOrEqual(world.claims.length);
});
