import { endOf, type LatenessPolicy } from '../../topology/core/lateness';
import type { MessageState } from '../../topology/message';
import { MemoryLog } from '../support/kafka/memory-log';
import { MemoryDatabase } from '../support/mysql/memory-database';
import { Random } from '../support/random';
import type { Histories, PlanChange } from './judge/history';
import { Capture } from './world/capture';
import { Clients } from './world/clients';
import { FairnessWatch } from './world/fairness-watch';
import { Faults } from './world/faults';
import { Fleet, type Place } from './world/fleet';
import { type Condition, healthy, Link } from './world/link';
import { scheduleHarm, scheduleOrdinary } from './world/load';
import { Machine } from './world/machine';
import { Persons } from './world/persons';
import { SimulatedProvider } from './world/provider';
import { Revocations } from './world/revocations';
import type { Sabotage } from './world/sabotage';
import { type Scenario, scenarioOf } from './world/scenario';
import { feedTopic, SimulatedStreams } from './world/streams';
import { BEGINNING, SimulatedTime } from './world/time';
import { SimulatedWorker } from './world/worker';

export interface Figures {
  /** From the end of the faults (or from the last wake, if that is later) until everything was at rest. Milliseconds. */
  readonly rest: number;
  readonly events: number;
  /** Tuples that were emitted, and plans that came due. */
  readonly tuples: number;
  readonly requests: number;
  /** First request of each message minus the wake of its plan, milliseconds. */
  readonly lateness: readonly number[];
}

export interface Run {
  readonly histories: Histories;
  readonly figures: Figures;
}

const LEAD_MS = 2_000;
/** Everything is at rest when nothing has happened for so long. */
const QUIET_MS = 500;
const MAX_HELD_BYTES = 1_000_000;
const NEVER_LATE: LatenessPolicy = { sendWithinMs: null, onLate: 'suspend' };
const WAITING: ReadonlySet<MessageState> = new Set(['scheduled', 'sending', 'suspended', 'late']);

/** One run from one seed: applications, workers, the stack and the providers. */
export class Simulation {
  readonly time = new SimulatedTime();
  readonly scenario: Scenario;
  readonly database: MemoryDatabase;
  readonly log: MemoryLog;
  readonly fleet: Fleet;
  readonly clients: Clients;
  private readonly random: Random;
  private readonly streams: SimulatedStreams;
  private readonly faults: Faults;
  private readonly providers: readonly SimulatedProvider[];
  private readonly databaseCondition: Condition = healthy();
  private readonly logCondition: Condition = healthy();
  private readonly plans: PlanChange[] = [];
  private readonly markedDead = new Map<string, number>();
  private readonly bugs: unknown[] = [];
  private fairness: FairnessWatch | undefined;

  /** @param changed the parts of the scenario that are not left to chance */
  constructor(
    seed: number,
    changed: Partial<Scenario> = {},
    private readonly sabotage: Sabotage = {},
  ) {
    this.random = new Random(seed);
    const { time, random, databaseCondition, logCondition } = this;
    const scenario = { ...scenarioOf(random.fork(1)), ...changed };
    this.scenario = scenario;
    const clock = new Machine(time, random.fork(2));
    clock.wallOffset = 0;
    this.database = new MemoryDatabase(clock);
    this.log = new MemoryLog(clock);
    const { database, log } = this;
    const lateness = scenario.lateness ?? NEVER_LATE;
    database.onChange(({ id, version, wakeAt, deleted }) => {
      const row = database.rows.get(id);
      const end = row === undefined ? Number.POSITIVE_INFINITY : endOf(row, lateness);
      const plan = { id, version, wakeAt: deleted ? null : wakeAt, committedAt: time.now };
      this.plans.push(Number.isFinite(end) ? { ...plan, end } : plan);
    });
    database.after = (operation) => {
      if (operation !== 'markDead') return;
      for (const [session, { dead }] of database.workers)
        if (dead && !this.markedDead.has(session)) this.markedDead.set(session, time.now);
    };
    this.providers = scenario.channels.map(
      (kind, index) => new SimulatedProvider(kind, time, random.fork(10 + index), scenario.timeout),
    );
    log.create(feedTopic, scenario.partitions);
    for (const { name } of this.providers) log.create(`due.${name}`, scenario.partitions);
    const onStep = (machine: Machine) => this.fleet.step(machine);
    this.streams = new SimulatedStreams({ time, random: random.fork(3), log, condition: logCondition, onStep });
    const { streams, providers } = this;
    const capture = new Capture(time, random.fork(4), streams, database);
    const link = new Link({ time, random: random.fork(5), name: 'the database', condition: databaseCondition, onStep });
    const create = (place: Place, machine: Machine) => this.worker(place, machine, link);
    this.fleet = new Fleet({ time, random: random.fork(6), streams, create, crashes: scenario.crashes });
    const { fleet } = this;
    this.clients = new Clients({
      time,
      random: random.fork(7),
      database,
      condition: databaseCondition,
      channels: providers.map(({ name }) => name),
      accounts: scenario.accounts,
      lateness: scenario.lateness,
    });
    const parts = {
      time,
      scenario,
      fleet,
      database,
      databaseCondition,
      log,
      logCondition,
      streams,
      capture,
      providers,
    };
    this.faults = new Faults({ ...parts, random: random.fork(8) });
  }

