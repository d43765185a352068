import type { SendRows } from '../../bolts/send-rows';
import { instructionOf } from '../../connectors/mysql/sql/failures';
import { InParts } from '../../connectors/mysql/sql/in-parts';
import { PartlyClaimed } from '../../topology/core/errors';
import type { MemoryRow } from '../support/mysql/memory-table';
import { World } from './world';

/** Rows that the database refuses to write, by what is done with them. */
class Refusals {
  readonly claim = new Set<number>();
  readonly writeBack = new Set<number>();
  readonly release = new Set<number>();
  /** Of the attempts to write each refused row, when they were made. */
  readonly tries: number[] = [];
  /** Every write fails. */
  isAway = false;
  statements = 0;
  /** Claims and write-backs. */
  calls = 0;

  constructor(private readonly errno: number) {}

  /** The table as MySQL's is: what it refuses is found in parts. A wait takes a second. */
  readonly around = (own: SendRows): SendRows => {
    const clock = { monotonic: () => this.world.clock.monotonic() };
    const pool = { clock, rows: async (statement: string) => this.accountsIn(statement) as never };
    const [claims, results] = [new InParts(pool), new InParts(pool, { isStrict: true })];
    return {
      ...own,
      claim: async (session, rows, ahead) => {
        this.calls++;
        let won = 0;
        const refused = await claims.write(rows, async (part) => {
          await this.refuse(part, this.claim);
          won += await own.claim(session, part, ahead);
        });
        if (refused.some(({ again }) => !again)) throw new PartlyClaimed('refused', won);
        return won;
      },
      writeBack: async (session, all) => {
        this.calls++;
        const refused = await results.write(all, async (part) => {
          await this.refuse(part, this.writeBack);
          await own.writeBack(session, part);
        });
        return refused.map(({ row, again }) => ({ id: row.id, reason: 'refused', again }));
      },
      release: async (session, row, reason, delayMs) => {
        await this.refuse([row], this.release);
        return own.release(session, row, reason, delayMs);
      },
    };
  };

  world!: World;

  private accountsIn(statement: string) {
    const [, ids = ''] = statement.split(' IN ');
    return [...ids.matchAll(/\d+/g)].map(([id]) => [Number(id), this.world.database.rows.get(Number(id))?.account]);
  }

  private async refuse(part: readonly { readonly id: number }[], refused: ReadonlySet<number>): Promise<void> {
    this.statements++;
    const isRefused = part.some(({ id }) => refused.has(id));
    if (!isRefused && !this.isAway) return;
    if (isRefused) this.tries.push(this.world.clock.now());
    if (this.errno === 1205) await this.world.clock.sleep(1_000);
    throw instructionOf(Object.assign(new Error('no'), { errno: this.errno, sqlState: 'HY000' }));
  }
}

let world: World;
afterEach(() => world.close());

async function open(refusals: Refusals): Promise<void> {
  world = new World({}, undefined, refusals.around);
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

  test('to write back keep no results of others waiting, and are tried ever more rarely', async () => {
    const refusals = new Refusals(errno);
    await open(refusals);
    const bad = [world.row(100, { account: 'bad' }), world.row(700, { account: 'bad' })];
    for (const { id } of bad) refusals.writeBack.add(id);
    world.emit(...bad);
    const { others, late } = await steady(120_000);
    expect(p95(late)).toBeLessThan(100);
    const unwritten = others.filter((one) => world.state(one) === 'sending').length;
    expect(unwritten).toBeLessThan(10);
    expect(refusals.tries.filter((at) => at > world.clock.now() - 30_000).length).toBeLessThan(12);
    const [refused, locked] = [
      { state: 'scheduled', version: 2, inDoubt: true },
      { state: 'sending', version: 1 },
    ];
    // Another attempt follows, or the outcome is written as soon as it can be.
    for (const { id } of bad) {
      expect(world.database.rows.get(id)).toMatchObject(errno === 1205 ? locked : refused);
    }
    refusals.writeBack.clear();
    await world.advance(17_000);
    expect(world.states(bad)).toEqual([errno === 1205 ? 'delivered' : 'scheduled']);
  });
});

test('a database that answers every write with an error is asked rarely, and nothing counts as refused', async () => {
  const refusals = new Refusals(1290);
  await open(refusals);
  const rows = Array.from({ length: 40 }, (_, n) => world.row(100, { account: `a${n}`, host: `h${n}` }));
  world.emit(...rows);
  await world.advance(105);
  refusals.isAway = true;
  const before = refusals.statements - refusals.calls;
  await world.advance(5_000);
  // In each second one search of six statements at most for claims, and one for results: otherwise one statement for each call.
  expect(refusals.statements - refusals.calls - before).toBeLessThanOrEqual(6 * 2 * 5);
  refusals.isAway = false;
  await world.advance(3_000);
  expect(world.states(rows)).toEqual(['delivered']);
  for (const row of rows) expect(row).toMatchObject({ version: 1, inDoubt: false });
});

async function freeze(refusals: Refusals, count: number) {
  await open(refusals);
  const frozen = Array.from({ length: count }, (_, n) => world.row(100, { account: `bad${n}`, host: `b${n}` }));
  const others = Array.from({ length: 5 }, (_, n) => world.row(100, { account: `a${n}`, host: `h${n}` }));
  for (const { id } of [...frozen, ...others]) refusals.writeBack.add(id);
  for (const { id } of frozen) refusals.release.add(id);
  world.emit(...frozen, ...others);
  await world.advance(300);
  // Something else is written, so that these are known to be refused.
  world.emit(world.row(100));
  await world.advance(300);
  return { frozen, others };
}

