import type { SendRows } from '../../bolts/send-rows';
import { Unavailable } from '../../topology/core/errors';
import type { LatenessPolicy } from '../../topology/core/lateness';
import type { Outcome } from '../../topology/message';
import type { MemoryRow } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

let world: World;

const skip: LatenessPolicy = { sendWithinMs: 5_000, onLate: 'skip' };
const suspend: LatenessPolicy = { sendWithinMs: 5_000, onLate: 'suspend' };
const busy: Outcome = { kind: 'retry', reason: 'busy', status: 503 };

async function start(options: WorldOptions): Promise<void> {
  world = await new World(options).open();
}

afterEach(() => world.close());

/** Emits rows whenever they are scheduled, as the spouts would, for so long. */
async function run(rows: readonly MemoryRow[], milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 500) {
    for (const row of rows) if (row.state === 'scheduled') world.emit(row);
    await world.advance(500);
  }
}

describe('a message that comes to the bolt after the end of its time', () => {
  test.each([
    [skip, 'failed'],
    [suspend, 'late'],
  ] as const)(
    'is not sent under %j: it ends %s, costs no attempt and no request, and says why',
    async (lateness, state) => {
      await start({ lateness });
      const row = world.row(-8_000);
      const [offset] = world.emit(row);
      await world.advance(100);
      expect(row).toMatchObject({ state, isLate: true, attempts: 0, version: 1, inDoubt: false, firstAttemptAt: null });
      expect(row.lastError).toBe('late: not sent, because it is 8s after it was due, and its channel allows 5s');
      expect(world.channel.journal).toEqual([]);
      expect(world.acked).toEqual([offset]);
      expect(world.database.ledger).toMatchObject([
        { id: row.id, startedAt: null, outcome: { kind: 'late' }, settlement: { state } },
      ]);
    },
  );

  test('is sent where the channel says so, or has no such time', async () => {
    await start({ lateness: { sendWithinMs: 5_000, onLate: 'send' } });
    const row = world.row(-8_000);
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'delivered', isLate: false });
    await world.close();
    await start({ lateness: { sendWithinMs: null, onLate: 'skip' } });
    const other = world.row(-8_000_000);
    await run([other], 1_000);
    expect(other.state).toBe('delivered');
  });

  test('is treated as it says itself, whatever its channel says', async () => {
    await start({ lateness: skip });
    const sent = world.row(-8_000, { onLate: 'send' });
    const longer = world.row(-8_000, { sendWithinMs: 60_000 });
    const late = world.row(-8_000, { onLate: 'suspend' });
    const shorter = world.row(-2_000, { sendWithinMs: 1_000 });
    await run([sent, longer, late, shorter], 1_000);
    expect([sent, longer, late, shorter].map(({ state }) => state)).toEqual([
      'delivered',
      'delivered',
      'late',
      'failed',
    ]);
    expect(shorter.lastError).toContain('and the message allows 1s');
  });

  test('holds no other: those of its account that are in time go out in their order', async () => {
    await start({ lateness: skip, settings: { perAccount: 1 } });
    const late = world.rows(20, -8_000);
    const rows = [-300, -200, -100].map((delay) => world.row(delay));
    world.emit(...late, ...rows);
    await world.advance(2_000);
    expect(world.states(late)).toEqual(['failed']);
    expect(world.channel.accepted).toEqual(rows.map(({ id }) => id));
  });

  test('waits for the end of a pause', async () => {
    await start({ lateness: skip });
    world.pausedAccounts.add('account');
    const row = world.row(-8_000);
    world.emit(row);
    await world.advance(1_000);
    expect(row.state).toBe('scheduled');
    world.pausedAccounts.clear();
    await run([row], 1_000);
    expect(row.state).toBe('failed');
  });
});

