import { Heap } from '../../../topology/core/heap';

describe('Heap', () => {
  it('gives items in order, however they were added', () => {
    const heap = new Heap<number>((one, other) => one < other);
    const items = Array.from({ length: 500 }, (_, n) => (n * 7_919) % 503);
    const taken: (number | undefined)[] = [];
    for (const [n, item] of items.entries()) {
      heap.push(item);
      if (n % 3 === 2) heap.push(heap.pop() as number);
    }
    expect(heap.size).toBe(500);
    while (heap.size > 0) taken.push(heap.pop());
    expect(taken).toEqual(items.toSorted((one, other) => one - other));
    expect(heap.pop()).toBeUndefined();
    expect(heap.peek()).toBeUndefined();
  });
});
