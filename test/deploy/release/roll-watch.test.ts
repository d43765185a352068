import { rollRules } from '../../../deploy/monitoring/halt-rules';
import { crowdOf, noAttempts, type RollFigures } from '../../../deploy/release/roll-rules';
import { RollWatch } from '../../../deploy/release/roll-watch';

const attempts = (count: number, failed = 0, late = 0) => ({ attempts: count, failed, late });
const quiet: RollFigures = { fresh: noAttempts, others: noAttempts, overdue: 0, cdcSilentMs: 900 };
const LOOK_MS = 2_000;

/** What the watch says at each look, one every two seconds. */
function says(looks: readonly Partial<RollFigures>[], before: Partial<RollFigures> = {}): (string | null)[] {
  let now = 0;
  const watch = new RollWatch({ monotonic: () => now }, { ...quiet, ...before });
  return looks.map((look) => {
    now += LOOK_MS;
    return watch.judge({ ...quiet, ...look });
  });
}
const times = (count: number, look: Partial<RollFigures>) => Array.from({ length: count }, () => look);
const HOLDS = rollRules.holdMs / LOOK_MS + 1;

test('a roll is halted when the attempts of the new release fail and those of the old one do not', () => {
  const bad = { fresh: attempts(100, 10), others: attempts(100, 1) };
  const [last, ...before] = says(times(HOLDS, bad)).toReversed();
  expect(last).toBe("10 % (1 % of the old release's) of the new release's attempts fail");
  expect(before).toEqual(times(HOLDS - 1, {}).map(() => null));
});

test('a roll is halted when the attempts of the new release are late', () => {
  const bad = { fresh: attempts(100, 0, 50), others: attempts(100, 0, 5) };
  expect(says(times(HOLDS, bad)).at(-1)).toMatch(/50 % .* end 5 s late or more/);
});

test('what the old release suffers too halts no roll: a provider that is down', () => {
  expect(says(times(20, { fresh: attempts(100, 90, 90), others: attempts(100, 80, 80) })).at(-1)).toBeNull();
  // The last old worker has gone: what the old ones did before the roll counts.
  const before = { others: attempts(1_000, 900, 900) };
  expect(says(times(20, { fresh: attempts(100, 90, 90) }), before).at(-1)).toBeNull();
});

test('a release is halted only by what lasts: one bad stretch, such as a burst, passes', () => {
  const bad = { fresh: attempts(100, 0, 90), others: attempts(100) };
  const good = { fresh: attempts(100), others: attempts(100) };
  const looks = Array.from({ length: 6 }, () => [...times(HOLDS - 1, bad), good]).flat();
  expect(says(looks).filter((one) => one !== null)).toEqual([]);
});

test('few attempts are judged when there are enough of them, so a quiet system halts no roll by accident', () => {
  expect(says(times(4, { fresh: attempts(4, 4) })).at(-1)).toBeNull();
  expect(says(times(200, { fresh: attempts(4, 4) })).some((one) => one !== null)).toBe(true);
  expect(says(times(200, { fresh: attempts(4) })).some((one) => one !== null)).toBe(false);
});

test('a roll is halted when messages become overdue that were not before', () => {
  expect(says(times(HOLDS, { overdue: 50 })).at(-1)).toMatch(/^50 messages are overdue for more than 30 s \(0 before/);
  expect(says(times(HOLDS, { overdue: 50 }), { overdue: 40 }).at(-1)).toBeNull();
  expect(says(times(HOLDS, { overdue: null })).at(-1)).toBeNull();
});

test('what could not be counted before the roll is compared with the first count', () => {
  const looks = [{ overdue: null }, ...times(HOLDS, { overdue: 5_000 })];
  expect(says(looks, { overdue: null }).at(-1)).toBeNull();
  expect(says([...looks, ...times(HOLDS, { overdue: 15_000 })], { overdue: null }).at(-1)).toMatch(/^15000 messages/);
});

test('each worker has accounts of its own: attempts are compared with what all workers did before, too', () => {
  const looks = times(20, { fresh: attempts(100, 10), others: attempts(300) });
  expect(says(looks, { others: attempts(20_000, 1_500) }).at(-1)).toBeNull();
  expect(says(looks, { others: attempts(20_000, 500) }).at(-1)).toMatch(/^10 %/);
});

test('a canary that fails one attempt per second halts the roll while it is watched', () => {
  const looks = rollRules.watchedMs / LOOK_MS;
  const steady = times(looks, { fresh: attempts(2, 2), others: attempts(20) });
  expect(says(steady).some((said) => said !== null)).toBe(true);
  // A look without attempts takes nothing back.
  const uneven = steady.map((look, index) => ({ ...look, fresh: index % 2 === 0 ? attempts(4, 4) : noAttempts }));
  expect(says(uneven).some((said) => said !== null)).toBe(true);
});

test('a roll is halted when CDC falls silent, and not when it was silent before', () => {
  expect(says(times(HOLDS, { cdcSilentMs: 45_000 })).at(-1)).toBe('CDC has been silent for 45 s');
  expect(says(times(HOLDS, { cdcSilentMs: 45_000 }), { cdcSilentMs: 40_000 }).at(-1)).toBeNull();
});

test('many messages of one second are a crowd, a steady stream is none, however many it has', () => {
  expect(crowdOf([])).toBeNull();
  expect(crowdOf([20_000])).toBe(20_000);
  expect(crowdOf([12_000, 12_000])).toBe(12_000);
  expect(crowdOf([500, 500, 500, 1_900, 500])).toBe(1_900);
  expect(crowdOf([999])).toBeNull();
  expect(crowdOf(Array.from({ length: 11 }, () => 5_000))).toBeNull();
});
