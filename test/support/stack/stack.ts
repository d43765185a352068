import { createUsers } from '../../../connectors/mysql/schema/users';
import { provision } from '../../../deploy/provision';
import { userUrls } from '../../../deploy/provisioning/users';
import { systemClock } from '../../../topology/core/clock';
import { type Environment, readEnvironment, required } from '../../../topology/settings/environment';
import { parseTopologySettings, type TopologySettings } from '../../../topology/settings/topology-settings';
import { topicName } from '../../../topology/streams';
import { deprovision, dropDatabase, removeTopics } from './removal';
import { copySchema } from './schema-copy';
import { testStackSettings } from './shared-stack';

/** A deployment of its own on the shared stack. */
export interface World {
  /** With a database, and a namespace for topics, groups and the connector, that nobody else uses. */
  readonly environment: Environment;
  /** Of the workers, where it is another one: they have fewer rights. */
  readonly workers?: Environment;
  readonly settings: TopologySettings;
  close(): Promise<void>;
}

let worlds = 0;

/** Settings with defaults, e.g. `testSettings('{ due: { partitions: 4 }, webhook: {} }')`. */
export function testSettings(components = '{ webhook: {} }'): TopologySettings {
  return parseTopologySettings(`components: ${components}`, 'test');
}

/** Everything: database, users, topics and a connector through which a change was seen. Takes about two seconds. */
export async function freshWorld(settings: TopologySettings = testSettings()): Promise<World> {
  const environment = freshEnvironment();
  await copySchema(required(environment, 'ADMIN_DATABASE_URL'));
  await provision(environment, settings, systemClock, () => undefined);
  return { environment, settings, close: () => deprovision(environment) };
}

/** A database with schema and users only. */
export async function freshDatabase(): Promise<World> {
  const environment = freshEnvironment();
  const admin = required(environment, 'ADMIN_DATABASE_URL');
  await copySchema(admin);
  await createUsers(admin, userUrls(environment));
  return { environment, settings: testSettings(), close: () => dropDatabase(environment) };
}

/** A namespace in Kafka only: topics and groups whose names begin with it are removed in the end. */
export async function freshNamespace(): Promise<World> {
  const environment = freshEnvironment();
  const prefix = topicName(environment.DOWNSPOUT_NAMESPACE, '');
  return {
    environment,
    settings: testSettings(),
    close: () => removeTopics(required(environment, 'KAFKA_BROKERS'), prefix),
  };
}

/** Names for a database, topics and a connector that are not there yet. */
export function freshEnvironment(): Environment {
  const name = `t${process.pid}-${++worlds}-${systemClock.now().toString(36)}`;
  const own = Object.entries(testStackSettings()).map(([key, value]) => [
    key,
    key.endsWith('DATABASE_URL') ? value.replace(/[^/]*$/, `test_${name}`) : value,
  ]);
  return readEnvironment({ ...Object.fromEntries(own), DOWNSPOUT_NAMESPACE: name }, {});
}
