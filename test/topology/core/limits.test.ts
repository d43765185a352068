import {
  type Allowed,
  APP,
  allow,
  appNamed,
  channelLimits,
  isNamedApp,
  KEPT_FOR_MS,
  type LimitState,
  type Limits,
  limitsText,
  maxAheadMs,
  mostAtOnce,
  type Quota,
  UNUSED,
  type Unmade,
  usedWithout,
} from '../../../topology/core/limits';
import { Random } from '../../support/random';

const MINUTE_MS = 60_000;
const quota = (count: number, windowMs: number, gapMs = 0): Quota => ({ rates: [{ count, windowMs }], gapMs });
const now = 1_795_000_000_000;

/** What the database keeps between calls. */
class Table {
  readonly states = new Map<string, LimitState>();

  constructor(private readonly limits: Limits) {}

  take(at: number, ...wants: readonly (readonly [account: string, count: number, app?: string])[]): Allowed {
    const answer = allow(
      this.states,
      this.limits,
      wants.map(([account, count, app]) => ({ account, count, ...(app !== undefined && { app }) })),
      at,
    );
    for (const [account, used] of answer.used) {
      this.states.set(account, { ...(this.states.get(account) ?? UNUSED), used });
    }
    return answer;
  }

  /** It has wanted something before. */
  knows(account: string): void {
    const app = this.states.get(APP) ?? UNUSED;
    this.states.set(APP, { ...app, used: { ...app.used, latest: [[account, now]] } });
  }

  giveBack(...unmade: readonly Unmade[]): void {
    for (const [account, used] of usedWithout(this.states, this.limits, unmade)) {
      this.states.set(account, { ...(this.states.get(account) ?? UNUSED), used });
    }
  }
}

test('as many as the rate has may begin at once, and the next when the slice in which they began is over', () => {
  const table = new Table({ perAccount: quota(100, 15 * MINUTE_MS) });
  const first = table.take(now, ['a', 250]);
  expect(first.allowed.get('a')).toBe(100);
  const opens = first.opensAt.get('a') ?? 0;
  // Fifteen minutes, ten seconds for what begins later than it is allowed, and one slice of sixteen at most.
  expect(opens).toBeGreaterThanOrEqual(now + 15 * MINUTE_MS + 10_000);
  expect(opens).toBeLessThanOrEqual(now + ((15 * MINUTE_MS + 10_000) * 17) / 16 + 17);
  expect(first.gates.get('a')).toBe(opens);
  expect(table.take(opens - 1, ['a', 5]).allowed.get('a') ?? 0).toBe(0);
  expect(table.take(opens, ['a', 250]).allowed.get('a')).toBe(100);
});

test('of every rate as much is left as the others let begin', () => {
  const table = new Table({
    perAccount: {
      rates: [
        { count: 3, windowMs: MINUTE_MS },
        { count: 5, windowMs: 86_400_000 },
      ],
      gapMs: 0,
    },
  });
  expect(table.take(now, ['a', 9]).allowed.get('a')).toBe(3);
  const { allowed, opensAt } = table.take(now + 2 * MINUTE_MS, ['a', 9]);
  expect(allowed.get('a')).toBe(2);
  expect(opensAt.get('a')).toBeGreaterThan(now + 86_400_000);
});

test('with a gap one begins at a time, and spouts are kept from emitting until what was refused has begun', () => {
  const table = new Table({ perAccount: { rates: [], gapMs: 2_000 } });
  const { allowed, opensAt, gates } = table.take(now, ['a', 4]);
  expect([allowed.get('a'), opensAt.get('a'), gates.get('a')]).toEqual([1, now + 2_000, now + 6_000]);
  expect(table.take(now + 1_999, ['a', 3]).allowed.get('a') ?? 0).toBe(0);
  expect(table.take(now + 2_000, ['a', 30]).gates.get('a')).toBe(now + 2_000 + KEPT_FOR_MS);
  // Nobody waits, so nobody else needs to know.
  expect(table.take(now + 4_000, ['a', 1]).gates.size).toBe(0);
});

