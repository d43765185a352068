import type { MemoryRow } from '../support/mysql/memory-table';
import { Refusals } from './refusals';
import { World, type WorldOptions } from './world';

let world: World;
afterEach(() => world.close());

async function open(refusals: Refusals, options: WorldOptions = {}): Promise<void> {
  world = new World(options, undefined, refusals.around);
  refusals.world = world;
  await world.open();
}

/** Ten messages a second of fifty accounts, and what becomes due again. @returns how late each was, milliseconds, ascending */
async function steady(
  forMs: number,
  again: readonly MemoryRow[] = [],
): Promise<{ others: MemoryRow[]; late: number[] }> {
  const others: MemoryRow[] = [];
  for (let at = 0; at < forMs; at += 100) {
    const other = world.row(500, { account: `a${(at / 100) % 50}`, host: `h${(at / 100) % 50}` });
    others.push(other);
    world.emit(other);
    await world.advance(100);
    // As reconcile does.
    if (at % 2_000 === 0) world.emit(...again.filter((row) => world.state(row) === 'scheduled'));
  }
  const late = others.flatMap((one) => world.begun(one).map((begun) => begun - one.dueAt)).toSorted((a, b) => a - b);
  return { others, late };
}

const p95 = (late: readonly number[]) => late[Math.floor(late.length * 0.95)];

describe.each([1062, 1452, 1644, 1205])('rows that the database refuses with error %i', (errno) => {
  test('to claim delay no others, and are tried ever more rarely', async () => {
    const refusals = new Refusals(errno);
    await open(refusals);
    const bad = [world.row(100, { account: 'bad' }), world.row(100, { account: 'bad' })];
    for (const { id } of bad) refusals.claim.add(id);
    world.emit(...bad);
    const { others, late } = await steady(120_000, bad);
    expect(late.length).toBeGreaterThan(others.length - 10);
    expect(p95(late)).toBeLessThan(100);
    expect(late.at(-1)).toBeLessThan(3_000);
    const last = refusals.tries.filter((at) => at > world.clock.now() - 30_000);
    expect(last.length).toBeLessThan(20);
    refusals.claim.clear();
    await steady(30_000, bad);
    expect(world.states(bad)).toEqual(['delivered']);
  });
});

const isLocked = (errno: number) => errno === 1205 || errno === 3572;
const known = { state: 'scheduled', version: 2, inDoubt: true };

/** A trigger's SIGNAL, a key, a parent, two rows for one, division, locks, sizes, and what nobody has heard of. */
describe.each([1644, 1062, 1452, 1242, 1365, 1205, 3572, 1197, 1534, 9999])(
  'outcomes that the database refuses with error %i',
  (errno) => {
    test('keep none of others waiting, in two batches, and are tried ever more rarely', async () => {
      const refusals = new Refusals(errno);
      await open(refusals);
      const bad = [world.row(100, { account: 'bad' }), world.row(700, { account: 'bad' })];
      for (const { id } of bad) refusals.writeBack.add(id);
      world.emit(...bad);
      const { others, late } = await steady(120_000);
      expect(p95(late)).toBeLessThan(100);
      expect(others.filter((one) => world.state(one) === 'sending').length).toBeLessThan(30);
      expect(refusals.tries.filter((at) => at > world.clock.now() - 30_000).length).toBeLessThan(20);
      // Another attempt follows, or the outcome is written as soon as it can be.
      const locked = { state: 'sending', version: 1, inDoubt: false };
      for (const row of bad) expect(row).toMatchObject(isLocked(errno) ? locked : known);
      refusals.writeBack.clear();
      await world.advance(20_000);
      expect(world.states(bad)).toEqual([isLocked(errno) ? 'delivered' : 'scheduled']);
    });

    test('are found among 500 with few statements', async () => {
      const refusals = new Refusals(errno);
      const many = { concurrency: 600, perAccount: 600, perOrigin: 600, claimBatch: 500 };
      await open(refusals, { settings: { ...many, maxHeld: 5_000 } });
      await steady(2_000);
      const rows = Array.from({ length: 500 }, (_, n) => world.row(100, { account: `a${n % 50}`, host: `h${n % 50}` }));
      refusals.writeBack.add(rows[77]?.id as number);
      world.emit(...rows);
      const before = refusals.statements;
      await world.advance(8_000);
      expect(rows.filter(({ state }) => state === 'sending')).toEqual([rows[77]]);
      // What waits is divided by account, because a wait costs more than fifty statements.
      expect(refusals.statements - before).toBeLessThan(isLocked(errno) ? 80 + 50 : 80);
    });
  },
);

