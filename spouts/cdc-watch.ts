import type { Clock } from '../topology/core/clock';
import type { CdcHealth } from './cdc-health';
import { Repeating } from './repeating';

/** Milliseconds between two looks. */
const INTERVAL = 5_000;

/** Restarts what failed in CDC, and knows how far behind it is. Only one spout task does so: the owner of partition 0. */
export class CdcWatch {
  private readonly repeating: Repeating;
  private inCharge = false;
  private lag = 0;

  constructor(
    private readonly health: CdcHealth,
    clock: Clock,
    onError: (error: unknown) => void,
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

  close(): Promise<void> {
    return this.repeating.close();
  }

  private async run(): Promise<number> {
    if (!this.inCharge) return Number.POSITIVE_INFINITY;
    const state = await this.health.check();
    this.lag = state.lag;
    if (state.failures.length > 0) await this.health.restart();
    return INTERVAL;
  }
}
