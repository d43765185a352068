import { AccountTurns } from '../../../topology/core/account-turns';

let now = 0;
let done: string[] = [];

beforeEach(() => {
  now = 0;
  done = [];
});

const turnsOf = () =>
  new AccountTurns({
    clock: { monotonic: () => now },
    mostOfAccount: 4,
    slowMs: 100,
    full: () => new Error('too many'),
  });

/** Work that takes so long, and says that it is done. */
const takes = (ms: number, name: string) => async () => {
  await Promise.resolve();
  now += ms;
  done.push(name);
  return name;
};

test('One piece at a time', async () => {
  const turns = turnsOf();
  let atOnce = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++atOnce);
    await Promise.resolve();
    atOnce -= 1;
    return atOnce;
  };
  expect(await Promise.all(['a', 'b', 'a', 'c'].map((account) => turns.run(account, work)))).toEqual([0, 0, 0, 0]);
  expect(most).toBe(1);
});

test('Accounts take turns, and one that wants much refuses only its own', async () => {
  const turns = turnsOf();
  const many = Array.from({ length: 8 }, (_, account) =>
    Array.from({ length: 4 }, (__, n) => turns.run(`many-${account}`, takes(10, `many-${account} ${n}`))),
  ).flat();
  const refused = turns.run('many-0', takes(10, 'never'));
  const ninth = turns.run('ninth', takes(10, 'ninth'));
  await expect(refused).rejects.toThrow('too many');
  await ninth;
  // The first had begun; then each account has one turn before any has its second.
  expect(done).toHaveLength(9);
  await Promise.all(many);
  expect(done).toHaveLength(33);
  expect(await turns.run('many-0', takes(10, 'again'))).toBe('again');
});

test('Slow accounts share every second turn', async () => {
  const turns = turnsOf();
  const slow = Array.from({ length: 20 }, (_, n) => `slow-${n}`);
  await Promise.all(slow.map((account) => turns.run(account, takes(2_000, account))));
  done = [];
  const all = slow.map((account) => turns.run(account, takes(2_000, account)));
  const quick = ['one', 'two', 'three'].map((account) => turns.run(account, takes(10, account)));
  await Promise.all(quick);
  expect(done).toEqual(['slow-0', 'one', 'slow-1', 'two', 'slow-2', 'three']);
  await Promise.all(all);
  // One that has become quick is taken for a quick one again.
  await turns.run('slow-7', takes(10, 'slow-7'));
  done = [];
  await Promise.all(['slow-1', 'slow-2', 'slow-7'].map((account) => turns.run(account, takes(10, account))));
  expect(done.indexOf('slow-7')).toBeLessThan(done.indexOf('slow-2'));
});

test('work that fails harms no other', async () => {
  const turns = turnsOf();
  const failed = turns.run('a', () => Promise.reject(new Error('away')));
  const next = turns.run('a', takes(10, 'next'));
  await expect(failed).rejects.toThrow('away');
  expect(await next).toBe('next');
});
