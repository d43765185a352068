import type { Pool } from '../../connectors/mysql/sql/pool';
import { CONNECTIONS_PER_WORKER } from '../../connectors/mysql/workers/connections';
import { type DeploymentIdentity, readDeployment } from '../../connectors/mysql/workers/deployment';
import { formatCount } from '../console/units';
import type { RunningTopology } from './running-topology';

/** What applications and commands are left at least. */
const SPARE_CONNECTIONS = 10;
const MEBIBYTE = 1024 * 1024;
/** A statement has payloads of 8 MiB at most, and what stands around them. */
const LEAST_PACKET_BYTES = 16 * MEBIBYTE;

/** Which deployment the database belongs to, and whether the server has room for its workers. */
export interface DeploymentReport extends DeploymentIdentity {
  /** Whose topology is compared with what runs: `release 7`, or the topology file where none is live. */
  readonly topology: string;
  /** Connections to MySQL that its replicas open at most. */
  readonly connectionsOfWorkers: number;
  /** The server's `max_connections`. */
  readonly maxConnections: number;
  /** The server's `max_allowed_packet`. */
  readonly maxPacketBytes: number;
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
  const [identity, [limits = [0, 0]]] = await Promise.all([
    readDeployment(pool),
    pool.rows<[number | string, number | string]>('SELECT @@max_connections, @@GLOBAL.max_allowed_packet'),
  ]);
  const replicas = Object.values(bolts).reduce((sum, bolt) => sum + bolt.replicas, spout.replicas);
  return {
    ...identity,
    topology: source,
    connectionsOfWorkers: replicas * CONNECTIONS_PER_WORKER,
    maxConnections: Number(limits[0]),
    maxPacketBytes: Number(limits[1]),
  };
}

/** What somebody should do something about. */
export function deploymentWarnings(report: DeploymentReport, named: NamedDeployment): string[] {
  const { kafkaCluster, namespace, topology, connectionsOfWorkers, maxConnections, maxPacketBytes } = report;
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
    ...(maxPacketBytes < LEAST_PACKET_BYTES
      ? [
          `The MySQL server takes statements of ${formatCount(maxPacketBytes)} bytes (max_allowed_packet), too few for batches of large messages, ` +
            'which are then refused: SET PERSIST max_allowed_packet=67108864.',
        ]
      : []),
  ];
}
