import { MySqlOpenRows } from '../../../../connectors/mysql/workers/open-rows';
import { MySqlSendRows } from '../../../../connectors/mysql/workers/send-rows';
import { PartlyClaimed, Unavailable } from '../../../../topology/core/errors';

const SESSION = 'ab'.repeat(16);
const result = {
  version: 1,
  dueAt: 1,
  wakeAt: 1,
  contentHash: 'ab'.repeat(32),
  startedAt: 1,
  finishedAt: 2,
  outcome: { kind: 'delivered' },
  settlement: { state: 'delivered', deliveredAt: 2, receipt: null },
} as const;

/** A pool whose server answers every statement that writes with an error. */
function refusing(errno: number) {
  let writes = 0;
  const write = async () => {
    writes++;
    throw new Unavailable('no', { cause: Object.assign(new Error('no'), { errno, sqlState: 'HY000' }) });
  };
  return { pool: { rows: async () => [], use: write, transaction: write } as never, writes: () => writes };
}

describe.each([1180, 3101, 1041, 1030, 3169, 1613])('error %i of the server, which is not about a row,', (errno) => {
  test('gives up no row and no result: it is thrown, and tried again as a whole', async () => {
    const rows = [1, 2, 3, 4].map((id) => ({ id, version: 1, session: SESSION, updatedAt: 'now' }));
    const { pool, writes } = refusing(errno);
    await expect(new MySqlOpenRows(pool).recover(rows, 0)).rejects.toThrow(Unavailable);
    const results = rows.map(({ id }) => ({ ...result, id }));
    await expect(new MySqlSendRows(pool).writeBack(SESSION, results)).rejects.toThrow(Unavailable);
    await expect(new MySqlSendRows(pool).claim(SESSION, rows, 0)).rejects.toThrow(Unavailable);
    expect(writes()).toBe(3);
  });
});

test('a row that the database refuses to write is found by halving, and nothing else is given up', async () => {
  const rows = [1, 2].map((id) => ({ id, version: 1, session: SESSION }));
  const { pool, writes } = refusing(1264);
  const reason = expect.any(String);
  expect(await new MySqlOpenRows(pool).recover(rows, 0)).toEqual({
    recovered: 0,
    refused: [
      { id: 1, reason },
      { id: 2, reason },
    ],
  });
  expect(writes()).toBe(3);
});

test.each([1264, 1644])(
  'a claim whose rows the database refuses to write (error %i) says how many were claimed',
  async (errno) => {
    const rows = [1, 2, 3, 4].map((id) => ({ id, version: 1, session: SESSION, updatedAt: 'now' }));
    let claims = 0;
    const run = async (statement: string) => {
      claims++;
      if (/\(3,1,/.test(statement)) throw Object.assign(new Error('no'), { errno, sqlState: '45000' });
      return { affectedRows: statement.match(/,1,/g)?.length };
    };
    const claim = (work: (sql: unknown) => Promise<unknown>) => work({ run });
    const claimed = new MySqlSendRows({ use: claim } as never).claim(SESSION, rows, 0);
    await expect(claimed).rejects.toThrow(PartlyClaimed);
    await expect(claimed).rejects.toMatchObject({ won: 3, message: 'message 3 cannot be claimed: no' });
    expect(claims).toBe(5);
  },
);
