import { Ending, untilAborted, within } from '../../../topology/runtime/ending';
import { ManualClock, settled } from '../../support/manual-clock';

const forever = new Promise<never>(() => undefined);

describe('Ending', () => {
  let clock: ManualClock;
  let errors: unknown[];
  let ending: Ending;

  beforeEach(() => {
    clock = new ManualClock();
    errors = [];
    ending = new Ending(clock, (error) => errors.push(error));
  });

  it('names what is waited for and what was given up, and nothing that was done', async () => {
    expect(await ending.step('done', async () => undefined, 100)).toBe(true);
    const late = ending.step('late', () => forever, 100);
    void ending.step('waits', () => forever);
    expect(ending.left).toEqual(['late', 'waits']);
    await clock.advance(100);
    expect(await late).toBe(false);
    expect(ending.left).toEqual(['late', 'waits']);
    expect(clock.timers).toBe(0);
  });

  it.each([
    [
      'at once',
      () => {
        throw new TypeError('a mistake');
      },
    ],
    ['later', () => Promise.reject(new TypeError('a mistake'))],
  ])('hands on what a step throws %s, and goes on', async (_, step) => {
    for (const limitMs of [undefined, 100]) {
      expect(await ending.step('throws', step, limitMs)).toBe(false);
      expect(errors).toEqual([new TypeError('a mistake')]);
      errors.length = 0;
    }
    expect(ending.left).toEqual([]);
    expect(clock.timers).toBe(0);
  });
});

it('what fails after its limit fails nobody', async () => {
  const clock = new ManualClock();
  const work = clock.sleep(20).then(() => {
    throw new Error('late');
  });
  const waiting = within(clock, 10, work);
  await clock.advance(10);
  expect(await waiting).toBe(false);
  await clock.advance(10);
  await expect(work).rejects.toThrow('late');
});

it('untilAborted resolves when the signal aborts, and at once when it has', async () => {
  const controller = new AbortController();
  let isOver = false;
  const waiting = untilAborted(controller.signal).then(() => {
    isOver = true;
  });
  await settled();
  expect(isOver).toBe(false);
  controller.abort();
  await waiting;
  await expect(untilAborted(controller.signal)).resolves.toBeUndefined();
});
