import { OffsetTracker } from '../../../topology/runtime/offset-tracker';

function tracker(partitions = [0]): OffsetTracker {
  const made = new OffsetTracker();
  made.assign(partitions);
  return made;
}

function marks(of: OffsetTracker): Record<number, number> {
  const { positions, committed } = of.toCommit();
  committed();
  return Object.fromEntries(positions.map(({ partition, offset }) => [partition, offset]));
}

describe('OffsetTracker', () => {
  it('1. What is committed never passes a tuple that is not acked.', () => {
    const offsets = tracker([0, 1]);
    const [a, b, c] = [offsets.track(0, 10), offsets.track(0, 11), offsets.track(0, 12)];
    const other = offsets.track(1, 5);
    c?.();
    a?.();
    other();
    expect(marks(offsets)).toEqual({ 0: 11, 1: 6 });
    expect(offsets.outstanding).toBe(2);
    b?.();
    expect(marks(offsets)).toEqual({ 0: 13 });
    expect(marks(offsets)).toEqual({});
    expect(offsets.outstanding).toBe(0);
  });

  it('2. Offsets may have gaps: the mark moves past offsets that never came.', () => {
    const offsets = tracker();
    const [a, b, c] = [offsets.track(0, 3), offsets.track(0, 90), offsets.track(0, 500)];
    a?.();
    expect(marks(offsets)).toEqual({ 0: 90 });
    c?.();
    b?.();
    expect(marks(offsets)).toEqual({ 0: 501 });
    offsets.track(0, 700);
    expect(marks(offsets)).toEqual({ 0: 700 });
  });

  it('3. An ack of an older generation has no effect.', () => {
    const offsets = tracker();
    const old = offsets.track(0, 1);
    offsets.assign([0]);
    offsets.track(0, 1);
    old();
    expect(marks(offsets)).toEqual({ 0: 1 });
    expect(offsets.assign([3])).toEqual([0]);
    expect(offsets.markOf(0)).toBeUndefined();
    expect(() => offsets.track(0, 2)()).not.toThrow();
    expect(marks(offsets)).toEqual({});
  });

  it('4. An ack given twice counts once.', () => {
    const offsets = tracker();
    const a = offsets.track(0, 1);
    offsets.track(0, 2);
    a();
    a();
    expect(marks(offsets)).toEqual({ 0: 2 });
    expect(offsets.outstanding).toBe(1);
  });

  it('5. A partition that stays continues at its mark, which is committed again.', () => {
    const offsets = tracker([0, 1]);
    offsets.track(0, 1)();
    offsets.track(0, 2);
    expect(marks(offsets)).toEqual({ 0: 2 });
    expect(offsets.assign([0, 2])).toEqual([1]);
    expect(offsets.markOf(0)).toBe(2);
    expect(offsets.markOf(2)).toBeUndefined();
    expect(marks(offsets)).toEqual({ 0: 2 });
  });

  it('6. Only tuples that are not acked, and those above them, take memory.', () => {
    const offsets = tracker();
    const held = Array.from({ length: 10 }, (_, index) => offsets.track(0, index));
    for (const ack of held) ack();
    for (let offset = 10; offset < 50_000; offset++) offsets.track(0, offset)();
    const [window] = [...(offsets as unknown as { windows: Map<number, { offsets: number[] }> }).windows.values()];
    expect(window?.offsets.length).toBeLessThanOrEqual(1_024);
    expect(marks(offsets)).toEqual({ 0: 50_000 });
  });

  it('gives marks that have not moved when it is asked for all', () => {
    const offsets = tracker([0, 1]);
    offsets.track(0, 0)();
    expect(marks(offsets)).toEqual({ 0: 1 });
    expect(offsets.toCommit().positions).toEqual([]);
    expect(offsets.toCommit(true).positions).toEqual([{ partition: 0, offset: 1 }]);
  });

  it('says what was committed only for the marks that were', () => {
    const offsets = tracker();
    const [a, b] = [offsets.track(0, 1), offsets.track(0, 2)];
    a?.();
    const first = offsets.toCommit();
    b?.();
    first.committed();
    expect(marks(offsets)).toEqual({ 0: 3 });
  });
});
