import { writeFileSync } from 'node:fs';
import { UserError } from '../../../topology/core/errors';
import { onPath, tryRun } from '../host/commands';

const OLDEST_VERSION = 17;

/** @throws UserError naming what to install */
export async function requireJava(): Promise<void> {
  const banner = await tryRun('java', ['-version']);
  const version = Number(/version "(\d+)/.exec(banner ?? '')?.[1] ?? 0);
  if (version < OLDEST_VERSION) {
    throw new UserError(
      `Java ${OLDEST_VERSION} or newer is needed for Kafka and there is ${banner === null ? 'no `java`' : `Java ${version}`} ` +
        'on the PATH. Install a JRE, or use Docker: downspout up --docker',
    );
  }
}

/** @throws UserError naming what to install */
export async function requireMaven(): Promise<void> {
  if ((await onPath('mvn')) === null) {
    throw new UserError(
      'Maven is needed to fetch Kafka and there is no `mvn` on the PATH. Install Maven, or use Docker: downspout up --docker',
    );
  }
}

/** The JVM's flags of a service of docker-compose.yml. */
export function jvmFlags(environment: Readonly<Record<string, string>>): string[] {
  return [environment['KAFKA_HEAP_OPTS'], environment['KAFKA_JVM_PERFORMANCE_OPTS']]
    .flatMap((flags) => (flags ?? '').split(' '))
    .filter((flag) => flag !== '');
}

/** Writes a Java properties file. @returns its text */
export function writeProperties(path: string, properties: Readonly<Record<string, string>>): string {
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${escape(value)}\n`);
  writeFileSync(path, lines.join(''));
  return lines.join('');
}

function escape(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}

/** Log lines go to standard output, from where they come to the part's log file. */
export function writeLogging(path: string): void {
  writeProperties(path, {
    'appender.out.type': 'Console',
    'appender.out.name': 'out',
    'appender.out.layout.type': 'PatternLayout',
    'appender.out.layout.pattern': '%d{ISO8601} %p %m (%c{1})%n',
    'rootLogger.level': 'warn',
    'rootLogger.appenderRef.out.ref': 'out',
    'logger.server.name': 'kafka.server.KafkaRaftServer',
    'logger.server.level': 'info',
    'logger.connect.name': 'org.apache.kafka.connect.runtime',
    'logger.connect.level': 'info',
    'logger.rest.name': 'org.apache.kafka.connect.runtime.rest.RestServer',
    'logger.rest.level': 'warn',
    'logger.debezium.name': 'io.debezium.connector',
    'logger.debezium.level': 'info',
  });
}