describe('a worker that dies while it ends late messages leaves none of them in doubt:', () => {
  test.each(['idempotent', 'blind'] as const)('none is ever being sent on an %s channel', async (channelClass) => {
    await start({ lateness: skip, class: channelClass, settings: { maxHeld: 20_000 } });
    const rows = Array.from({ length: 1_200 }, (_, n) => world.row(-8_000, { account: `a${n % 30}` }));
    // Late only while it waits for its turn.
    const waits = world.row(-4_900, { account: 'slow' });
    world.pausedAccounts.add('slow');
    const seen = new Set<string>();
    // A worker may die at each of these moments.
    const look = () => {
      for (const { state, inDoubt } of [...rows, waits]) seen.add(`${state} ${inDoubt}`);
    };
    world.database.before = look;
    world.database.after = look;
    world.emit(...rows, waits);
    await world.advance(500);
    world.pausedAccounts.clear();
    await world.advance(2_000);
    expect(world.states([...rows, waits])).toEqual(['failed']);
    expect([...seen].toSorted()).toEqual(['failed false', 'scheduled false']);
    expect(world.claims).toEqual([]);
  });

  test('and what was not written is late for the next one', async () => {
    await start({ lateness: suspend });
    const row = world.row(-8_000);
    world.database.before = (operation) => {
      if (operation === 'settleUnclaimed') throw new Unavailable('away');
    };
    const [offset] = world.emit(row);
    await world.advance(1_000);
    expect(row).toMatchObject({ state: 'scheduled', inDoubt: false, attempts: 0 });
    // The spout emits it again, because it is acked and waits.
    expect(world.acked).toEqual([offset]);
    world.database.before = () => {};
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'late', attempts: 0 });
  });

  test('and an answer that was lost changes nothing', async () => {
    await start({ lateness: suspend });
    const row = world.row(-8_000);
    world.database.after = (operation) => {
      if (operation === 'settleUnclaimed') throw new Unavailable('the connection broke');
    };
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'late', attempts: 0, version: 1 });
    expect(world.database.ledger).toHaveLength(1);
  });
});

const hangs = (rows: SendRows): SendRows => ({
  ...rows,
  settleUnclaimed: async () => {
    await world.clock.sleep(10_000);
    throw new Unavailable('no answer');
  },
});

describe('while a database answers nothing, late messages', () => {
  test("keep no drain waiting for longer than what was begun: the others are the next owner's, neither settled nor acked", async () => {
    world = await new World({ lateness: skip, settings: { maxHeld: 10_000 } }, undefined, hangs).open();
    const rows = Array.from({ length: 5_000 }, (_, n) => world.row(-8_000, { account: `a${n % 30}` }));
    world.emit(...rows);
    await world.advance(2_000);
    let drained = false;
    void world.bolt.drain().then(() => {
      drained = true;
    });
    await world.advance(9_000);
    expect(drained).toBe(true);
    expect(world.states(rows)).toEqual(['scheduled']);
    // Of what was begun nothing is known, and reconcile finds it.
    expect(world.acked).toHaveLength(500);
  });

  test('of a partition that another task has are given back, and those of others are not', async () => {
    world = await new World({ lateness: skip, settings: { maxHeld: 10_000 } }, undefined, hangs).open();
    const rows = Array.from({ length: 2_000 }, (_, n) => world.row(-8_000, { account: `a${n % 30}` }));
    const deliveries = rows.map((row, n) => world.delivery(row, n, n < 1_000 ? 0 : 1));
    world.bolt.execute(deliveries);
    await world.advance(2_000);
    world.bolt.revoked([0]);
    await world.advance(60_000);
    expect(world.bolt.gauges()).toMatchObject({ held: 0 });
    const offsets = rows.map((_, offset) => offset);
    const acked = [...offsets.slice(0, 500), ...offsets.slice(1_000)];
    expect(world.acked.toSorted((a, b) => a - b)).toEqual(acked);
  });
});

test('a late message that somebody holds is claimed as others are, and ends then', async () => {
  await start({ lateness: skip });
  const row = world.row(-8_000);
  world.database.locked.add(row.id);
  world.emit(row);
  await world.advance(500);
  expect(row.state).toBe('scheduled');
  world.database.locked.clear();
  await run([row], 20_000);
  expect(row).toMatchObject({ state: 'failed', isLate: true, attempts: 0, inDoubt: false });
  expect(world.channel.journal).toEqual([]);
});

test("no request begins after the end of a message's time: what waits for its turn until then is not sent", async () => {
  await start({ lateness: skip, settings: { perAccount: 1 } });
  world.channel.latency = 3_000;
  const rows = world.rows(4, 100);
  await run(rows, 20_000);
  // The third would begin six seconds after it was due.
  expect(rows.map(({ state }) => state)).toEqual(['delivered', 'delivered', 'failed', 'failed']);
  for (const { id, at } of world.channel.journal) {
    expect(at).toBeLessThanOrEqual((rows.find((row) => row.id === id)?.dueAt ?? 0) + 5_000);
  }
});

