import { batchesOf, transactionsOf } from '../../../../connectors/mysql/sql/batches';

const bound = { maxItems: 3, maxBytes: 100 };
const itself = (bytes: number) => bytes;

test('a batch ends at its number of items and at its bytes, whichever comes first', () => {
  expect(batchesOf([1, 1, 1, 1, 60, 40, 1, 50], itself, bound)).toEqual([
    [1, 1, 1],
    [1, 60],
    [40, 1, 50],
  ]);
});

test('an item that is larger than a batch may be is a batch of its own', () => {
  expect(batchesOf([1, 500, 1], itself, bound)).toEqual([[1], [500], [1]]);
});

test('nothing makes no batch', () => {
  expect(batchesOf([], itself, bound)).toEqual([]);
});

test('transactions have as many rows as they may and no more than 32 MiB of payload, in the order given', async () => {
  const asked: string[] = [];
  const rows = async (statement: string) => {
    asked.push(statement.slice(statement.indexOf('IN ')));
    // 3 is not there any more.
    return [1, 2, 4, 5, 6, 7].map((id) => [id, id < 4 ? 12 * 1024 * 1024 : 1_000]);
  };
  const transactions: number[][] = [];
  const given = [7, 1, 2, 3, 4, 5, 6].map((id) => ({ id }));
  for await (const some of transactionsOf({ rows } as never, given, 5)) transactions.push(some.map(({ id }) => id));
  expect(transactions).toEqual([
    [7, 1, 2, 3, 4],
    [5, 6],
  ]);
  expect(asked).toEqual(['IN (7,1,2,3,4)', 'IN (5,6)']);
  const large = [1, 2, 4].map((id) => ({ id }));
  const threeTimes = async () => large.map(({ id }) => [id, 12 * 1024 * 1024]);
  const bounded: number[][] = [];
  for await (const some of transactionsOf({ rows: threeTimes } as never, large, 5))
    bounded.push(some.map(({ id }) => id));
  expect(bounded).toEqual([[1, 2], [4]]);
});
