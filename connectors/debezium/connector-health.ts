import { isDeepStrictEqual } from 'node:util';
import type { CdcHealth, CdcState } from '../../spouts/cdc-health';
import type { Clock } from '../../topology/core/clock';
import type { Connector } from './connector';
import { type ConnectorStatus, cannotReadOn, failuresOf, haltOf } from './connector-status';

/** So often what failed is restarted before it has to begin again at the present. */
const RESTARTS = 2;
const BEGIN_AGAIN_LIMIT_MS = 30_000;
const LEFT = 'it was to begin again at the present, and whoever saw to that has ended';

export interface ConnectorHealthOptions {
  readonly connector: Connector;
  /** How many heartbeats were ever written: the end of their topic. Throws Unavailable. */
  readonly countHeartbeats: () => Promise<number>;
  /** Settings of the database's binlog that CDC cannot work with, one line each. Throws Unavailable. */
  readonly binlogFaults: () => Promise<readonly string[]>;
  readonly clock: Clock;
}

/**
 * CDC's health from outside.
 *
 * 1. Its freshness is measured by heartbeats, because a connector that lost MySQL goes on saying RUNNING.
 * 2. What failed is restarted; a connector that can never read on from where it was begins again at the present.
 * 3. One that says RUNNING and is asked to restart all the same does so as a whole. Debezium's client of the binlog can stand
 *    still for ever when the server denies it the log as it connects again: its task neither fails nor tries again.
 * 4. A connector that somebody paused or stopped stays so, and is reported as an obstacle.
 * 5. One that a spout has stopped so that it begins again, and that it could not resume, begins again.
 */
export class ConnectorHealth implements CdcHealth {
  private count: number | null = null;
  /** When the count last grew, monotonic. */
  private grewAtMs = 0;
  private status: ConnectorStatus | null = null;
  /** Since when Connect says the same, monotonic. */
  private sameSinceMs = 0;
  /** Since it was last seen to work. */
  private restarts = 0;
  /** Somebody stopped it so that it begins again, and did not end that. */
  private isLeft = false;

  constructor(private readonly options: ConnectorHealthOptions) {}

  async check(): Promise<CdcState> {
    const { connector, countHeartbeats, binlogFaults, clock } = this.options;
    const [count, status, faults] = await Promise.all([countHeartbeats(), connector.status(), binlogFaults()]);
    const hasChanged = !isDeepStrictEqual(status, this.status);
    // Of a connector that runs as it did before, the settings need not be read again.
    if (hasChanged || status?.state === 'STOPPED') this.isLeft = status !== null && (await connector.beginsAgain());
    const now = clock.monotonic();
    const failures = status === null ? [] : [...failuresOf(status), ...(this.isLeft ? [LEFT] : [])];
    if (count !== this.count) {
      this.grewAtMs = now;
      // A connector that fails at once after each restart may write a heartbeat before.
      if (failures.length === 0) this.restarts = 0;
    }
    if (hasChanged) this.sameSinceMs = now;
    this.count = count;
    this.status = status;
    return {
      silentForMs: now - this.grewAtMs,
      unchangedForMs: now - this.sameSinceMs,
      failures,
      obstacles: [...(this.isLeft ? [] : haltOf(status)), ...faults],
    };
  }

  async restart(): Promise<void> {
    const { connector } = this.options;
    const isLost = this.status !== null && cannotReadOn(this.status) && this.restarts >= RESTARTS;
    if (this.isLeft || isLost) {
      await connector.beginAgain(BEGIN_AGAIN_LIMIT_MS);
      this.isLeft = false;
      this.restarts = 0;
      return;
    }
    this.restarts++;
    const hasFailed = this.status === null || failuresOf(this.status).length > 0;
    await (hasFailed ? connector.restartFailed() : connector.restartAll());
  }
}