test('what a provider has said it takes nothing for is not allowed, whatever is left', () => {
  const table = new Table({ perAccount: quota(5, MINUTE_MS) });
  table.states.set('a', { ...UNUSED, heldUntil: now + 9_000 });
  const { allowed, opensAt, used } = table.take(now, ['a', 1], ['b', 1]);
  expect([...allowed]).toEqual([['b', 1]]);
  expect([opensAt.get('a'), used.has('a')]).toEqual([now + 9_000, false]);
  table.states.set(APP, { ...UNUSED, heldUntil: now + 8_000 });
  expect(table.take(now, ['b', 1])).toMatchObject({ allowed: new Map(), opensAt: new Map([[APP, now + 8_000]]) });
});

test('2. What the app is allowed is divided in turns, whoever wants how much, and is not counted where it is refused', () => {
  const table = new Table({ perApp: quota(10, MINUTE_MS) });
  const { allowed, used } = table.take(now, ['hog', 256], ['b', 2], ['c', 1], ['d', 9]);
  expect(Object.fromEntries(allowed)).toEqual({ hog: 4, b: 2, c: 1, d: 3 });
  expect([...used.keys()]).toEqual([APP]);
  const both = new Table({ perAccount: quota(2, MINUTE_MS), perApp: quota(3, MINUTE_MS) });
  expect(Object.fromEntries(both.take(now, ['hog', 256], ['b', 9]).allowed)).toEqual({ hog: 2, b: 1 });
  // The app's are used up, so of the second account's one is left.
  const { opensAt } = both.take(now, ['b', 1]);
  expect([...opensAt.keys()]).toEqual([APP]);
});

const allowedOf = (answer: Allowed, account: string) => answer.allowed.get(account) ?? 0;

describe('4. Each app by itself', () => {
  const [one, other] = [appNamed('client-1'), appNamed('client-2')];

  test('none has less because of what the accounts of another have used, nor of those whose app nobody names', () => {
    const table = new Table({ perApp: quota(10, MINUTE_MS) });
    const first = table.take(now, ['a', 20, one], ['b', 20, other], ['c', 20]);
    expect(Object.fromEntries(first.allowed)).toEqual({ a: 10, b: 10, c: 10 });
    expect([...first.used.keys()].toSorted()).toEqual([APP, one, other].toSorted());
    // Spouts know of accounts alone whose app they are.
    expect([...first.gates.keys()].toSorted()).toEqual([APP, 'a', 'b']);
    expect(first.opensAt.get('a')).toBe(first.opensAt.get(APP));
    expect(allowedOf(table.take(now + 1, ['d', 1, one]), 'd')).toBe(0);
    table.giveBack({ account: 'a', count: 4, at: now, app: one });
    const again = table.take(now + 2, ['d', 9, one], ['e', 1, other]);
    expect([allowedOf(again, 'd'), allowedOf(again, 'e')]).toEqual([4, 0]);
  });

  test('what a provider has said of one holds none of the others', () => {
    const table = new Table({ perApp: quota(10, MINUTE_MS) });
    table.states.set(one, { ...UNUSED, heldUntil: now + 9_000 });
    const { allowed, opensAt } = table.take(now, ['a', 1, one], ['b', 1, other], ['c', 1]);
    expect(Object.fromEntries(allowed)).toEqual({ b: 1, c: 1 });
    expect([...opensAt]).toEqual([['a', now + 9_000]]);
  });

  test('an account that is the only one of its app may use its whole day, beside others of other apps', () => {
    const table = new Table({ perApp: quota(10, 24 * 60 * MINUTE_MS) });
    table.take(now, ['b', 1, other], ['c', 1]);
    expect(allowedOf(table.take(now, ['a', 99, one]), 'a')).toBe(10);
    expect(allowedOf(table.take(now, ['b', 99, other]), 'b')).toBe(9);
    table.take(now, ['d', 1, other]);
    expect(allowedOf(table.take(now + 25 * 60 * MINUTE_MS, ['c', 99]), 'c')).toBe(10);
  });

  test('a long id is a name too', () => {
    expect(appNamed('x'.repeat(255))).toHaveLength(64);
    expect([isNamedApp(one), isNamedApp(APP), isNamedApp('client-1')]).toEqual([true, false, false]);
  });
});

