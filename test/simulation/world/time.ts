import type { Timer } from '../../../topology/core/clock';
import { Heap } from '../../../topology/core/heap';

interface Event extends Timer {
  readonly at: number;
  readonly sequence: number;
  run: (() => void) | undefined;
}

/** Epoch milliseconds by true time at the beginning of a simulation. */
export const BEGINNING = 1_800_000_000_000;

/**
 * True time: events in order, one after another. Between two events every promise settles that can, so the same seed gives
 * the same run.
 */
export class SimulatedTime {
  /** Milliseconds since the beginning. */
  elapsed = 0;
  events = 0;
  private sequence = 0;
  private readonly heap = new Heap<Event>((one, other) =>
    one.at === other.at ? one.sequence < other.sequence : one.at < other.at,
  );

  /** Epoch milliseconds, with fractions. */
  get now(): number {
    return BEGINNING + this.elapsed;
  }

  after(delay: number, run: () => void): Timer {
    const event: Event = {
      at: this.elapsed + Math.max(0, delay),
      sequence: this.sequence++,
      run,
      cancel: () => {
        event.run = undefined;
      },
    };
    this.heap.push(event);
    return event;
  }

  sleep(delay: number): Promise<void> {
    return new Promise((resolve) => this.after(delay, resolve));
  }

  /** Lets time pass until `until`, or until `isOver` says so. Milliseconds since the beginning. */
  async run(until: number, isOver: () => boolean = () => false): Promise<void> {
    await settled();
    for (let next = this.heap.peek(); next !== undefined && next.at <= until; next = this.heap.peek()) {
      this.heap.pop();
      const { run } = next;
      if (run === undefined) continue;
      this.elapsed = next.at;
      this.events++;
      run();
      await settled();
      if (isOver()) return;
    }
    this.elapsed = until;
  }
}

/**
 * Every promise has settled that can without time passing: Node runs its ticks only when no microtask is left. Much
 * cheaper than a turn of the event loop. To be called from a microtask, as after any `await`.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}
