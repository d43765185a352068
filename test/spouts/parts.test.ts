import { Pending } from '../../spouts/emit/pending';
import { AccountMemory } from '../../spouts/memory/accounts';
import { Buckets } from '../../spouts/memory/buckets';
import { byPosition, Entry } from '../../spouts/memory/entry';
import { beginning, Frontier } from '../../spouts/memory/frontier';
import { WakeHeap } from '../../spouts/memory/wake-heap';

const account = new AccountMemory('a', 1);

function entry(id: number, wakeAt: number): Entry {
  return new Entry({ id, wakeAt, version: 1, shard: 1, account: 'a' }, account);
}

function scattered(count: number): Entry[] {
  return Array.from({ length: count }, (_, index) => entry(index, (index * 7_919) % 5_000));
}

function leave(one: Entry): void {
  const { home } = one;
  one.home = undefined;
  home?.left();
}

const at = (wakeAt: number, id = 1) => ({ wakeAt, id });
const from = (wakeAt: number, id: number) => ({ shard: 1, afterWake: wakeAt, afterId: id });

function placed(pending: Pending, ...offsets: number[]): Entry[] {
  const entries = offsets.map((offset) => entry(offset, 0));
  for (const one of entries) one.pending = true;
  pending.placed(
    entries,
    offsets.map((offset) => ({ partition: 0, offset })),
  );
  return entries;
}

describe('WakeHeap', () => {
  test('gives entries in order and skips those that left', () => {
    const heap = new WakeHeap();
    const entries = scattered(5_000);
    for (const one of entries) heap.push(one);
    const stay = entries.filter(({ id }) => id % 3 === 0);
    for (const one of entries) if (id3(one)) leave(one);
    expect(heap.size).toBe(stay.length);
    const taken: Entry[] = [];
    for (let one = heap.pop(); one !== undefined; one = heap.pop()) taken.push(one);
    expect(taken).toEqual(stay.toSorted(byPosition));
    expect(heap.size).toBe(0);
  });
});

function id3({ id }: Entry): boolean {
  return id % 3 !== 0;
}

describe('Buckets', () => {
  test('show what wakes at an instant, in order, and when to look again', () => {
    const buckets = new Buckets(1_000);
    expect(buckets.nextWake()).toBe(Number.POSITIVE_INFINITY);
    const entries = scattered(4_000);
    for (const one of entries) buckets.add(one);
    for (const one of entries) if (id3(one)) leave(one);
    expect(buckets.count).toBe(5);
    expect(buckets.peek(-1)).toBeUndefined();
    const taken: Entry[] = [];
    for (let instant = 0; instant < 5_000; instant += 250) {
      if (instant === 1_250) buckets.add(entry(9_999, 1_100));
      while (buckets.peek(instant) !== undefined) taken.push(buckets.pop() as Entry);
      expect(buckets.nextWake()).toBeGreaterThan(instant);
    }
    expect(taken.filter(({ id }) => id === 9_999)).toHaveLength(1);
    const rest = taken.filter(({ id }) => id !== 9_999);
    expect(rest).toEqual(entries.filter(({ id, wakeAt }) => id % 3 === 0 && wakeAt <= 4_750).toSorted(byPosition));
  });
});

describe('Frontier', () => {
  test('covers what was read, and what lies before the target of a read', () => {
    const frontier = new Frontier();
    expect(frontier.covers(1, at(0))).toBe(false);
    frontier.own(1);
    expect(frontier.covers(1, at(0))).toBe(false);
    frontier.move(100);
    expect(frontier.covers(1, at(99))).toBe(true);
    expect(frontier.covers(1, at(100))).toBe(false);
    expect(frontier.covers(2, at(99))).toBe(false);
    frontier.advance(from(beginning.wakeAt, beginning.id), at(50, 7));
    frontier.stop();
    expect([frontier.covers(1, at(50, 7)), frontier.covers(1, at(50, 8)), frontier.covers(1, at(49, 9))]).toEqual([
      true,
      false,
      true,
    ]);
    expect(frontier.behind(100)).toEqual([from(50, 7)]);
    expect(frontier.behind(50)).toEqual([]);
  });

  test('a read that was stopped, overtaken or lost does not advance it', () => {
    const frontier = new Frontier();
    frontier.own(1);
    const start = from(beginning.wakeAt, beginning.id);
    frontier.advance(start, at(50));
    expect(frontier.at(1)).toEqual(beginning);
    frontier.move(100);
    frontier.advance(start, at(50));
    frontier.retreat(1, at(20, 3));
    frontier.advance(from(50, 1), at(90));
    expect(frontier.at(1)).toEqual(at(20, 2));
    const life = frontier.life(1);
    frontier.disown(1);
    frontier.own(1);
    expect(frontier.at(1)).toEqual(beginning);
    expect(frontier.life(1)).not.toBe(life);
  });
});

describe('Pending', () => {
  const ack = { partition: 0, committed: 0, low: 0, high: 10 };

  test('settles what is committed and what lies outside the log', () => {
    const pending = new Pending();
    const [a, b, c, d] = placed(pending, 1, 3, 5, 12);
    expect(pending.settle([{ ...ack, committed: 3, low: 1 }], pending.beginReading())).toEqual([a, d]);
    expect(pending.settle([{ ...ack, low: 4 }], pending.beginReading())).toEqual([b]);
    expect(pending.settle([], pending.beginReading())).toEqual([]);
    expect(pending.settle([{ ...ack, partition: 1 }], pending.beginReading())).toEqual([c]);
  });

  test('a tuple that was appended after a reading began is not judged by it', () => {
    const pending = new Pending();
    const reading = pending.beginReading();
    const [late] = placed(pending, 10);
    expect(pending.settle([ack], reading)).toEqual([]);
    expect(pending.settle([{ ...ack, high: 11, committed: 11 }], pending.beginReading())).toEqual([late]);
  });
});
