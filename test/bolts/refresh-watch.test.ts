import type { RefreshAnswer } from '../../bolts/channel';
import { RefreshWatch } from '../../bolts/refresh-watch';
import { Unavailable } from '../../topology/core/errors';
import { ManualClock, settled } from '../support/manual-clock';
import { MemoryAccounts } from '../support/mysql/memory-accounts';
import { MemoryRefreshes } from '../support/mysql/memory-refreshes';

const HOUR_MS = 3_600_000;

let clock: ManualClock;
let accounts: MemoryAccounts;
let refreshes: MemoryRefreshes;
/** Accounts that were asked for, in order; and what is answered, by the credentials. */
let asked: string[];
let answers: Map<string, (mayStart: () => boolean) => RefreshAnswer | Promise<RefreshAnswer>>;
/** Before a request: a name is looked up, a connection is made. */
let beforeStart: () => Promise<void>;
let errors: string[];
let random: () => number;
let watches: RefreshWatch[];
let isAway: boolean;

beforeEach(() => {
  clock = new ManualClock();
  accounts = new MemoryAccounts();
  refreshes = new MemoryRefreshes(accounts, () => clock.now());
  asked = [];
  answers = new Map();
  beforeStart = async () => {};
  errors = [];
  random = () => 0.5;
  watches = [];
  isAway = false;
});

afterEach(() => {
  for (const watch of watches) watch.close();
});

async function reach<T>(work: () => Promise<T>): Promise<T> {
  if (isAway) throw new Unavailable('the database is away');
  return work();
}

function start(session: string, { isRotating = true } = {}): RefreshWatch {
  const watch = new RefreshWatch({
    channel: { name: 'x' },
    refresh: {
      isRotating,
      async ask(name, credentials, mayStart) {
        await beforeStart();
        if (!mayStart()) return { kind: 'later', reason: 'not started' };
        asked.push(name);
        return answers.get(credentials)?.(mayStart) ?? renewed(`${credentials}+`);
      },
    },
    refreshes: {
      claim: (...given) => reach(() => refreshes.claim(...given)),
      settle: (...given) => reach(() => refreshes.settle(...given)),
      ask: (...given) => reach(() => refreshes.ask(...given)),
    },
    session,
    clock,
    databaseClock: { earliest: () => clock.now(), latest: () => clock.now() },
    random: () => random(),
    onError: (what, error) => errors.push(`${what}: ${String(error)}`),
  });
  watches.push(watch);
  watch.open();
  return watch;
}

function renewed(credentials: string): RefreshAnswer {
  return { kind: 'refreshed', credentials, expiresAt: clock.now() + 2 * HOUR_MS, refreshAt: clock.now() + HOUR_MS };
}

/** An account whose credentials end in an hour, and are to be refreshed in so many milliseconds. */
function account(name: string, refreshInMs = 0, endInMs = HOUR_MS): void {
  accounts.say({ account: name, channel: 'x' }, 'usable', ['one']);
  const now = clock.now();
  refreshes.set(name, 'x', { expiresAt: now + endInMs, refreshAt: now + refreshInMs });
}

const credentialsOf = (name: string) => accounts.newest({ account: name, channel: 'x' });
const stateOf = (name: string) => accounts.stateOf({ account: name, channel: 'x' });
const reasonOf = (name: string) => accounts.stored('x', [name]).get(name)?.blocked;

/** Its answer never comes, until it is let go. */
function hanging(): { readonly answer: () => Promise<RefreshAnswer>; readonly end: (answer: RefreshAnswer) => void } {
  let end: ((answer: RefreshAnswer) => void) | undefined;
  const promise = new Promise<RefreshAnswer>((resolve) => {
    end = resolve;
  });
  return { answer: () => promise, end: (answer) => end?.(answer) };
}

it('credentials are refreshed when it is time, by one of many workers, and again before the next ones end', async () => {
  account('shop', 60_000);
  for (const session of ['a', 'b', 'c']) start(session);
  await clock.advance(59_000);
  expect(asked).toEqual([]);
  await clock.advance(5_000);
  expect(asked).toEqual(['shop']);
  expect(credentialsOf('shop')).toBe('one+');
  await clock.advance(HOUR_MS + 5_000);
  expect(asked).toEqual(['shop', 'shop']);
  expect(credentialsOf('shop')).toBe('one++');
});

