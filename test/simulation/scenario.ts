import type { ChannelClass } from '../../topology/message';
import type { FaultKind } from './faults';
import type { Random } from './random';

/** What a run is made of. Times are milliseconds. */
export interface Scenario {
  readonly channels: readonly ChannelClass[];
  readonly spouts: number;
  readonly bolts: number;
  readonly partitions: number;
  readonly accounts: number;
  readonly messages: number;
  /** How long applications write and faults happen. */
  readonly storm: number;
  /** How long everything may take to come to rest afterwards. */
  readonly calm: number;
  /** Which faults may happen, the more often named the more often; none for a run whose order is judged. */
  readonly faults: readonly FaultKind[];
  /** Milliseconds between two faults on average. */
  readonly pace: number;
  /** Edits and cancels of a message, as a part of 1 each. */
  readonly edits: number;
  readonly cancels: number;
  readonly overwrites: number;
  /** Messages that wake at one instant, as a part of 1. */
  readonly crowded: number;
  readonly claimAheadMax: number;
  readonly concurrency: number;
  readonly perAccount: number;
  /** That a worker dies at a call to the database or the log, or at its answer. */
  readonly crashes: number;
}

export const everyFault: readonly FaultKind[] = [
  'crash',
  'crash',
  'freeze',
  'freeze',
  'rebalance',
  'cdcStops',
  'cdcRepeats',
  'databaseAway',
  'databaseFlaky',
  'databaseSlow',
  'lopsided',
  'logAway',
  'logFlaky',
  'logLoses',
  'clockJumps',
  'rude',
  'slowProvider',
  'pause',
  'lock',
  'deploy',
];

/** A scenario by chance: every run is of another kind. */
export function scenarioOf(random: Random): Scenario {
  const isCalm = random.chance(0.1);
  const kinds = random.shuffled([...new Set(everyFault)]).slice(0, random.integer(2, 10));
  return {
    channels: random.shuffled(['idempotent', 'lookup', 'blind'] as const).slice(0, random.integer(1, 2)),
    spouts: random.integer(1, 2),
    bolts: random.integer(1, 3),
    partitions: random.integer(1, 4),
    accounts: random.integer(1, 8),
    messages: random.integer(20, 50),
    storm: random.between(8_000, 20_000),
    calm: 90_000,
    faults: isCalm ? [] : everyFault.filter((kind) => kinds.includes(kind)),
    pace: random.between(700, 3_000),
    edits: isCalm ? 0 : random.between(0, 0.5),
    cancels: isCalm ? 0 : random.between(0, 0.4),
    overwrites: isCalm ? 0 : random.pick([0, 0, 0.2]),
    crowded: random.pick([0, 0.3, 0.8]),
    claimAheadMax: random.pick([0, 2_000]),
    concurrency: random.pick([2, 8, 16]),
    perAccount: random.pick([1, 4, 8]),
    crashes: isCalm ? 0 : random.pick([0, 0, 0.002]),
  };
}