test('outcomes of one account that are all refused are told from those of others with few statements', async () => {
  const refusals = new Refusals(1452);
  const many = { concurrency: 600, perAccount: 600, perOrigin: 600, claimBatch: 500 };
  await open(refusals, { settings: { ...many, maxHeld: 5_000 } });
  await steady(2_000);
  const rows = Array.from({ length: 500 }, (_, n) =>
    world.row(100, { account: n % 5 === 0 ? 'bad' : `a${n % 50}`, host: `h${n % 50}` }),
  );
  const bad = rows.filter(({ account }) => account === 'bad');
  for (const { id } of bad) refusals.writeBack.add(id);
  world.emit(...rows);
  const before = refusals.statements;
  await world.advance(600);
  expect(world.states(rows.filter((row) => !bad.includes(row)))).toEqual(['delivered']);
  expect(refusals.statements - before).toBeLessThan(6 * bad.length);
  await world.advance(60_000);
  for (const row of bad) expect(row).toMatchObject(known);
});

describe('many refused outcomes of one account, beside which nothing else is written,', () => {
  test.each([600, 3_000])('stop no claims of others, and their rows are released: %i', async (count) => {
    const refusals = new Refusals(1062);
    const settings = { concurrency: 3_000, perAccount: 3_000, perOrigin: 3_000, claimBatch: 200, maxHeld: 12_000 };
    await open(refusals, { settings });
    const bad = world.rows(count, 100, { account: 'bad' });
    for (const { id } of bad) refusals.writeBack.add(id);
    world.emit(...bad);
    await world.advance(5_000);
    const other = world.row(100, { account: 'other', host: 'other' });
    world.emit(other);
    await world.advance(400);
    expect(other.state).toBe('delivered');
    for (let second = 0; second < 180; second += 5) {
      // As reconcile does.
      world.emit(...bad.filter(({ state, version }) => state === 'scheduled' && version === 1));
      await world.advance(5_000);
    }
    for (const row of bad) expect(row).toMatchObject(known);
    expect(world.bolt.gauges()).toMatchObject({ unwritten: 0, held_bytes: 0 });
  });

  test('9. outcomes that cannot be written take room for claims of their own account', async () => {
    const refusals = new Refusals(1062);
    await open(refusals, { settings: { perAccount: 4 } });
    const bad = world.rows(300, 100, { account: 'bad' });
    for (const { id } of bad) refusals.writeBack.add(id);
    world.emit(...bad);
    await world.advance(10_000);
    // Eight times what it may send at once, as much that was claimed when these were refused, and what waited to be written.
    expect(bad.filter(({ state }) => state === 'sending').length).toBeLessThanOrEqual(3 * 8 * 4);
    refusals.writeBack.clear();
    await world.advance(60_000);
    expect(bad.filter((row) => world.begun(row).length > 1)).toEqual([]);
  });
});

test('outcomes that only failed together with those of others take no room of their account', async () => {
  const refusals = new Refusals(1062);
  await open(refusals, { settings: { concurrency: 200, perAccount: 1, perOrigin: 200, claimBatch: 200 } });
  const bad = Array.from({ length: 100 }, (_, n) => world.row(100, { account: `bad${n}`, host: `b${n}` }));
  for (const { id } of bad) refusals.writeBack.add(id);
  world.emit(...bad, ...world.rows(8, 100, { account: 'other' }));
  const next = world.row(300, { account: 'other' });
  world.emit(next);
  await world.advance(310);
  expect(world.bolt.gauges()['unwritten']).toBe(109);
  expect(world.begun(next)).toEqual([next.dueAt]);
});