it('An account that hangs delays no other, whose refresh is made meanwhile', async () => {
  const { answer, end } = hanging();
  answers.set('one', answer);
  account('slow');
  start('a');
  await clock.advance(1_000);
  answers.delete('one');
  account('quick');
  await clock.advance(5_000);
  expect(asked).toEqual(['slow', 'quick']);
  expect(credentialsOf('quick')).toBe('one+');
  end({ kind: 'later', reason: 'no answer in time', isLost: true });
  await settled();
  expect(refreshes.of('slow', 'x')).toMatchObject({ failures: 1, error: 'no answer in time' });
});

it('no more than sixteen are under way at once', async () => {
  const { answer, end } = hanging();
  answers.set('one', answer);
  for (let n = 0; n < 20; n++) account(`account-${n}`);
  start('a');
  await clock.advance(10_000);
  expect(asked).toHaveLength(16);
  answers.delete('one');
  end({ kind: 'later', reason: 'busy' });
  await clock.advance(5_000);
  expect(new Set(asked).size).toBe(20);
});

describe('answers that cannot be written, because somebody holds their credentials,', () => {
  let isHeld: boolean;
  let [writing, mostWriting] = [0, 0];

  beforeEach(() => {
    isHeld = true;
    [writing, mostWriting] = [0, 0];
    const settle = refreshes.settle.bind(refreshes);
    jest.spyOn(refreshes, 'settle').mockImplementation(async (...given) => {
      if (!isHeld || !given[2].account.startsWith('held')) return settle(...given);
      mostWriting = Math.max(mostWriting, ++writing);
      await clock.sleep(1_000);
      writing--;
      throw new Unavailable('a lock is waited for too long');
    });
  });

  test('take the place of no refresh of others, and wait by one connection', async () => {
    for (let n = 0; n < 16; n++) account(`held-${n}`);
    start('a');
    await clock.advance(5_000);
    expect(asked).toHaveLength(16);
    account('free');
    mostWriting = 0;
    await clock.advance(3_000);
    expect(credentialsOf('free')).toBe('one+');
    await clock.advance(30_000);
    expect(mostWriting).toBe(1);
    isHeld = false;
    await clock.advance(60_000);
    expect(asked).toHaveLength(17);
    for (let n = 0; n < 16; n++) expect(credentialsOf(`held-${n}`)).toBe('one+');
  });

  test('are no more than thirty-two', async () => {
    for (let n = 0; n < 100; n++) account(`held-${n}`);
    start('a');
    await clock.advance(60_000);
    expect(new Set(asked).size).toBe(32);
    isHeld = false;
    await clock.advance(60_000);
    expect(new Set(asked).size).toBe(100);
  });
});

it('many that are due at once are refreshed as fast as their provider answers', async () => {
  answers.set('one', async () => {
    await clock.sleep(50);
    return renewed('two');
  });
  for (let n = 0; n < 320; n++) account(`account-${n}`);
  start('a');
  await clock.advance(3_000);
  expect(new Set(asked).size).toBe(320);
  expect(asked).toHaveLength(320);
});

it('accounts that were refreshed together part with time', async () => {
  let draws = 0;
  random = () => (draws++ % 10) / 10;
  for (let n = 0; n < 10; n++) account(`account-${n}`);
  start('a');
  await clock.advance(1_000);
  const at = Array.from({ length: 10 }, (_, n) => refreshes.of(`account-${n}`, 'x')?.refreshAt ?? 0);
  expect(new Set(at).size).toBe(10);
  expect(Math.max(...at) - Math.min(...at)).toBeGreaterThan(300_000);
  expect(Math.max(...at)).toBeLessThanOrEqual(clock.now() + HOUR_MS);
});

it('credentials that end at once are refreshed once a minute at most', async () => {
  answers.set('one', () => ({
    kind: 'refreshed',
    credentials: 'one',
    expiresAt: clock.now() + 1,
    refreshAt: clock.now(),
  }));
  account('shop');
  start('a');
  await clock.advance(HOUR_MS - 1);
  expect(asked.length).toBeGreaterThan(50);
  expect(asked.length).toBeLessThanOrEqual(60);
});

it('a refresh that is put off is tried again ever later, and its account goes on', async () => {
  answers.set('one', () => ({ kind: 'later', reason: 'busy' }));
  account('shop', 0, 100 * HOUR_MS);
  start('a');
  await clock.advance(HOUR_MS);
  // After some doublings every seven and a half minutes.
  expect(asked.length).toBeGreaterThan(8);
  expect(asked.length).toBeLessThan(16);
  expect(stateOf('shop')).toBe('usable');
  answers.delete('one');
  await clock.advance(600_000);
  expect(refreshes.of('shop', 'x')).toMatchObject({ failures: 0, error: null });
});

