import type { LatenessPolicy } from '../../../topology/core/lateness';
import type { Limits } from '../../../topology/core/limits';
import type { Random } from '../../support/random';
import { type HostileKind, hostileKinds } from './hostile-tenant';
import { type Manners, type SimulatedKind, simulatedKinds, TIMEOUT } from './provider';

/** Everything that may go wrong in a run; `faults.ts` says how. What is named twice happens twice as often. */
const everyFault = [
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
  'cutOff',
  'logAway',
  'logFlaky',
  'logLoses',
  'clockJumps',
  'rude',
  'slowProvider',
  'pause',
  'lock',
  'deploy',
] as const;

/** A command stops only what is emitted while partitions are added; that takes a moment that is aimed at. */
export type FaultKind = (typeof everyFault)[number] | 'emissionPause';

interface Strike {
  readonly kind: FaultKind;
  /** From the waking of the crowd, milliseconds. */
  readonly at: number;
  /** At least and at most, milliseconds. */
  readonly lasts?: readonly [number, number];
}

/** What a run is made of. All times are milliseconds. */
export interface Scenario {
  readonly channels: readonly SimulatedKind[];
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
  /** The others wake evenly through the storm; else most of them soon. */
  readonly evenly: boolean;
  readonly claimAheadMaxMs: number;
  readonly concurrency: number;
  readonly perAccount: number;
  /** Rows that a bolt holds at most. */
  readonly maxHeld: number;
  /** How long a worker waits for an answer of a provider. */
  readonly timeout: number;
  /** How providers behave all through the storm. */
  readonly manners: Partial<Manners>;
  /** How much longer than usual the ways to the database and back take, all through the storm. */
  readonly slow: { readonly there: number; readonly back: number };
  /** When the crowd wakes, milliseconds since the beginning. */
  readonly crowdAt: number;
  /** Faults at a moment that is aimed at, besides those by chance. */
  readonly strikes: readonly Strike[];
  /** How long after the first worker the others start, at most: what each does once a second it does at a moment of its own. */
  readonly startsWithin: number;
  /** The chance that a worker dies at a call to the database or the log, or at its answer. */
  readonly crashes: number;
  /** What one account does all through the storm to the harm of others, if anything. Its messages wake with the crowd. */
  readonly hostile: HostileKind | undefined;
  readonly hostileMessages: number;
  /** A transaction locks one message that wakes with the crowd, all through the storm. */
  readonly held: boolean;
  /** Providers revoke credentials of accounts all through the storm, and persons set others. */
  readonly revocations: boolean;
  /** After which time messages are late, if they are: of the channel, and `own`, as a part of 1, of messages that say it themselves. */
  readonly lateness: (LatenessPolicy & { readonly own: number }) | undefined;
  /** Of every channel, if there are any. */
  readonly limits?: Limits | undefined;
  /** Nothing else is wrong, so that no message of another account may be later than this. */
  readonly fairWithin: number | undefined;
}

/** A scenario by chance, so that every run is different. */
export function scenarioOf(random: Random): Scenario {
  const isCalm = random.chance(0.1);
  /** So many at one instant that they are claimed ahead of it. */
  const isCrowd = random.chance(0.07);
  const kinds = random.shuffled([...new Set(everyFault)]).slice(0, random.integer(2, 10));
  const storm = random.between(8_000, 20_000);
  const scenario: Scenario = {
    channels: random.shuffled(simulatedKinds).slice(0, isCrowd ? 1 : random.integer(1, 2)),
    spouts: random.integer(1, 2),
    bolts: isCrowd ? 1 : random.integer(1, 3),
    partitions: random.integer(1, 4),
    accounts: random.integer(1, 8),
    messages: isCrowd ? random.integer(100, 150) : random.integer(20, 50),
    storm,
    calm: 90_000,
    faults: isCalm ? [] : everyFault.filter((kind) => kinds.includes(kind)),
    pace: random.between(700, 3_000),
    edits: isCalm ? 0 : random.between(0, 0.5),
    cancels: isCalm ? 0 : random.between(0, 0.4),
    overwrites: isCalm ? 0 : random.pick([0, 0, 0.2]),
    crowded: isCrowd ? 1 : random.pick([0, 0.3, 0.8]),
    evenly: false,
    claimAheadMaxMs: isCrowd ? 2_000 : random.pick([0, 2_000]),
    concurrency: random.pick([2, 8, 16]),
    perAccount: random.pick([1, 4, 8]),
    maxHeld: random.pick([20, 1_000]),
    timeout: TIMEOUT,
    manners: {},
    slow: { there: 1, back: 1 },
    crowdAt: Math.floor(random.between(0.3, 0.9) * storm),
    strikes: [],
    startsWithin: 0,
    crashes: isCalm ? 0 : random.pick([0, 0, 0.002]),
    hostile: random.chance(0.1) ? random.pick(hostileKinds) : undefined,
    hostileMessages: random.integer(20, 60),
    held: random.chance(0.1),
    revocations: random.chance(0.3),
    fairWithin: undefined,
    lateness: random.chance(0.25)
      ? {
          sendWithinMs: random.integer(500, 6_000),
          onLate: random.pick(['skip', 'suspend', 'send']),
          own: random.pick([0, 0.5, 1]),
        }
      : undefined,
  };
  const manners = random.chance(0.3) ? { listsLate: random.between(0, 1) } : {};
  return { ...scenario, manners, startsWithin: random.pick([0, 1_000]) };
}
