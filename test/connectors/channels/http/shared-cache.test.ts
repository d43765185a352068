import { SharedCache } from '../../../../connectors/channels/http/shared-cache';

const keysOf = (cache: SharedCache<number>) => [...cache].map(([key]) => key);

test('an account that brings very many values pushes out its own', () => {
  const evicted: number[] = [];
  const cache = new SharedCache<number>({ most: 100, mostOfOwner: 3, onEvict: (value) => evicted.push(value) });
  cache.set('mine', 'shop', -1);
  for (let n = 0; n < 50; n++) cache.set(`k${n}`, 'evil', n);
  expect(keysOf(cache)).toEqual(['mine', 'k47', 'k48', 'k49']);
  expect(evicted).toHaveLength(47);
});

test('those used longest ago go first, of an account and of all', () => {
  const cache = new SharedCache<number>({ most: 4, mostOfOwner: 3 });
  for (const key of ['a', 'b', 'c']) cache.set(key, 'one', 1);
  cache.touch('a');
  cache.set('d', 'one', 1);
  expect(keysOf(cache)).toEqual(['c', 'a', 'd']);
  cache.set('e', 'two', 2);
  cache.set('f', 'two', 2);
  expect(keysOf(cache)).toEqual(['a', 'd', 'e', 'f']);
});

test('a key that another account brings again is its own from then on', () => {
  const cache = new SharedCache<number>({ most: 10, mostOfOwner: 1 });
  cache.set('a', 'one', 1);
  cache.set('a', 'two', 2);
  cache.set('b', 'one', 3);
  expect([cache.get('a'), cache.get('b'), cache.size]).toEqual([2, 3, 2]);
  cache.delete('a');
  cache.set('c', 'two', 4);
  expect(keysOf(cache)).toEqual(['b', 'c']);
});
