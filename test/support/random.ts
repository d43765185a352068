import { seededRandom } from '../../deploy/demo/random';

/** Chance from a seed. Each part of a simulation forks its own, so that one that draws more does not disturb the others. */
export class Random {
  private readonly draw: () => number;

  constructor(private readonly seed: number) {
    this.draw = seededRandom(seed);
    // Seeds that are near each other begin alike.
    for (let skip = 0; skip < 3; skip++) this.draw();
  }

  fork(salt: number): Random {
    return new Random(Math.imul(this.seed ^ Math.imul(salt + 1, 0x9e3779b1), 0x85ebca6b) >>> 0);
  }

  /** In [0, 1). */
  readonly next = (): number => this.draw();

  chance(part: number): boolean {
    return this.draw() < part;
  }

  between(least: number, most: number): number {
    return least + this.draw() * (most - least);
  }

  integer(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.draw() * from.length)] as T;
  }

  /** Mostly near `least`, now and then near `most`: latencies. */
  skewed(least: number, most: number): number {
    return least + this.draw() ** 4 * (most - least);
  }

  shuffled<T>(all: readonly T[]): T[] {
    return all
      .map((one) => ({ one, at: this.draw() }))
      .toSorted((a, b) => a.at - b.at)
      .map(({ one }) => one);
  }
}
