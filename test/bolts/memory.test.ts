import type { MemoryRow } from '../support/mysql/memory-table';
import { World, type WorldOptions } from './world';

const MIB = 1024 * 1024;

describe('what a bolt holds in memory', () => {
  jest.setTimeout(30_000);

  let world: World;
  /** Payload bytes of each read, in order. */
  let reads: number[] = [];

  async function start(options: WorldOptions = {}): Promise<World> {
    reads = [];
    world = await new World(options, undefined, (rows) => ({
      ...rows,
      read: async (...query) => {
        const found = await rows.read(...query);
        reads.push(found.reduce((sum, { payload }) => sum + (payload?.length ?? 0), 0));
        return found;
      },
    })).open();
    return world;
  }

  afterEach(() => world.close());

  const large = (account: string, bytes: number, delay = 1_000, host = account): MemoryRow =>
    world.row(delay, { account, payload: { url: `http://${host}/`, body: 'x'.repeat(bytes) } });

  describe('1. payloads are read only as far as there is room for them', () => {
    it('a burst of 4,000 rows of 20 kB stays within the bytes that may be held, and all of them are sent', async () => {
      await start({ settings: { maxHeld: 50_000, concurrency: 256, perAccount: 32, perOrigin: 256, claimBatch: 500 } });
      const rows = Array.from({ length: 4_000 }, (_, n) => large(`a${n % 40}`, 20_000, 1_000, 'one'));
      let most = 0;
      world.database.before = () => {
        most = Math.max(most, world.bolt.gauges()['held_bytes'] as number);
      };
      world.emit(...rows);
      await world.advance(30_000);
      expect(world.states(rows)).toEqual(['delivered']);
      expect(most).toBeGreaterThan(4_000_000);
      expect(most).toBeLessThanOrEqual(10_000_000);
      expect(Math.max(...reads)).toBeLessThan(8.5 * MIB);
    }, 120_000);

    it('one account with large messages to a host that hangs leaves the others on time', async () => {
      const maxHeldBytes = 128 * MIB;
      await start({ settings: { concurrency: 256, perAccount: 32, perOrigin: 256, claimBatch: 500, maxHeldBytes } });
      world.channel.byHost = (host) => (host.includes('hangs') ? { outcome: 'hangs' } : undefined);
      const hostile = Array.from({ length: 600 }, () => large('hostile', 500_000, 1_000, 'hangs'));
      world.emit(...hostile);
      const others: MemoryRow[] = [];
      for (let second = 0; second < 40; second++) {
        const [small, big] = [
          world.row(1_500, { account: `o${second % 7}` }),
          large(`p${second % 7}`, 50_000, 1_500, 'one'),
        ];
        others.push(small, big);
        world.emit(small, big);
        await world.advance(1_000);
        expect(world.bolt.hasRoom()).toBe(true);
        expect(world.bolt.gauges()['held_bytes']).toBeLessThan(maxHeldBytes / 3);
      }
      await world.advance(2_000);
      const late = others.map((row) => (world.begun(row)[0] ?? Number.NaN) - row.dueAt);
      expect(Math.max(...late)).toBeLessThan(100);
      // What found no room within 30 s of its wake was dropped, whether its payload was read or not: reconcile brings it back.
      expect(world.acked.length).toBe(hostile.length + others.length);
    });

    it('a row waits 30 s past its wake in all, first for room in memory and then for its account', async () => {
      await start({ settings: { maxHeldBytes: 1_000_000, perAccount: 1 } });
      let requests = 0;
      const delivered = { kind: 'delivered', status: 200 } as const;
      world.channel.byHost = () => ({ outcome: requests++ === 0 ? delivered : 'hangs', after: 20_000 });
      // A quarter of the memory is two rows, so the third one is read when the first one has left, after 20 s.
      const rows = Array.from({ length: 3 }, () => large('a', 100_000, 0));
      world.emit(...rows);
      await world.advance(25_000);
      expect(reads.filter((bytes) => bytes > 0)).toHaveLength(2);
      expect(world.acked).toHaveLength(2);
      await world.advance(6_000);
      expect(world.acked).toHaveLength(3);
    });

    it('rows whose payloads are not read are re-read, revoked and forgotten like others', async () => {
      await start({ settings: { maxHeldBytes: 1_000_000 } });
      const rows = Array.from({ length: 6 }, () => large('a', 100_000, 3_000));
      world.bolt.execute(rows.map((row, n) => world.delivery(row, n, n % 2)));
      await world.advance(10);
      const [first, , third, fourth] = rows as [MemoryRow, MemoryRow, MemoryRow, MemoryRow];
      // A quarter of the memory is two rows.
      expect(world.bolt.gauges()).toMatchObject({ held: 6 });
      expect(world.bolt.gauges()['held_bytes']).toBeLessThan(250_000);
      world.database.edit(third.id, { payload: { url: 'http://one/', body: 'new' } });
      world.bolt.execute([world.delivery(third, 10, 0)]);
      await world.advance(10);
      expect(world.acked).toEqual([2]);
      world.bolt.revoked([1]);
      await world.advance(1);
      expect(world.bolt.gauges()).toMatchObject({ held: 3 });
      await world.advance(5_000);
      expect(world.state(first)).toBe('delivered');
      expect(world.channel.journal.find(({ id }) => id === third.id)?.content).toContain('new');
      expect(world.state(fourth)).toBe('scheduled');
      expect(world.bolt.gauges()).toMatchObject({ held: 0, held_bytes: 0 });
    });

    it('a payload that nobody could have given is not read, and ends as a defect', async () => {
      await start({ settings: { maxHeldBytes: 100 * MIB } });
      const row = large('a', 5 * MIB);
      world.emit(row);
      await world.advance(2_000);
      expect(row).toMatchObject({ state: 'failed', lastError: expect.stringMatching(/^payload: .* too large$/) });
      expect(Math.max(...reads)).toBe(0);
      expect(world.bolt.gauges()).toMatchObject({ held: 0, held_bytes: 0 });
    });
  });

  it('2. nothing waits long for one read', async () => {
    await start({ settings: { maxHeldBytes: 100 * MIB } });
    const prepared: number[] = [];
    const { channel } = world;
    const prepare = channel.prepare.bind(channel);
    channel.prepare = (account, text) => {
      prepared.push(text.length);
      return prepare(account, text);
    };
    world.emit(...Array.from({ length: 20 }, (_, n) => large(`a${n}`, 200_000, 1_500)));
    const turns: number[] = [];
    const turn = () => {
      turns.push(prepared.length);
      if (prepared.length < 20) world.clock.after(0, turn);
    };
    turn();
    await world.advance(5);
    expect(prepared).toHaveLength(20);
    // Others had their turn after at most two rows of 200 kB.
    expect(Math.max(...turns.slice(1).map((count, n) => count - (turns[n] as number)))).toBeLessThanOrEqual(2);
  });

  const pieces = {
    ASCII: 'a',
    'letters with accents': 'é',
    Chinese: '中',
    'ASCII with emoji in it': `${'a'.repeat(1_000)}🎉`,
  };
  it.each(Object.entries(pieces))(
    'bodies of %s take no more memory than is counted, and than they may',
    async (_, piece) => {
      const maxHeldBytes = 16 * MIB;
      await start({ settings: { maxHeldBytes } });
      const { channel } = world;
      const prepare = channel.prepare.bind(channel);
      let kept = 0;
      channel.prepare = (account, text) => {
        // As UTF-8 a webhook keeps it. As a text of other channels it takes two bytes a unit, unless it is ASCII.
        kept += Math.max(Buffer.byteLength(text), piece === 'a' ? 0 : 2 * text.length);
        return prepare(account, text);
      };
      const body = piece.repeat(300_000 / Buffer.byteLength(piece));
      for (let n = 0; n < 80; n++)
        world.emit(world.row(5_000, { account: `a${n}`, payload: { url: 'http://one/', body } }));
      await world.advance(100);
      expect(world.bolt.gauges()['held_bytes']).toBeGreaterThanOrEqual(kept);
      // Room for one read is kept free by what the rows take in the table.
      expect(kept).toBeLessThan(maxHeldBytes + 2 * MIB);
      expect(kept).toBeGreaterThan(maxHeldBytes / 2);
    },
  );

  it('no claim logs more than 32 MiB and a row, of rows whose payloads are not read too', async () => {
    await start({ settings: { maxHeldBytes: 100 * MIB } });
    const rows = Array.from({ length: 12 }, (_, n) => large(`a${n}`, 6 * MIB));
    world.emit(...rows);
    await world.advance(2_000);
    expect(world.states(rows)).toEqual(['failed']);
    expect(world.claims.map(({ ids }) => ids.length)).toEqual([6, 6]);
  });
});