describe("3. Where there are several accounts, none uses more of the app's day than it leaves", () => {
  const HOUR_MS = 3_600_000;

  test('so others go on, who come later, and it opens for it when it says', () => {
    const table = new Table({ perApp: quota(100, 24 * HOUR_MS) });
    table.take(now, ['small', 1]);
    let hog = 0;
    for (let n = 0; n < 30; n++) hog += allowedOf(table.take(now + n * 60_000, ['hog', 7]), 'hog');
    expect(hog).toBe(50);
    const { opensAt, gates } = table.take(now + HOUR_MS, ['hog', 7]);
    const opens = opensAt.get('hog') ?? 0;
    expect([...opensAt.keys(), ...gates.keys()]).toEqual(['hog', 'hog']);
    expect(allowedOf(table.take(now + 2 * HOUR_MS, ['small', 20]), 'small')).toBe(20);
    // Each takes half of what is left, so somebody who comes last has some too.
    expect(allowedOf(table.take(now + 3 * HOUR_MS, ['third', 99]), 'third')).toBe(15);
    expect(allowedOf(table.take(now + 4 * HOUR_MS, ['fourth', 99]), 'fourth')).toBe(7);
    expect(allowedOf(table.take(opens - 1, ['hog', 1]), 'hog')).toBe(0);
    for (let n = 5; n < 20; n++)
      expect(allowedOf(table.take(now + n * HOUR_MS, [`late${n}`, 1]), `late${n}`)).toBeLessThan(2);
  });

  test('all of it where it is the only one, and a first one to each as long as there is any', () => {
    const alone = new Table({ perApp: quota(10, 24 * HOUR_MS) });
    expect(allowedOf(alone.take(now, ['a', 99]), 'a')).toBe(10);
    // The next one is known from when it has found nothing.
    alone.take(now + 1, ['b', 1]);
    const later = now + 26 * HOUR_MS;
    expect(allowedOf(alone.take(later, ['a', 99]), 'a')).toBe(5);
    const small = new Table({ perApp: quota(1, 24 * HOUR_MS) });
    small.knows('b');
    expect(allowedOf(small.take(now, ['a', 1]), 'a')).toBe(1);
    expect([...small.take(now + 1, ['b', 1]).opensAt.keys()]).toEqual([APP]);
  });

  test('nor of any rate of an hour; those of a short one are soon free again, and are divided in turns alone', () => {
    const hour = new Table({ perAccount: quota(99, HOUR_MS), perApp: quota(10, HOUR_MS) });
    hour.knows('b');
    expect(allowedOf(hour.take(now, ['a', 99]), 'a')).toBe(5);
    const short = new Table({ perApp: quota(10, HOUR_MS - 1) });
    short.knows('b');
    expect(allowedOf(short.take(now, ['a', 99]), 'a')).toBe(10);
  });

  test('it has its part again as soon as what it used counts no more, or was given back', () => {
    const random = new Random(7);
    const early: number[] = [];
    const late: number[] = [];
    for (let run = 0; run < 40; run++) {
      const limits = { perApp: quota(random.integer(2, 40), random.integer(HOUR_MS, 24 * HOUR_MS)) };
      const table = new Table(limits);
      table.knows('other');
      let at = now;
      for (let step = 0; step < 40; step++) {
        const { opensAt } = table.take(at, [random.chance(0.7) ? 'a' : 'other', random.integer(1, 9)]);
        const opens = opensAt.get('a');
        if (opens !== undefined) {
          const mayAt = (when: number) =>
            allow(table.states, limits, [{ account: 'a', count: 1 }], when).allowed.get('a') ?? 0;
          early.push(mayAt(opens - 1));
          late.push(mayAt(opens));
        }
        at += random.integer(0, HOUR_MS);
      }
    }
    expect(early.length).toBeGreaterThan(100);
    expect([Math.max(...early), Math.min(...late)]).toEqual([0, 1]);
    const table = new Table({ perApp: quota(4, 24 * HOUR_MS) });
    table.knows('other');
    expect(allowedOf(table.take(now, ['a', 4]), 'a')).toBe(2);
    table.giveBack({ account: 'a', count: 1, at: now });
    expect(allowedOf(table.take(now + 1, ['a', 4]), 'a')).toBe(1);
  });
});

