import { nearestWord } from '../../../topology/core/nearest-word';

const words = ['replicas', 'partitions', 'concurrency', 'backOff', 'backOffMax', 'lead'];

test.each([
  ['replica', 'replicas'],
  ['Replicas', 'replicas'],
  ['concurency', 'concurrency'],
  ['partitoins', 'partitions'],
  ['backoffmax', 'backOffMax'],
  ['leda', 'lead'],
  ['elephant', undefined],
  ['', undefined],
  ['x'.repeat(1_000_000), undefined],
])('%.20s', (word, meant) => {
  expect(nearestWord(word, words)).toBe(meant);
});
