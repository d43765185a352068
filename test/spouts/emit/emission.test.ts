import { Unavailable } from '../../../topology/core/errors';
import { keyPartition } from '../../../topology/core/key-partition';
import { PartlyEmitted } from '../../../topology/core/spout';
import { SpoutWorld } from '../spout-world';

let world: SpoutWorld;

beforeEach(() => {
  world = new SpoutWorld();
});

afterEach(async () => {
  world.log.before = () => {};
  await world.close();
});

test('tuples that are to be emitted within a twentieth of the lead are emitted together, those near their wake at once', async () => {
  const { db } = world;
  world.spout();
  await world.run(100);
  const now = world.clock.now() - 100;
  for (const ahead of [10_010, 10_050, 10_090, 10_110]) db.insert({ dueAt: now + ahead });
  db.insert({ dueAt: now + 900 });
  await world.run(10_000);
  const times = world.emitted().map(({ at, wakeAt }) => ({ at: at - now, ahead: wakeAt - at }));
  expect(times[0]?.at).toBeLessThan(150);
  expect(new Set(times.slice(1, 4).map(({ at }) => at)).size).toBe(1);
  expect(times[4]?.at).toBe((times[1]?.at ?? 0) + 100);
  for (const { ahead } of times.slice(1)) expect(ahead).toBeGreaterThanOrEqual(1_900);
});

test('a tuple is emitted at its wake less the lead, by the database’s clock', async () => {
  const { db } = world;
  db.skew = 5_000;
  world.spout();
  await world.run(100);
  const row = db.insert({ dueAt: db.now() + 10_000 });
  await world.run(7_999);
  expect(world.ids()).toEqual([]);
  await world.run(1);
  expect(world.ids()).toEqual([row.id]);
});

test('a channel has one produce at a time, and entries gather for the next one meanwhile', async () => {
  const { db, log, clock, now } = world;
  let under = 0;
  let most = 0;
  let produces = 0;
  log.before = async (operation) => {
    if (operation !== 'append') return;
    produces++;
    under++;
    most = Math.max(most, under);
    await clock.sleep(50);
    under--;
  };
  world.spout();
  await world.run(100);
  for (let index = 0; index < 2_500; index++) {
    db.insert({ account: `a${index % 20}`, dueAt: now });
    if (index % 500 === 0) await world.run(5);
  }
  await world.run(500);
  expect(most).toBe(1);
  expect(produces).toBeLessThanOrEqual(5);
  expect(new Set(world.ids()).size).toBe(2_500);
});

test('a produce that failed is repeated with back-off, and its tuples count as pending meanwhile', async () => {
  const { db, log, now } = world;
  const spout = world.spout();
  await world.run(100);
  let attempts = 0;
  log.before = (operation) => {
    if (operation !== 'append') return;
    attempts++;
    throw new Unavailable('the broker is away');
  };
  const rows = Array.from({ length: 20 }, (_, index) => db.insert({ account: `a${index}`, dueAt: now }));
  await world.run(30_000);
  expect(attempts).toBeLessThan(10);
  expect(spout.gauges()['pending.webhook']).toBe(20);
  const [canceled, edited] = rows;
  db.cancel(canceled?.id ?? 0);
  db.edit(edited?.id ?? 0, { dueAt: 0 });
  log.before = () => {};
  await world.run(11_000);
  const later = rows.slice(1).map(({ id }) => id);
  // The cancel came through CDC while the tuple was pending: it is emitted all the same, and the bolt drops it.
  expect(world.ids().filter((id) => id !== canceled?.id)).toEqual(later);
  expect(world.emitted().find(({ id }) => id === edited?.id)?.version).toBe(2);
  world.ack();
  await world.run(3_000);
  expect(spout.gauges()['pending.webhook']).toBe(0);
});

test('an answer of Kafka that was lost costs at most one more tuple per repeat', async () => {
  const { db, log, now } = world;
  const row = db.insert({ dueAt: now });
  let lost = 2;
  log.after = (operation) => {
    if (operation === 'append' && lost-- > 0) throw new Unavailable('no answer');
  };
  world.spout();
  await world.run(30_000);
  expect(world.ids()).toEqual([row.id, row.id, row.id]);
});

test('an error that is a bug is reported and stops the emission', async () => {
  const { db, log, now } = world;
  db.insert({ dueAt: now });
  let produces = 0;
  log.before = (operation) => {
    if (operation !== 'append') return;
    produces++;
    throw new TypeError('a bug');
  };
  world.spout();
  await world.run(30_000);
  expect(produces).toBe(1);
  expect(world.errors.splice(0)).toEqual([new TypeError('a bug')]);
});

test('close waits for the produce that is under way and emits nothing after it', async () => {
  const { db, log, clock, now } = world;
  log.before = (operation) => (operation === 'append' ? clock.sleep(100) : undefined);
  const spout = world.spout();
  await world.run(50);
  for (let index = 0; index < 1_500; index++) db.insert({ account: `a${index % 20}`, dueAt: now });
  await world.run(20);
  let closed = false;
  const closing = spout.close().then(() => {
    closed = true;
  });
  await world.run(50);
  expect(closed).toBe(false);
  await world.run(100);
  await closing;
  const emitted = world.ids().length;
  expect(emitted).toBeGreaterThan(0);
  await world.run(10_000);
  expect(world.ids()).toHaveLength(emitted);
});

