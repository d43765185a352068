import { Journal } from '../../../bolts/send/journal';
import type { AttemptResult, SendRow } from '../../../bolts/send-rows';
import { delivered, result, retry } from '../../connectors/mysql/scene';
import type { MemoryRow } from '../../support/mysql/memory-table';
import { Refusals } from '../refusals';
import { World, type WorldOptions } from '../world';

/** 40 requests at a time, of 30 ms each: 1,333 a second. */
const settings = { concurrency: 40, perAccount: 40, perOrigin: 40, claimBatch: 500, maxHeld: 10_000 };

describe('in a crowd', () => {
  let world: World;
  /** Operations that write outcomes, and how many requests had begun then. */
  const writes: { readonly operation: string; readonly begun: number }[] = [];
  afterEach(() => world.close());

  async function open(options: WorldOptions = {}, refusals?: Refusals): Promise<void> {
    world = new World({ ...options, settings: { ...settings, ...options.settings } }, undefined, refusals?.around);
    if (refusals !== undefined) refusals.world = world;
    await world.open();
    world.channel.byHost = () => ({ outcome: { kind: 'delivered', receipt: 'r' }, after: 30 });
    writes.length = 0;
    world.database.before = (operation) => {
      if (operation === 'journal' || operation === 'writeBack')
        writes.push({ operation, begun: world.channel.journal.length });
    };
  }

  function crowd(count: number): MemoryRow[] {
    const rows = Array.from({ length: count }, (_, n) => world.row(100, { account: `a${n % 20}` }));
    world.emit(...rows);
    return rows;
  }

  const wroteRows = () => writes.filter(({ operation }) => operation === 'writeBack');

  test('4. then the ledger before the rows: these are settled when the crowd is over', async () => {
    await open();
    const rows = crowd(6_000);
    await world.advance(3_000);
    const { journaled = 0, unwritten = 0 } = world.bolt.gauges();
    expect(journaled).toBeGreaterThan(500);
    expect(world.database.ledger.length).toBe(journaled);
    expect(journaled + unwritten).toBeLessThanOrEqual(world.channel.journal.length);
    expect(world.states(rows)).not.toContain('delivered');
    await world.advance(10_000);
    expect(wroteRows().every(({ begun }) => begun === 6_000)).toBe(true);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(rows[0]).toMatchObject({ receipt: 'r', version: 1, attempts: 1 });
    expect(world.database.ledger).toHaveLength(6_000);
    expect(world.channel.journal).toHaveLength(6_000);
    expect(world.bolt.gauges()).toMatchObject({ journaled: 0, unwritten: 0, held: 0, held_bytes: 0 });
  });

  test('only what was delivered is journaled: a retry is scheduled while the crowd lasts', async () => {
    await open();
    const rows = crowd(6_000);
    const busy = rows[0] as MemoryRow;
    world.channel.script(busy.id, { outcome: { kind: 'retry', reason: 'busy', status: 503 }, after: 30 });
    await world.advance(3_000);
    expect(world.channel.journal.length).toBeLessThan(6_000);
    expect(busy).toMatchObject({ state: 'scheduled', version: 2 });
    expect(world.bolt.gauges()['journaled']).toBeGreaterThan(500);
  });

  test.each(['blind', 'lookup'] as const)('nothing is journaled on a %s channel', async (channelClass) => {
    await open({ class: channelClass });
    const rows = crowd(2_000);
    await world.advance(10_000);
    expect(writes.some(({ operation }) => operation === 'journal')).toBe(false);
    expect(world.states(rows)).toEqual(['delivered']);
  });

  test('nor by a session whose lease may have ended', async () => {
    await open();
    const rows = crowd(6_000);
    await world.advance(500);
    world.leaseHolds = false;
    await world.advance(5_000);
    expect(writes.some(({ operation }) => operation === 'journal')).toBe(false);
    expect(rows.filter(({ state }) => state === 'delivered')).toHaveLength(world.channel.journal.length);
  });

  test('what it has journaled when its lease ends is written at once, because its rows may be in doubt by then', async () => {
    await open();
    world.database.after = (operation) => {
      if (operation === 'journal') world.leaseHolds = false;
    };
    crowd(6_000);
    for (let at = 0; at < 3_000 && world.leaseHolds; at += 10) await world.advance(10);
    await world.advance(10);
    expect(world.leaseHolds).toBe(false);
    expect(world.bolt.gauges()).toMatchObject({ journaled: 0 });
    expect(world.database.ledger.length).toBeGreaterThan(100);
    expect(world.states(world.database.ledger.map(({ id }) => world.database.rows.get(id) as MemoryRow))).toEqual([
      'delivered',
    ]);
  });

  test('3. one account whose results wait holds nobody else, also of what is journaled', async () => {
    const refusals = new Refusals(1205);
    await open({}, refusals);
    const rows = crowd(6_000);
    await world.advance(3_000);
    expect(world.bolt.gauges()['journaled']).toBeGreaterThan(500);
    const waiting = rows.filter(({ account }) => account === 'a3');
    for (const { id } of waiting) refusals.writeBack.add(id);
    // One batch waits six times, and rests as long. No other does.
    await world.advance(20_000);
    expect(world.states(rows.filter((row) => !waiting.includes(row)))).toEqual(['delivered']);
    refusals.writeBack.clear();
    await world.advance(60_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.channel.journal).toHaveLength(6_000);
    expect(world.bolt.gauges()).toMatchObject({ journaled: 0, unwritten: 0, held: 0, held_bytes: 0 });
  });

  test('a drain that finds such an account ends, and settles what others have journaled', async () => {
    const refusals = new Refusals(1205);
    await open({}, refusals);
    const rows = crowd(6_000);
    await world.advance(3_000);
    for (const { id, account } of rows) if (account === 'a3') refusals.writeBack.add(id);
    let isDrained = false;
    void world.bolt.drain().then(() => {
      isDrained = true;
    });
    await world.advance(30_000);
    expect(isDrained).toBe(true);
    const left = rows.filter(({ state }) => state === 'sending');
    expect([...new Set(left.map(({ account }) => account))]).toEqual(['a3']);
    expect(world.bolt.gauges()).toMatchObject({ journaled: 0, unwritten: 0, held: 0, held_bytes: 0 });
  });

  test('what cannot be journaled is written as it is at other times', async () => {
    await open();
    world.database.before = (operation) => {
      if (operation === 'journal') throw new Error('away');
    };
    const rows = crowd(2_000);
    await world.advance(10_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.errors).toContain('journal: Error: away');
    expect(world.bolt.gauges()).toMatchObject({ journaled: 0, unwritten: 0 });
  });

  test('so is what was journaled, and nobody has heard of that', async () => {
    await open();
    world.database.after = (operation) => {
      if (operation === 'journal') throw new Error('no answer');
    };
    const rows = crowd(2_000);
    await world.advance(10_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.database.ledger).toHaveLength(2_000);
  });

  test('5. what the ledger has stops no claims', async () => {
    await open({ settings: { claimBatch: 50 } });
    let isAway = true;
    world.database.before = (operation) => {
      if (isAway && (operation === 'writeBack' || operation === 'writeAlone')) throw new Error('away');
    };
    const rows = crowd(5_000);
    await world.advance(10_000);
    // Twice as many as may be unwritten.
    expect(world.channel.journal.length).toBeGreaterThan(4_000);
    isAway = false;
    await world.advance(20_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.channel.journal).toHaveLength(5_000);
  });

  test('what finds no room is written, and what is there is settled in the crowd', async () => {
    // Half a mebibyte, for some 1,000 results.
    await open({ settings: { maxHeldBytes: 1024 * 1024, maxHeld: 1_000 } });
    let most = 0;
    world.database.after = () => {
      most = Math.max(most, world.bolt.gauges()['journaled'] ?? 0);
    };
    const all: MemoryRow[] = [];
    for (let n = 0; n < 20; n++) {
      all.push(...crowd(400));
      await world.advance(400);
    }
    expect(most).toBeLessThan(2_000);
    expect(wroteRows().some(({ begun }) => begun < 7_000)).toBe(true);
    await world.advance(10_000);
    expect(world.states(all)).toEqual(['delivered']);
  });

  test('a drain settles what is journaled', async () => {
    await open();
    const rows = crowd(6_000);
    await world.advance(3_000);
    expect(world.bolt.gauges()['journaled']).toBeGreaterThan(500);
    let isDrained = false;
    const draining = world.bolt.drain().then(() => {
      isDrained = true;
    });
    await world.advance(10_000);
    expect(isDrained).toBe(true);
    await draining;
    expect(rows.filter(({ state }) => state === 'delivered')).toHaveLength(world.channel.journal.length);
    expect(rows.filter(({ state }) => state === 'sending')).toEqual([]);
  });

  test('a drain that cannot settle it ends, and recovery settles it by the ledger: nothing is sent again', async () => {
    await open();
    const rows = crowd(6_000);
    await world.advance(3_000);
    world.database.before = (operation) => {
      if (operation === 'writeBack' || operation === 'writeAlone') throw new Error('away');
    };
    let isDrained = false;
    const draining = world.bolt.drain().then(() => {
      isDrained = true;
    });
    await world.advance(60_000);
    expect(isDrained).toBe(true);
    await draining;
    const entries = new Set(world.database.ledger.map(({ id }) => id));
    const lost = rows
      .filter(({ state }) => state === 'sending')
      .map(({ id, version }) => ({ id, version, session: world.session }));
    const recovery = await world.database.openRows().recover(lost, 0);
    expect(recovery).toEqual({ recovered: lost.length - entries.size, delivered: entries.size, refused: [] });
    expect(entries.size).toBeGreaterThan(500);
    for (const row of rows.filter(({ id }) => entries.has(id)))
      expect(row).toMatchObject({ state: 'delivered', version: 1 });
  });

  test('a row that is journaled is not taken for one that an unsure claim has won', async () => {
    let row: MemoryRow | undefined;
    let stale: SendRow | undefined;
    let isStale = false;
    world = new World({ settings }, undefined, (own) => ({
      ...own,
      read: async (...query) => {
        const found = await own.read(...query);
        stale ??= found.find(({ id }) => id === row?.id);
        if (!isStale || !found.some(({ id }) => id === row?.id)) return found;
        isStale = false;
        return found.map((one) => (one.id === row?.id ? (stale as SendRow) : one));
      },
    }));
    await world.open();
    world.channel.byHost = () => ({ outcome: { kind: 'delivered' }, after: 30 });
    const rows = Array.from({ length: 6_000 }, (_, n) => world.row(100, { account: `a${n % 20}` }));
    [row] = rows;
    world.emit(...rows);
    await world.advance(3_000);
    const first = row as MemoryRow;
    expect(first.state).toBe('sending');
    expect(world.database.ledger.some(({ id }) => id === first.id)).toBe(true);
    isStale = true;
    world.emit({ ...first, state: 'scheduled' });
    await world.advance(10_000);
    expect(isStale).toBe(false);
    expect(world.begun(first)).toHaveLength(1);
    expect(world.states(rows)).toEqual(['delivered']);
  });

  test('what the ledger says is delivered is not sent again because its row is refused: that is written again, and again', async () => {
    const refusals = new Refusals(1644);
    await open({}, refusals);
    const rows = crowd(2_500);
    const bad = rows[3] as MemoryRow;
    refusals.writeBack.add(bad.id);
    await world.advance(200_000);
    expect(world.states(rows.filter((row) => row !== bad))).toEqual(['delivered']);
    expect(bad).toMatchObject({ state: 'sending', version: 1 });
    const tries = refusals.tries.length;
    await world.advance(600_000);
    expect(refusals.tries.length - tries).toBeLessThanOrEqual(4);
    refusals.writeBack.clear();
    await world.advance(300_000);
    expect(bad).toMatchObject({ state: 'delivered', version: 1 });
    expect(world.begun(bad)).toHaveLength(1);
    expect(world.bolt.gauges()).toMatchObject({ journaled: 0, unwritten: 0 });
  });
});

