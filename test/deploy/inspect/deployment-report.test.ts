import { CONNECTIONS_PER_WORKER } from '../../../connectors/mysql/workers/connections';
import { type DeploymentReport, deploymentWarnings } from '../../../deploy/inspect/deployment-report';

const report = (over: Partial<DeploymentReport> = {}): DeploymentReport => ({
  id: 'ab'.repeat(16),
  kafkaCluster: 'production',
  namespace: '',
  topology: 'release 7',
  connectionsOfWorkers: 4 * CONNECTIONS_PER_WORKER,
  maxConnections: 151,
  maxPacketBytes: 64 * 1024 * 1024,
  ...over,
});
const named = (kafkaCluster: string | null, namespace = '') => ({ kafkaCluster, namespace });

test('the deployment that the database belongs to is no reason for a warning, nor one that nobody has joined', () => {
  expect(deploymentWarnings(report(), named('production'))).toEqual([]);
  expect(deploymentWarnings(report({ kafkaCluster: null, namespace: null }), named('production'))).toEqual([]);
  expect(deploymentWarnings(report(), named(null))).toEqual([]);
});

test.each([
  [named('staging'), 'staging with namespace ""'],
  [named('production', 'staging'), 'production with namespace "staging"'],
  [named(null, 'staging'), 'a Kafka that does not answer with namespace "staging"'],
])('a database of another deployment is named with what helps: %j', (settings, words) => {
  const [warning] = deploymentWarnings(report(), settings);
  expect(warning).toContain('belongs to Kafka cluster production with namespace ""');
  expect(warning).toContain(words);
  expect(warning).toContain('downspout adopt');
});

test('more replicas than the server has connections for are named', () => {
  expect(deploymentWarnings(report({ connectionsOfWorkers: 141 }), named('production'))).toEqual([]);
  expect(deploymentWarnings(report({ connectionsOfWorkers: 142 }), named('production'))).toEqual([
    'The replicas of release 7 open up to 142 connections to MySQL, and the server takes 151 in all ' +
      '(max_connections). Raise that, or run fewer replicas.',
  ]);
});

test('a server that takes no statements as large as batches are is named', () => {
  expect(deploymentWarnings(report({ maxPacketBytes: 16 * 1024 * 1024 }), named('production'))).toEqual([]);
  expect(deploymentWarnings(report({ maxPacketBytes: 1024 * 1024 }), named('production'))).toEqual([
    'The MySQL server takes statements of 1,048,576 bytes (max_allowed_packet), too few for batches of large messages, ' +
      'which are then refused: SET PERSIST max_allowed_packet=67108864.',
  ]);
});
