import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { jvmFlags, requireMaven, writeLogging, writeProperties } from '../fetch/java';
import { fetchDebezium } from '../fetch/maven';
import type { Program } from '../host/processes';
import { CDC_PASSWORD_VARIABLE } from '../stack-settings';
import { brokersOf, type Jars, propertiesOf } from './kafka-part';
import { answersOk, type Part, type PartContext } from './part';

/** The services of docker-compose.yml that are Connect workers. */
export type ConnectName = 'connect' | 'connect-b';

/** Variables of the image that are properties under another name. */
const IMAGE_VARIABLES = {
  GROUP_ID: 'group.id',
  CONFIG_STORAGE_TOPIC: 'config.storage.topic',
  OFFSET_STORAGE_TOPIC: 'offset.storage.topic',
  STATUS_STORAGE_TOPIC: 'status.storage.topic',
  OFFSET_FLUSH_INTERVAL_MS: 'offset.flush.interval.ms',
} as const;
/** The image's default for keys and values. */
const CONVERTER = 'org.apache.kafka.connect.json.JsonConverter';

/** The Connect worker's properties: what docker-compose.yml says, with this machine's addresses and paths. */
export function workerProperties(
  context: PartContext,
  plugins: string,
  name: ConnectName = 'connect',
): Record<string, string> {
  const { environment } = context.compose.service(name);
  const named = Object.entries(IMAGE_VARIABLES).flatMap(([variable, property]) => {
    const value = environment[variable];
    return value === undefined ? [] : [[property, value] as const];
  });
  return {
    'key.converter': CONVERTER,
    'value.converter': CONVERTER,
    ...propertiesOf(environment, 'CONNECT_'),
    ...Object.fromEntries(named),
    'bootstrap.servers': brokersOf(context)
      .map((broker) => `127.0.0.1:${context.ports[`${broker}Stack`]}`)
      .join(','),
    listeners: `http://127.0.0.1:${context.ports[name]}`,
    'rest.advertised.host.name': '127.0.0.1',
    'plugin.path': plugins,
  };
}

/** Kafka Connect with Debezium. It waits for the broker by itself, so both start at once. */
export class ConnectPart implements Part {
  readonly needed = true;
  readonly graceMs = 10_000;
  readonly port: number;
  readonly version: string;
  private jars = '';
  private plugins = '';
  private readonly folder: string;

  /** @param findJars Kafka's, which hold Connect as well */
  constructor(
    private readonly context: PartContext,
    private readonly findJars: (onFetch: () => void) => Promise<Jars>,
    readonly name: ConnectName = 'connect',
  ) {
    this.port = context.ports[name] as number;
    this.version = context.compose.service(name).version;
    this.folder = join(context.folder, name);
  }

  readonly fetch = async (onFetch: () => void): Promise<void> => {
    this.jars = (await this.findJars(onFetch)).folder;
    const fill = async (folder: string) => {
      await requireMaven();
      await fetchDebezium(this.version, folder);
    };
    this.plugins = join(await this.context.cache.obtain(`debezium-${this.version}`, fill, onFetch), 'plugins');
  };

  readonly prepare = async (): Promise<Program> => {
    mkdirSync(this.folder, { recursive: true });
    const properties = join(this.folder, 'worker.properties');
    const logging = join(this.folder, 'log4j2.properties');
    const configuration = writeProperties(properties, workerProperties(this.context, this.plugins, this.name));
    writeLogging(logging);
    const { environment } = this.context.compose.service(this.name);
    return {
      command: 'java',
      args: [
        ...jvmFlags(environment),
        `-Dlog4j2.configurationFile=${logging}`,
        '-cp',
        join(this.jars, '*'),
        'org.apache.kafka.connect.cli.ConnectDistributed',
        properties,
      ],
      cwd: this.folder,
      logFile: join(this.context.folder, 'logs', `${this.name}.log`),
      configuration,
      environment: { [CDC_PASSWORD_VARIABLE]: this.context.cdcPassword },
    };
  };

  readonly ready = (): Promise<boolean> => answersOk(`http://127.0.0.1:${this.port}/connectors`);
}