describe('Journal', () => {
  const accounts = new Map<number, string>();
  let id = 0;

  function resultOf(account: string, more: Partial<AttemptResult> = {}): AttemptResult {
    id++;
    accounts.set(id, account);
    const row = { id, version: 1, dueAt: 0, wakeAt: 0, payload: '{}' } as SendRow;
    return { ...result(row, { kind: 'delivered' }, delivered(null)), ...more };
  }

  function open(maxBytes = 512 * 10, payloadBytes = 100): Journal {
    const journal = new Journal({ maxBytes, accountOf: (of) => accounts.get(of), bytesOf: () => payloadBytes });
    journal.crowdBegins(0);
    return journal;
  }

  function fill(journal: Journal, account: string): number {
    let count = 0;
    for (let one = resultOf(account); journal.hasRoomFor(one, 0); one = resultOf(account)) {
      journal.add([one]);
      count++;
    }
    return count;
  }

  test('1. bounded in bytes, and in time', () => {
    const journal = open(512 * 4);
    const [one, other] = [resultOf('a'), resultOf('a', { outcome: { kind: 'delivered', receipt: 'x'.repeat(1_000) } })];
    expect([journal.hasRoomFor(one, 29_999), journal.hasRoomFor(other, 29_999)]).toEqual([true, false]);
    expect(open().hasRoomFor(one, 30_000)).toBe(false);
    journal.add([one]);
    journal.crowdBegins(30_000);
    expect(journal.isOver(30_000)).toBe(true);
    expect(journal.take(10)).toEqual([one]);
    journal.crowdBegins(40_000);
    expect(journal.isOver(69_999)).toBe(false);
    expect([journal.size, journal.delete(one), journal.delete(one), journal.size]).toEqual([1, true, false, 0]);
  });

  test('a crowd that found no room for a result has no more of them journaled', () => {
    const journal = open(512 * 2);
    journal.add([resultOf('a'), resultOf('b')]);
    expect(journal.hasRoomFor(resultOf('c'), 0)).toBe(false);
    for (const one of journal.take(2)) journal.delete(one);
    expect([journal.hasRoomFor(resultOf('c'), 0), journal.isOver(0)]).toEqual([false, true]);
  });

  test('2. an account leaves as much room as it takes', () => {
    const journal = open();
    expect([fill(journal, 'a'), fill(journal, 'b'), fill(journal, 'c')]).toEqual([5, 3, 1]);
  });

  test('takes only what was delivered, with no ids that were kept, and whose payload is not large', () => {
    const journal = open();
    const { hasKept: _, ...plain } = resultOf('a');
    expect(journal.hasRoomFor(plain, 0)).toBe(true);
    expect(journal.hasRoomFor({ ...plain, hasKept: true }, 0)).toBe(false);
    expect(journal.hasRoomFor({ ...plain, settlement: retry(1) }, 0)).toBe(false);
    expect(open(512 * 10, 64 * 1024 + 1).hasRoomFor(plain, 0)).toBe(false);
  });
});