test('1. Never more than count in any time of the length of a rate, whenever they are wanted, and it opens when it says', () => {
  const random = new Random(7);
  for (let run = 0; run < 50; run++) {
    const count = random.integer(1, 12);
    const windowMs = random.integer(1_000, 100_000);
    const gapMs = random.chance(0.3) ? random.integer(1, 5_000) : 0;
    const limits = { perAccount: quota(count, windowMs, gapMs) };
    const table = new Table(limits);
    const begun: number[] = [];
    let at = now + random.integer(0, 1_000_000);
    for (let step = 0; step < 200; step++) {
      const { allowed, opensAt } = table.take(at, ['a', random.integer(1, 20)]);
      for (let n = allowed.get('a') ?? 0; n > 0; n--) begun.push(at);
      const opens = opensAt.get('a') ?? at;
      const early = allow(table.states, limits, [{ account: 'a', count: 1 }], opens - 1).allowed.get('a') ?? 0;
      expect(opens > at ? early : 0).toBe(0);
      at = (random.chance(0.5) ? opens : at) + random.integer(0, Math.ceil(windowMs / 5));
    }
    const within = begun.map((first, index) => begun.slice(index).filter((one) => one < first + windowMs).length);
    expect(Math.max(...within)).toBeLessThanOrEqual(count);
    const gaps = begun.slice(1).map((next, index) => next - (begun[index] as number));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(gapMs);
  }
});

test('what a clock far ahead has written holds nobody', () => {
  const table = new Table({ perAccount: quota(5, MINUTE_MS) });
  table.states.set('a', { ...UNUSED, heldUntil: now + 365 * 86_400_000 });
  expect(table.take(now, ['a', 1]).allowed.get('a')).toBe(1);
  table.states.set('a', { ...UNUSED, heldUntil: now + 86_400_000 });
  expect(table.take(now, ['a', 1]).allowed.get('a') ?? 0).toBe(0);
});

const most = (of: readonly { readonly at: number }[], windowMs: number) =>
  Math.max(...of.map((first, n) => of.filter((other, m) => m >= n && other.at < first.at + windowMs).length));

