import type { MemoryLog } from '../../support/kafka/memory-log';
import type { Fairness } from '../judge/history';
import type { Fleet } from './fleet';
import { HELD_ACCOUNT, hostileAccounts } from './hostile-tenant';
import type { SimulatedTime } from './time';

/** How often it is looked at what bolts hold. */
const LOOK_EVERY_MS = 100;
/** A tuple that cannot start is dropped half a minute after its wake; reconcile brings the row back later. */
const DROPPED_AFTER_MS = 35_000;

export interface FairnessWatchOptions {
  readonly time: SimulatedTime;
  readonly log: MemoryLog;
  readonly fleet: Fleet;
  /** Components of bolts. */
  readonly components: readonly string[];
  /** How late messages of others may be. */
  readonly within: number;
  readonly maxHeldBytes: number;
  /** When the harm ends, milliseconds since the beginning. */
  readonly end: number;
}

/** Looks at what one account's harm does to the bolts and to the offsets of their groups while it lasts. */
export class FairnessWatch {
  private heldBytes = 0;
  private stuck: readonly string[] = [];
  private emitted: ReadonlyMap<string, number> = new Map();

  constructor(private readonly options: FairnessWatchOptions) {
    const { time, log, end } = options;
    this.look();
    // In a shorter world what was emitted before may still be held.
    if (end > DROPPED_AFTER_MS) {
      time.after(end - DROPPED_AFTER_MS, () => {
        this.emitted = this.positions((topic, partition) => log.high(topic, partition));
      });
    }
  }

  /** To be called when the harm ends. */
  end(): void {
    const { log } = this.options;
    const committed = this.positions((topic, partition, name) => log.committedOf(name, topic, partition));
    this.stuck = [...this.emitted].flatMap(([name, high]) => ((committed.get(name) ?? -1) < high ? [name] : []));
  }

  get seen(): Fairness {
    const { within, maxHeldBytes } = this.options;
    const { stuck, heldBytes } = this;
    return { within, harmful: [...hostileAccounts, HELD_ACCOUNT], stuck, heldBytes, maxHeldBytes };
  }

  private look(): void {
    const { time, fleet } = this.options;
    this.heldBytes = Math.max(this.heldBytes, ...fleet.all.map(({ worker }) => worker?.heldBytes() ?? 0));
    time.after(LOOK_EVERY_MS, () => this.look());
  }

  /** A number of each partition of the due topics in which there is anything, by its name. */
  private positions(of: (topic: string, partition: number, component: string) => number): Map<string, number> {
    const { log, components } = this.options;
    const found = new Map<string, number>();
    for (const name of components) {
      const topic = `due.${name}`;
      for (let partition = 0; partition < log.partitions(topic); partition++) {
        if (log.high(topic, partition) === 0) continue;
        found.set(`partition ${partition} of ${topic}`, of(topic, partition, name));
      }
    }
    return found;
  }
}