test('nor while it is only made ready: in the tick of the write its time is looked at again', async () => {
  await start({ lateness: skip });
  const row = world.row(-4_000);
  world.channel.script(row.id, { outcome: { kind: 'delivered' }, connecting: 1_500 });
  await run([row], 3_000);
  expect(row).toMatchObject({ state: 'failed', isLate: true, attempts: 0 });
  expect(world.channel.journal).toEqual([]);
});

test('a clock that is unknown for a moment says nothing of a message', async () => {
  await start({ lateness: { sendWithinMs: 86_400_000, onLate: 'skip' } });
  const row = world.row(100);
  world.channel.script(row.id, { outcome: { kind: 'delivered' }, connecting: 1_000 });
  world.emit(row);
  await world.advance(500);
  world.knowsTheTime = false;
  await world.advance(1_000);
  expect(row.state).toBe('sending');
  world.knowsTheTime = true;
  await world.advance(1_000);
  expect(row).toMatchObject({ state: 'delivered', isLate: false });
});

const doubtful = () => ({ inDoubt: true, doubtSince: world.database.now() - 8_000 });

describe('what may have been sent is never called late:', () => {
  test('a provider that is asked anyway is asked, and what it has is delivered', async () => {
    await start({ lateness: skip, class: 'lookup' });
    const row = Object.assign(world.row(-8_000), doubtful());
    world.channel.lookups.set(row.id, { kind: 'accepted', receipt: 'earlier' });
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'delivered', receipt: 'earlier', isLate: false });
    expect(world.channel.journal).toEqual([]);
  });

  test.each([skip, suspend])(
    'and what it does not find is uncertain, because it may list it late, under %j',
    async (lateness) => {
      await start({ lateness, class: 'lookup' });
      const row = Object.assign(world.row(-8_000), doubtful());
      await run([row], 1_000);
      expect(row).toMatchObject({ state: 'uncertain', isLate: false, inDoubt: true, attempts: 0 });
      expect(row.lastError).toMatch(/^late: not sent, .* An earlier attempt may have been accepted$/);
      expect(world.channel.looked).toHaveLength(1);
      expect(world.channel.journal).toEqual([]);
    },
  );

  test('it is asked again after the end of its time, until it answers', async () => {
    await start({ lateness: skip, class: 'lookup' });
    const row = Object.assign(world.row(-8_000), doubtful());
    world.channel.lookups.set(row.id, { kind: 'unknown', reason: 'no answer' });
    await run([row], 5_000);
    expect(row).toMatchObject({ state: 'scheduled', inDoubt: true, isLate: false });
    world.channel.lookups.set(row.id, { kind: 'absent' });
    await run([row], 60_000);
    expect(row).toMatchObject({ state: 'uncertain', isLate: false, inDoubt: true });
    expect(world.channel.journal).toEqual([]);
  });

  test.each(['idempotent', 'blind'] as const)('where nobody can be asked it is uncertain: %s', async (channelClass) => {
    await start({ lateness: skip, class: channelClass });
    Object.assign(world.channel, { lookup: undefined });
    const row = Object.assign(world.row(-8_000), doubtful());
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'uncertain', inDoubt: true, isLate: false });
    expect(row.lastError).toContain('may have been accepted');
    expect(world.channel.journal).toEqual([]);
  });

  test.each([undefined, 3_600_000])(
    'where a key lives and the provider can be asked it is looked up, and not sent again (lifetime of keys: %s)',
    async (keyLifetimeMs) => {
      await start({ lateness: skip });
      Object.assign(world.channel, { keyLifetimeMs });
      const [accepted, absent] = [world.row(-8_000), world.row(-8_000)].map((row) => Object.assign(row, doubtful()));
      world.channel.lookups.set((accepted as MemoryRow).id, { kind: 'accepted', receipt: 'earlier' });
      await run([accepted, absent] as MemoryRow[], 1_000);
      expect(accepted).toMatchObject({ state: 'delivered', receipt: 'earlier', isLate: false });
      expect(absent).toMatchObject({ state: 'uncertain', inDoubt: true, isLate: false });
      expect(world.channel.looked).toHaveLength(2);
      expect(world.channel.journal).toEqual([]);
    },
  );

  test('in time it is sent again under its living key, and nobody is asked', async () => {
    await start({ lateness: { ...skip, sendWithinMs: 60_000 } });
    Object.assign(world.channel, { keyLifetimeMs: 3_600_000 });
    const row = Object.assign(world.row(-8_000), doubtful());
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'delivered', attempts: 1 });
    expect(world.channel.looked).toEqual([]);
  });

  test('what becomes late between its claim and its request is looked up as well', async () => {
    await start({ lateness: skip });
    const row = Object.assign(world.row(-4_000), doubtful());
    world.channel.script(row.id, { outcome: { kind: 'delivered' }, connecting: 1_500 });
    world.channel.lookups.set(row.id, { kind: 'accepted', receipt: 'earlier' });
    await run([row], 4_000);
    expect(row).toMatchObject({ state: 'delivered', receipt: 'earlier' });
    expect(world.channel.journal).toEqual([]);
  });

  test('an answer that was lost is settled when the message wakes again, without another request', async () => {
    await start({ lateness: { sendWithinMs: 1_200, onLate: 'skip' } });
    const row = world.row(100);
    world.channel.script(row.id, { outcome: { kind: 'unknown', reason: 'the connection broke' }, after: 1_000 });
    await run([row], 5_000);
    expect(row).toMatchObject({ state: 'uncertain', inDoubt: true, isLate: false, attempts: 1 });
    expect(world.begun(row)).toHaveLength(1);
  });
});

