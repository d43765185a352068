import { batchesOf } from '../../../../connectors/mysql/sql/batches';

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