  async run(): Promise<Run> {
    const { time, scenario, random } = this;
    const alone = random.chance(0.2);
    for (let index = 0; index < scenario.spouts; index++) this.add(true, alone);
    if (!alone) for (let index = 0; index < scenario.bolts; index++) this.add(false, true);
    const load = { time, scenario, clients: this.clients, database: this.database };
    scheduleOrdinary(load, random.fork(9));
    scheduleHarm(load);
    if (scenario.fairWithin !== undefined) this.fairness = this.fairnessWatch(scenario.fairWithin);
    if (scenario.revocations) this.revocations().start();
    if (scenario.lateness !== undefined) this.persons().start();
    this.faults.start();
    await time.run(scenario.storm);
    this.fairness?.end();
    this.faults.stop();
    const until = time.elapsed + scenario.calm;
    let quietSince = Number.POSITIVE_INFINITY;
    while (time.elapsed < until) {
      await time.run(Math.min(until, time.elapsed + 100));
      if (!this.isAtRest()) quietSince = Number.POSITIVE_INFINITY;
      else if (quietSince === Number.POSITIVE_INFINITY) quietSince = time.elapsed;
      else if (time.elapsed - quietSince >= QUIET_MS) break;
    }
    const [bug] = this.bugs;
    if (bug !== undefined) throw bug;
    const lastWake = Math.max(0, ...this.plans.map(({ wakeAt }) => (wakeAt ?? 0) - BEGINNING));
    const rest = Math.min(quietSince, time.elapsed) - Math.max(scenario.storm, lastWake);
    return { histories: this.histories(), figures: this.figures(rest) };
  }

  private add(spouts: boolean, bolts: boolean): void {
    const { time, scenario, fleet, random } = this;
    if (scenario.startsWithin === 0 || fleet.all.length === 0) fleet.add(spouts, bolts);
    else time.after(random.between(0, scenario.startsWithin), () => fleet.add(spouts, bolts));
  }

  private worker(place: Place, machine: Machine, link: Link): SimulatedWorker {
    const { time, database, streams, providers, scenario, random, sabotage } = this;
    const { concurrency, perAccount, claimAheadMaxMs, maxHeld } = scenario;
    const worker: SimulatedWorker = new SimulatedWorker({
      spouts: place.spouts,
      bolts: place.bolts,
      machine,
      random: random.fork(random.integer(100, 1e9)),
      database,
      link,
      streams,
      providers,
      spout: {
        leadMs: LEAD_MS,
        reconcileIntervalMs: 2_000,
        maxPending: 1_000,
        maxPendingPerAccount: 100,
        maxEntries: 1_000,
      },
      bolt: {
        concurrency,
        perAccount,
        perOrigin: concurrency,
        claimBatch: 8,
        claimAheadMaxMs,
        maxHeld,
        maxHeldBytes: MAX_HELD_BYTES,
        leadMs: LEAD_MS,
        readyAheadMs: 0,
      },
      retry: { giveUpAfterMs: 8_000, baseMs: 300, capMs: 2_000 },
      lateness: scenario.lateness ?? NEVER_LATE,
      limits: scenario.limits,
      hasAccounts: scenario.revocations,
      slow: time.elapsed < scenario.storm ? scenario.slow : { there: 1, back: 1 },
      sabotage,
      onEnd: () => this.fleet.end(place, worker),
      onBug: (error) => this.bugs.push(error),
    });
    return worker;
  }

