import type { AttemptContext, MadeReady, ReadyContext } from '../../../bolts/channel';
import type { KeptIds } from '../../../bolts/kept-ids';
import { Unavailable } from '../../../topology/core/errors';
import type { Limits } from '../../../topology/core/limits';
import type { MemoryRow } from '../../support/mysql/memory-table';
import { World } from '../world';

const SECOND_SESSION = 'b'.repeat(32);

describe('what is made ready before its instant', () => {
  let worlds: World[];
  let world: World;
  /** Ids of messages that were made ready, and when, from the begin of the test. */
  let made: [id: number, at: number][];
  /** What attempts were given. */
  let given: (KeptIds | undefined)[];
  let make: (context: ReadyContext) => Promise<MadeReady>;

  beforeEach(async () => {
    worlds = [];
    made = [];
    given = [];
    make = makeContainer;
    world = await start();
    world.channel.beforehand = async ({ kept }: AttemptContext) => {
      given.push(await kept?.read());
      return true;
    };
  });
  afterEach(() => Promise.all(worlds.map((one) => one.close())));

  async function start(beside?: World, session = 'a'.repeat(32), limits?: Limits): Promise<World> {
    const readying = {
      isFor: ({ body }: { readonly body?: unknown }) => body !== 'plain',
      make: (_: unknown, context: ReadyContext) => make(context),
    };
    const opened = await new World(
      {
        class: 'lookup',
        session,
        readying,
        settings: { concurrency: 32 },
        ...(limits === undefined ? {} : { limits }),
      },
      beside,
    ).open();
    worlds.push(opened);
    return opened;
  }

  async function makeContainer({ id, kept, mayStart, now }: ReadyContext): Promise<MadeReady> {
    if (!mayStart()) return 'not_started';
    made.push([id, now()]);
    return (await kept.keep({ container: String(made.length) })) ? 'ready' : 'not_started';
  }

  const ids = () => made.map(([id]) => id);
  const inTable = ({ id, planNumber }: MemoryRow) => world.database.sendRows().kept(id, planNumber);

  /** Until its instant and the answer, with a tuple as from a spout. */
  async function send(row: MemoryRow): Promise<void> {
    const leftMs = row.dueAt - world.database.now();
    await world.advance(Math.max(0, leftMs - 1_000));
    world.emit(row);
    await world.advance(2_000);
  }

  it('is given to the attempt at the instant, which only makes the last call', async () => {
    const row = world.row(90_000);
    await world.advance(25_000);
    expect(made).toEqual([]);
    await world.advance(10_000);
    expect(ids()).toEqual([row.id]);
    expect(made[0]?.[1]).toBeGreaterThanOrEqual(row.dueAt - 60_000);
    expect(row).toMatchObject({ state: 'scheduled', version: 1, attempts: 0 });
    await send(row);
    expect([row.state, given, world.begun(row)]).toEqual(['delivered', [{ container: '1' }], [row.dueAt]]);
    expect(await inTable(row)).toBeUndefined();
  });

  it('is nothing where the channel has nothing to do before the last call', async () => {
    const row = world.row(20_000, { payload: { url: 'http://one/', body: 'plain' } });
    const bad = world.row(20_000, { payload: { body: 'no url' } });
    await world.advance(10_000);
    expect([made, await inTable(row), await inTable(bad)]).toEqual([[], undefined, undefined]);
  });

  it('A message is made ready once, whoever looks, and again with other content', async () => {
    await start(world, SECOND_SESSION);
    const row = world.row(50_000);
    await world.advance(12_000);
    expect(ids()).toEqual([row.id]);
    world.database.edit(row.id, { payload: { url: 'http://one/', body: 'other' } });
    await world.advance(12_000);
    expect(ids()).toEqual([row.id, row.id]);
    await send(row);
    expect(given).toEqual([{ container: '2' }]);
  });

  it('is not used by an edited plan, nor by one whose edit forgot the version', async () => {
    const [edited, overwritten] = [world.row(20_000), world.row(20_000)];
    await world.advance(14_000);
    expect(made).toHaveLength(2);
    // Later than anything is made ready.
    await world.advance(4_500);
    world.database.edit(edited.id, { payload: { url: 'http://one/', body: 'other' } });
    world.database.overwrite(overwritten.id, { url: 'http://one/', body: 'other' });
    world.emit(edited, overwritten);
    await world.advance(3_000);
    expect([world.states([edited, overwritten]), given]).toEqual([['delivered'], [undefined, undefined]]);
  });

  it('is left where a message is canceled while it is made, and nothing is kept of it', async () => {
    const row = world.row(40_000);
    make = async (context) => {
      world.database.cancel(row.id);
      return makeContainer(context);
    };
    await world.advance(10_000);
    expect([row.state, made.length, await inTable(row)]).toEqual(['canceled', 1, expect.objectContaining({ ids: {} })]);
  });

  it('What is kept without a claim replaces nothing that may be published: a claim, or doubt, comes first', async () => {
    const row = world.row(20_000);
    let end: (() => void) | undefined;
    make = async (context) => {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      return makeContainer({ ...context, mayStart: () => true });
    };
    await world.advance(10_000);
    world.channel.beforehand = async ({ kept }) => {
      expect(await kept?.read()).toEqual({});
      end?.();
      return (await kept?.keep({ container: 'of the attempt' })) === true;
    };
    world.channel.script(row.id, { outcome: { kind: 'unknown', reason: 'no answer' } });
    await send(row);
    expect([row.inDoubt, made.length, (await inTable(row))?.ids]).toEqual([true, 1, { container: 'of the attempt' }]);
    const waiting = { id: row.id, version: row.version, updatedAt: row.updatedAt };
    const hash = 'ab'.repeat(32);
    expect(await world.database.readyRows().begin(waiting, hash)).toBe(false);
    expect(await world.database.readyRows().keep(waiting, { ids: {}, contentHash: hash })).toBe(false);
  });

  it('is made by the attempt where its worker died with it begun', async () => {
    const row = world.row(20_000);
    make = () => new Promise(() => undefined);
    await world.advance(10_000);
    await world.bolt.close();
    const successor = await start(world, SECOND_SESSION);
    make = makeContainer;
    await world.advance(9_000);
    successor.emit(row);
    await world.advance(2_000);
    expect([row.state, row.attempts, made, given]).toEqual(['delivered', 1, [], [{}]]);
  });

  it('Making ready costs a message nothing, whatever comes of it', async () => {
    const ends: (() => MadeReady)[] = [
      () => ({ kind: 'rejected', reason: 'no' }),
      () => ({ kind: 'unusable', reason: 'no' }),
      () => ({ kind: 'unknown', reason: 'no' }),
      () => 'not_started',
      () => {
        throw new Unavailable('the database is away');
      },
      () => {
        throw new Error('a bug');
      },
    ];
    const rows = ends.map(() => world.row(20_000));
    make = async ({ id }) => (ends[rows.findIndex((row) => row.id === id)] as () => MadeReady)();
    await world.advance(18_000);
    for (const row of rows) expect(row).toMatchObject({ state: 'scheduled', version: 1, attempts: 0, lastError: null });
    world.emit(...rows);
    await world.advance(3_000);
    expect(world.states(rows)).toEqual(['delivered']);
    expect(world.bugs).toEqual([]);
    expect(world.errors.filter((error) => error.includes('ready'))).toHaveLength(2);
  });

  it('is tried again when its provider says when, while there is time', async () => {
    const row = world.row(40_000);
    let tries = 0;
    make = async (context) =>
      ++tries < 3 ? { kind: 'retry', reason: 'it still works', afterMs: 12_000 } : makeContainer(context);
    await world.advance(38_000);
    expect([tries, ids()]).toEqual([3, [row.id]]);
    make = async () => {
      tries++;
      return { kind: 'retry', reason: 'it still works', afterMs: 12_000 };
    };
    world.row(20_000);
    await world.advance(20_000);
    expect(tries).toBe(5);
  });

  it('holds an account, as a message does, when its provider says so', async () => {
    world.row(50_000, { account: 'held' });
    make = async (context) => {
      await makeContainer(context);
      return { kind: 'retry', reason: 'too many', afterMs: 30_000, hold: { of: 'account', ms: 30_000 } };
    };
    await world.advance(6_000);
    expect(made).toHaveLength(1);
    world.row(50_000, { account: 'held' });
    await world.advance(10_000);
    expect(made).toHaveLength(1);
  });

  it('stops for all accounts of an app of which its provider says so, also where limits are known', async () => {
    const limits = { perAccount: { rates: [{ count: 250, windowMs: 86_400_000 }], gapMs: 0 } };
    const limited = await start(undefined, SECOND_SESSION, limits);
    limited.channel.appOf = (account) => (account === 'other' ? 'client-2' : 'client-1');
    limited.row(50_000, { account: 'refused' });
    make = async (context) => {
      await makeContainer(context);
      return { kind: 'retry', reason: 'too many', afterMs: 30_000, hold: { of: 'app', ms: 30_000 } };
    };
    await limited.advance(6_000);
    expect(made).toHaveLength(1);
    make = makeContainer;
    limited.row(40_000, { account: 'same' });
    const other = limited.row(40_000, { account: 'other' });
    await limited.advance(10_000);
    expect(ids().slice(1)).toEqual([other.id]);
  });

  it('Preparing calls need the lease, and a plan that waits as it was read', async () => {
    const row = world.row(30_000);
    world.leaseHolds = false;
    await world.advance(10_000);
    expect(made).toEqual([]);
    const asked: boolean[] = [];
    world.leaseHolds = true;
    make = async (context) => {
      asked.push(context.mayStart());
      world.leaseHolds = false;
      asked.push(context.mayStart());
      world.leaseHolds = true;
      await world.clock.sleep(context.dueAt - context.now());
      asked.push(context.mayStart());
      return 'not_started';
    };
    await world.advance(30_000);
    expect([asked, row.state]).toEqual([[true, false, false], 'scheduled']);
  });

  it('Nothing is made ready of what may not be sent: a paused account, one in doubt, a bolt that drains', async () => {
    const row = world.row(60_000, { account: 'paused' });
    world.pausedAccounts.add('paused');
    const doubted = world.row(50_000);
    world.database.rows.set(doubted.id, Object.assign(doubted, { inDoubt: true }));
    await world.advance(20_000);
    expect(made).toEqual([]);
    world.pausedAccounts.delete('paused');
    await world.advance(6_000);
    expect(ids()).toEqual([row.id]);
    world.row(50_000);
    void world.bolt.drain();
    await world.advance(20_000);
    expect(ids()).toEqual([row.id]);
  });

  it('Making ready takes nothing that due messages need, and one account’s holds no other', async () => {
    const slow = Array.from({ length: 30 }, () => world.row(40_000, { account: 'slow' }));
    const other = world.row(40_000, { account: 'other' });
    let begun = 0;
    make = (context) => {
      if (context.account === 'other') return makeContainer(context);
      begun++;
      return new Promise(() => undefined);
    };
    await world.advance(6_000);
    expect([begun, ids(), world.bolt.gauges()['making_ready']]).toEqual([2, [other.id], 16]);
    expect(world.bolt.gauges()['in_flight']).toBe(0);
    await world.advance(33_000);
    world.emit(...slow, other);
    await world.advance(3_000);
    expect(world.states([...slow, other])).toEqual(['delivered']);
  });

  it('takes no more of an account whose provider puts it off at once', async () => {
    for (let n = 0; n < 40; n++) world.row(50_000, { account: 'put off' });
    const tried = new Set<number>();
    make = async ({ id }) => {
      tried.add(id);
      return { kind: 'retry', reason: 'not now', afterMs: 20_000 };
    };
    await world.advance(15_000);
    expect([tried.size, world.bolt.gauges()['making_ready']]).toEqual([16, 16]);
    await world.advance(15_000);
    expect(world.bolt.gauges()['making_ready']).toBeLessThanOrEqual(16);
  });

  it('is begun at a later look where the database does not say who began it', async () => {
    const row = world.row(50_000);
    let isAway = true;
    world.database.before = async (operation) => {
      if (isAway && operation === 'begin') throw new Unavailable('the database is away');
    };
    await world.advance(6_000);
    expect(made).toEqual([]);
    isAway = false;
    await world.advance(6_000);
    expect(ids()).toEqual([row.id]);
  });

  it('of a shard with more than one page goes on at the next look', async () => {
    const rows = Array.from({ length: 20 }, () => world.row(30_000, { account: 'many' }));
    await world.advance(8_000);
    expect(ids().toSorted((a, b) => a - b)).toEqual(rows.map(({ id }) => id));
  });
});
