import type { AttemptContext } from '../../bolts/channel';
import type { KeptIds } from '../../bolts/kept-ids';
import { Lane } from '../../bolts/slots/line';
import { Unavailable } from '../../topology/core/errors';
import type { Outcome } from '../../topology/message';
import type { MemoryRow } from '../support/mysql/memory-table';
import { World } from './world';

const unknown: Outcome = { kind: 'unknown', reason: 'no answer' };
const SUCCESSOR = 'b'.repeat(32);

describe('ids that a channel keeps between attempts', () => {
  let worlds: World[];
  let world: World;
  /** What attempts and lookups were given. */
  let given: (KeptIds | undefined)[];
  let made: number;

  beforeEach(async () => {
    worlds = [];
    given = [];
    made = 0;
    world = await start();
    world.channel.beforehand = makeReady;
    world.channel.onLookup = async ({ kept }) => {
      given.push(await kept?.read());
    };
  });
  afterEach(() => Promise.all(worlds.map((one) => one.close())));

  async function start(beside?: World, session = 'a'.repeat(32)): Promise<World> {
    const opened = await new World({ class: 'lookup', session }, beside).open();
    worlds.push(opened);
    return opened;
  }

  /** As a channel does: what is kept is used again, and else made and kept. */
  async function makeReady({ kept }: AttemptContext): Promise<boolean> {
    const ids = await kept?.read();
    given.push(ids);
    if (ids !== undefined) return true;
    made++;
    return (await kept?.keep({ container: String(made) })) === true;
  }

  async function run(row: MemoryRow, milliseconds: number, by = world): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 500) {
      if (row.state === 'scheduled') by.emit(row);
      await by.advance(500);
    }
  }

  const inTable = (row: MemoryRow) => world.database.sendRows().kept(row.id, row.planNumber);

  it('What is published is what was kept: a retry is given it, and a lookup', async () => {
    const row = world.row(100);
    world.channel.script(row.id, { outcome: { kind: 'retry', reason: 'busy' } }, { outcome: unknown });
    await run(row, 20_000);
    expect(row).toMatchObject({ state: 'delivered', attempts: 3 });
    expect(given).toEqual([undefined, { container: '1' }, { container: '1' }, { container: '1' }]);
    expect(made).toBe(1);
    expect(await inTable(row)).toBeUndefined();
  });

  it('go when the message has failed, and stay while it is uncertain', async () => {
    const [failed, uncertain] = [world.row(100), world.row(100)];
    const rejected: Outcome = { kind: 'rejected', reason: 'no', status: 400 };
    world.channel.script(failed.id, { outcome: rejected });
    world.channel.script(uncertain.id, { outcome: unknown });
    await run(failed, 1_000);
    expect(failed.state).toBe('failed');
    expect(await inTable(failed)).toBeUndefined();
    await run(uncertain, 500);
    world.database.cancel(uncertain.id);
    expect(uncertain.state).toBe('uncertain');
    expect(await inTable(uncertain)).toBeDefined();
  });

  it('Ids are given to the content for which they were made: an edit that forgot the plan number finds none', async () => {
    const row = world.row(100);
    world.channel.script(row.id, { outcome: { kind: 'retry', reason: 'busy' } });
    await run(row, 500);
    world.database.overwrite(row.id, { url: 'http://one/', body: 'other' });
    await run(row, 5_000);
    expect(row.state).toBe('delivered');
    expect(given).toEqual([undefined, undefined]);
    expect(made).toBe(2);
  });

  it('are given to the lookup of a message in doubt whatever its content is by now', async () => {
    const row = world.row(100);
    world.channel.script(row.id, { outcome: unknown });
    await run(row, 500);
    world.database.overwrite(row.id, { url: 'http://one/', body: 'other' });
    await run(row, 10_000);
    expect(given).toEqual([undefined, { container: '1' }, undefined]);
  });

  it('are discarded by an edit', async () => {
    const row = world.row(100);
    world.channel.script(row.id, { outcome: { kind: 'retry', reason: 'busy' } });
    await run(row, 500);
    expect(world.database.edit(row.id, { dueAt: row.dueAt + 1 })).toMatchObject({ result: 'edited' });
    await run(row, 5_000);
    expect(given).toEqual([undefined, undefined]);
  });

  it('are not kept, and nothing is published, by a worker whose claim was lost', async () => {
    const row = world.row(100);
    const successor = await start(world, SUCCESSOR);
    successor.channel.beforehand = async (attempt) => {
      // The first worker stands still here, and its row is recovered and sent by another one meanwhile.
      if (row.claim === world.session) {
        await world.database.openRows().recover([{ id: row.id, version: row.version, session: world.session }], 0);
        successor.emit(row);
        await successor.advance(3_000);
      }
      return makeReady(attempt);
    };
    world.emit(row);
    await world.advance(5_000);
    expect(row).toMatchObject({ state: 'delivered', version: 2 });
    expect(world.begun(row)).toHaveLength(1);
    expect(made).toBeLessThanOrEqual(2);
  });

  it('count with what was made ready under them where slots are shared out by the time of attempts', async () => {
    const judge = jest.spyOn(Lane.prototype, 'judge');
    const row = world.row(100);
    world.channel.beforehand = async (attempt) => {
      await world.clock.sleep(5_000);
      return makeReady(attempt);
    };
    await run(row, 500);
    await world.advance(6_000);
    expect(row.state).toBe('delivered');
    expect(judge.mock.calls).toEqual([['answered', expect.any(Number), expect.any(Number)]]);
    expect(judge.mock.calls[0]?.[1]).toBeGreaterThanOrEqual(5_000);
    judge.mockRestore();
  });

  it('that cannot be had now postpone the message, because nothing was published', async () => {
    const row = world.row(100);
    let isAway = true;
    world.database.before = (operation) => {
      if (isAway && (operation === 'kept' || operation === 'keep')) throw new Unavailable('the database is away');
    };
    await run(row, 500);
    expect(row).toMatchObject({ state: 'scheduled', inDoubt: false, firstAttemptAt: null });
    expect(row.lastError).toBe('the database is away');
    isAway = false;
    await run(row, 10_000);
    expect(row.state).toBe('delivered');
  });

  it('that are too long are a mistake of the channel, and are not kept', async () => {
    const row = world.row(100);
    world.channel.beforehand = async ({ kept }) => (await kept?.keep({ container: 'x'.repeat(2_000) })) === true;
    await run(row, 500);
    expect(row).toMatchObject({ state: 'scheduled', lastError: expect.stringContaining('only 2000') });
    expect(world.begun(row)).toEqual([]);
    expect(await inTable(row)).toBeUndefined();
  });

  it('cost nothing where a channel keeps none', async () => {
    const asked: string[] = [];
    delete world.channel.beforehand;
    delete world.channel.onLookup;
    world.database.before = (operation) => {
      asked.push(operation);
    };
    const row = world.row(100);
    world.channel.script(row.id, { outcome: unknown });
    await run(row, 10_000);
    expect(row.state).toBe('delivered');
    expect(asked.filter((operation) => operation.startsWith('k'))).toEqual([]);
    expect(world.database.ledger.some(({ hasKept }) => hasKept === true)).toBe(false);
  });
});
