import { Pending } from '../../../spouts/emit/pending';
import type { Entry } from '../../../spouts/memory/entry';
import { entry } from '../memory/scattered-entries';

function placed(pending: Pending, ...offsets: number[]): Entry[] {
  const entries = offsets.map((offset) => entry(offset, 0));
  for (const one of entries) one.pending = true;
  pending.placed(
    entries,
    offsets.map((offset) => ({ partition: 0, offset })),
  );
  return entries;
}

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
