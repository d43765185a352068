import type { MemoryDatabase } from '../../support/mysql/memory-database';
import type { Random } from '../../support/random';
import type { Clients } from './clients';
import type { SimulatedTime } from './time';

/** Milliseconds between two looks on average, and how many of the skipped messages are wanted all the same, as a part of 1. */
const PACE = 1_000;
const WANTED = 0.4;

export interface PersonsParts {
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly database: MemoryDatabase;
  readonly clients: Clients;
}

/** Persons who look at what was late, from time to time: they resume all that waits for them, and redrive some of what was skipped. */
export class Persons {
  private readonly seen = new Set<number>();

  constructor(private readonly parts: PersonsParts) {}

  start(): void {
    const { time, random } = this.parts;
    time.after(random.between(0, 2 * PACE), () => {
      this.look();
      this.start();
    });
  }

  private look(): void {
    const { database, clients, random } = this.parts;
    for (const row of database.rows.values()) {
      if (!row.isLate || database.locked.has(row.id)) continue;
      if (row.state === 'late') database.resume(row.id);
      if (row.state !== 'failed' || this.seen.has(row.id)) continue;
      this.seen.add(row.id);
      if (random.chance(WANTED)) clients.redrive(row.id);
    }
  }
}