test('an edit brings a new tuple, a cancel none, another channel moves the row', async () => {
  await world.close();
  world = new SpoutWorld(['webhook', 'x']);
  const { db, now } = world;
  world.spout();
  const edited = db.insert({ dueAt: now + 10_000 });
  const canceled = db.insert({ dueAt: now + 10_000 });
  const moved = db.insert({ dueAt: now + 10_000 });
  const deleted = db.insert({ dueAt: now + 10_000 });
  const unknown = db.insert({ dueAt: now + 10_000 });
  await world.run(1_000);
  db.edit(edited.id, { dueAt: now + 20_000 });
  db.cancel(canceled.id);
  db.delete(deleted.id);
  world.tell(world.changeOf(moved.id, { channel: 'x', version: 2 }));
  world.tell(world.changeOf(unknown.id, { channel: 'fax', version: 2 }));
  Object.assign(moved, { channel: 'x', version: 2 });
  Object.assign(unknown, { channel: 'fax', version: 2 });
  await world.run(30_000);
  expect(world.emitted().map(({ id, version, at }) => [id, version, at])).toEqual([[edited.id, 2, now + 18_000]]);
  expect(world.emitted('x').map(({ id, at }) => [id, at])).toEqual([[moved.id, now + 8_000]]);
});

test('events that come twice or late change nothing, and a due time changed without its version counts', async () => {
  const { db, now } = world;
  world.spout();
  const row = db.insert({ dueAt: now + 10_000 });
  await world.run(1_000);
  const first = world.changeOf(row.id);
  db.edit(row.id, { dueAt: now + 20_000 });
  await world.run(1_000);
  world.tell(first);
  await world.run(8_000);
  expect(world.ids()).toEqual([]);
  world.tell(world.changeOf(row.id));
  row.dueAt = now + 30_000;
  world.tell(world.changeOf(row.id));
  await world.run(15_000);
  expect(world.ids()).toEqual([]);
  await world.run(4_000);
  expect(world.emitted()).toMatchObject([{ version: 2, wakeAt: now + 30_000 }]);
  // The tuple is pending already, and the due time changes once more without a version.
  row.dueAt = now + 40_000;
  world.tell(world.changeOf(row.id));
  await world.run(10_000);
  expect(world.emitted()).toMatchObject([{ wakeAt: now + 30_000 }, { wakeAt: now + 40_000 }]);
});

test('the order within an account is that of the wakes', async () => {
  const { db, now } = world;
  world.spout();
  await world.run(100);
  const wakes = Array.from({ length: 500 }, (_, index) => now + 5_000 + ((index * 7_919) % 20_000));
  for (const dueAt of wakes) db.insert({ dueAt });
  await world.run(30_000);
  expect(world.emitted().map(({ wakeAt }) => wakeAt)).toEqual(wakes.toSorted((a, b) => a - b));
});

test('a paused account’s failed tuples wait for the end of the pause; those of others are emitted', async () => {
  const { db, log, now } = world;
  world.spout();
  await world.run(100);
  log.before = (operation) => {
    if (operation === 'append') throw new Unavailable('the broker is away');
  };
  const paused = db.insert({ account: 'p', dueAt: now });
  const other = db.insert({ account: 'o', dueAt: now });
  await world.run(3_000);
  db.pausedAccounts = [{ channel: 'webhook', account: 'p' }];
  log.before = () => {};
  await world.run(10_000);
  expect(world.ids()).toEqual([other.id]);
  db.pausedAccounts = [];
  await world.run(2_000);
  expect(world.ids()).toEqual([paused.id, other.id]);
});

test('nothing is emitted while it is not known what is paused, neither new tuples nor failed ones', async () => {
  const { db, log, now } = world;
  world.spout();
  await world.run(100);
  log.before = (operation) => {
    if (operation === 'append') throw new Unavailable('the broker is away');
  };
  const failed = db.insert({ account: 'f', dueAt: now });
  await world.run(200);
  world.pausesKnown = false;
  log.before = () => {};
  await world.run(5_000);
  const other = db.insert({ account: 'o', dueAt: world.now });
  await world.run(5_000);
  expect(world.ids()).toEqual([]);
  world.pausesKnown = true;
  await world.run(100);
  expect(world.ids()).toEqual([failed.id, other.id]);
});

test('nothing overtakes an account’s rows when its pause is over', async () => {
  const { db, now } = world;
  world.spout();
  db.pausedAccounts = [{ channel: 'webhook', account: 'account' }];
  for (let index = 0; index < 20; index++) db.insert({ dueAt: now + index });
  const next = db.insert({ dueAt: now + 5_310 });
  await world.run(3_300);
  db.pausedAccounts = [];
  await world.run(5_000);
  expect(world.emitted().at(-1)?.id).toBe(next.id);
  expect(world.ids()).toHaveLength(21);
});

