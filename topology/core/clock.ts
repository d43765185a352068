/** A call that is due later and can be taken back. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as an argument. Whatever waits or reads the time is given a clock, so that a test or a simulation can move it by
 * hand. All figures are milliseconds; `monotonic` may have a fraction and has no epoch.
 */
export interface Clock {
  /**
   * This machine's wall clock, epoch milliseconds. For records and displays, because sends go by the database's clock; and to
   * notice that the machine was suspended, which the monotonic clock does not count.
   */
  now(): number;
  /** A clock that never steps. */
  monotonic(): number;
  /** Calls `run` once, at least `delay` milliseconds from now. */
  after(delay: number, run: () => void): Timer;
  /** Resolves after `delay` milliseconds, or at once when `signal` aborts. Never rejects. */
  sleep(delay: number, signal?: AbortSignal): Promise<void>;
}

/** `Clock.sleep` for any clock that has `after`. */
export function sleepOn(clock: Pick<Clock, 'after'>, delay: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const done = () => {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(delay, done);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** The longest time that `setTimeout` waits. It takes anything above, and Infinity, for 1 ms. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * The delay as a clock may wait for it: at least 0. Every implementation of `after` asks for it.
 * @throws RangeError when it is not finite, because that is a mistake in a calculation. Set no timer to wait for ever.
 */
export function timerDelay(delayMs: number): number {
  if (!Number.isFinite(delayMs)) throw new RangeError(`a timer cannot wait ${delayMs} ms`);
  return Math.max(0, delayMs);
}

/** The machine's own clock; the only place that touches timers and `Date`. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, run) {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const next = leftMs > MAX_TIMEOUT_MS ? () => wait(leftMs - MAX_TIMEOUT_MS) : run;
      timer = setTimeout(next, Math.min(leftMs, MAX_TIMEOUT_MS));
    };
    wait(timerDelay(delay));
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: (delay, signal) => sleepOn(systemClock, delay, signal),
};

/**
 * Calls `run` every `intervalMs` milliseconds by the machine's clock, for as long as the process has something else to do.
 * @returns ends it
 */
export function inBackground(intervalMs: number, run: () => void): Timer {
  const timer = setInterval(run, timerDelay(intervalMs)).unref();
  return { cancel: () => clearInterval(timer) };
}

/**
 * What is known of the database's clock: two bounds, never a midpoint. All figures are epoch milliseconds. Before the first
 * reading `earliest` is -Infinity and `latest` is +Infinity, so no request starts and every lease is out.
 */
export interface DatabaseClock {
  /** The database's clock shows at least this. Requests start by it. */
  earliest(): number;
  /** The database's clock shows at most this. Leases end by it. */
  latest(): number;
}

/** One reading of the database's clock. `sent` and `received` are monotonic milliseconds, `timestamp` epoch milliseconds. */
export interface ClockReading {
  readonly timestamp: number;
  readonly sent: number;
  readonly received: number;
  /** `@@server_uuid`: after a failover the bounds of the old server say nothing about the new one. */
  readonly server: string;
}
