import type { Clock, Timer } from '../topology/core/clock';
import { Unavailable } from '../topology/core/errors';

/** Milliseconds until work that could not be done is tried again. */
const TRY_AGAIN = 500;

/** Work that is done again and again: after the delay that it asks for, or at once when kicked; never twice at a time. */
export class Repeating {
  private timer: Timer | undefined;
  private running: Promise<void> | undefined;
  private busy = false;
  private kicked = false;
  private failed = false;
  private closed = false;

  /**
   * @param work resolves to the milliseconds until its next run. When it throws Unavailable it is tried again after a
   * moment, kicked or not; after anything else, which is a bug, never.
   */
  constructor(
    private readonly clock: Clock,
    private readonly work: () => Promise<number>,
    private readonly onError: (error: unknown) => void,
  ) {}

  get isClosed(): boolean {
    return this.closed;
  }

  kick(): void {
    if (this.busy) this.kicked = true;
    else if (!this.closed && !this.failed) this.start();
  }

  /** No run begins any more; resolves when none is under way. */
  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    await this.running;
  }

  private start(): void {
    this.timer?.cancel();
    this.busy = true;
    this.running = this.run();
  }

  private async run(): Promise<void> {
    let delay = TRY_AGAIN;
    this.kicked = false;
    this.failed = false;
    try {
      delay = await this.work();
    } catch (error) {
      this.failed = true;
      if (!(error instanceof Unavailable)) this.closed = true;
      this.onError(error);
    }
    this.busy = false;
    if (this.closed) return;
    if (this.kicked && !this.failed) this.start();
    else this.timer = this.clock.after(delay, () => this.start());
  }
}
