import { type Attempted, type Outcome, settle } from '../../topology/message';

const policy = { maxAttempts: 3, base: 1_000, cap: 60_000 };
const first: Attempted = { channelClass: 'idempotent', attempts: 1, inDoubt: false };
const settled = (row: Partial<Attempted>, outcome: Outcome) =>
  settle({ ...first, ...row }, outcome, policy, 5_000, 0.5);

describe('settle', () => {
  it('writes a delivered attempt with its instant and receipt', () => {
    expect(settled({}, { kind: 'delivered', receipt: 'r1' })).toEqual({
      state: 'delivered',
      deliveredAt: 5_000,
      receipt: 'r1',
    });
    expect(settled({}, { kind: 'delivered' })).toMatchObject({ receipt: null });
  });

  it('schedules a retry after the back-off', () => {
    expect(settled({}, { kind: 'retry', reason: 'busy' })).toEqual({
      state: 'scheduled',
      inDoubt: false,
      error: 'busy',
      delay: 750,
    });
    expect(settled({ attempts: 2 }, { kind: 'retry', reason: 'busy' })).toMatchObject({ delay: 1_500 });
  });

  it('honours what the provider asked for, up to the cap', () => {
    expect(settled({}, { kind: 'retry', reason: 'busy', after: 9_000 })).toMatchObject({ delay: 9_000 });
    expect(settled({}, { kind: 'retry', reason: 'busy', after: 9e9 })).toMatchObject({ delay: 60_000 });
  });

  it('remembers doubt', () => {
    expect(settled({}, { kind: 'unknown', reason: 'no answer' })).toMatchObject({ state: 'scheduled', inDoubt: true });
    expect(settled({ inDoubt: true }, { kind: 'retry', reason: 'busy' })).toMatchObject({
      state: 'scheduled',
      inDoubt: true,
    });
  });

  it('ends failed when refused or out of attempts, and uncertain when in doubt', () => {
    expect(settled({}, { kind: 'rejected', reason: 'gone' })).toEqual({
      state: 'failed',
      inDoubt: false,
      error: 'gone',
    });
    expect(settled({ inDoubt: true }, { kind: 'rejected', reason: 'gone' })).toMatchObject({
      state: 'uncertain',
      inDoubt: true,
    });
    expect(settled({ attempts: 3 }, { kind: 'retry', reason: 'busy' })).toMatchObject({
      state: 'failed',
      error: 'gave up after 3 attempts: busy',
    });
    expect(settled({ attempts: 3 }, { kind: 'unknown', reason: 'no answer' })).toMatchObject({
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
