import type { Clock } from '../core/clock';

/** Lines of one kind at most this often. */
const LINE_EVERY_MS = 1_000;

/**
 * Keeps a log readable while something fails thousands of times a second: one line per kind and second, which says for how
 * many others it stands.
 */
export class Seldom {
  private readonly kinds = new Map<string, { at: number; silent: number }>();

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  /** @param write is given how many lines of the kind were left out since the last one */
  say(kind: string, write: (leftOut: number) => void): void {
    const now = this.clock.monotonic();
    const last = this.kinds.get(kind);
    if (last !== undefined && now - last.at < LINE_EVERY_MS) {
      last.silent++;
      return;
    }
    this.kinds.set(kind, { at: now, silent: 0 });
    write(last?.silent ?? 0);
  }
}
