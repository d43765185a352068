import { Buckets } from '../../../spouts/memory/buckets';
import type { Entry } from '../../../spouts/memory/entry';
import { byPosition } from '../../../spouts/memory/position';
import { entry, leave, scattered } from './scattered-entries';

describe('Buckets', () => {
  test('show what wakes at an instant, in order, and when to look again', () => {
    const buckets = new Buckets(1_000);
    expect(buckets.nextWake()).toBe(Number.POSITIVE_INFINITY);
    const entries = scattered(4_000);
    for (const one of entries) buckets.add(one);
    for (const one of entries) if (one.id % 3 !== 0) leave(one);
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
