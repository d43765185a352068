import { type Attempted, idempotencyKey, type Outcome, settle } from '../../topology/message';

const policy = { giveUpAfterMs: 600_000, baseMs: 1_000, capMs: 60_000 };
const finishedAt = 1_000_000;
const first: Attempted = { channelClass: 'idempotent', attempts: 1, inDoubt: false, firstAttemptAt: finishedAt };
const settled = (row: Partial<Attempted>, outcome: Outcome) =>
  settle({ ...first, ...row }, outcome, policy, finishedAt, 0.5);

describe('settle', () => {
  it('writes a delivered attempt with its instant and receipt', () => {
    expect(settled({}, { kind: 'delivered', receipt: 'r1' })).toEqual({
      state: 'delivered',
      deliveredAt: finishedAt,
      receipt: 'r1',
    });
    expect(settled({}, { kind: 'delivered' })).toMatchObject({ receipt: null });
  });

  it('schedules a retry after the back-off', () => {
    expect(settled({}, { kind: 'retry', reason: 'busy' })).toEqual({
      state: 'scheduled',
      inDoubt: false,
      error: 'busy',
      delayMs: 750,
    });
    expect(settled({ attempts: 2 }, { kind: 'retry', reason: 'busy' })).toMatchObject({ delayMs: 1_500 });
  });

  it.each(['retry', 'unknown'] as const)(
    'after %s honours what the provider asked for, beyond the back-off',
    (kind) => {
      expect(settled({}, { kind, reason: 'busy', afterMs: 9_000 })).toMatchObject({ delayMs: 9_000, askedMs: 9_000 });
      expect(settled({}, { kind, reason: 'busy', afterMs: 300_000 })).toMatchObject({ delayMs: 300_000 });
      expect(settled({}, { kind, reason: 'busy', afterMs: 9e9 })).toMatchObject({
        delayMs: policy.giveUpAfterMs,
        askedMs: policy.giveUpAfterMs,
      });
    },
  );

  it.each(['idempotent', 'lookup', 'blind'] as const)(
    'an unknown outcome that is final ends uncertain at once: %s',
    (channelClass) => {
      expect(settled({ channelClass }, { kind: 'unknown', reason: 'HTTP 303', isFinal: true })).toEqual({
        state: 'uncertain',
        inDoubt: true,
        error: 'HTTP 303',
      });
    },
  );

  it('reaches the longest back-off however often it fails, and never gives up before its time', () => {
    const later = { attempts: 500, firstAttemptAt: finishedAt - policy.giveUpAfterMs + 1 };
    expect(settled(later, { kind: 'retry', reason: 'busy' })).toMatchObject({ state: 'scheduled', delayMs: 45_000 });
  });

  it('a row that cannot reach its origin waits a quarter of the time since its first attempt at most, and is given up', () => {
    const away: Outcome = { kind: 'retry', reason: 'refused', unreachable: true };
    const since = (ms: number) => ({ attempts: 500, firstAttemptAt: finishedAt - ms });
    expect(settled({}, away)).toMatchObject({ state: 'scheduled', delayMs: 750, without: 'unreachable' });
    expect(settled(since(40_000), away)).toMatchObject({ delayMs: 7_500 });
    expect(settled(since(599_000), away)).toMatchObject({ delayMs: 45_000 });
    expect(settled({ attempts: 3, firstAttemptAt: finishedAt - 599_000 }, away)).toMatchObject({ delayMs: 3_000 });
    expect(settled(since(600_000), away)).toMatchObject({
      state: 'failed',
      error: 'gave up after 500 attempts: refused',
    });
    // No request was made, so a person's decision to send it holds.
    expect(settled({ channelClass: 'blind', inDoubt: true }, away)).toMatchObject({
      state: 'scheduled',
      inDoubt: true,
    });
  });

  it.each(['idempotent', 'lookup', 'blind'] as const)(
    'a row of a channel that is %s is postponed as it is, and never given up for that',
    (channelClass) => {
      for (const inDoubt of [false, true]) {
        const row = { channelClass, attempts: 500, inDoubt, firstAttemptAt: 0 };
        expect(settled(row, { kind: 'postponed', reason: 'no secret' })).toEqual({
          state: 'scheduled',
          inDoubt,
          error: 'no secret',
          delayMs: 45_000,
          without: 'postponed',
        });
      }
      expect(settle(first, { kind: 'postponed', reason: '' }, { ...policy, capMs: 3_600_000 }, 0, 1)).toMatchObject({
        delayMs: 1_000,
      });
    },
  );

  it.each(['postponed', 'unusable'] as const)(
    'a lookup that is %s is no attempt, and ends uncertain when that lasts for as long as a plan may take',
    (kind) => {
      const row = { channelClass: 'lookup', attempts: 500, inDoubt: true, isLookup: true } as const;
      const since = (ms: number) => ({ ...row, firstAttemptAt: finishedAt - ms });
      const outcome = { kind, reason: 'another message is being sent' } as const;
      // It begins the time to give up, where no attempt has.
      expect(settled(since(599_999), outcome)).toEqual({
        state: 'scheduled',
        inDoubt: true,
        error: 'another message is being sent',
        delayMs: 45_000,
        without: 'unreachable',
      });
      expect(settled(since(600_000), outcome)).toEqual({
        state: 'uncertain',
        inDoubt: true,
        error: 'gave up after 500 attempts: another message is being sent',
      });
    },
  );

  it.each(['idempotent', 'lookup', 'blind'] as const)(
    'a row of a channel that is %s whose account cannot be used is suspended as it is, and never given up for that',
    (channelClass) => {
      for (const inDoubt of [false, true]) {
        const row = { channelClass, attempts: 500, inDoubt, firstAttemptAt: 0 };
        expect(settled(row, { kind: 'unusable', reason: 'revoked', generation: 7 })).toEqual({
          state: 'suspended',
          inDoubt,
          error: 'revoked',
          generation: 7,
        });
      }
    },
  );

  it('a refusal that is yet to be confirmed costs no attempt and is never given up', () => {
    for (const inDoubt of [false, true]) {
      const row = { channelClass: 'blind', attempts: 500, inDoubt, firstAttemptAt: 0 } as const;
      expect(settled(row, { kind: 'unusable', reason: 'revoked', afterMs: 60_000 })).toEqual({
        state: 'scheduled',
        inDoubt,
        error: 'revoked',
        delayMs: 60_000,
        without: 'given_back',
      });
    }
  });

  it('whose credentials they were must be known: otherwise the row is postponed', () => {
    expect(settled({}, { kind: 'unusable', reason: 'revoked' })).toMatchObject({
      state: 'scheduled',
      without: 'postponed',
    });
  });

  it('postpones by a minute at most for a quarter of an hour, and ever more rarely after that', () => {
    const delays = Array.from({ length: 60 }, (_, n) => {
      const row = { ...first, attempts: n + 1 };
      const settlement = settle(row, { kind: 'postponed', reason: '' }, { ...policy, capMs: 3_600_000 }, 0, 1);
      return 'delayMs' in settlement ? settlement.delayMs : Number.NaN;
    });
    expect(Math.max(...delays.slice(0, 18))).toBe(60_000);
    let elapsedMs = 0;
    for (const delay of delays) {
      // After an outage everything is back within a quarter of its length, or a minute.
      expect(delay).toBeLessThanOrEqual(Math.max(60_000, elapsedMs / 4));
      elapsedMs += delay;
    }
    expect(delays.at(-1)).toBe(3_600_000);
  });

  it('remembers doubt', () => {
    expect(settled({}, { kind: 'unknown', reason: 'no answer' })).toMatchObject({ state: 'scheduled', inDoubt: true });
    expect(settled({ inDoubt: true }, { kind: 'retry', reason: 'busy' })).toMatchObject({
      state: 'scheduled',
      inDoubt: true,
    });
  });

  it('ends failed when refused or given up, and uncertain when in doubt', () => {
    expect(settled({}, { kind: 'rejected', reason: 'gone' })).toEqual({
      state: 'failed',
      inDoubt: false,
      error: 'gone',
    });
    expect(settled({ inDoubt: true }, { kind: 'rejected', reason: 'gone' })).toMatchObject({
      state: 'uncertain',
      inDoubt: true,
    });
    expect(
      settled({ attempts: 3, firstAttemptAt: finishedAt - policy.giveUpAfterMs }, { kind: 'retry', reason: 'busy' }),
    ).toMatchObject({
      state: 'failed',
      error: 'gave up after 3 attempts: busy',
    });
    expect(
      settled({ firstAttemptAt: finishedAt - policy.giveUpAfterMs }, { kind: 'unknown', reason: 'no answer' }),
    ).toMatchObject({
      state: 'uncertain',
      inDoubt: true,
    });
  });

  it('never schedules a blind row in doubt again', () => {
    expect(settled({ channelClass: 'blind' }, { kind: 'unknown', reason: 'no answer' })).toMatchObject({
      state: 'uncertain',
    });
    expect(settled({ channelClass: 'blind', inDoubt: true }, { kind: 'retry', reason: 'busy' })).toMatchObject({
      state: 'uncertain',
    });
    expect(settled({ channelClass: 'blind' }, { kind: 'retry', reason: 'busy' })).toMatchObject({ state: 'scheduled' });
  });
});

describe('idempotencyKey', () => {
  const [one, other] = ['0123456789abcdef'.repeat(2), 'fedcba9876543210'.repeat(2)];

  it('is another for each deployment, message and plan', () => {
    expect(idempotencyKey(one, 7, 1)).toBe('downspout-0123456789abcdef-7-1');
    const keys = [one, other].flatMap((deployment) =>
      [1, 11].flatMap((id) => [1, 11].map((planNumber) => idempotencyKey(deployment, id, planNumber))),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('has 64 characters at most, which some providers take', () => {
    expect(idempotencyKey(one, Number.MAX_SAFE_INTEGER, 2 ** 32 - 1).length).toBeLessThanOrEqual(64);
  });
});
