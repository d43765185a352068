import type { Limits } from '../../topology/core/limits';
import { explain, type Judged, judged } from './report';
import type { Sabotage } from './world/sabotage';
import type { Scenario } from './world/scenario';

/** More is due of each account than it may send at once, and of a crowd at one instant. */
const limited: Partial<Scenario> = {
  channels: ['idempotent'],
  spouts: 2,
  bolts: 2,
  partitions: 3,
  accounts: 4,
  messages: 60,
  storm: 12_000,
  calm: 200_000,
  faults: [],
  edits: 0,
  cancels: 0,
  overwrites: 0,
  crowded: 0.5,
  crowdAt: 3_000,
  claimAheadMaxMs: 2_000,
  concurrency: 16,
  perAccount: 8,
  maxHeld: 1_000,
  crashes: 0,
  hostile: undefined,
  held: false,
  revocations: false,
  lateness: undefined,
  startsWithin: 1_000,
};
const SEEDS = 6;
const WINDOW_MS = 30_000;
const rate = (count: number, windowMs = WINDOW_MS) => ({ rates: [{ count, windowMs }], gapMs: 0 });

async function runs(limits: Limits, changed: Partial<Scenario> = {}, sabotage?: Sabotage): Promise<Judged[]> {
  const all: Judged[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) all.push(await judged(seed, { ...limited, limits, ...changed }, sabotage));
  return all;
}

const broken = (all: readonly Judged[]) =>
  all
    .filter(({ violations }) => violations.length > 0)
    .slice(0, 1)
    .map(explain);

/** The most requests within any time of this length, of an account or of all. */
function mostWithin({ histories }: Judged, windowMs: number, keyOf: (account: string) => string): number {
  const byKey = new Map<string, number[]>();
  for (const { account, at } of histories.requests) {
    byKey.set(keyOf(account), [...(byKey.get(keyOf(account)) ?? []), at]);
  }
  const counts = [...byKey.values()].flatMap((all) => {
    const sorted = all.toSorted((a, b) => a - b);
    return sorted.map((first, index) => sorted.slice(index).filter((at) => at < first + windowMs).length);
  });
  return Math.max(0, ...counts);
}

const mostOfAccount = (all: readonly Judged[]) =>
  Math.max(...all.map((one) => mostWithin(one, WINDOW_MS, (account) => account)));
const mostOfApp = (all: readonly Judged[]) => Math.max(...all.map((one) => mostWithin(one, WINDOW_MS, () => '')));

describe('accounts at their limits', () => {
  test.each([
    ['a rate of the app', 24, { perApp: rate(8, 10_000) }],
    ['a rate', 5, { perAccount: rate(5) }],
    ['a gap', 20, { perAccount: { rates: [], gapMs: 1_500 } }],
    ['a gap of five seconds', 6, { perAccount: { rates: [], gapMs: 5_000 } }],
  ])(
    'everything goes out in the order of its account, and nothing is lost: %s',
    async (_, most, limits) => {
      const all = await runs(limits, { calm: 400_000 });
      expect(broken(all)).toEqual([]);
      // With a gap it is what fits into the same time.
      expect(mostOfAccount(all)).toBeLessThanOrEqual(most);
    },
    120_000,
  );

  test('neither an account nor the app ever has more than it may, whoever dies and whatever is lost', async () => {
    const all = await runs(
      { perAccount: rate(6), perApp: rate(15) },
      { faults: ['crash', 'rebalance', 'databaseFlaky', 'freeze', 'logFlaky'], pace: 2_000, edits: 0.2, cancels: 0.2 },
    );
    expect(broken(all)).toEqual([]);
    expect(mostOfAccount(all)).toBeLessThanOrEqual(6);
    expect(mostOfApp(all)).toBeLessThanOrEqual(15);
  }, 120_000);

  test('limits that each worker counts for itself are exceeded, which is seen here', async () => {
    const all = await runs(
      { perApp: rate(15) },
      {},
      { sendLimits: (limits) => ({ ...limits, take: (own, wants) => limits.take({ perAccount: own.perApp }, wants) }) },
    );
    expect(mostOfApp(all)).toBeGreaterThan(15);
  }, 120_000);
});
