import { rollRules } from '../../../deploy/monitoring/halt-rules';
import { crowdOf, crowdText, noAttempts, type RollFigures } from '../../../deploy/release/roll-rules';
import { RollWatch } from '../../../deploy/release/roll-watch';

/** Of two accounts that do alike. @param veryLate of those that are late */
const attempts = (count: number, failed = 0, late = 0, veryLate = late): RollFigures['fresh'] => {
  const half = { attempts: count / 2, failed: failed / 2, late: late / 2, veryLate: veryLate / 2 };
  return new Map([
    ['webhook/a', half],
    ['webhook/b', half],
  ]);
};
const dead = { attempts: 60, failed: 60, late: 0, veryLate: 0 };
const flawless = { attempts: 40, failed: 0, late: 0, veryLate: 0 };
const overdue = (messages: number, ofWorst = 0) => new Map([['webhook', { messages, ofWorst }]]);
const quiet: RollFigures = {
  fresh: noAttempts,
  others: noAttempts,
  overdue: overdue(0),
  cdcSilentMs: 900,
  isCrowded: false,
  paused: new Set(),
};
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

const LATE_HOLDS = rollRules.lateHoldMs / LOOK_MS + 1;

test('a release that makes messages somewhat late is halted, and a crowd halts none', () => {
  const late = { fresh: attempts(100, 0, 90, 0), others: attempts(100) };
  const [last, ...before] = says(times(LATE_HOLDS, late)).toReversed();
  expect(last).toBe("90 % (0 % of the old release's) of the new release's attempts end 1 s late or more");
  expect(before).toEqual(times(LATE_HOLDS - 1, {}).map(() => null));
  // The old workers have gone, and were not late.
  const alone = { fresh: attempts(100, 0, 90, 0) };
  expect(says(times(LATE_HOLDS, alone), { others: attempts(100) }).at(-1)).toMatch(/^90 % \(0 %/);
  // In time while it is watched: the last looks of a release that has just become the only one.
  expect(rollRules.watchedMs).toBeGreaterThan(rollRules.lateHoldMs + 5 * LOOK_MS);

  const crowded = times(100, { ...late, isCrowded: true });
  expect(says(crowded).some((said) => said !== null)).toBe(false);
  // What is sent after the crowd was seen is of it still, and one each half minute leaves too little time between them.
  const each = Array.from({ length: 100 }, (_, look) => ({ ...late, isCrowded: look % 15 < 2 }));
  expect(says(each).some((said) => said !== null)).toBe(false);
  const minutely = Array.from({ length: 100 }, (_, look) => ({ ...late, isCrowded: look % 30 < 2 }));
  expect(says(minutely).some((said) => said !== null)).toBe(true);
  // Very late is very late, in a crowd too.
  const very = times(HOLDS, { ...late, fresh: attempts(100, 0, 90, 90), isCrowded: true });
  expect(says(very).at(-1)).toMatch(/end 5 s late or more$/);
});

test('somewhat late is judged only where it is known how late the old release was', () => {
  const late = { fresh: attempts(100, 0, 90, 0) };
  expect(says(times(100, late)).some((said) => said !== null)).toBe(false);
  expect(says(times(100, { ...late, others: attempts(100, 0, 60, 0) })).some((said) => said !== null)).toBe(false);
  expect(says(times(100, late), { others: attempts(100, 0, 60, 0) }).some((said) => said !== null)).toBe(false);
});

test('a worker that is replaced makes others late for a moment, which halts nothing', () => {
  const looks = Array.from({ length: 200 }, (_, look) => ({
    fresh: attempts(100, 0, look % 3 === 0 ? 60 : 0, 0),
    others: attempts(100),
  }));
  expect(says(looks).some((said) => said !== null)).toBe(false);
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

test('an account whose receiver dies during a roll does not halt it, however much it sends', () => {
  const fresh = new Map([
    ['webhook/dead', dead],
    ['webhook/well', flawless],
  ]);
  expect(says(times(40, { fresh, others: attempts(100) }), { others: attempts(100) }).at(-1)).toBeNull();
  // Nor does it where it alone sends anything by the new release.
  const alone = { fresh: new Map([['webhook/dead', dead]]), others: attempts(100) };
  expect(says(times(40, alone)).at(-1)).toBeNull();
  const quietly = { fresh: new Map([['webhook/dead', { attempts: 1, failed: 1, late: 1, veryLate: 1 }]]) };
  expect(says(times(200, quietly), { others: attempts(100) }).at(-1)).toBeNull();
});

test('a release that fails is halted whatever an account beside it does, and where there is only one account', () => {
  const well = ['a', 'b', 'c'].map((name) => [`webhook/${name}`, flawless] as const);
  const failing = ['a', 'b', 'c'].map(
    (name) => [`webhook/${name}`, { attempts: 20, failed: 2, late: 0, veryLate: 0 }] as const,
  );
  const others = new Map([...well, ['webhook/only here', flawless] as const]);
  expect(says(times(HOLDS, { fresh: new Map([...failing, ['webhook/dead', dead]]), others })).at(-1)).toMatch(
    /^10 % \(0 %/,
  );
  // One sends nearly everything, and the others are enough to see it.
  const few = { attempts: 1, failed: 1, late: 0, veryLate: 0 };
  expect(
    says(
      times(HOLDS, {
        fresh: new Map([
          ['webhook/dead', dead],
          ['webhook/few', few],
        ]),
        others,
      }),
    ).at(-1),
  ).toMatch(/^100 %/);
  expect(says(times(HOLDS, { fresh: new Map([['webhook/dead', dead]]) })).at(-1)).toMatch(/^100 %/);
});

test('many accounts that send little weigh as much as one that sends much', () => {
  const accounts = Array.from(
    { length: 40 },
    (_, n) => [`webhook/a${n}`, { attempts: 1, failed: n % 4 === 0 ? 1 : 0, late: 0, veryLate: 0 }] as const,
  );
  const fresh = new Map([...accounts, ['webhook/much', { attempts: 1_000, failed: 0, late: 0, veryLate: 0 }]]);
  expect(says(times(HOLDS, { fresh, others: attempts(100) })).at(-1)).toMatch(/^23 %/);
});

test('a roll is halted when messages become overdue that were not before', () => {
  expect(says(times(HOLDS, { overdue: overdue(50) })).at(-1)).toMatch(
    /^50 messages are overdue for more than 30 s \(0 before/,
  );
  expect(says(times(HOLDS, { overdue: overdue(50) }), { overdue: overdue(40) }).at(-1)).toBeNull();
});

test('what one account alone has overdue halts no roll, where there are other accounts', () => {
  const look = { others: attempts(1), overdue: overdue(500, 490) };
  expect(says(times(40, look)).at(-1)).toBeNull();
  expect(says(times(40, { ...look, overdue: overdue(530, 490) })).at(-1)).toMatch(/^40 messages are overdue/);
  expect(says(times(40, { overdue: overdue(500, 500) })).at(-1)).toMatch(/^500 messages are overdue/);
});

test('a release that breaks one channel is halted, also where that channel has only one account', () => {
  const of = (slack: object, webhook: object = flawless): RollFigures['fresh'] =>
    new Map(Object.entries({ 'webhook/acme': webhook, 'slack/acme': slack }) as [string, typeof flawless][]);
  const before = { others: of(flawless) };
  expect(says(times(HOLDS, { fresh: of(dead), others: of(flawless) }), before).at(-1)).toMatch(/^100 %/);
  // Its canary runs alone.
  const alone = { fresh: new Map([['slack/acme', dead]]), others: new Map([['webhook/acme', flawless]]) };
  expect(says(times(HOLDS, alone), before).at(-1)).toMatch(/^100 %/);
  // Many accounts of another channel do not hide it either, and attempts that are few gather while the others' are many.
  const few = { attempts: 4, failed: 4, late: 0, veryLate: 0 };
  const beside = { fresh: new Map([...attempts(1_000), ['slack/acme', few]]), others: attempts(1_000) };
  expect(says(times(20, beside), before)).toContainEqual(expect.stringMatching(/^100 %/));
  // It is mute.
  const waiting = { overdue: new Map([['slack', { messages: 50, ofWorst: 50 }]]) };
  expect(says(times(HOLDS, waiting), before).at(-1)).toMatch(/^50 messages/);
  // What waited on another channel before does not hide it.
  const much = ['webhook', { messages: 5_000, ofWorst: 10 }] as const;
  const hidden = { overdue: new Map([...waiting.overdue, much]) };
  expect(says(times(HOLDS, hidden), { ...before, overdue: new Map([much]) }).at(-1)).toMatch(/^50 messages/);
});

test('channels that send little are judged together', () => {
  const little = ['webhook/a', 'slack/a', 'discord/a', 'telegram/a'].map(
    (name) => [name, { attempts: 6, failed: 6, late: 0, veryLate: 0 }] as const,
  );
  // Within the half minute for which an attempt waits for others.
  expect(says([{ fresh: new Map(little) }, ...times(HOLDS, { fresh: new Map(little) })]).at(-1)).toMatch(/^100 %/);
  const waiting = new Map(little.map(([name]) => [name.split('/')[0] ?? '', { messages: 15, ofWorst: 15 }]));
  expect(says(times(HOLDS, { overdue: waiting })).at(-1)).toMatch(/^60 messages/);
});

test('a count of what is overdue that can no longer be made halts a roll when that lasts', () => {
  const [last, ...before] = says(times(HOLDS, { overdue: null })).toReversed();
  expect(last).toBe('more messages are overdue than can be counted in a moment');
  expect(before).toEqual(times(HOLDS - 1, {}).map(() => null));
  // One time-out between counts that are too high does not take them back.
  const stumbling = times(HOLDS, {}).map((_, index) => ({ overdue: index % 2 === 0 ? null : overdue(50) }));
  expect(says(stumbling).at(-1)).toMatch(/ messages are overdue/);
  // Nor does one stumble of the database halt a roll, or a count that could never be made.
  expect(says([...times(HOLDS - 1, { overdue: null }), ...times(HOLDS, {})]).some((one) => one !== null)).toBe(false);
  expect(says(times(40, { overdue: null }), { overdue: null }).at(-1)).toBeNull();
});

test('what could not be counted before the roll is compared with the first count', () => {
  const looks = [{ overdue: null }, ...times(HOLDS, { overdue: overdue(5_000) })];
  expect(says(looks, { overdue: null }).at(-1)).toBeNull();
  expect(says([...looks, ...times(HOLDS, { overdue: overdue(15_000) })], { overdue: null }).at(-1)).toMatch(
    /^15000 messages/,
  );
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

test('more messages than can be counted in a moment are a crowd', () => {
  expect(crowdText(null)).toBe('more messages than can be counted in a moment');
  expect(crowdText([20_000])).toBe('20000 messages');
  expect(crowdText([])).toBeNull();
});

/** Accounts by name, of whose attempts these shares are late. */
const byAccount = (shares: Readonly<Record<string, number>>, count: number): RollFigures['fresh'] =>
  new Map(
    Object.entries(shares).map(([name, share]) => [
      `webhook/${name}`,
      { attempts: count, failed: 0, late: share * count, veryLate: 0 },
    ]),
  );
const very = (figures: RollFigures['fresh']): RollFigures['fresh'] =>
  new Map([...figures].map(([name, one]) => [name, { ...one, veryLate: one.late }]));
const fast = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`fast${n}`, 0]));
const slow = { slow1: 1, slow2: 1, slow3: 0.3 };
const before = { others: byAccount({ ...fast, ...slow }, 100) };

test('accounts that were as late before halt no roll, where the first new worker has them', () => {
  const others = byAccount(fast, 10);
  const fresh = byAccount({ ...slow, slow3: 0.5, fast1: 0 }, 10);
  expect(says(times(100, { fresh, others }), before).some((said) => said !== null)).toBe(false);
  // Very late ones neither.
  const veryLate = { fresh: very(fresh), others };
  expect(says(times(100, veryLate), { others: very(before.others) }).some((said) => said !== null)).toBe(false);
});

test('a release that makes all messages somewhat late is halted, whoever was late before', () => {
  const all = byAccount(Object.fromEntries(Object.keys({ ...fast, ...slow }).map((name) => [name, 1])), 10);
  const [last, ...earlier] = says(times(LATE_HOLDS, { fresh: all }), before).toReversed();
  expect(last).toMatch(/^100 % \(13 % of the old release's\) .* end 1 s late or more$/);
  expect(earlier.some((said) => said !== null)).toBe(false);
  // It is also where the first new worker has slow accounts and two others.
  const fresh = byAccount({ ...slow, fast1: 1, fast2: 1 }, 10);
  expect(says(times(LATE_HOLDS, { fresh, others: byAccount(fast, 10) }), before).at(-1)).toMatch(/^100 %/);
});

test('what was paused in a roll is late by that, and halts it only by its errors', () => {
  const late = { fresh: byAccount({ a: 1, b: 1, c: 1 }, 10), others: byAccount({ d: 0, e: 0, f: 0 }, 10) };
  for (const paused of [['webhook/a', 'webhook/b'], ['webhook/'], ['/']]) {
    expect(says(times(100, { ...late, paused: new Set(paused) })).some((said) => said !== null)).toBe(false);
  }
  const paused = new Set(['x/', 'webhook/d']);
  expect(says(times(LATE_HOLDS, { ...late, paused })).at(-1)).toMatch(/end 1 s late or more$/);
  const failing = { ...late, fresh: attempts(100, 90), paused: new Set(['/']) };
  expect(says(times(HOLDS, failing)).at(-1)).toMatch(/^90 % .* fail$/);
});