test('while as much is pending as may be, blocked accounts that are not looked at yet wait for acks', async () => {
  await world.close();
  world = new SpoutWorld(['webhook'], { maxPending: 100 });
  const { db, clock, now } = world;
  const spout = world.spout();
  for (let index = 0; index < 300; index++) {
    db.pausedAccounts.push({ channel: 'webhook', account: `a${index}` });
    db.insert({ account: `a${index}`, dueAt: now });
  }
  await world.run(5_000);
  db.pausedAccounts.length = 0;
  await world.run(3_000);
  const timers = jest.spyOn(clock, 'after');
  await world.run(2_000);
  expect(spout.gauges()).toMatchObject({ 'pending.webhook': 100 });
  expect(spout.gauges()['blocked_accounts.webhook']).toBeGreaterThan(100);
  expect(timers.mock.calls.length).toBeLessThan(100);
});

describe('a partition of the due topic that has no leader', () => {
  const bad = 2;
  /** Accounts of the bad partition, or of the others. */
  const accounts = (isBad: boolean, count: number) =>
    Array.from({ length: 1_000 }, (_, index) => `a${index}`)
      .filter((account) => (keyPartition(account, 4) === bad) === isBad)
      .slice(0, count);

  test('stops only its own accounts, however many of them there are, and their tuples go in order when it has one again', async () => {
    await world.close();
    world = new SpoutWorld(['webhook'], { maxPending: 100 });
    const { db, log } = world;
    const spout = world.spout();
    await world.run(100);
    log.leaderless.add(bad);
    const stuck = accounts(true, 200);
    const begun = world.now;
    const late: number[] = [];
    for (let second = 0; second < 60; second++) {
      const own = accounts(false, 20).map((account) => db.insert({ account, dueAt: world.now }));
      for (let one = 0; one < 10; one++) {
        db.insert({ account: stuck[(second * 10 + one) % stuck.length] as string, dueAt: world.now });
      }
      await world.run(100);
      const ids = new Set(world.ids());
      late.push(...own.map(({ id }) => id).filter((id) => !ids.has(id)));
      world.ack();
      await world.run(900);
    }
    expect(late).toEqual([]);
    expect(spout.gauges()['pending.webhook']).toBeLessThan(50);
    expect(world.errors.length).toBeLessThan(20);
    expect(world.errors.every((error) => error instanceof PartlyEmitted)).toBe(true);
    log.leaderless.clear();
    for (let round = 0; round < 30; round++) {
      await world.run(1_000);
      world.ack();
    }
    const tuples = world.emitted().filter(({ account }) => stuck.includes(account));
    expect(new Set(tuples.map(({ id }) => id)).size).toBe(600);
    for (const account of stuck) {
      const wakes = tuples.filter((tuple) => tuple.account === account && tuple.at > begun).map(({ wakeAt }) => wakeAt);
      expect(wakes).toEqual(wakes.toSorted((a, b) => a - b));
    }
    expect(spout.gauges()).toMatchObject({ 'pending.webhook': 0, 'entries.webhook': 0 });
  });

  test('is free for all others when only entries of paused accounts are left of it', async () => {
    const { db, log } = world;
    world.spout();
    await world.run(100);
    const [paused, other] = accounts(true, 2);
    log.leaderless.add(bad);
    const first = db.insert({ account: paused as string, dueAt: world.now });
    await world.run(1_000);
    db.pausedAccounts = [{ channel: 'webhook', account: paused as string }];
    log.leaderless.clear();
    await world.run(15_000);
    const others = Array.from({ length: 5 }, () => db.insert({ account: other as string, dueAt: world.now }));
    const next = db.insert({ account: paused as string, dueAt: world.now });
    await world.run(2_000);
    expect(world.ids()).toEqual(others.map(({ id }) => id));
    db.pausedAccounts = [];
    await world.run(2_000);
    const own = world.emitted().filter(({ account }) => account === paused);
    expect(own.map(({ id }) => id)).toEqual([first.id, next.id]);
  });

  test('settles nothing while nobody knows its ends', async () => {
    const { db, log, now } = world;
    const spout = world.spout();
    const [account] = accounts(true, 1);
    db.insert({ account: account as string, dueAt: now });
    await world.run(1_000);
    log.leaderless.add(bad);
    await world.run(30_000);
    expect(world.ids()).toHaveLength(1);
    expect(spout.gauges()['pending.webhook']).toBe(1);
  });

  test('an entry that was edited or lost meanwhile is not emitted again, and the partition is free at once', async () => {
    const { db, log, now } = world;
    const spout = world.spout();
    await world.run(100);
    log.leaderless.add(bad);
    const [account] = accounts(true, 1);
    const row = db.insert({ account: account as string, dueAt: now });
    await world.run(1_000);
    world.assign(spout, { partitions: [], of: 4 });
    await world.run(20_000);
    log.leaderless.clear();
    world.assign(spout, { partitions: [0, 1, 2, 3], of: 4 });
    await world.run(1_000);
    expect(world.ids()).toEqual([row.id]);
  });
});