it('a provider that says when to come back is not asked sooner', async () => {
  answers.set('one', () => ({ kind: 'later', reason: 'too many', afterMs: 2 * HOUR_MS }));
  account('shop', 0, 100 * HOUR_MS);
  start('a');
  await clock.advance(2 * HOUR_MS - 5_000);
  expect(asked).toHaveLength(1);
  await clock.advance(10_000);
  expect(asked).toHaveLength(2);
});

it('What cannot be refreshed ends with a reason that says what to do, when the credentials end, and is asked for no more', async () => {
  answers.set('one', () => ({ kind: 'refused', reason: 'X does not take it. Connect the account again' }));
  account('shop', 0, 24 * HOUR_MS);
  start('a');
  await clock.advance(24 * HOUR_MS - 5_000);
  expect(stateOf('shop')).toBe('usable');
  // At once, after two minutes and four more, and then each six hours.
  expect(asked).toHaveLength(6);
  await clock.advance(10_000);
  expect(reasonOf('shop')).toBe('X does not take it. Connect the account again');
  await clock.advance(100 * HOUR_MS);
  expect(asked).toHaveLength(7);
});

it('One refusal is not believed: credentials that are refreshed ahead of their end are refreshed when the provider has mended itself', async () => {
  answers.set('one', () => ({ kind: 'refused', reason: 'a mistake' }));
  account('shop', 0, 600_000);
  start('a');
  await clock.advance(60_000);
  expect(refreshes.of('shop', 'x')).toMatchObject({ failures: 1, error: 'a mistake' });
  answers.delete('one');
  await clock.advance(65_000);
  expect(asked).toHaveLength(2);
  expect(credentialsOf('shop')).toBe('one+');
  expect(refreshes.of('shop', 'x')).toMatchObject({ failures: 0, refusals: 0, error: null });
});

it('a refusal while messages wait makes their account unusable when it is confirmed two minutes later, and not before', async () => {
  answers.set('one', () => ({ kind: 'refused', reason: 'revoked' }));
  account('shop', HOUR_MS, 2 * HOUR_MS);
  start('a');
  await refreshes.ask('x', 'shop', 1);
  await clock.advance(115_000);
  expect(stateOf('shop')).toBe('usable');
  await clock.advance(10_000);
  expect(stateOf('shop')).toBe('unusable');
  expect(asked).toEqual(['shop', 'shop']);
});

describe('a refresh that is refused ahead of the end is put off for hours, and', () => {
  beforeEach(async () => {
    answers.set('one', () => ({ kind: 'refused', reason: 'revoked' }));
    account('shop', 0, 24 * HOUR_MS);
    start('a');
    await clock.advance(HOUR_MS);
  });

  test('messages that wait by then learn within seconds that their account is unusable', async () => {
    expect(asked).toHaveLength(3);
    await refreshes.ask('x', 'shop', 1);
    await clock.advance(3_000);
    expect(asked).toHaveLength(4);
    expect(stateOf('shop')).toBe('unusable');
  });

  test('they go out with new credentials where the provider has mended itself', async () => {
    answers.delete('one');
    await refreshes.ask('x', 'shop', 1);
    await clock.advance(3_000);
    expect(credentialsOf('shop')).toBe('one+');
  });
});

it('messages that wait since a refresh began are not put off for hours when it is refused', async () => {
  answers.set('one', () => ({ kind: 'refused', reason: 'revoked' }));
  account('shop', 0, 24 * HOUR_MS);
  start('a');
  const { answer, end } = hanging();
  await clock.advance(300_000);
  answers.set('one', answer);
  await clock.advance(100_000);
  expect(asked).toHaveLength(3);
  await refreshes.ask('x', 'shop', 1);
  answers.set('one', () => ({ kind: 'refused', reason: 'revoked' }));
  end({ kind: 'refused', reason: 'revoked' });
  await clock.advance(3_000);
  expect(asked).toHaveLength(4);
  expect(stateOf('shop')).toBe('unusable');
});

/** A worker whose answer never comes to the table. */
async function dies(): Promise<void> {
  account('shop', 0, 60_000);
  answers.set('one', () => new Promise(() => {}));
  const dead = start('a');
  await clock.advance(1_000);
  dead.close();
  answers.set('one', () => ({ kind: 'refused', reason: 'X does not take the refresh token' }));
}

