import { rollRules } from '../../../deploy/monitoring/halt-rules';
import { EngineWatch, type EngineWatchOptions } from '../../../deploy/release/engine-watch';
import { Halted } from '../../../deploy/targets/engine';
import { Unavailable } from '../../../topology/core/errors';
import { ManualClock } from '../../support/manual-clock';

const LEAD_MS = 2_000;
let clock: ManualClock;
let interrupt: AbortController;
let reports: string[];
/** What the judge says, and how often it was asked. */
let trouble: string | null;
let asked: number;

beforeEach(() => {
  clock = new ManualClock();
  interrupt = new AbortController();
  reports = [];
  trouble = null;
  asked = 0;
});
afterEach(() => {
  if (clock.timers > 0) throw new Error('a timer was left');
});

const judge = async () => {
  asked++;
  return trouble;
};
const watching = (own: Partial<EngineWatchOptions> = {}) =>
  new EngineWatch({
    judge,
    clock,
    signal: interrupt.signal,
    report: (text) => reports.push(text),
    pauseMs: 15_000,
    leadMs: LEAD_MS,
    isContinued: false,
    ...own,
  });

/** How long something takes, milliseconds, and how it ends. */
async function timed(work: Promise<unknown>): Promise<{ readonly tookMs: number; readonly error?: unknown }> {
  const begunMs = clock.monotonic();
  const over: { error?: unknown }[] = [];
  work.then(
    () => over.push({}),
    (error: unknown) => over.push({ error }),
  );
  await clock.advance(0);
  while (over.length === 0) await clock.advance(100);
  return { tookMs: clock.monotonic() - begunMs, ...over[0] };
}

/** Work that goes on until its signal ends it. */
const endless = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

describe('EngineWatch', () => {
  test('1. A rollout is halted as soon as the judge says so, also while the engine replaces workers', async () => {
    const watch = watching();
    clock.after(5_000, () => {
      trouble = '30 % of the attempts fail';
    });
    const { tookMs, error } = await timed(watch.during(endless));
    expect(error).toEqual(new Halted('30 % of the attempts fail'));
    expect(tookMs).toBeLessThanOrEqual(5_000 + rollRules.judgeEveryMs);
    await clock.advance(rollRules.judgeEveryMs);
    await expect(watch.look()).rejects.toThrow(Halted);
    expect((await timed(watching().replaced(['webhook']))).error).toBeInstanceOf(Halted);
  });

  test('work that ends is not held up, and what it says is passed on', async () => {
    await expect(watching().during(async () => 7)).resolves.toBe(7);
    await expect(watching().during(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    expect(asked).toBe(2);
  });

  test('a rollout that the judge finds bad in the moment in which it ends is halted', async () => {
    const watch = watching({
      judge: async () => {
        await clock.sleep(100);
        return 'too late';
      },
    });
    expect((await timed(watch.during(async () => 7))).error).toBeInstanceOf(Halted);
  });

  describe('2. A release is live only when what its last workers do not send would be overdue, also one that was begun by an earlier deploy. One that replaces nobody is not waited for', () => {
    const inAllMs = rollRules.watchedMs + LEAD_MS;

    test('after the last that was replaced', async () => {
      const watch = watching();
      expect((await timed(watch.replaced(['webhook', 'x']))).tookMs).toBeGreaterThanOrEqual(15_000);
      const lastMs = clock.monotonic();
      await timed(watch.replaced(['due']));
      await timed(watch.end());
      expect(clock.monotonic() - lastMs).toBeGreaterThanOrEqual(inAllMs);
      expect(clock.monotonic() - lastMs).toBeLessThan(inAllMs + 2 * rollRules.judgeEveryMs);
      expect(reports).toEqual([
        'watching the workers of webhook, x for 15 s',
        'watching the workers of due for 15 s',
        expect.stringMatching(/^watching all workers for \d+ s$/),
      ]);
    });

    test('after the last one, also where it was only one more of what was watched already', async () => {
      const watch = watching();
      await timed(watch.replaced(['due']));
      await clock.advance(inAllMs);
      expect((await timed(watch.replaced([]))).tookMs).toBe(0);
      expect((await timed(watch.end())).tookMs).toBeGreaterThanOrEqual(inAllMs);
    });

    test('one that was begun', async () => {
      expect((await timed(watching({ isContinued: true }).end())).tookMs).toBeGreaterThanOrEqual(inAllMs);
    });

    test('one that replaces nobody', async () => {
      expect((await timed(watching().end())).tookMs).toBe(0);
    });

    test('and with a pause of nothing nobody watches', async () => {
      const watch = watching({ pauseMs: 0, isContinued: true });
      await timed(watch.replaced(['webhook']));
      expect((await timed(watch.end())).tookMs).toBe(0);
      expect(asked).toBe(0);
    });
  });

  test('3. A database that is away halts nothing: it is waited for', async () => {
    let times = 0;
    const isAway = async () => {
      if (++times < 4) throw new Unavailable('MySQL does not answer');
      return null;
    };
    expect((await timed(watching({ judge: isAway }).replaced(['webhook']))).error).toBeUndefined();
    expect(reports).toContain('waiting: MySQL does not answer');
  });

  test('a command that is ended watches no longer, and its work ends', async () => {
    for (const work of [() => watching().during(endless), () => watching().replaced(['webhook'])]) {
      interrupt = new AbortController();
      clock.after(3_000, () => interrupt.abort(new Error('SIGTERM')));
      expect((await timed(work())).error).toEqual(new Error('SIGTERM'));
    }
  });
});
