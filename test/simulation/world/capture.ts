import type { ScheduleChange } from '../../../topology/streams';
import type { MemoryDatabase } from '../../support/mysql/memory-database';
import type { Random } from '../../support/random';
import type { SimulatedStreams } from './streams';
import type { SimulatedTime } from './time';

/** CDC: publishes every change of a plan at least once, in order, a moment later. While it is stopped, changes wait. */
export class Capture {
  private stopped = false;
  private readonly changes: ScheduleChange[] = [];
  private published = 0;
  private publishing = false;

  constructor(
    private readonly time: SimulatedTime,
    private readonly random: Random,
    private readonly streams: SimulatedStreams,
    database: MemoryDatabase,
  ) {
    database.onChange((change) => {
      this.changes.push(change);
      this.publish();
    });
  }

  stop(): void {
    this.stopped = true;
  }

  resume(): void {
    this.stopped = false;
    this.publish();
  }

  /** It crashed before it committed its position: the last changes are published again. */
  repeat(count: number): void {
    this.published = Math.max(0, this.published - count);
    this.publish();
  }

  private publish(): void {
    if (this.stopped || this.publishing || this.published === this.changes.length) return;
    this.publishing = true;
    this.time.after(this.random.skewed(2, 300), () => {
      this.publishing = false;
      if (this.stopped) return;
      while (this.published < this.changes.length)
        this.streams.publish(this.changes[this.published++] as ScheduleChange);
    });
  }
}
