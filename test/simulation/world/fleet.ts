import type { Random } from '../../support/random';
import { Machine } from './machine';
import type { SimulatedStreams } from './streams';
import type { SimulatedTime } from './time';
import type { SimulatedWorker } from './worker';

/** Where workers run, one after another. */
export interface Place {
  readonly spouts: boolean;
  readonly bolts: boolean;
  worker: SimulatedWorker | undefined;
  starting: boolean;
}

export interface FleetOptions {
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly streams: SimulatedStreams;
  readonly create: (place: Place, machine: Machine) => SimulatedWorker;
  /** The chance that a worker dies at one of its steps. */
  readonly crashes: number;
}

/** The workers, and the engine that starts them again. */
export class Fleet {
  readonly all: Place[] = [];
  /** Sessions whose process died. */
  readonly died = new Set<string>();
  private crashes: number;

  constructor(private readonly options: FleetOptions) {
    this.crashes = options.crashes;
  }

  add(spouts: boolean, bolts: boolean): void {
    const place: Place = { spouts, bolts, worker: undefined, starting: false };
    this.all.push(place);
    this.start(place);
  }

  crash(place: Place): void {
    if (place.worker !== undefined) this.end(place, place.worker);
  }

  freeze({ worker }: Place): void {
    if (worker === undefined) return;
    const { machine } = worker.options;
    machine.freeze();
    this.options.streams.silent(machine);
  }

  thaw({ worker }: Place): void {
    if (worker === undefined || worker.options.machine.dead) return;
    worker.options.machine.thaw();
    this.options.streams.heard(worker.options.machine);
  }

  /** A deploy: the worker stops in good order, and then another starts in its place. */
  replace({ worker }: Place): void {
    if (worker === undefined) return;
    worker.options.machine.deliver(() => void worker.stop());
  }

  /** One of the places where a process may die. */
  step(machine: Machine): void {
    if (this.crashes === 0 || machine.isSilent || !this.options.random.chance(this.crashes)) return;
    const place = this.all.find(({ worker }) => worker?.options.machine === machine);
    if (place !== undefined) this.crash(place);
  }

  /** From now on no worker dies, and those that were frozen or cut off continue. */
  heal(): void {
    this.crashes = 0;
    for (const place of this.all) {
      this.thaw(place);
      if (place.worker === undefined) continue;
      const { database } = place.worker;
      database.cut = false;
      Object.assign(database.slow, { there: 1, back: 1 });
    }
  }

  private start(place: Place): void {
    place.starting = false;
    const { time, random, create } = this.options;
    const machine = new Machine(time, random.fork(random.integer(0, 1e9)));
    place.worker = create(place, machine);
    void place.worker.start();
  }

  /** The process is gone, and after a while another is started in its place. */
  end(place: Place, worker: SimulatedWorker): void {
    if (place.worker !== worker || place.starting) return;
    const { time, random, streams } = this.options;
    const { machine } = worker.options;
    machine.die();
    streams.silent(machine);
    this.died.add(worker.session.session);
    place.worker = undefined;
    place.starting = true;
    time.after(random.between(200, 3_000), () => this.start(place));
  }
}
