import type { Clock } from '../core/clock';

/** Lines about the same thing at most this often. Milliseconds. */
const INTERVAL = 1_000;

/**
 * Keeps a log readable while something goes wrong thousands of times a second: a line per kind and second, which says how
 * many there were that it stands for.
 */
export class Seldom {
  private readonly kinds = new Map<string, { at: number; silent: number }>();

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  /** @param write is given how many lines of the kind were left out since the last one */
  say(kind: string, write: (leftOut: number) => void): void {
    const now = this.clock.monotonic();
    const last = this.kinds.get(kind);
    if (last !== undefined && now - last.at < INTERVAL) {
      last.silent++;
      return;
    }
    this.kinds.set(kind, { at: now, silent: 0 });
    write(last?.silent ?? 0);
  }
}
