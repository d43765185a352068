import { InParts, type LeftOut } from '../../../../connectors/mysql/sql/in-parts';
import { ManualClock } from '../../../support/manual-clock';

/** A server that refuses parts with some of the rows, and what it was asked. */
class Server {
  readonly clock = new ManualClock();
  readonly written = new Set<number>();
  statements = 0;
  /** Whose row is whose; each its own unless given. */
  accountOf = (id: number) => `a${id}`;

  constructor(public errnoOf: (id: number) => number | undefined) {}

  get pool() {
    return { clock: this.clock, rows: async () => this.ids.map((id) => [id, this.accountOf(id)]) } as never;
  }

  private ids: number[] = [];

  async write(parts: InParts, ids: readonly number[]): Promise<LeftOut<{ id: number }>[]> {
    this.ids = [...ids];
    return parts.write(
      ids.map((id) => ({ id })),
      async (part) => {
        this.statements++;
        const errno = part.map(({ id }) => this.errnoOf(id)).find((one) => one !== undefined);
        if (errno !== undefined) throw Object.assign(new Error('no'), { errno, sqlState: 'HY000' });
        for (const { id } of part) this.written.add(id);
      },
    );
  }
}

const ids = Array.from({ length: 500 }, (_, index) => index + 1);
const refusedIds = (refused: readonly LeftOut<{ id: number }>[]) =>
  refused.map(({ row }) => row.id).toSorted((a, b) => a - b);

test('rows that are not refused are written in one statement', async () => {
  const server = new Server(() => undefined);
  expect(await server.write(new InParts(server.pool), ids)).toEqual([]);
  expect([server.statements, server.written.size]).toEqual([1, 500]);
});

describe('1. A row that the database refuses holds no other', () => {
  test.each([1062, 1242, 1264, 1365, 1452, 1644, 3100])('whatever the answer was: %i', async (errno) => {
    const server = new Server((id) => (id === 77 ? errno : undefined));
    expect(refusedIds(await server.write(new InParts(server.pool), ids))).toEqual([77]);
    expect(server.written.size).toBe(499);
    // All of them, then three levels of eight parts.
    expect(server.statements).toBeLessThanOrEqual(1 + 3 * 8);
  });

  test('every other row may be refused', async () => {
    const server = new Server((id) => (id % 2 === 0 ? 1062 : undefined));
    expect(refusedIds(await server.write(new InParts(server.pool, { random: () => 0 }), ids))).toEqual(
      ids.filter((id) => id % 2 === 0),
    );
    expect(server.written.size).toBe(250);
    expect(server.statements).toBeLessThan(2 * ids.length);
  });

  test('rows of one account are found together: its neighbours are written before', async () => {
    const server = new Server((id) => (id % 10 === 0 ? 1062 : undefined));
    server.accountOf = (id) => (id % 10 === 0 ? 'bad' : `a${id % 40}`);
    expect(refusedIds(await server.write(new InParts(server.pool, { random: () => 0 }), ids))).toHaveLength(50);
    expect(server.written.size).toBe(450);
    // Each of its 50 rows, the parts of these, and few of others.
    expect(server.statements).toBeLessThan(50 + 50 / 4 + 3 * 8);
  });
});

test('the smallest part of all is of one account that is refused: others are written before', async () => {
  const server = new Server((id) => (id <= 8 ? 1062 : undefined));
  server.accountOf = (id) => (id <= 8 ? 'bad' : `a${id % 7}`);
  expect(refusedIds(await server.write(new InParts(server.pool), ids))).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(server.written.size).toBe(492);
});

