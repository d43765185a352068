import { ReadyQueue } from '../../../bolts/ready/ready-queue';

const row = (account: string, n = 0) => ({ account, n });
const taken = (queue: ReadyQueue<ReturnType<typeof row>>) => {
  const rows = [];
  for (let next = queue.next(); next !== undefined; next = queue.next()) rows.push(next);
  return rows;
};

test('Accounts take turns at making ready, whoever came first', () => {
  const queue = new ReadyQueue<ReturnType<typeof row>>(4);
  for (let n = 0; n < 5; n++) queue.add(row('many', n));
  queue.add(row('one'));
  const first = taken(queue);
  expect(first.map(({ account, n }) => `${account} ${n}`)).toEqual(['many 0', 'one 0', 'many 1']);
  expect(queue.size).toBe(6);
  // What hangs keeps no place but its own two.
  queue.add(row('another'));
  expect(taken(queue)).toEqual([row('another')]);
  queue.end(row('many'));
  expect(taken(queue)).toEqual([row('many', 2)]);
});

test('no more begins than there are places, until one has ended', () => {
  const queue = new ReadyQueue<ReturnType<typeof row>>(1);
  queue.add(row('a'));
  queue.add(row('b'));
  expect(taken(queue)).toEqual([row('a')]);
  queue.end(row('a'));
  expect(taken(queue)).toEqual([row('b')]);
  queue.end(row('b'));
  expect(queue.size).toBe(0);
});

test('an account has room for some, and all of them together for a thousand', () => {
  const queue = new ReadyQueue<ReturnType<typeof row>>(1);
  for (let n = 0; queue.hasRoomFor('many'); n++) queue.add(row('many', n));
  expect(queue.size).toBe(16);
  for (let n = 0; queue.hasRoomFor(`other ${n}`); n++) queue.add(row(`other ${n}`));
  expect(queue.size).toBe(1_000);
  queue.clear();
  expect([queue.size, queue.hasRoomFor('many'), queue.next()]).toEqual([0, true, undefined]);
});

test('what is put off keeps the room of its account, and comes again', () => {
  const queue = new ReadyQueue<ReturnType<typeof row>>(4);
  let begun = 0;
  for (; queue.hasRoomFor('many') && begun < 100; begun++) {
    queue.add(row('many', begun));
    queue.end(queue.next() as ReturnType<typeof row>, true);
  }
  expect([begun, queue.size, queue.next()]).toEqual([16, 16, undefined]);
  queue.again(row('many', 3));
  expect(queue.next()).toEqual(row('many', 3));
  queue.end(row('many', 3));
  expect([queue.size, queue.hasRoomFor('many')]).toEqual([15, true]);
  queue.clear();
  expect(queue.size).toBe(0);
});