describe.each([6, 12])('triggers of %i accounts that wait for what somebody holds', (count) => {
  /** Ten messages a second of 50 accounts, and one of these. @returns the longest that an outcome of the others was unwritten, by second */
  async function beside(refusals: Refusals, forMs: number) {
    const others: MemoryRow[] = [];
    const unwrittenMs: number[] = [];
    const bad: MemoryRow[] = [];
    for (let at = 0; at < forMs; at += 100) {
      const n = at / 100;
      const other = world.row(300, { account: `a${n % 50}`, host: `h${n % 50}` });
      others.push(other);
      world.emit(other);
      if (n % 10 === 0) {
        const row = world.row(300, { account: `bad${(n / 10) % count}`, host: `b${(n / 10) % count}` });
        refusals.writeBack.add(row.id);
        bad.push(row);
        world.emit(row);
      }
      await world.advance(100);
      const waiting = others.filter((one) => one.state === 'sending').flatMap((one) => world.begun(one));
      unwrittenMs.push(Math.max(0, ...waiting.map((begun) => world.clock.now() - begun)));
    }
    return { unwrittenMs, bad };
  }

  test('one account whose results wait holds nobody else: one account at a time is tried, and such an account costs others nothing', async () => {
    const refusals = new Refusals(1205);
    await open(refusals);
    const rows = Array.from({ length: count }, (_, n) => world.row(300, { account: `bad${n}`, host: `b${n}` }));
    for (const row of rows) refusals.writeBack.add(row.id);
    world.emit(...rows);
    const { unwrittenMs, bad } = await beside(refusals, 120_000);
    // Each account that waits costs one wait once, and a batch one more before it is divided.
    expect(Math.max(...unwrittenMs)).toBeLessThan(2 * count * 1_000);
    expect(Math.max(...unwrittenMs.slice(count * 20))).toBeLessThan(500);
    refusals.mostWaiting = 0;
    await world.advance(60_000);
    expect(refusals.mostWaiting).toBe(1);
    refusals.writeBack.clear();
    await world.advance(30_000);
    expect(world.states([...rows, ...bad])).toEqual(['delivered']);
    expect([...rows, ...bad].filter((row) => row.version > 1 || world.begun(row).length !== 1)).toEqual([]);
  });
});

test('a message that workers ended with waits for none whose outcome is refused', async () => {
  const refusals = new Refusals(1062);
  await open(refusals);
  const [bad, ...others] = [world.row(100, { account: 'bad' }), world.row(100), world.row(5_000)] as const;
  for (const row of [bad, ...others]) Object.assign(row, { attempts: 5, recoveries: 5, inDoubt: true });
  refusals.writeBack.add(bad.id);
  refusals.release.add(bad.id);
  world.emit(bad, world.row(100, { account: 'a' }), ...others);
  await world.advance(20_000);
  expect(world.states(others)).toEqual(['delivered']);
  refusals.writeBack.clear();
  await world.advance(20_000);
  expect([bad.state, world.bolt.gauges()['unwritten']]).toEqual(['delivered', 0]);
});

async function freeze(count: number, others = 5) {
  const refusals = new Refusals(1062);
  await open(refusals);
  const frozen = Array.from({ length: count }, (_, n) => world.row(100, { account: `bad${n}`, host: `b${n}` }));
  const refused = Array.from({ length: others }, (_, n) => world.row(100, { account: `a${n}`, host: `h${n}` }));
  for (const { id } of [...frozen, ...refused]) refusals.writeBack.add(id);
  for (const { id } of frozen) refusals.release.add(id);
  world.emit(...frozen, ...refused);
  await world.advance(300);
  return { refusals, frozen, refused };
}

describe('a row that can neither be written nor released', () => {
  test('4. one try at a time, the rarest tried first: it holds no other, and is written as soon as the database takes it', async () => {
    const { refusals, frozen, refused } = await freeze(8);
    const { others, late } = await steady(120_000);
    expect(p95(late)).toBeLessThan(100);
    expect(others.filter((one) => world.state(one) === 'sending').length).toBeLessThan(10);
    expect(world.states(frozen)).toEqual(['sending']);
    for (const row of refused) expect(row).toMatchObject(known);
    expect(refusals.tries.filter((at) => at > world.clock.now() - 60_000).length).toBeLessThan(300);
    refusals.writeBack.clear();
    await world.advance(20_000);
    expect(world.states(frozen)).toEqual(['delivered']);
  });

  test('holds no drain beyond 20 s, and the others are released in it', async () => {
    const { frozen, refused } = await freeze(8);
    await steady(3_000);
    expect(await drained()).toBeLessThan(21_000);
    expect(world.states(frozen)).toEqual(['sending']);
    for (const row of refused) expect(row).toMatchObject(known);
  });
});

