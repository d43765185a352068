import { systemClock } from '../../../topology/core/clock';
import { ManualClock } from '../../support/manual-clock';

describe.each([
  { name: 'the system clock', clock: systemClock },
  { name: 'the manual clock', clock: new ManualClock() },
])('$name', ({ clock }) => {
  test.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])('refuses a timer of %d ms', (delay) => {
    expect(() => clock.after(delay, () => {})).toThrow(new RangeError(`a timer cannot wait ${delay} ms`));
  });
});

describe('the system clock', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  // The rule: setTimeout waits 1 ms when its delay does not fit into 31 bits.
  test('waits in full when a delay is longer than setTimeout can wait', () => {
    const run = jest.fn();
    const delay = 3 * 2 ** 31;
    systemClock.after(delay, run);
    jest.advanceTimersByTime(delay - 1);
    expect(run).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
  });

  test('a timer that is canceled does not run, in whichever part of a long delay', () => {
    const run = jest.fn();
    const timer = systemClock.after(3 * 2 ** 31, run);
    jest.advanceTimersByTime(2 ** 31);
    timer.cancel();
    expect(jest.getTimerCount()).toBe(0);
  });

  test('a delay below 0 is none', () => {
    const run = jest.fn();
    systemClock.after(-1, run);
    jest.advanceTimersByTime(0);
    expect(run).toHaveBeenCalledTimes(1);
  });
});
