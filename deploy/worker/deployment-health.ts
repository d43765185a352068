import type { ConnectWorkers } from '../../connectors/debezium/connect-workers';
import type { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import { readLag } from '../../connectors/kafka/lag';
import { currentRelease } from '../../connectors/mysql/operators/releases';
import type { Pool } from '../../connectors/mysql/sql/pool';
import { deploymentCounts } from '../../connectors/mysql/workers/deployment-counts';
import type { DeploymentHealth } from '../../spouts/deployment-health';
import { replicasOf, settingsOrNull, type TopologySettings } from '../../topology/settings/topology-settings';
import { due } from '../../topology/streams';

/** A deployment as its database and its Kafka see it. @param connectWorkers unless somebody else keeps the connector */
export function deploymentHealth(
  admin: KafkaAdmin,
  pool: Pool,
  namespace: string,
  settings: TopologySettings,
  connectWorkers?: Pick<ConnectWorkers, 'count'>,
): DeploymentHealth {
  const channels = Object.keys(settings.bolts);
  const readings = channels.map((channel) => ({ component: channel, stream: due(channel).name }));
  return {
    async check() {
      const [counts, brokers, connect, lags] = await Promise.all([
        deploymentCounts(pool, channels),
        admin.brokers(),
        connectWorkers?.count(),
        readLag(admin, namespace, readings),
      ]);
      const ownerless = (channel: string) =>
        lags
          .filter(({ component, owner }) => component === channel && owner === null)
          // A bolt that has committed nothing yet begins with the first record.
          .reduce((sum, { lag, high, low }) => sum + (lag ?? high - low), 0);
      const ofChannels = [...counts.channels].map(
        ([channel, figures]) => [channel, { ...figures, ownerless: ownerless(channel) }] as const,
      );
      const live = counts.placed > 0 ? null : await currentRelease(pool);
      const wanted = workersWanted(counts.placed, live?.specification, settings);
      return { ...counts, workersWanted: wanted, brokers, connectWorkers: connect, channels: new Map(ofChannels) };
    },
  };
}

/**
 * How many workers are to run: those that are placed, on the target local, and elsewhere those of the release that is live. A spout
 * runs on when other components are scaled, so what it was started with may be an earlier release; that counts where there is no
 * other, or none that it can read.
 * @param specification of the release that is live
 */
export function workersWanted(placed: number, specification: unknown, own: TopologySettings): number {
  if (placed > 0) return placed;
  const settings = settingsOrNull(specification) ?? own;
  return [...replicasOf(settings).values()].reduce((sum, replicas) => sum + replicas, 0);
}