describe('a worker that dies between the answer and the table:', () => {
  test('the next one asks with the old token when the lease has ended, and the reason tells what was lost', async () => {
    await dies();
    start('b');
    await clock.advance(100_000);
    expect(asked).toEqual(['shop']);
    await clock.advance(60_000);
    expect(asked).toEqual(['shop', 'shop']);
    expect(stateOf('shop')).toBe('usable');
    await clock.advance(120_000);
    expect(asked).toEqual(['shop', 'shop', 'shop']);
    expect(stateOf('shop')).toBe('unusable');
    expect(reasonOf('shop')).toContain(
      'X does not take the refresh token. A refresh that began at 2027-01-15T08:00:00.000Z was perhaps answered',
    );
    expect(reasonOf('shop')).toContain('Connect the account again: `downspout accounts set`');
    await clock.advance(100 * HOUR_MS);
    expect(asked).toHaveLength(3);
  });

  test('where the old tokens live on, the reason speaks of no loss', async () => {
    await dies();
    start('b', { isRotating: false });
    await clock.advance(300_000);
    expect(reasonOf('shop')).toBe('X does not take the refresh token');
  });

  test('where the old token still serves, nothing was lost', async () => {
    await dies();
    answers.delete('one');
    start('b');
    await clock.advance(200_000);
    expect(credentialsOf('shop')).toBe('one+');
    expect(stateOf('shop')).toBe('usable');
  });

  test('one that begins when the lease has ended already waits until it knows that the database was not away', async () => {
    await dies();
    await clock.advance(200_000);
    start('b');
    await clock.advance(29_000);
    expect(asked).toEqual(['shop']);
    await clock.advance(5_000);
    expect(asked).toEqual(['shop', 'shop']);
  });
});

it.each([0, 0.25, 0.5, 0.75, 0.99])(
  'a database that is away for longer than the lease lets no second worker use the token whose answer waits to be written (jitter %p)',
  async (jitter) => {
    random = () => jitter;
    const { answer, end } = hanging();
    answers.set('one', answer);
    account('shop');
    start('a');
    await clock.advance(500);
    start('b');
    await clock.advance(500);
    isAway = true;
    end(renewed('two'));
    await clock.advance(125_000);
    isAway = false;
    await clock.advance(10_000);
    expect(asked).toEqual(['shop']);
    expect(credentialsOf('shop')).toBe('two');
    expect(stateOf('shop')).toBe('usable');
  },
);

it.each([
  ['stood still', (ms: number) => clock.jump(ms)],
  ['was suspended with its machine', (ms: number) => clock.suspend(ms)],
])(
  'a worker that %s while the database was away does not use the token whose answer waits to be written',
  async (_, stand) => {
    const settle = refreshes.settle.bind(refreshes);
    let isCutOff = true;
    jest.spyOn(refreshes, 'settle').mockImplementation((...given) => {
      if (isCutOff) throw new Unavailable('the database is away');
      return settle(...given);
    });
    account('shop');
    start('a');
    await clock.advance(500);
    // The first one is cut off altogether.
    const claim = refreshes.claim.bind(refreshes);
    jest.spyOn(refreshes, 'claim').mockImplementation(async (...given) => (given[1] === 'a' ? [] : claim(...given)));
    start('b');
    // The database has answered to the second one for a minute, and then was away for as long as that one knows nothing.
    await clock.advance(60_000);
    stand(70_000);
    await clock.advance(10_000);
    expect(asked).toEqual(['shop']);
    isCutOff = false;
    await clock.advance(10_000);
    expect(credentialsOf('shop')).toBe('one+');
    await clock.advance(60_000);
    expect(asked).toEqual(['shop']);
  },
);

it('new credentials are written as soon as the database is back, and nobody asks meanwhile', async () => {
  const { answer, end } = hanging();
  answers.set('one', answer);
  account('shop');
  start('a');
  await clock.advance(1_000);
  isAway = true;
  end(renewed('two'));
  await clock.advance(300_000);
  expect(credentialsOf('shop')).toBe('one');
  isAway = false;
  await clock.advance(5_000);
  expect(credentialsOf('shop')).toBe('two');
  expect(asked).toEqual(['shop']);
});

it('credentials that a person sets meanwhile stay', async () => {
  const { answer, end } = hanging();
  answers.set('one', answer);
  account('shop');
  start('a');
  await clock.advance(1_000);
  accounts.say({ account: 'shop', channel: 'x' }, 'usable', ['of a person']);
  refreshes.set('shop', 'x', { expiresAt: null, refreshAt: null });
  end(renewed('two'));
  await clock.advance(10_000);
  expect(credentialsOf('shop')).toBe('of a person');
  expect(errors).toEqual([
    expect.stringMatching(/^write the refreshed credentials of "shop": .*other credentials by now, and those stay/),
  ]);
});

