import { Connector } from '../../connectors/debezium/connector';
import { failuresOf } from '../../connectors/debezium/connector-status';
import { captureNames, connectorSettings } from '../../connectors/debezium/settings';
import type { Clock } from '../../topology/core/clock';
import { connectConnectionOf, historySecurityOf } from '../../topology/settings/connections';
import { type Environment, required } from '../../topology/settings/environment';
import type { TopologySettings } from '../../topology/settings/topology-settings';

/** How long until the connector must run. */
const CONNECTOR_LIMIT_MS = 60_000;

/** The connector of a deployment. */
export class Capture {
  /** Undefined: CONNECT_URL is not set, so somebody else keeps the connector. */
  private readonly connector: Connector | undefined;

  constructor(
    private readonly environment: Environment,
    private readonly settings: TopologySettings,
    clock: Clock,
  ) {
    const connection = connectConnectionOf(environment);
    const { connector: name } = captureNames(environment.DOWNSPOUT_NAMESPACE);
    this.connector = connection === undefined ? undefined : new Connector(connection, name, clock);
  }

  /** Registers the connector, or compares one that others keep. @throws UserError, Unavailable */
  async provision(): Promise<{ text: string; faults: string[] }> {
    const { connector } = this;
    if (connector === undefined)
      return { text: 'CONNECT_URL is not set: somebody else keeps the connector', faults: [] };
    const needed = captureSettings(this.environment, this.settings);
    if (await connector.register(needed, CONNECTOR_LIMIT_MS)) {
      return { text: `${connector.name} and its task are RUNNING`, faults: [] };
    }
    const faults = await connector.differences(needed);
    return { text: `${connector.name} is kept by somebody else and is as it is needed`, faults };
  }

  /** Compares only. @throws Unavailable */
  async check(): Promise<string[]> {
    return (await this.connector?.differences(captureSettings(this.environment, this.settings))) ?? [];
  }

  /** What is known when no change comes through. */
  async standing(): Promise<string> {
    const { connector } = this;
    if (connector === undefined) return 'CONNECT_URL is not set, so its state is not known';
    const status = await connector.status();
    const why = status === null ? 'the connector does not exist' : failuresOf(status).join('; ') || 'it says RUNNING';
    return `${connector.name}: ${why}`;
  }
}

/** What the connector is registered with. @throws UserError */
export function captureSettings(environment: Environment, settings: TopologySettings): Record<string, string> {
  return connectorSettings({
    databaseUrl: required(environment, 'CDC_DATABASE_URL'),
    brokers: environment.CONNECT_KAFKA_BROKERS ?? required(environment, 'KAFKA_BROKERS').join(','),
    namespace: environment.DOWNSPOUT_NAMESPACE,
    partitions: settings.spout.partitions,
    security: historySecurityOf(environment),
    stores: {
      truststore: environment.CDC_SSL_TRUSTSTORE,
      truststorePassword: environment.CDC_SSL_TRUSTSTORE_PASSWORD,
      keystore: environment.CDC_SSL_KEYSTORE,
      keystorePassword: environment.CDC_SSL_KEYSTORE_PASSWORD,
    },
    databasePasswordReference: environment.CDC_PASSWORD_REFERENCE,
    kafkaPasswordReference: environment.CONNECT_KAFKA_PASSWORD_REFERENCE,
    kafkaKeyReference: environment.CONNECT_KAFKA_KEY_REFERENCE,
  });
}
