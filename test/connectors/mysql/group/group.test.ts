import { chooseFirst, joinsAsNew, untilWritable } from '../../../../connectors/mysql/group/group';
import type { MemberState } from '../../../../connectors/mysql/group/member';
import { ManualClock } from '../../../support/manual-clock';

/** Transactions are letters here. */
function state(name: string, transactions: string, holdsData = true): MemberState {
  return { name, state: 'OFFLINE', inGroup: false, transactions, holdsData };
}

const lacks = (set: string, other: string) =>
  Promise.resolve(
    set
      .split('')
      .filter((one) => !other.includes(one))
      .join(''),
  );

const first = (...states: MemberState[]) => chooseFirst(states, lacks);

describe('the member that has most begins', () => {
  it.each([
    ['the only one that holds data', [state('a', 'xyz', false), state('b', 'k'), state('c', 'z', false)], 1],
    ['the one that holds what all others hold', [state('a', 'k'), state('b', 'kl'), state('c', 'klm')], 2],
    ['the first of those that hold the same', [state('a', 'k'), state('b', 'kl'), state('c', 'kl')], 1],
    ['the first, when none holds data', [state('a', '', false), state('b', 'x', false)], 0],
  ])('%s', async (_why, states, expected) => {
    expect(await first(...states)).toBe(expected);
  });

  it('none begins when each lacks something', async () => {
    await expect(first(state('a', 'kl'), state('b', 'km'), state('c', 'k'))).rejects.toThrow(
      /a lacks m; b lacks l; c lacks l.*Decide whose data counts/s,
    );
  });
});

test('Nothing that others lack comes in: a server joins with data only if the group had all of it', () => {
  expect(joinsAsNew({ name: 'b', holdsData: false }, 'u:1-3')).toBe(true);
  expect(joinsAsNew({ name: 'b', holdsData: true }, '')).toBe(false);
  expect(() => joinsAsNew({ name: 'b', holdsData: true }, 'u:1-3')).toThrow(/^b holds transactions .*\(u:1-3\)/);
});

/** Writable at its nth look. */
function member(nth: number) {
  let looks = 0;
  return { name: 'mysql', isWritable: async () => ++looks >= nth, looks: () => looks };
}

describe('a member that begins a group', () => {
  it('is waited for until it takes writes, because it first applies what it had received', async () => {
    const one = member(4);
    const clock = new ManualClock();
    const waiting = untilWritable(one, clock);
    await clock.advance(1_000);
    await waiting;
    expect(one.looks()).toBe(4);
  });

  it('is waited for no longer than three minutes', async () => {
    const clock = new ManualClock();
    const waiting = untilWritable(member(Number.POSITIVE_INFINITY), clock);
    await Promise.all([
      expect(waiting).rejects.toThrow(/^mysql began the group and takes no writes after 180 s/),
      clock.advance(181_000),
    ]);
  });
});
