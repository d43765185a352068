import type { CdcHealth, CdcState } from '../../spouts/cdc-health';
import type { Clock } from '../../topology/core/clock';
import { type Connector, failuresOf } from './connector';

/**
 * CDC's freshness by its heartbeats: a connector that lost MySQL goes on saying RUNNING, but its heartbeats stop.
 */
export class ConnectorHealth implements CdcHealth {
  private seen: number | null = null;
  /** Monotonic milliseconds. */
  private seenAt = 0;

  /** @param countHeartbeats how many heartbeats were ever written: the end of their topic. Throws Unavailable */
  constructor(
    private readonly connector: Connector,
    private readonly countHeartbeats: () => Promise<number>,
    private readonly clock: Clock,
  ) {}

  async check(): Promise<CdcState> {
    const [count, status] = await Promise.all([this.countHeartbeats(), this.connector.status()]);
    const now = this.clock.monotonic();
    if (count !== this.seen) this.seenAt = now;
    this.seen = count;
    return {
      silentForMs: now - this.seenAt,
      failures: status === null ? ['the connector does not exist'] : failuresOf(status),
    };
  }

  restart(): Promise<void> {
    return this.connector.restartFailed();
  }
}
