import type { Clock } from '../topology/core/clock';
import { Unavailable } from '../topology/core/errors';
import type { CdcHealth, CdcState } from './cdc-health';
import { Repeating } from './repeating';

const CHECK_EVERY_MS = 5_000;
/** A connector that says RUNNING and is silent for so long is reported. */
const SILENT_TOO_LONG_MS = 15_000;
/**
 * And restarted after so long, since it was started too: a start takes seconds, more on a busy machine, and one that another
 * worker of Connect has just taken over must not have to begin again.
 */
const RESTART_SILENT_AFTER_MS = 30_000;
const RESTART_SILENT_EVERY_MS = 60_000;
/** How long the end of a spout waits for a restart that is under way, within what a task waits for its spout. */
const CLOSE_LIMIT_MS = 5_000;

/** Checks CDC, restarts what failed in it, and reports that and what keeps it from working. Only the task that owns partition 0 does so. */
export class CdcWatch {
  private readonly repeating: Repeating;
  private inCharge = false;
  private restarting: Promise<void> | undefined;
  /** When one that was silent was last restarted, monotonic. */
  private restartedAtMs = Number.NEGATIVE_INFINITY;
  private state: CdcState = { silentForMs: 0, unchangedForMs: 0, failures: [], obstacles: [] };

  constructor(
    private readonly health: CdcHealth,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
  ) {
    this.repeating = new Repeating(clock, () => this.run(), onError);
  }

  assigned(partitions: readonly number[]): void {
    this.inCharge = partitions.includes(0);
    if (this.inCharge) this.repeating.kick();
  }

  /** Time since CDC was last seen to work; undefined while another task watches it. */
  get silentForMs(): number | undefined {
    return this.inCharge ? this.state.silentForMs : undefined;
  }

  /** How many tasks had failed at the last check; undefined while another task watches it. */
  get failed(): number | undefined {
    return this.inCharge ? this.state.failures.length : undefined;
  }

  /** How many obstacles were found at the last check; undefined while another task watches CDC. */
  get obstacles(): number | undefined {
    return this.inCharge ? this.state.obstacles.length : undefined;
  }

  /**
   * Begins nothing more. A restart that is under way is waited for, within limits, because a connector that begins again is
   * stopped meanwhile; one that was left so is resumed by whoever watches next. A look is not waited for.
   */
  async close(): Promise<void> {
    void this.repeating.close();
    if (this.restarting === undefined) return;
    const over = new AbortController();
    await Promise.race([this.restarting.catch(() => undefined), this.clock.sleep(CLOSE_LIMIT_MS, over.signal)]);
    over.abort();
  }

  private async run(): Promise<number | undefined> {
    if (!this.inCharge) return undefined;
    this.state = await this.health.check();
    if (this.repeating.isClosed) return undefined;
    const { failures, obstacles, silentForMs } = this.state;
    if (obstacles.length > 0) this.report(`CDC stands still: ${obstacles.join('; ')}`);
    else if (failures.length === 0 && silentForMs >= SILENT_TOO_LONG_MS) {
      await this.onSilence(this.state);
    }
    if (failures.length > 0) {
      this.report(`CDC has failed and is restarted: ${failures.join('; ')}`);
      await this.restart();
    }
    return CHECK_EVERY_MS;
  }

  private async onSilence({ silentForMs, unchangedForMs }: CdcState): Promise<void> {
    const text = `CDC has been silent for ${Math.round(silentForMs / 1_000)} s although its connector runs`;
    const now = this.clock.monotonic();
    const stoodStillMs = Math.min(silentForMs, unchangedForMs);
    if (stoodStillMs < RESTART_SILENT_AFTER_MS || now - this.restartedAtMs < RESTART_SILENT_EVERY_MS) {
      this.report(text);
      return;
    }
    this.restartedAtMs = now;
    this.report(`${text}, and is restarted`);
    await this.restart();
  }

  private async restart(): Promise<void> {
    this.restarting = this.health.restart();
    try {
      await this.restarting;
    } finally {
      this.restarting = undefined;
    }
  }

  private report(text: string): void {
    this.onError(new Unavailable(text));
  }
}