describe('a row that can neither be written nor released', () => {
  test('2. a row that cannot be released either holds no other: its result counts as unwritten no more', async () => {
    const refusals = new Refusals(1644);
    const { frozen, others } = await freeze(refusals, 8);
    await steady(300_000);
    await world.advance(1_000);
    expect(world.states(frozen)).toEqual(['sending']);
    for (const { id } of others)
      expect(world.database.rows.get(id)).toMatchObject({ state: 'scheduled', inDoubt: true });
    expect(world.bolt.gauges()).toMatchObject({ unwritten: 0, held_bytes: 0 });
    expect(refusals.tries.filter((at) => at > world.clock.now() - 60_000).length).toBeLessThan(60);
    refusals.release.clear();
    await steady(150_000);
    expect(world.states(frozen)).toEqual(['scheduled']);
  });

  test('is written as soon as the database takes it', async () => {
    const refusals = new Refusals(1644);
    const { frozen } = await freeze(refusals, 2);
    await world.advance(300_000);
    refusals.writeBack.clear();
    await world.advance(60_000);
    expect(world.states(frozen)).toEqual(['delivered']);
  });

  test('3. a drain ends', async () => {
    const refusals = new Refusals(1644);
    const { frozen } = await freeze(refusals, 8);
    expect(await drained()).toBeLessThan(28_000);
    expect(world.states(frozen)).toEqual(['sending']);
  });
});

/** @returns what a drain took, milliseconds; within the limit of the shortest */
async function drained(): Promise<number> {
  const since = world.clock.now();
  let took = Number.POSITIVE_INFINITY;
  void world.bolt.drain().then(() => {
    took = world.clock.now() - since;
  });
  await world.advance(28_000);
  return took;
}

test('a drain releases what the database refuses while it takes others', async () => {
  const refusals = new Refusals(1452);
  const { others } = await freeze(refusals, 0);
  await world.advance(1_500);
  world.channel.latency = 1_000;
  const last = world.row(100);
  world.emit(last);
  await world.advance(300);
  expect(await drained()).toBeLessThan(10_000);
  expect(last.state).toBe('delivered');
  for (const { id } of others) expect(world.database.rows.get(id)).toMatchObject({ state: 'scheduled', inDoubt: true });
});

test.each([1, 3])(
  'a drain with nothing but %i refused results ends within its limit, and releases none',
  async (count) => {
    const refusals = new Refusals(1452);
    await open(refusals);
    const rows = Array.from({ length: count }, (_, n) => world.row(100, { account: `a${n}`, host: `h${n}` }));
    for (const { id } of rows) refusals.writeBack.add(id);
    world.emit(...rows);
    await world.advance(1_000);
    expect(await drained()).toBeLessThan(28_000);
    for (const row of rows) expect(row).toMatchObject({ state: 'sending', version: 1 });
  },
);

test('a drain waits for a table that is away for twenty seconds', async () => {
  const refusals = new Refusals(1290);
  await open(refusals);
  const rows = [world.row(100, { account: 'a' }), world.row(100, { account: 'b' })];
  world.emit(...rows);
  await world.advance(101);
  refusals.isAway = true;
  world.clock.after(20_000, () => {
    refusals.isAway = false;
  });
  expect(await drained()).toBeLessThan(24_000);
  expect(world.states(rows)).toEqual(['delivered']);
});

test('a drain ends although a result stays locked', async () => {
  const refusals = new Refusals(1205);
  await open(refusals);
  const row = world.row(100);
  refusals.writeBack.add(row.id);
  world.emit(row);
  await world.advance(5_000);
  let isDrained = false;
  void world.bolt.drain().then(() => {
    isDrained = true;
  });
  await world.advance(5_000);
  expect(isDrained).toBe(false);
  await world.advance(7_000);
  expect(isDrained).toBe(true);
  // Not given up by us: the request was made, and whoever recovers it says that it is in doubt.
  expect(row).toMatchObject({ state: 'sending', version: 1 });
});

test('results of many accounts that the database refuses are released, and keep none of others waiting', async () => {
  const refusals = new Refusals(1452);
  await open(refusals);
  const bad = Array.from({ length: 20 }, (_, n) => world.row(100, { account: `bad${n}`, host: `b${n}` }));
  for (const { id } of bad) refusals.writeBack.add(id);
  world.emit(...bad);
  const { others, late } = await steady(300_000);
  expect(p95(late)).toBeLessThan(100);
  expect(others.filter((one) => world.state(one) === 'sending').length).toBeLessThan(10);
  for (const { id } of bad) expect(world.database.rows.get(id)).toMatchObject({ state: 'scheduled', inDoubt: true });
});

test('results that the database refuses with nothing beside them to show it wait until there is', async () => {
  const refusals = new Refusals(1062);
  await open(refusals);
  const rows = [world.row(100, { account: 'a' }), world.row(100, { account: 'b' })];
  for (const { id } of rows) refusals.writeBack.add(id);
  world.emit(...rows);
  await world.advance(600_000);
  for (const row of rows) expect(row).toMatchObject({ state: 'sending', version: 1 });
  expect(world.bolt.gauges()).toMatchObject({ unwritten: 2 });
  await steady(150_000);
  for (const { id } of rows) expect(world.database.rows.get(id)).toMatchObject({ state: 'scheduled', inDoubt: true });
});