it('No refresh without a claim that is young: a worker that stood still since its claim asks nothing, and gives it back', async () => {
  account('shop');
  const claim = refreshes.claim.bind(refreshes);
  let isStill = true;
  jest.spyOn(refreshes, 'claim').mockImplementation(async (...given) => {
    const claimed = await claim(...given);
    if (isStill && claimed.length > 0) clock.jump(31_000);
    isStill = false;
    return claimed;
  });
  start('a');
  await settled();
  expect(asked).toEqual([]);
  expect(refreshes.of('shop', 'x')).toMatchObject({ claim: null, begunAt: null, failures: 0 });
  await clock.advance(5_000);
  expect(asked).toEqual(['shop']);
});

it('a worker whose machine was suspended since its claim uses no refresh token, and gives back what nobody has taken over', async () => {
  const frozen = hanging();
  beforeStart = () => frozen.answer().then(() => undefined);
  account('shop');
  start('a');
  await clock.advance(100);
  clock.suspend(130_000);
  beforeStart = async () => {};
  start('b');
  await clock.advance(35_000);
  // The first one has not given it back, and its session has a lease again.
  expect(asked).toEqual([]);
  frozen.end({ kind: 'later', reason: 'it goes on' });
  await clock.advance(5_000);
  expect(asked).toEqual(['shop']);
  expect(credentialsOf('shop')).toBe('one+');
});

it('a worker whose machine was suspended uses no refresh token that another one has used meanwhile', async () => {
  const frozen = hanging();
  beforeStart = () => frozen.answer().then(() => undefined);
  account('shop');
  start('a');
  await clock.advance(100);
  // What is suspended looks at nothing.
  const claim = refreshes.claim.bind(refreshes);
  jest.spyOn(refreshes, 'claim').mockImplementation(async (...given) => (given[1] === 'a' ? [] : claim(...given)));
  clock.suspend(130_000);
  beforeStart = async () => {};
  start('b');
  await clock.advance(35_000);
  expect(asked).toEqual(['shop']);
  frozen.end({ kind: 'later', reason: 'it goes on' });
  await clock.advance(100);
  expect(asked).toEqual(['shop']);
  expect(credentialsOf('shop')).toBe('one+');
});

it('a worker that drains begins nothing, and ends when what it has begun is written', async () => {
  const { answer, end } = hanging();
  answers.set('one', answer);
  account('shop');
  const watch = start('a');
  await clock.advance(1_000);
  let isDrained = false;
  const draining = watch.drain().then(() => {
    isDrained = true;
  });
  account('later');
  await clock.advance(10_000);
  expect(isDrained).toBe(false);
  end(renewed('two'));
  await draining;
  expect(credentialsOf('shop')).toBe('two');
  expect(asked).toEqual(['shop']);
  watch.close();
  expect(clock.timers).toBe(0);
});

describe('a refresh of two requests, the first of which was answered:', () => {
  const { answer: waits, end: goOn } = hanging();
  const second = async (mayStart: () => boolean) => {
    await waits();
    return mayStart() ? renewed('two') : ({ kind: 'later', reason: 'not started' } as const);
  };

  test('the second one is made while the worker drains', async () => {
    answers.set('one', second);
    account('shop');
    const watch = start('a');
    await clock.advance(100);
    const draining = watch.drain();
    goOn(renewed('unused'));
    await draining;
    expect(credentialsOf('shop')).toBe('two');
  });

  test('one that comes too late leaves an answer that may be lost', async () => {
    answers.set('one', async (mayStart) => {
      await clock.sleep(31_000);
      return second(mayStart);
    });
    account('shop');
    start('a');
    await clock.advance(32_000);
    expect(refreshes.of('shop', 'x')).toMatchObject({ failures: 1, begunAt: expect.any(Number) });
  });

  test('new credentials are kept although the second one may not be made any more', async () => {
    answers.set('one', async (mayStart) => {
      await clock.sleep(31_000);
      mayStart();
      return renewed('two');
    });
    account('shop');
    start('a');
    await clock.advance(32_000);
    expect(credentialsOf('shop')).toBe('two');
  });
});

it('a claim that fails is tried again', async () => {
  account('shop');
  isAway = true;
  start('a');
  await clock.advance(5_000);
  expect(errors[0]).toContain('claim refreshes of credentials: Unavailable');
  isAway = false;
  await clock.advance(5_000);
  expect(credentialsOf('shop')).toBe('one+');
});

it('a channel that throws puts the refresh off', async () => {
  answers.set('one', () => {
    throw new Error('a bug');
  });
  account('shop');
  start('a');
  await clock.advance(1_000);
  expect(refreshes.of('shop', 'x')).toMatchObject({ failures: 1, error: 'a bug', begunAt: expect.any(Number) });
});
