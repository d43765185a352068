import type { Clock } from '../topology/core/clock';
import { Unavailable } from '../topology/core/errors';
import type { CdcHealth } from './cdc-health';
import { Repeating } from './repeating';

/** Milliseconds between two looks. */
const INTERVAL = 5_000;

/**
 * Restarts what failed in CDC, says so, and knows how far behind it is. Only one spout task does so: the owner of partition 0.
 */
export class CdcWatch {
  private readonly repeating: Repeating;
  private inCharge = false;
  private lag = 0;
  private failures = 0;

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

  /** Milliseconds since CDC was last seen to work; undefined when another task looks after it. */
  get lagMs(): number | undefined {
    return this.inCharge ? this.lag : undefined;
  }

  /** How many tasks were found failed at the last look; undefined when another task looks after it. */
  get failed(): number | undefined {
    return this.inCharge ? this.failures : undefined;
  }

  close(): Promise<void> {
    return this.repeating.close();
  }

  private async run(): Promise<number> {
    if (!this.inCharge) return Number.POSITIVE_INFINITY;
    const { lag, failures } = await this.health.check();
    this.lag = lag;
    this.failures = failures.length;
    if (failures.length > 0) {
      this.onError(new Unavailable(`CDC has failed and is restarted: ${failures.join('; ')}`));
      await this.health.restart();
    }
    return INTERVAL;
  }
}
