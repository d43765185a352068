import { isLate } from '../../topology/message';
import { seedsOfToday } from '../support/trials';
import { explain, type Judged, judged } from './report';
import type { Scenario } from './world/scenario';

/** The database is away for some seconds while messages wake, and nothing else is wrong but what `changed` says. */
const outage: Partial<Scenario> = {
  channels: ['idempotent', 'lookup'],
  spouts: 2,
  bolts: 2,
  partitions: 3,
  accounts: 6,
  messages: 60,
  storm: 12_000,
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
  strikes: [{ kind: 'databaseAway', at: -500, lasts: [2_500, 3_500] }],
};
/** Within so many days each seed is tried. */
const DAYS = 3;
const seeds = seedsOfToday(30, DAYS);
/** An outage of minutes takes longer to play. */
const backlogSeeds = seedsOfToday(6, DAYS);

async function runs(changed: Partial<Scenario>, { first, count } = seeds): Promise<Judged[]> {
  const all: Judged[] = [];
  for (let seed = first; seed < first + count; seed++) all.push(await judged(seed, { ...outage, ...changed }));
  return all;
}

const broken = (all: readonly Judged[]) =>
  all
    .filter(({ violations }) => violations.length > 0)
    .slice(0, 1)
    .map(explain);

/** Entries of the ledger that say that a message was late, by the state that it went to. */
function lateOf(all: readonly Judged[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { settlement } of all.flatMap(({ histories }) => histories.table.ledger)) {
    if (!isLate(settlement)) continue;
    counts[settlement.state] = (counts[settlement.state] ?? 0) + 1;
  }
  return counts;
}

const delivered = (all: readonly Judged[]) =>
  all.flatMap(({ histories }) => histories.table.rows).filter(({ state }) => state === 'delivered').length;

const putOff = (all: readonly Judged[]) =>
  all
    .flatMap(({ histories }) => histories.table.ledger)
    .filter(({ outcome }) => 'reason' in outcome && outcome.reason === 'the newest of its backlog go first').length;

describe('an outage of more than a minute, where the newest go first', () => {
  const newest: Partial<Scenario> = {
    accounts: 4,
    messages: 80,
    storm: 150_000,
    crowded: 0,
    crowdAt: 5_000,
    evenly: true,
    strikes: [{ kind: 'databaseAway', at: 0, lasts: [90_000, 130_000] }],
  };
  const lateness = { sendWithinMs: null, onLate: 'suspend', own: 0, backlog: 'newest' } as const;

  test('an account sends what was held up newest first, paced, once and in time, and loses nothing', async () => {
    const all = await runs({ ...newest, lateness }, backlogSeeds);
    expect(broken(all)).toEqual([]);
    expect(putOff(all)).toBeGreaterThan(backlogSeeds.count * 10);
    expect(delivered(all)).toBe(all.flatMap(({ histories }) => histories.table.rows).length);
  }, 120_000);

  test('nothing is lost or sent twice either when messages are late by then, providers are rude and workers die', async () => {
    const all = await runs(
      {
        ...newest,
        channels: ['idempotent', 'lookup', 'blind'],
        faults: ['crash', 'databaseFlaky', 'rude'],
        pace: 5_000,
        lateness: { ...lateness, sendWithinMs: 80_000, onLate: 'skip' },
      },
      backlogSeeds,
    );
    expect(broken(all)).toEqual([]);
    expect(putOff(all)).toBeGreaterThan(backlogSeeds.count);
    expect(lateOf(all)['failed']).toBeGreaterThan(0);
  }, 120_000);
});

describe('an outage that is longer than messages may wait', () => {
  test.each([
    ['skip', 'failed'],
    ['suspend', 'late'],
  ] as const)(
    'under %s nothing is sent after its time, and nothing in time is given up',
    async (onLate, state) => {
      const all = await runs({ lateness: { sendWithinMs: 1_000, onLate, own: 0.3 } });
      expect(broken(all)).toEqual([]);
      expect(Object.keys(lateOf(all))).toEqual([state]);
      expect(lateOf(all)[state]).toBeGreaterThan(seeds.count);
      expect(delivered(all)).toBeGreaterThan(seeds.count * 10);
    },
    60_000,
  );

  test('under send everything goes out, however late it is', async () => {
    const all = await runs({ lateness: { sendWithinMs: 1_000, onLate: 'send', own: 0.3 } });
    expect(broken(all)).toEqual([]);
    expect(lateOf(all)).toEqual({});
    expect(delivered(all)).toBe(all.flatMap(({ histories }) => histories.table.rows).length);
  }, 60_000);

  test('what may have been sent is never called late, whatever providers do and whoever dies', async () => {
    const all = await runs({
      channels: ['idempotent', 'brief', 'lookup', 'blind', 'container'],
      faults: ['crash', 'freeze', 'databaseFlaky', 'rude'],
      pace: 1_000,
      manners: { drops: 0.3, errs: 0.1 },
      lateness: { sendWithinMs: 1_500, onLate: 'skip', own: 0.5 },
    });
    expect(broken(all)).toEqual([]);
    expect(lateOf(all)['failed']).toBeGreaterThan(0);
  }, 120_000);
});
