import type { Clock } from '../topology/core/clock';
import { Unavailable } from '../topology/core/errors';
import { channelGauge, type Gauges } from '../topology/gauges';
import type { DeploymentHealth, DeploymentState } from './deployment-health';
import { Repeating } from './repeating';

/** Alerts wait for longer than this. */
const CHECK_EVERY_MS = 15_000;

/** Asks now and then for figures of the whole deployment. Only the task that owns partition 0 does so. */
export class DeploymentWatch {
  private readonly repeating: Repeating;
  private inCharge = false;
  /** Undefined until the first answer, and while there is none: an old figure would hide what happens now. */
  private state: DeploymentState | undefined;

  constructor(
    private readonly health: DeploymentHealth,
    clock: Clock,
    private readonly onError: (error: unknown) => void,
  ) {
    this.repeating = new Repeating(clock, () => this.run(), onError);
  }

  assigned(partitions: readonly number[]): void {
    const wasInCharge = this.inCharge;
    this.inCharge = partitions.includes(0);
    if (!this.inCharge) this.state = undefined;
    else if (!wasInCharge) this.repeating.kick();
  }

  /** Nothing while another task watches. */
  gauges(): Gauges {
    if (this.state === undefined) return {};
    const { workersWanted, workersAlive, workersLost, crashLooping, channels } = this.state;
    const { databaseMembers, brokers, connectWorkers } = this.state;
    const gauges: { -readonly [name in keyof Gauges]: Gauges[name] } = {
      workers_wanted: workersWanted,
      workers_alive: workersAlive,
      workers_lost: workersLost,
      crash_looping: crashLooping,
      brokers,
      ...(databaseMembers === undefined ? {} : { database_members: databaseMembers }),
      ...(connectWorkers === undefined ? {} : { connect_workers: connectWorkers }),
    };
    for (const [name, { overdueMs, refreshesFailing, credentialsEndMs, ...counts }] of channels) {
      if (overdueMs !== undefined) gauges[channelGauge('overdue_ms', name)] = overdueMs;
      gauges[channelGauge('uncertain', name)] = counts.uncertain;
      gauges[channelGauge('suspended', name)] = counts.suspended;
      gauges[channelGauge('unusable_accounts', name)] = counts.unusable;
      gauges[channelGauge('late_waiting', name)] = counts.lateWaiting;
      gauges[channelGauge('limited_accounts', name)] = counts.limited;
      gauges[channelGauge('refreshes_failing', name)] = refreshesFailing;
      if (credentialsEndMs !== undefined) gauges[channelGauge('credentials_end_ms', name)] = credentialsEndMs;
      gauges[channelGauge('ownerless', name)] = counts.ownerless;
    }
    return gauges;
  }

  /** Does not wait for an answer that it only shows. */
  close(): void {
    void this.repeating.close();
  }

  private async run(): Promise<number | undefined> {
    if (!this.inCharge) return undefined;
    try {
      const state = await this.health.check();
      if (this.inCharge) this.state = state;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      this.state = undefined;
      this.onError(error);
    }
    return CHECK_EVERY_MS;
  }
}
