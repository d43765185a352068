import type { Clock } from '../topology/core/clock';
import { Unavailable } from '../topology/core/errors';
import type { CdcHealth, CdcState } from './cdc-health';
import { Repeating } from './repeating';

const CHECK_EVERY_MS = 5_000;

/** Checks CDC, restarts what failed in it, and reports that. Only the task that owns partition 0 does so. */
export class CdcWatch {
  private readonly repeating: Repeating;
  private inCharge = false;
  private state: CdcState = { silentForMs: 0, failures: [] };

  constructor(
    private readonly health: CdcHealth,
    clock: Clock,
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

  close(): Promise<void> {
    return this.repeating.close();
  }

  private async run(): Promise<number | undefined> {
    if (!this.inCharge) return undefined;
    this.state = await this.health.check();
    const { failures } = this.state;
    if (failures.length > 0) {
      this.onError(new Unavailable(`CDC has failed and is restarted: ${failures.join('; ')}`));
      await this.health.restart();
    }
    return CHECK_EVERY_MS;
  }
}