describe('a retry that would come after the end', () => {
  test.each([
    [skip, 'failed'],
    [suspend, 'late'],
  ] as const)('is not planned under %j: the message ends at once, with its real error', async (lateness, state) => {
    await start({ lateness });
    const row = world.row(100);
    world.channel.script(row.id, { outcome: { ...busy, afterMs: 60_000 } });
    await run([row], 1_000);
    expect(row).toMatchObject({ state, isLate: true, attempts: 1, version: 1 });
    expect(row.lastError).toBe(
      'late: not tried again, because that would be 1min after it was due, and its channel allows 5s. The last error: busy',
    );
    expect(world.database.ledger).toMatchObject([{ outcome: { kind: 'retry', reason: 'busy', status: 503 } }]);
  });

  test('and one before the end is made', async () => {
    await start({ lateness: skip });
    const row = world.row(100);
    world.channel.script(row.id, { outcome: busy });
    await run([row], 4_000);
    expect(row).toMatchObject({ state: 'delivered', attempts: 2 });
  });

  test('is not planned for an origin that takes no connections either', async () => {
    await start({ lateness: suspend });
    const refused: Outcome = { kind: 'retry', reason: 'refused', unreachable: true };
    world.channel.byHost = () => ({ outcome: refused, isUnwritten: true });
    const row = world.row(100);
    await run([row], 30_000);
    expect(row).toMatchObject({ state: 'late', isLate: true });
    expect(row.lastError).toContain('refused');
  });
});