describe('2. An outage is no refusal, and costs a few statements', () => {
  test.each([1180, 1290, 1030])('answer %i to everything is thrown', async (errno) => {
    const server = new Server(() => errno);
    const parts = new InParts(server.pool);
    await expect(server.write(parts, ids)).rejects.toMatchObject({ errno });
    expect(server.statements).toBe(6);
    for (let n = 0; n < 10; n++) await expect(server.write(parts, ids)).rejects.toMatchObject({ errno });
    expect(server.statements).toBe(6 + 10);
    server.errnoOf = (id) => (id === 77 ? errno : undefined);
    await server.clock.advance(1_000);
    expect(refusedIds(await server.write(parts, ids))).toEqual([77]);
  });

  test('no answer at all is thrown at once', async () => {
    const server = new Server(() => undefined);
    const parts = new InParts(server.pool);
    const write = async () => {
      server.statements++;
      throw new Error('away');
    };
    await expect(
      parts.write(
        ids.map((id) => ({ id })),
        write,
      ),
    ).rejects.toThrow('away');
    expect(server.statements).toBe(1);
  });

  test('a row by itself is refused only if it was refused beside others, in the same way', async () => {
    const server = new Server((id) => (id === 7 ? 1062 : undefined));
    const parts = new InParts(server.pool);
    await expect(server.write(parts, [7])).rejects.toMatchObject({ errno: 1062 });
    expect(refusedIds(await server.write(parts, [6, 7]))).toEqual([7]);
    expect(refusedIds(await server.write(parts, [7]))).toEqual([7]);
    server.errnoOf = () => 1290;
    await expect(server.write(parts, [7])).rejects.toMatchObject({ errno: 1290 });
    server.errnoOf = () => undefined;
    expect(await server.write(parts, [7])).toEqual([]);
    server.errnoOf = () => 1062;
    await expect(server.write(parts, [7])).rejects.toMatchObject({ errno: 1062 });
  });

  test('an answer about a value is about its row, also where nothing else is written', async () => {
    const server = new Server(() => 1264);
    expect(refusedIds(await server.write(new InParts(server.pool), [1, 2]))).toEqual([1, 2]);
  });
});

const waitingAccounts = (count: number) => {
  const server = new Server((id) => (id % 50 < count ? 1205 : undefined));
  server.accountOf = (id) => `a${id % 50}`;
  return server;
};

describe('3. Waits are few', () => {
  test('a row that waits is found after one wait for each level of parts', async () => {
    let waits = 0;
    const server = new Server((id) => (id === 77 && ++waits > 0 ? 1205 : undefined));
    const refused = await server.write(new InParts(server.pool), ids);
    expect(refused).toMatchObject([{ row: { id: 77 }, again: true, isAlone: true }]);
    expect(server.written.size).toBe(499);
    expect(waits).toBe(4);
  });

  test('where all wait six do so, nothing is thrown, and all are handed back', async () => {
    const server = new Server(() => 1205);
    const refused = await server.write(new InParts(server.pool), ids);
    expect(server.statements).toBe(6);
    expect(refusedIds(refused)).toEqual(ids);
    expect(refused.every(({ again }) => again)).toBe(true);
  });

  test('of rows that are handed back it is said whose wait it was', async () => {
    const server = waitingAccounts(8);
    const parts = new InParts(server.pool, { byAccount: true });
    const left = await server.write(parts, ids);
    const own = new Set(left.flatMap(({ row, wait }) => (wait === 'own' ? [server.accountOf(row.id)] : [])));
    // One wait of all rows, then of five accounts.
    expect([server.statements - server.written.size / 10, own.size]).toEqual([6, 5]);
    const untried = left.filter(({ wait }) => wait === 'others').map(({ row }) => row.id);
    expect(left.length).toBe(own.size * 10 + untried.length);
    const again = await server.write(parts, untried);
    for (const { row, wait } of again) if (wait === 'own') own.add(server.accountOf(row.id));
    expect([own.size, server.written.size, again.filter(({ wait }) => wait === 'others')]).toEqual([8, 420, []]);
  });

  test('an account that waits costs others two waits, and is handed back whole; by itself it is divided', async () => {
    const server = new Server((id) => (id % 50 === 0 ? 1205 : undefined));
    server.accountOf = (id) => (id % 5 === 0 ? 'bad' : `a${id % 50}`);
    const parts = new InParts(server.pool, { byAccount: true });
    const ofBad = ids.filter((id) => id % 5 === 0);
    const left = await server.write(parts, ids);
    expect([refusedIds(left), server.written.size]).toEqual([ofBad, 400]);
    expect(left.every(({ again, wait }) => again && wait === 'own')).toBe(true);
    // Of its rows only some wait. The statements are those of the others' accounts, of all together, and of it alone.
    expect(server.statements).toBe(40 + 1 + 1);
    const once = new Server((id) => (id === 250 ? 1205 : undefined));
    once.accountOf = server.accountOf;
    expect(refusedIds(await once.write(new InParts(once.pool, { byAccount: true }), ofBad))).toEqual([250]);
  });

  test('while all rows of one account wait those of others are written', async () => {
    const server = new Server((id) => (id % 10 === 0 ? 1205 : undefined));
    server.accountOf = (id) => (id % 10 === 0 ? 'bad' : `a${id % 40}`);
    const refused = await server.write(new InParts(server.pool), ids);
    expect(server.written.size).toBe(450);
    expect(refusedIds(refused)).toEqual(ids.filter((id) => id % 10 === 0));
  });
});
