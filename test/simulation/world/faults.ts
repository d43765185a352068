import type { MemoryLog } from '../../support/kafka/memory-log';
import type { MemoryDatabase } from '../../support/mysql/memory-database';
import type { Random } from '../../support/random';
import type { Capture } from './capture';
import type { Fleet } from './fleet';
import { type Condition, healthy } from './link';
import { polite, type SimulatedProvider } from './provider';
import type { FaultKind, Scenario } from './scenario';
import type { SimulatedStreams } from './streams';
import type { SimulatedTime } from './time';

export interface FaultParts {
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly scenario: Scenario;
  readonly fleet: Fleet;
  readonly database: MemoryDatabase;
  readonly databaseCondition: Condition;
  readonly log: MemoryLog;
  readonly logCondition: Condition;
  readonly streams: SimulatedStreams;
  readonly capture: Capture;
  readonly providers: readonly SimulatedProvider[];
}

/** What may go wrong. A fault that does not end by itself returns how to end it. */
const faults = {
  crash: ({ fleet, random }: FaultParts) => fleet.crash(random.pick(fleet.all)),
  freeze: ({ fleet, random }: FaultParts) => {
    const place = random.pick(fleet.all);
    fleet.freeze(place);
    return {
      after: random.pick([random.between(500, 5_000), random.between(9_000, 22_000)]),
      end: () => fleet.thaw(place),
    };
  },
  deploy: ({ fleet, random }: FaultParts) => fleet.replace(random.pick(fleet.all)),
  rebalance: ({ streams, random }: FaultParts) => {
    if (streams.all.length > 0) random.pick(streams.all).rebalance();
  },
  cdcStops: ({ capture }: FaultParts) => {
    capture.stop();
    return { end: () => capture.resume() };
  },
  cdcRepeats: ({ capture, random }: FaultParts) => capture.repeat(random.integer(1, 30)),
  databaseAway: ({ databaseCondition }: FaultParts) => changed(databaseCondition, { away: true }),
  databaseFlaky: ({ databaseCondition, random }: FaultParts) =>
    changed(databaseCondition, {
      refused: random.between(0, 0.2),
      lost: random.between(0, 0.2),
      late: random.between(0, 0.1),
    }),
  databaseSlow: ({ databaseCondition, random }: FaultParts) =>
    changed(databaseCondition, { most: random.between(50, 900) }),
  lopsided: ({ fleet, random }: FaultParts) => {
    const { worker } = random.pick(fleet.all);
    if (worker === undefined) return undefined;
    const { slow } = worker.database;
    Object.assign(slow, random.pick([{ there: 60 }, { back: 60 }]));
    return { end: () => Object.assign(slow, { there: 1, back: 1 }) };
  },
  cutOff: ({ fleet, random }: FaultParts) => {
    const { worker } = random.pick(fleet.all);
    if (worker === undefined) return undefined;
    const { database } = worker;
    database.cut = true;
    return {
      after: random.between(1_000, 20_000),
      end: () => {
        database.cut = false;
      },
    };
  },
  logAway: ({ logCondition }: FaultParts) => changed(logCondition, { away: true }),
  logFlaky: ({ logCondition, streams, random }: FaultParts) => {
    streams.duplicated = random.between(0, 0.3);
    const { end } = changed(logCondition, { refused: random.between(0, 0.2), lost: random.between(0, 0.4) });
    return {
      end: () => {
        streams.duplicated = 0;
        end();
      },
    };
  },
  logLoses: ({ log, streams, random, providers }: FaultParts) => {
    const topic = `due.${random.pick(providers).name}`;
    const partition = random.integer(0, log.partitions(topic) - 1);
    const high = log.high(topic, partition);
    const kind = random.integer(0, 2);
    if (kind === 0) log.create(topic, log.partitions(topic), random.chance(0.5));
    else if (kind === 1) log.dropBelow(topic, partition, high);
    else log.truncate(topic, partition, Math.max(log.low(topic, partition), high - random.integer(1, 4)));
    streams.disturbed(topic);
  },
  clockJumps: ({ fleet, random }: FaultParts) => {
    const { worker } = random.pick(fleet.all);
    if (worker !== undefined) worker.options.machine.wallOffset += random.pick([-3_600_000, 3_600_000]);
  },
  rude: ({ providers, random }: FaultParts) =>
    changed(random.pick(providers).manners, {
      refuses: random.between(0, 0.2),
      drops: random.between(0, 0.2),
      vanishes: random.between(0, 0.2),
      busy: random.between(0, 0.2),
      rejects: random.pick([0, 0.1]),
      errs: random.pick([0, 0.1]),
      hangs: random.pick([0, 0.2]),
    }),
  slowProvider: ({ providers, random }: FaultParts) =>
    changed(random.pick(providers).manners, { slowest: 3_000, connecting: random.between(0, 3_000) }),
  pause: ({ database, providers, random }: FaultParts) => {
    const channel = random.pick(providers).name;
    if (random.chance(0.5)) database.pausedChannels.add(channel);
    else database.pausedAccounts = [{ channel, account: `account-${random.integer(1, 4)}` }];
    return {
      end: () => {
        database.pausedChannels.clear();
        database.pausedAccounts = [];
      },
    };
  },
  emissionPause: ({ database, providers, random }: FaultParts) => {
    database.emissionPausedChannels.add(random.pick(providers).name);
    return { end: () => database.emissionPausedChannels.clear() };
  },
  lock: ({ database, random }: FaultParts) => {
    const ids = [...database.rows.keys()].filter((id) => !database.locked.has(id) && random.chance(0.3));
    for (const id of ids) database.locked.add(id);
    return {
      end: () => {
        for (const id of ids) database.locked.delete(id);
      },
    };
  },
} satisfies Record<FaultKind, (parts: FaultParts) => Ending | undefined | void>;

