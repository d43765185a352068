import type { Clock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';

/** One that could not be read, though others could, is not tried for longer than this. */
const MAX_WAIT_MS = 30_000;

export interface InTurnParts {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Takes why one could not be read, unless the round ends with it. */
  readonly onError: (error: unknown) => void;
}

interface Failure<T> {
  readonly item: T;
  readonly error: unknown;
  /** When its read began and ended, monotonic milliseconds. */
  readonly began: number;
  readonly ended: number;
}

/**
 * Channels that are read one after another, round by round. One that cannot be read ends no other's round: its index may be
 * damaged, or its page take too long. Others would have one page for each of its time-outs, so it is left out for as long as its read
 * took, and twice as long each time after that. One that fails at once costs nothing, and is tried in each round.
 *
 * Where the first two cannot be read the round ends all the same, because the database may be away, and each further try could take
 * as long as a time-out. The next round begins with others.
 */
export class InTurn<T> {
  private order: readonly T[];
  /** What is left out, or was last time. Monotonic milliseconds. */
  private readonly waits = new Map<T, { readonly until: number; readonly forMs: number }>();

  constructor(
    items: readonly T[],
    private readonly parts: InTurnParts,
  ) {
    this.order = items;
  }

  get items(): readonly T[] {
    return this.order;
  }

  /**
   * @returns those of `items` that could be read
   * @throws Unavailable when none could that was tried
   */
  async each(items: readonly T[], read: (item: T) => Promise<void>): Promise<T[]> {
    const { clock } = this.parts;
    const readable: T[] = [];
    let failed: Failure<T> | undefined;
    for (const item of items) {
      const began = clock.monotonic();
      if (began < (this.waits.get(item)?.until ?? began)) continue;
      try {
        await read(item);
        readable.push(item);
      } catch (error) {
        this.order = [...this.order.filter((one) => one !== item), item];
        if (!(error instanceof Unavailable) || (readable.length === 0 && failed !== undefined)) throw error;
        failed = { item, error, began, ended: clock.monotonic() };
      }
      if (failed === undefined || readable.length === 0) continue;
      this.leaveOut(failed);
      failed = undefined;
    }
    if (failed !== undefined) throw failed.error;
    return readable;
  }

  private leaveOut({ item, error, began, ended }: Failure<T>): void {
    this.parts.onError(error);
    const last = this.waits.get(item);
    // One page of several that can be read does not mean that all can.
    const isAgain = last !== undefined && began - last.until <= last.forMs;
    const forMs = Math.min(MAX_WAIT_MS, Math.max(ended - began, isAgain ? 2 * last.forMs : 0));
    this.waits.set(item, { until: ended + forMs, forMs });
  }
}