describe('a message that was late', () => {
  const account = { account: 'account', channel: 'webhook' };

  test('and was skipped has its whole time again when a person redrives it', async () => {
    await start({ lateness: skip });
    const row = world.row(-8_000);
    await run([row], 1_000);
    expect(world.database.redrive(row.id)).toBe(true);
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'delivered', isLate: false });
    expect(world.begun(row)).toHaveLength(1);
  });

  test('and waits is sent by a person alone: nothing that becomes of its account sends it', async () => {
    await start({ lateness: suspend });
    const row = world.row(-8_000);
    await run([row], 1_000);
    world.database.accounts.say(account, 'resuming');
    for (let turn = 0; turn < 3; turn++) await world.database.suspendedRows().resume(undefined);
    expect(world.database.accounts.stateOf(account)).toBe('usable');
    await run([row], 2_000);
    expect(row).toMatchObject({ state: 'late', isLate: true });
    expect(world.database.resume(row.id)).toBe(true);
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'delivered', isLate: false });
  });

  test('is late again when its time has passed once more', async () => {
    await start({ lateness: suspend });
    const row = world.row(-8_000);
    await run([row], 1_000);
    world.database.resume(row.id);
    await world.advance(6_000);
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'late', isLate: true });
    expect(row.lastError).toMatch(/^late: not sent, because it is 6s after a person had it sent again/);
  });

  test('and waits goes out at the new time that an edit gives it', async () => {
    await start({ lateness: suspend });
    const row = world.row(-8_000);
    await run([row], 1_000);
    world.database.edit(row.id, { dueAt: world.database.now() + 1_000 });
    await run([row], 3_000);
    expect(row).toMatchObject({ state: 'delivered', isLate: false });
  });

  test('and waits is late once more when an edit leaves its time as it was, and is sent when that is longer', async () => {
    await start({ lateness: suspend });
    const row = world.row(-8_000);
    await run([row], 1_000);
    world.database.edit(row.id, { payload: { url: 'http://127.0.0.1/', body: 'new' } });
    expect(row).toMatchObject({ state: 'scheduled', isLate: false });
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'late', isLate: true });
    expect(world.channel.journal).toEqual([]);
    row.sendWithinMs = 60_000;
    world.database.edit(row.id, {});
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'delivered', isLate: false });
  });

  test('because its account was suspended for long waits for a person when the account is mended', async () => {
    await start({ lateness: suspend });
    const row = world.row(100);
    const refused: Outcome = { kind: 'unusable', reason: 'the token was revoked', generation: 0 };
    world.channel.script(row.id, { outcome: refused });
    await run([row], 1_000);
    expect(row).toMatchObject({ state: 'suspended', isLate: false });
    await world.advance(60_000);
    world.database.accounts.say(account, 'resuming');
    for (let turn = 0; turn < 3; turn++) await world.database.suspendedRows().resume(undefined);
    await run([row], 2_000);
    expect(row).toMatchObject({ state: 'late', isLate: true, attempts: 0 });
    expect(world.begun(row)).toHaveLength(1);
  });
});

describe('a backlog', () => {
  const MINUTE_MS = 60_000;
  const newest: LatenessPolicy = { sendWithinMs: null, onLate: 'suspend', backlog: 'newest' };

  /** Due one, two, three … ten minutes ago, and a bit. */
  const backlog = () => Array.from({ length: 10 }, (_, n) => world.row(-(n + 1) * MINUTE_MS - 1_000));

  test('goes out newest first where its channel says so, over a tenth of the time for which nothing was sent', async () => {
    await start({ lateness: newest });
    const rows = backlog();
    const began = world.database.now();
    // As a spout emits them.
    world.emit(...rows.toReversed());
    await world.advance(100);
    expect(world.states(rows)).toEqual(['scheduled']);
    expect(rows[9]).toMatchObject({ version: 2, attempts: 0, firstAttemptAt: null, inDoubt: false });
    // What becomes due meanwhile goes first.
    const fresh = world.row(0);
    await run([fresh], 500);
    expect(fresh.state).toBe('delivered');
    await run(rows, 65_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.channel.accepted).toEqual([fresh.id, ...rows.map(({ id }) => id)]);
    const sent = rows.map((row) => (world.begun(row)[0] ?? Number.NaN) - began);
    for (const [n, after] of sent.entries()) {
      expect(after).toBeGreaterThanOrEqual((n + 1) * 6_000);
      expect(after).toBeLessThan((n + 1) * 6_000 + 1_500);
    }
  });

  test('goes out oldest first otherwise, at once', async () => {
    await start({});
    const rows = backlog();
    world.emit(...rows.toReversed());
    await world.advance(1_000);
    expect(world.channel.accepted).toEqual(rows.toReversed().map(({ id }) => id));
  });

  test('is put off once, not for a minute, and not when a person had it sent', async () => {
    await start({ lateness: newest });
    const young = world.row(-50_000);
    const wanted = world.row(-600_000);
    wanted.lateFrom = world.database.now();
    await run([young, wanted], 500);
    expect(world.states([young, wanted])).toEqual(['delivered']);
    const retried = world.row(-600_000);
    world.channel.script(retried.id, { outcome: busy });
    await run([retried], 64_000);
    expect(retried).toMatchObject({ state: 'delivered', attempts: 2, version: 3 });
  });

  test('is put off within the time that its messages have, and what is too late by then is late', async () => {
    await start({ lateness: { ...newest, sendWithinMs: 602_000 } });
    const row = world.row(-600_000);
    const late = world.row(-603_000);
    await run([row, late], 3_000);
    expect(row.state).toBe('delivered');
    expect(late).toMatchObject({ state: 'late', version: 1 });
  });
});
