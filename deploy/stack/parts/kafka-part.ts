import { existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ComposeFile } from '../compose-file';
import type { Cache } from '../fetch/cache';
import { jvmFlags, requireJava, requireMaven, writeLogging, writeProperties } from '../fetch/java';
import { fetchKafka } from '../fetch/maven';
import { onPath, run } from '../host/commands';
import { ask } from '../host/ports';
import type { Program } from '../host/processes';
import { fits, type Part, type PartContext } from './part';

/** ApiVersions, version 0, correlation 1, no client id: every broker answers it as soon as it serves. */
const API_VERSIONS = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);

/** Where the jars of Kafka and Connect are. */
export interface Jars {
  readonly folder: string;
  readonly version: string;
}

/** Finds the jars once for both parts that need them: of an installation on the PATH when it fits, else fetched. */
export function kafkaJars(context: PartContext): (onFetch: () => void) => Promise<Jars> {
  let finding: Promise<Jars> | null = null;
  return (onFetch) => {
    finding ??= locateJars(context, onFetch);
    return finding;
  };
}

async function locateJars(context: PartContext, onFetch: () => void): Promise<Jars> {
  const wanted = context.compose.service('kafka').version;
  await requireJava();
  const installed = await installedKafka(wanted);
  if (installed !== null) return installed;
  const fill = async (folder: string) => {
    await requireMaven();
    await fetchKafka(wanted, folder);
  };
  return { folder: await context.cache.obtain(cacheName(wanted), fill, onFetch), version: wanted };
}

/** @throws UserError naming what to install when Kafka can neither be found nor fetched */
export async function requireKafka(compose: ComposeFile, cache: Cache): Promise<void> {
  const wanted = compose.service('kafka').version;
  await requireJava();
  if (!cache.has(cacheName(wanted)) && (await installedKafka(wanted)) === null) await requireMaven();
}

function cacheName(version: string): string {
  return `kafka-${version}`;
}

async function installedKafka(wanted: string): Promise<Jars | null> {
  const script = await onPath('kafka-server-start.sh');
  if (script === null) return null;
  const folder = join(dirname(dirname(realpathSync(script))), 'libs');
  const jars = existsSync(folder) ? readdirSync(folder) : [];
  const versions = jars.flatMap((jar) => /^kafka_2\.13-([\d.]+)\.jar$/.exec(jar)?.[1] ?? []);
  const version = versions.find((found) => fits(found, wanted));
  return version === undefined ? null : { folder, version };
}

/** The services of docker-compose.yml that are brokers. */
export const BROKERS = ['kafka', 'kafka-b', 'kafka-c'] as const;
export type BrokerName = (typeof BROKERS)[number];

/** The brokers that run. */
export function brokersOf({ ha }: Pick<PartContext, 'ha'>): readonly BrokerName[] {
  return ha ? BROKERS : ['kafka'];
}

/** A broker's properties: what docker-compose.yml says, with this machine's addresses and paths. */
export function brokerProperties(context: PartContext, name: BrokerName): Record<string, string> {
  const { environment } = context.compose.service(name);
  const at = (purpose: string) => `127.0.0.1:${context.ports[`${name}${purpose}`]}`;
  const voters = brokersOf(context).map((one, n) => `${n + 1}@127.0.0.1:${context.ports[`${one}Controller`]}`);
  return {
    ...propertiesOf(environment, 'KAFKA_'),
    listeners: `HOST://${at('')},CONTROLLER://${at('Controller')},STACK://${at('Stack')}`,
    'advertised.listeners': `HOST://${at('')},STACK://${at('Stack')}`,
    'controller.quorum.voters': voters.join(','),
    'log.dirs': dataOf(context, name),
  };
}

/** A broker alone cannot read the data of one of three, nor the other way round. */
function dataOf({ folder, ha }: PartContext, name: BrokerName): string {
  return join(folder, name, ha ? 'data-ha' : 'data');
}

/** How the images turn environment variables into properties. Those for the JVM are none. */
export function propertiesOf(environment: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment)
      .filter(([name]) => name.startsWith(prefix) && !name.endsWith('_OPTS'))
      .map(([name, value]) => [name.slice(prefix.length).toLowerCase().replace(/_/g, '.'), value]),
  );
}

/** A Kafka broker that is a controller too. */
export class KafkaPart implements Part {
  readonly needed = true;
  readonly graceMs = 20_000;
  readonly port: number;
  version: string;
  private jars = '';
  private readonly folder: string;

  constructor(
    private readonly context: PartContext,
    private readonly findJars: (onFetch: () => void) => Promise<Jars>,
    readonly name: BrokerName = 'kafka',
  ) {
    this.port = context.ports[name] as number;
    this.version = context.compose.service(name).version;
    this.folder = join(context.folder, name);
  }

  readonly fetch = async (onFetch: () => void): Promise<void> => {
    const { folder, version } = await this.findJars(onFetch);
    this.jars = folder;
    this.version = version;
  };

  readonly prepare = async (): Promise<Program> => {
    const { environment } = this.context.compose.service(this.name);
    mkdirSync(this.folder, { recursive: true });
    const properties = join(this.folder, 'server.properties');
    const logging = join(this.folder, 'log4j2.properties');
    const configuration = writeProperties(properties, brokerProperties(this.context, this.name));
    writeLogging(logging);
    const java = [`-Dlog4j2.configurationFile=${logging}`, '-cp', join(this.jars, '*')];
    if (!existsSync(join(dataOf(this.context, this.name), 'meta.properties'))) {
      await run('java', [
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        ...java,
        'kafka.tools.StorageTool',
        'format',
        '-t',
        this.context.clusterId,
        '-c',
        properties,
        '--ignore-formatted',
      ]);
    }
    return {
      command: 'java',
      args: [...jvmFlags(environment), ...java, 'kafka.Kafka', properties],
      cwd: this.folder,
      logFile: join(this.context.folder, 'logs', `${this.name}.log`),
      configuration,
    };
  };

  readonly ready = async (): Promise<boolean> => (await ask(this.port, API_VERSIONS, 1_000)) !== null;
}