test('what came to no request is not counted, and what was requested is, however late it is given back', () => {
  const random = new Random(7);
  const limits = { perAccount: quota(5, MINUTE_MS), perApp: quota(7, 2 * MINUTE_MS) };
  const table = new Table(limits);
  const made: { account: string; at: number }[] = [];
  const unmade: { one: Unmade; due: number }[] = [];
  let at = now;
  for (let step = 0; step < 3_000; step++) {
    at += random.integer(0, 6_000);
    for (const { one } of unmade.filter(({ due }) => due <= at)) table.giveBack(one);
    unmade.splice(0, Number.POSITIVE_INFINITY, ...unmade.filter(({ due }) => due > at));
    const account = random.chance(0.5) ? 'a' : 'b';
    const count = table.take(at, [account, random.integer(1, 3)]).allowed.get(account) ?? 0;
    for (let n = 0; n < count; n++) {
      if (random.chance(0.5)) made.push({ account, at });
      else unmade.push({ one: { account, count: 1, at }, due: at + random.integer(0, 200_000) });
    }
  }
  expect(made.length).toBeGreaterThan(200);
  for (const account of ['a', 'b']) {
    expect(
      most(
        made.filter((one) => one.account === account),
        MINUTE_MS,
      ),
    ).toBeLessThanOrEqual(5);
  }
  expect(most(made, 2 * MINUTE_MS)).toBeLessThanOrEqual(7);
  // A gap too is one between requests.
  const spaced = new Table({ perAccount: { rates: [], gapMs: MINUTE_MS } });
  spaced.take(now, ['a', 1]);
  spaced.giveBack({ account: 'a', count: 1, at: now });
  expect(spaced.take(now + 1, ['a', 1]).allowed.get('a')).toBe(1);
  spaced.giveBack({ account: 'a', count: 1, at: now });
  expect(spaced.take(now + 2, ['a', 1]).allowed.get('a') ?? 0).toBe(0);
});

test('a clock of the database that is set back keeps nobody waiting for longer than a rate', () => {
  const table = new Table({ perAccount: quota(2, MINUTE_MS, 1_000) });
  table.take(now + 86_400_000, ['a', 2]);
  const { opensAt } = table.take(now, ['a', 1]);
  expect(opensAt.get('a')).toBeLessThanOrEqual(now + 2 * MINUTE_MS);
});

test('a spout emits no more of an account than may begin while a bolt keeps it', () => {
  expect(mostAtOnce({ perAccount: quota(100, 15 * MINUTE_MS) })).toBe(100);
  expect(mostAtOnce({ perAccount: quota(30, 1_000) })).toBe(600);
  expect(mostAtOnce({ perAccount: { rates: [], gapMs: 1_000 } })).toBe(20);
  expect(mostAtOnce({ perAccount: { rates: [], gapMs: 60_000 } })).toBe(1);
  expect(mostAtOnce({ perAccount: quota(100, MINUTE_MS), perApp: quota(7, MINUTE_MS) })).toBe(7);
  expect(mostAtOnce({ perAccount: { rates: [], gapMs: 0 } })).toBe(Number.POSITIVE_INFINITY);
});

test('no request is allowed longer before it begins than its rates take into account', () => {
  expect(maxAheadMs({ perAccount: quota(50, 1_000), perApp: quota(5, 15 * MINUTE_MS) })).toBe(100);
  expect(maxAheadMs({ perApp: quota(5, 15 * MINUTE_MS) })).toBe(10_000);
  expect(maxAheadMs({ perAccount: quota(5, 15 * MINUTE_MS, 1) })).toBe(0);
});

test('limits are shown as a file has them', () => {
  const day = { count: 250, windowMs: 86_400_000 };
  const both = { perAccount: { rates: [{ count: 100, windowMs: 900_000 }, day], gapMs: 2_000 } };
  expect(limitsText(both)).toBe('perAccount 100/15min, 250/1d, gap 2s');
  expect(limitsText({ ...both, perApp: { rates: [], gapMs: 0 } })).toBe(
    'perAccount 100/15min, 250/1d, gap 2s; perApp none',
  );
});

test('a component says of each scope what counts, or that nothing is limited; else what is known of its kind counts', () => {
  const kind = { perAccount: quota(1, 1_000), perApp: quota(2, 1_000) };
  expect(channelLimits(undefined, undefined)).toBeUndefined();
  const none = { rates: [], gapMs: 0 };
  expect(channelLimits({ perAccount: none, perApp: none }, kind)).toBeUndefined();
  expect(channelLimits({ perApp: none }, kind)).toEqual({ perAccount: kind.perAccount, perApp: undefined });
  expect(channelLimits(undefined, kind)).toEqual(kind);
  expect(channelLimits({ perAccount: quota(9, 1_000) }, kind)).toEqual({ ...kind, perAccount: quota(9, 1_000) });
});
