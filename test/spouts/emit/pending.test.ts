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

  test('settles all that is committed of a crowd, and again what is committed next', () => {
    const pending = new Pending();
    const crowd = placed(pending, ...Array.from({ length: 5_000 }, (_, n) => n));
    const high = 5_000;
    expect(pending.settle([{ ...ack, committed: 1, high }], pending.beginReading())).toEqual(crowd.slice(0, 1));
    expect(pending.settle([{ ...ack, committed: 4_000, high }], pending.beginReading())).toEqual(crowd.slice(1, 4_000));
    expect(pending.settle([{ ...ack, committed: 4_000, high }], pending.beginReading())).toEqual([]);
    expect(pending.settle([{ ...ack, low: 4_998, high }], pending.beginReading())).toEqual(crowd.slice(4_000, 4_998));
    expect(pending.settle([{ ...ack, committed: 5_000, high }], pending.beginReading())).toEqual(crowd.slice(4_998));
  });

  test('passes over what is not pending any more, and what it does not judge', () => {
    const pending = new Pending();
    const [a, b, c] = placed(pending, 1, 2, 3) as [Entry, Entry, Entry];
    b.pending = false;
    const reading = pending.beginReading();
    const [late] = placed(pending, 4);
    expect(pending.settle([{ ...ack, committed: 9 }], reading)).toEqual([a, c]);
    expect(pending.settle([{ ...ack, committed: 9 }], pending.beginReading())).toEqual([late]);
  });

  test('where a topic was made anew, offsets that begin again are settled as they are committed', () => {
    const pending = new Pending();
    const [old] = placed(pending, 8);
    const [first, second] = placed(pending, 0, 1);
    expect(pending.settle([{ ...ack, committed: 1 }], pending.beginReading())).toEqual([first]);
    expect(pending.settle([{ ...ack, committed: 2, high: 2 }], pending.beginReading())).toEqual([old, second]);
  });
});
