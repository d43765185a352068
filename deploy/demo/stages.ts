import type { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import type { Clock } from '../../topology/core/clock';
import { type ChannelGaugeName, type GaugeName, metricName } from '../../topology/gauges';
import type { Environment } from '../../topology/settings/environment';
import { topologyOf } from '../../topology/settings/topology-settings';
import { lagOf, queuedOf } from '../inspect/kafka';
import type { ArrivalReport } from './arrivals';

const INTERVAL_MS = 500;
const HTTP_LIMIT_MS = 2_000;

/** Counts of messages between the table and the receiver; null where they cannot be read now. */
export interface StageFigures {
  readonly pending: number | null;
  readonly queued: number | null;
  readonly held: number | null;
  readonly inFlight: number | null;
  readonly arrivals: ArrivalReport | null;
}

export interface StageSources {
  readonly environment: Environment;
  readonly admin: KafkaAdmin;
  /** Base URLs of the workers' metrics, as they are now. */
  readonly workerUrls: () => Promise<readonly string[]>;
  readonly arrivals: () => Promise<ArrivalReport>;
}

/** Reads the figures of every stage again and again, each at its own pace, so that a slow one holds up none. */
export class Stages {
  private pending: number | null = null;
  /** Records that the bolts have not committed past: those that they hold are among them. */
  private lag: number | null = null;
  private held: number | null = null;
  private inFlight: number | null = null;
  private report: ArrivalReport | null = null;

  constructor(
    private readonly sources: StageSources,
    private readonly clock: Clock,
  ) {}

  get figures(): StageFigures {
    const { pending, lag, held, inFlight, report } = this;
    const queued = lag === null ? null : Math.max(0, lag - (held ?? 0));
    return { pending, queued, held, inFlight, arrivals: report };
  }

  /** Resolves after the signal. */
  async watch(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.repeat(signal, () => this.readWorkers()),
      this.repeat(signal, () => this.readLag()),
      this.repeat(signal, async () => {
        this.report = await this.sources.arrivals();
      }),
    ]);
  }

  private async repeat(signal: AbortSignal, read: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await read();
      await this.clock.sleep(INTERVAL_MS, signal);
    }
  }

  private async readWorkers(): Promise<void> {
    try {
      const urls = await this.sources.workerUrls();
      const texts = await Promise.all(urls.map(readMetrics));
      const sum = (name: GaugeName | ChannelGaugeName) => texts.reduce((total, text) => total + gaugeOf(text, name), 0);
      this.pending = sum('pending');
      this.held = sum('held');
      this.inFlight = sum('in_flight') + sum('claimed_waiting');
    } catch {
      this.pending = this.held = this.inFlight = null;
    }
  }

  private async readLag(): Promise<void> {
    try {
      const { environment, admin } = this.sources;
      const lags = await lagOf(environment, topologyOf(environment), admin);
      this.lag = Object.values(queuedOf(lags)).reduce((sum, count) => sum + count, 0);
    } catch {
      this.lag = null;
    }
  }
}

async function readMetrics(url: string): Promise<string> {
  try {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(HTTP_LIMIT_MS) });
    return await response.text();
  } catch {
    // A worker that has just died is started again; it holds nothing meanwhile.
    return '';
  }
}

/** The sum of a gauge over its labels, from the text that Prometheus reads. */
export function gaugeOf(metrics: string, name: GaugeName | ChannelGaugeName): number {
  let sum = 0;
  for (const match of metrics.matchAll(new RegExp(`^${metricName(name)}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))) {
    const value = Number(match[1]);
    if (Number.isFinite(value)) sum += value;
  }
  return sum;
}
