import type { Pool } from '../../connectors/mysql/sql/pool';
import { CONNECTIONS_PER_WORKER } from '../../connectors/mysql/workers/connections';
import { type DeploymentIdentity, readDeployment } from '../../connectors/mysql/workers/deployment';
import { formatCount } from '../console/units';
import type { RunningTopology } from './running-topology';

/** What applications and commands are left at least. */
const SPARE_CONNECTIONS = 10;

/** Which deployment the database belongs to, and whether the server has room for its workers. */
export interface DeploymentReport extends DeploymentIdentity {
  /** Whose topology is compared with what runs: `release 7`, or the topology file where none is live. */
  readonly topology: string;
  /** Connections to MySQL that its replicas open at most. */
  readonly connectionsOfWorkers: number;
  /** The server's `max_connections`. */
  readonly maxConnections: number;
}

/** The deployment that the settings name. */
export interface NamedDeployment {
  /** Null when Kafka does not answer. */
  readonly kafkaCluster: string | null;
  readonly namespace: string;
}

export async function readDeploymentReport(
  pool: Pool,
  { settings, source }: RunningTopology,
): Promise<DeploymentReport> {
  const { spout, bolts } = settings;
  const [identity, [row]] = await Promise.all([
    readDeployment(pool),
    pool.rows<[number | string]>('SELECT @@max_connections'),
  ]);
  const replicas = Object.values(bolts).reduce((sum, bolt) => sum + bolt.replicas, spout.replicas);
  return {
    ...identity,
    topology: source,
    connectionsOfWorkers: replicas * CONNECTIONS_PER_WORKER,
    maxConnections: Number((row as [number | string])[0]),
  };
}

/** What somebody should do something about. */
export function deploymentWarnings(report: DeploymentReport, named: NamedDeployment): string[] {
  const { kafkaCluster, namespace, topology, connectionsOfWorkers, maxConnections } = report;
  const isOther =
    kafkaCluster !== null &&
    ((named.kafkaCluster !== null && named.kafkaCluster !== kafkaCluster) || named.namespace !== namespace);
  return [
    ...(isOther
      ? [
          `The database belongs to Kafka cluster ${kafkaCluster} with namespace "${namespace}", and the settings name ` +
            `${named.kafkaCluster ?? 'a Kafka that does not answer'} with namespace "${named.namespace}": workers refuse to start. ` +
            'If this is a copy or a restored backup that is to send, run `downspout adopt`.',
        ]
      : []),
    ...(connectionsOfWorkers + SPARE_CONNECTIONS > maxConnections
      ? [
          `The replicas of ${topology} open up to ${formatCount(connectionsOfWorkers)} connections to MySQL, and the server ` +
            `takes ${formatCount(maxConnections)} in all (max_connections). Raise that, or run fewer replicas.`,
        ]
      : []),
  ];
}
