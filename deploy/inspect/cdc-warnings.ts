import type { WorkerStatus } from '../../connectors/mysql/operators/worker-status';
import { SPOUT } from '../../topology/streams';
import { formatDuration } from '../console/units';

/** Heartbeats come every second. */
const MAX_SILENT_MS = 10_000;

/** What is known of CDC, from every side. Null: that side does not answer. */
export interface CdcSides {
  /** Why the connector does not run, one line each. */
  readonly connector: readonly string[] | null;
  /** Settings of the binlog that CDC cannot work with, one line each. */
  readonly binlog: readonly string[];
  readonly workers: readonly WorkerStatus[];
}

/** What somebody should do something about, and what it means for messages. */
export function cdcWarnings({ connector, binlog, workers }: CdcSides): string[] {
  const silentMs = workers
    .filter(({ state }) => state === 'alive')
    .map(({ gauges }) => gauges[SPOUT]?.cdc_silent_ms ?? 0)
    .reduce((most, one) => Math.max(most, one), 0);
  const faults = [
    ...(connector ?? []).map((fault) => `Kafka Connect: ${fault}.`),
    ...binlog.map((fault) => `CDC cannot work with the binlog of this MySQL server: ${fault}.`),
    ...(silentMs > MAX_SILENT_MS ? [`CDC has been silent for ${formatDuration(silentMs)}.`] : []),
  ];
  return faults.length === 0
    ? []
    : [
        ...faults,
        'Until CDC works, new messages, edits and retries may be late by some seconds; reconcile finds them.',
      ];
}
