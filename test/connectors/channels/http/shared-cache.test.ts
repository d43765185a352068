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
  cache.touch('a', 'one');
  cache.set('d', 'one', 1);
  expect(keysOf(cache)).toEqual(['c', 'a', 'd']);
  cache.set('e', 'two', 2);
  cache.set('f', 'two', 2);
  expect(keysOf(cache)).toEqual(['a', 'd', 'e', 'f']);
});

test('a value that several accounts use stays while one of them has room for it, whoever brought it', () => {
  const cache = new SharedCache<number>({ most: 100, mostOfOwner: 3 });
  cache.set('brought', 'shop', 1);
  cache.set('brought', 'evil', 2);
  cache.set('used', 'evil', 3);
  cache.touch('used', 'shop');
  for (let n = 0; n < 50; n++) cache.set(`k${n}`, 'evil', n);
  expect(keysOf(cache)).toEqual(['brought', 'used', 'k47', 'k48', 'k49']);
  expect(cache.get('brought')).toBe(2);
  for (let n = 0; n < 3; n++) cache.set(`own${n}`, 'shop', n);
  expect(keysOf(cache)).toEqual(['k47', 'k48', 'k49', 'own0', 'own1', 'own2']);
});

test('a value counts for a few accounts at most, and for none of them once it is gone', () => {
  const cache = new SharedCache<number>({ most: 100, mostOfOwner: 1 });
  const accounts = Array.from({ length: 20 }, (_, n) => `account${n}`);
  for (const account of accounts) cache.set('a', account, 1);
  // It does not count for the last accounts, so they cannot push it out, and have room.
  cache.set('b', 'account19', 2);
  expect(keysOf(cache)).toEqual(['a', 'b']);
  for (const account of accounts.slice(0, 8)) cache.set(`own of ${account}`, account, 3);
  expect(cache.get('a')).toBeUndefined();
  expect(cache.size).toBe(9);
  cache.delete('b');
  cache.set('c', 'account19', 4);
  expect([cache.get('c'), cache.size]).toEqual([4, 9]);
});

test('a value is replaced only where one is kept', () => {
  const cache = new SharedCache<number>({ most: 10, mostOfOwner: 10 });
  cache.set('a', 'shop', 1);
  cache.replace('a', 2);
  cache.replace('b', 3);
  expect([...cache]).toEqual([['a', 2]]);
});