describe('on a blind channel', () => {
  test.each([
    ['may have been accepted', { kind: 'unknown', reason: 'no answer' }, true],
    ['was delivered', { kind: 'delivered' }, true],
    ['was refused by the provider', { kind: 'rejected', reason: 'no' }, false],
    ['was not taken for now', { kind: 'retry', reason: 'later' }, false],
  ] as const)('a refused outcome of what %s is released in doubt where it is: %j, %s', async (_, outcome, inDoubt) => {
    const refusals = new Refusals(1452);
    await open(refusals, { class: 'blind' });
    const [bad, other] = [world.row(100), world.row(100)];
    world.channel.script(bad.id, { outcome });
    refusals.writeBack.add(bad.id);
    world.emit(bad, other);
    await world.advance(60_000);
    expect(bad).toMatchObject({ state: 'scheduled', version: 2, inDoubt });
    refusals.writeBack.clear();
    await world.advance(60_000);
    world.emit(bad);
    await world.advance(5_000);
    expect([bad.state, world.begun(bad).length]).toEqual(inDoubt ? ['uncertain', 1] : ['delivered', 2]);
  });

  test('a claim that is given back without a request is released without doubt', async () => {
    const refusals = new Refusals(1452);
    await open(refusals, { class: 'blind' });
    const [bad, other] = [world.row(100, { account: 'paused' }), world.row(100)];
    world.channel.script(bad.id, {
      outcome: { kind: 'postponed', reason: 'no connection of ours' },
      isUnwritten: true,
    });
    refusals.writeBack.add(bad.id);
    world.emit(bad, other);
    await world.advance(60_000);
    expect(bad).toMatchObject({ state: 'scheduled', version: 2, inDoubt: false });
  });
});

test('a single row that can neither be written nor released holds no drain beyond 20 s', async () => {
  const { frozen } = await freeze(1, 0);
  expect(await drained()).toBeLessThan(23_000);
  expect(world.states(frozen)).toEqual(['sending']);
});

/** @returns what a drain took, milliseconds, if less than the limit of the shortest */
async function drained(): Promise<number> {
  const since = world.clock.now();
  let took = Number.POSITIVE_INFINITY;
  void world.bolt.drain().then(() => {
    took = world.clock.now() - since;
  });
  await world.advance(28_000);
  return took;
}

test('a drain releases at once what the database refuses, and ends', async () => {
  const refusals = new Refusals(1452);
  await open(refusals);
  const bad = world.rows(6, 100, { account: 'bad' });
  for (const { id } of bad) refusals.writeBack.add(id);
  world.emit(...bad);
  await world.advance(300);
  expect(await drained()).toBeLessThan(3_000);
  for (const row of bad) expect(row).toMatchObject(known);
});

test('a drain ends although an outcome waits for a lock of somebody else, and gives up nothing', async () => {
  const refusals = new Refusals(1205);
  await open(refusals);
  const [locked, other] = [world.row(100), world.row(100)];
  refusals.writeBack.add(locked.id);
  world.emit(locked, other);
  await world.advance(5_000);
  expect(await drained()).toBeLessThan(23_000);
  expect([locked, other]).toMatchObject([{ state: 'sending', version: 1, inDoubt: false }, { state: 'delivered' }]);
});

test('a drain ends with more refused outcomes than it can release', async () => {
  const refusals = new Refusals(1452);
  await open(refusals, { settings: { concurrency: 100, perAccount: 100, perOrigin: 100 } });
  const bad = world.rows(60, 100, { account: 'bad' });
  for (const { id } of bad) refusals.writeBack.add(id);
  world.emit(...bad);
  await world.advance(300);
  world.database.before = (operation) => (operation === 'writeAlone' ? world.clock.sleep(1_000) : undefined);
  expect(await drained()).toBeLessThan(22_000);
});
