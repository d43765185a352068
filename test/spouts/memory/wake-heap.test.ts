import type { Entry } from '../../../spouts/memory/entry';
import { byPosition } from '../../../spouts/memory/position';
import { WakeHeap } from '../../../spouts/memory/wake-heap';
import { leave, scattered } from './scattered-entries';

describe('WakeHeap', () => {
  test('gives entries in order and skips those that left', () => {
    const heap = new WakeHeap();
    const entries = scattered(5_000);
    for (const one of entries) heap.push(one);
    const stay = entries.filter(({ id }) => id % 3 === 0);
    for (const one of entries) if (one.id % 3 !== 0) leave(one);
    expect(heap.size).toBe(stay.length);
    const taken: Entry[] = [];
    for (let one = heap.pop(); one !== undefined; one = heap.pop()) taken.push(one);
    expect(taken).toEqual(stay.toSorted(byPosition));
    expect(heap.size).toBe(0);
  });
});
