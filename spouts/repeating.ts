import type { Clock, Timer } from '../topology/core/clock';
import { Unavailable } from '../topology/core/errors';

/** Until work that threw Unavailable runs again. */
const UNAVAILABLE_RETRY_MS = 500;

/** Repeats work: after the delay that its last run returned, or at once when kicked. Two runs never overlap. */
export class Repeating {
  private timer: Timer | undefined;
  private running: Promise<void> | undefined;
  private busy = false;
  private kicked = false;
  private failed = false;
  private closed = false;

  /**
   * @param work resolves to the milliseconds until its next run, or to undefined when only a kick is to start it. After
   * Unavailable it runs again in half a second, kicked or not; after anything else, which is a bug, never.
   */
  constructor(
    private readonly clock: Clock,
    private readonly work: () => Promise<number | undefined>,
    private readonly onError: (error: unknown) => void,
  ) {}

  get isClosed(): boolean {
    return this.closed;
  }

  kick(): void {
    if (this.busy) this.kicked = true;
    else if (!this.closed && !this.failed) this.start();
  }

  /** From now on no run begins. Resolves when none is under way. */
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
    let delayMs: number | undefined = UNAVAILABLE_RETRY_MS;
    this.kicked = false;
    this.failed = false;
    try {
      delayMs = await this.work();
    } catch (error) {
      this.failed = true;
      if (!(error instanceof Unavailable)) this.closed = true;
      this.onError(error);
    }
    this.busy = false;
    if (this.closed) return;
    if (this.kicked && !this.failed) this.start();
    else if (delayMs !== undefined) this.timer = this.clock.after(delayMs, () => this.start());
  }
}
