import * as mutations from './mutations';
import { explain, judged } from './report';
import type { HostileKind } from './world/hostile-tenant';
import type { Sabotage } from './world/sabotage';
import type { Scenario } from './world/scenario';

/** A world in which nothing is wrong but what one account does. */
const ordinary: Partial<Scenario> = {
  channels: ['idempotent'],
  spouts: 2,
  bolts: 2,
  partitions: 3,
  accounts: 8,
  messages: 60,
  storm: 15_000,
  faults: [],
  edits: 0,
  cancels: 0,
  overwrites: 0,
  crowded: 0.3,
  crowdAt: 4_000,
  claimAheadMaxMs: 2_000,
  concurrency: 16,
  perAccount: 8,
  maxHeld: 1_000,
  crashes: 0,
  hostile: undefined,
  hostileMessages: 100,
  held: false,
  revocations: false,
  lateness: undefined,
  // A statement waits for a locked row for a second, and with it the rows that it was to claim as well.
  fairWithin: 1_500,
};

/** Longer than a tuple may be held. */
const heldLong: Partial<Scenario> = { ...ordinary, held: true, storm: 50_000 };
const SEEDS = 12;

/** @returns the first run that broke a promise, or nothing */
async function firstBroken(aim: Partial<Scenario>, sabotage: Sabotage = {}): Promise<string> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = await judged(seed, aim, sabotage);
    if (run.violations.length > 0) return explain(run);
  }
  return '';
}

const harms: Record<HostileKind, string> = {
  manyOrigins: 'to many origins that hang',
  sharedOrigin: 'that hang on the origin that others use too',
  unresolvable: 'to names that no resolver answers',
  large: 'that together are larger than what a bolt may hold',
  fickle: 'of many accounts to hosts of their own that were quick and hang',
};

describe('messages of other accounts are on time while one account has messages', () => {
  test.each(Object.entries(harms) as [HostileKind, string][])('(%s) %s', async (hostile) => {
    expect(await firstBroken({ ...ordinary, hostile })).toBe('');
  });

  test('of which a transaction locks one: the offsets of its partition go on', async () => {
    expect(await firstBroken(heldLong)).toBe('');
  });
});

describe('the judge finds that other accounts are harmed', () => {
  test('when the bolt cannot tell lanes apart', async () => {
    expect(await firstBroken({ ...ordinary, hostile: 'manyOrigins' }, mutations.oneLane)).toMatch(/fair message/);
  });

  test('when the bolt does not count bytes', async () => {
    expect(await firstBroken({ ...ordinary, hostile: 'large' }, mutations.unboundedBytes)).toMatch(
      /a bolt held \d+ bytes/,
    );
  });

  test('when the tuple of a locked row is never acked', async () => {
    expect(await firstBroken(heldLong, mutations.lockedTupleHeld)).toMatch(/fair message 0: partition \d of/);
  });
});
