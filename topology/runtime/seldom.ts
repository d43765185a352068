import type { Clock } from '../core/clock';

/** Lines of one kind at most this often. */
const LINE_EVERY_MS = 1_000;
/** Kinds that are known at one time. Lines of further kinds count as one kind. */
const MAX_KINDS = 100;
const FURTHER = 'further kinds';

/**
 * Keeps a log readable while something fails thousands of times a second.
 *
 * 1. A kind of line is written once a second, and says for how many others it stands.
 * 2. Lines that differ only in their numbers are of one kind.
 * 3. At most some hundred lines are written a second, and memory is bounded, whatever the kinds are.
 */
export class Seldom {
  private readonly kinds = new Map<string, { at: number; silent: number }>();

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  /** @param write is given how many lines of the kind were left out since the last one */
  say(kind: string, write: (leftOut: number) => void): void {
    const now = this.clock.monotonic();
    const key = this.keyOf(kind, now);
    const last = this.kinds.get(key);
    if (last !== undefined && now - last.at < LINE_EVERY_MS) {
      last.silent++;
      return;
    }
    this.kinds.set(key, { at: now, silent: 0 });
    write(last?.silent ?? 0);
  }

  private keyOf(kind: string, now: number): string {
    const key = kind.replace(/\d+/g, '#');
    if (this.kinds.has(key) || this.kinds.size < MAX_KINDS) return key;
    for (const [known, { at }] of this.kinds) if (now - at >= LINE_EVERY_MS) this.kinds.delete(known);
    return this.kinds.size < MAX_KINDS ? key : FURTHER;
  }
}