  private revocations(): Revocations {
    const { time, random, database, providers, scenario } = this;
    const accounts = Array.from({ length: scenario.accounts }, (_, index) => `account-${index + 1}`);
    return new Revocations({ time, random: random.fork(20), database, providers, accounts, storm: scenario.storm });
  }

  private persons(): Persons {
    const { time, random, database, clients } = this;
    return new Persons({ time, random: random.fork(21), database, clients });
  }

  private fairnessWatch(within: number): FairnessWatch {
    const { time, log, fleet, providers, scenario } = this;
    const components = providers.map(({ name }) => name);
    return new FairnessWatch({
      time,
      log,
      fleet,
      components,
      within,
      maxHeldBytes: MAX_HELD_BYTES,
      end: scenario.storm,
    });
  }

  private isAtRest(): boolean {
    return (
      [...this.database.rows.values()].every(({ state }) => !WAITING.has(state)) &&
      Object.values(this.left()).every((count) => count === 0)
    );
  }

  private left(): Record<string, number> {
    const left: Record<string, number> = {};
    for (const [index, { worker }] of this.fleet.all.entries())
      left[`in the hands of worker ${index}`] = worker?.left() ?? 0;
    for (const { name } of this.providers) left[`lag of ${name}`] = this.streams.lag(name);
    return left;
  }

  /** What is made ready first takes its own time between its attempt's start and its request. */
  private isOrdered(): boolean {
    const { faults, strikes, crashes, channels } = this.scenario;
    const kinds = [...faults, ...strikes.map(({ kind }) => kind)];
    const areOnlyPauses = kinds.every((kind) => kind === 'pause' || kind === 'emissionPause');
    return areOnlyPauses && crashes === 0 && !channels.includes('container');
  }

  /** An outage of the database alone: who dies, or what is claimed in it, changes when a message has its turn. */
  private newestFrom(): number | undefined {
    const { faults, strikes, crashes, crowdAt, channels, lateness } = this.scenario;
    const [outage, ...others] = strikes;
    const isAlone = faults.length === 0 && crashes === 0 && others.length === 0 && !channels.includes('container');
    if (lateness?.backlog !== 'newest' || !isAlone || outage?.kind !== 'databaseAway') return undefined;
    return BEGINNING + crowdAt + outage.at + 2 * LEAD_MS;
  }

  private histories(): Histories {
    const { database, providers, fleet } = this;
    return {
      clients: this.clients.history,
      requests: providers.flatMap(({ requests }) => requests),
      table: {
        rows: [...database.rows.values()],
        plans: this.plans,
        ledger: database.ledger,
        markedDead: this.markedDead,
        died: fleet.died,
      },
      classes: Object.fromEntries(providers.map(({ name, channelClass }) => [name, channelClass])),
      orderedBeyond: this.isOrdered() ? LEAD_MS : undefined,
      newestFrom: this.newestFrom(),
      left: this.left(),
      fairness: this.fairness?.seen,
    };
  }

  private figures(rest: number): Figures {
    const { providers, log, time } = this;
    const requests = providers.flatMap((provider) => provider.requests);
    let tuples = 0;
    for (const { name } of providers) {
      const topic = `due.${name}`;
      for (let partition = 0; partition < log.partitions(topic); partition++) tuples += log.high(topic, partition);
    }
    const lateness = requests.map(({ id, at }) => {
      const plan = this.plans.findLast((one) => one.id === id && one.committedAt <= at);
      return at - Math.max(plan?.wakeAt ?? at, plan?.committedAt ?? at);
    });
    return { rest, events: time.events, tuples, requests: requests.length, lateness };
  }
}
