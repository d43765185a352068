import type { ScheduleChange } from '../../../topology/streams';
import type { MemoryDatabase } from '../../support/memory-database';
import type { Random } from '../../support/random';
import type { SimulatedStreams } from './streams';
import type { SimulatedTime } from './time';

/** CDC: tells every change of a plan once at least, in order, a moment later; or, while it is stopped, when it goes on. */
export class Capture {
  private stopped = false;
  private readonly changes: ScheduleChange[] = [];
  private told = 0;
  private telling = false;

  constructor(
    private readonly time: SimulatedTime,
    private readonly random: Random,
    private readonly streams: SimulatedStreams,
    database: MemoryDatabase,
  ) {
    database.onChange((change) => {
      this.changes.push(change);
      this.tell();
    });
  }

  stop(): void {
    this.stopped = true;
  }

  goOn(): void {
    this.stopped = false;
    this.tell();
  }

  /** It crashed before it noted how far it had come: the last changes are told again. */
  repeat(count: number): void {
    this.told = Math.max(0, this.told - count);
    this.tell();
  }

  private tell(): void {
    if (this.stopped || this.telling || this.told === this.changes.length) return;
    this.telling = true;
    this.time.after(this.random.skewed(2, 300), () => {
      this.telling = false;
      if (this.stopped) return;
      while (this.told < this.changes.length) this.streams.tell(this.changes[this.told++] as ScheduleChange);
    });
  }
}
