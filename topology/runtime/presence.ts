import type { Clock } from '../core/clock';
import { LEASE_MS, type Lease } from '../core/lease';
import type { Log } from './log';
import type { Task } from './task';

const CHECK_EVERY_MS = 1_000;
/**
 * The lease has been out for so long when a worker gives its partitions to others. When the database is away for all of them,
 * this costs a rebalance after it is back, so an outage that passes quickly must not bring it about.
 */
const LEAVE_AFTER_MS = LEASE_MS;

export interface PresenceOptions {
  readonly tasks: readonly Task[];
  readonly lease: Pick<Lease, 'holds'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Joins the group of a task again, however long a part is away. */
  readonly open: (task: Task) => Promise<void>;
}

/**
 * Gives a worker's partitions away while it cannot work, and takes part again when it can. Otherwise the groups would take a
 * worker that has lost only the database for well, and what lies in its partitions would wait for as long as that lasts
 * although others could send it.
 */
export class Presence {
  constructor(private readonly options: PresenceOptions) {}

  /** Watches until the signal; what it has begun is done when it resolves. */
  async watch(signal: AbortSignal): Promise<void> {
    const { tasks, lease, clock, log, open } = this.options;
    let heldAtMs = clock.monotonic();
    let isAway = false;
    for (;;) {
      await clock.sleep(CHECK_EVERY_MS, signal);
      if (signal.aborted) return;
      const now = clock.monotonic();
      if (lease.holds()) {
        heldAtMs = now;
        if (!isAway) continue;
        isAway = false;
        log.info('the lease holds again: joining the groups');
        await Promise.all(tasks.map((task) => open(task)));
      } else if (!isAway && now - heldAtMs >= LEAVE_AFTER_MS) {
        isAway = true;
        log.warn({ outForMs: now - heldAtMs }, 'the lease is out: leaving the groups, so that others do the work');
        await Promise.all(tasks.map((task) => task.leave()));
      }
    }
  }
}