interface Ending {
  /** How long the fault lasts, milliseconds; chance decides when it is not given. */
  readonly after?: number;
  readonly end: () => void;
}

/** Makes faults happen until `stop`, which ends those that still last. */
export class Faults {
  private over = false;

  constructor(private readonly parts: FaultParts) {}

  start(): void {
    const { time, scenario, providers, random } = this.parts;
    for (const { manners } of providers) {
      Object.assign(manners, scenario.manners, { hostility: scenario.hostile !== undefined });
    }
    if (scenario.faults.length > 0) this.next();
    for (const { kind, at, lasts } of scenario.strikes) {
      time.after(scenario.crowdAt + at, () => this.strike(kind, lasts && random.between(...lasts)));
    }
  }

  /** Ends every fault at once. */
  stop(): void {
    const { databaseCondition, logCondition, streams, capture, providers, database, fleet } = this.parts;
    this.over = true;
    Object.assign(databaseCondition, healthy());
    Object.assign(logCondition, healthy());
    streams.duplicated = 0;
    for (const { manners } of providers) Object.assign(manners, polite());
    database.pausedChannels.clear();
    database.pausedAccounts = [];
    database.emissionPausedChannels.clear();
    database.locked.clear();
    capture.resume();
    fleet.heal();
  }

  private strike(kind: FaultKind, lasts?: number): void {
    const { time, random } = this.parts;
    const ending = this.over ? undefined : (faults[kind](this.parts) as Ending | undefined);
    if (ending === undefined) return;
    const { after = random.skewed(200, 9_000), end } = ending;
    time.after(lasts ?? after, () => {
      if (!this.over) end();
    });
  }

  private next(): void {
    const { time, random, scenario } = this.parts;
    time.after(random.between(0, 2 * scenario.pace), () => {
      if (this.over) return;
      this.strike(random.pick(scenario.faults));
      this.next();
    });
  }
}

function changed<T extends object>(condition: T, change: Partial<T>): Ending {
  const before = Object.fromEntries(Object.keys(change).map((key) => [key, condition[key as keyof T]]));
  Object.assign(condition, change);
  return { end: () => Object.assign(condition, before) };
}
