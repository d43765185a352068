import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { run } from '../host/commands';

/** What a Kafka broker, its tools and a Connect worker need; without the binding to log4j Kafka logs nothing. */
function kafkaArtifacts(version: string): string[] {
  const own = ['kafka_2.13', 'kafka-tools', 'connect-runtime', 'connect-json', 'connect-transforms'];
  return [
    ...own.map((artifact) => `org.apache.kafka:${artifact}:${version}`),
    'org.apache.logging.log4j:log4j-slf4j-impl:2.25.4',
  ];
}

/** Fills `folder` with the jars of Kafka and Connect. @throws UserError with Maven's last lines */
export async function fetchKafka(version: string, folder: string): Promise<void> {
  const dependencies = kafkaArtifacts(version).map((coordinate) => {
    const [group, artifact, release] = coordinate.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${release}</version></dependency>`;
  });
  const pom = join(folder, 'pom.xml');
  writeFileSync(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>downspout</groupId><artifactId>stack</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('\n')}</dependencies></project>\n`,
  );
  await maven(folder, ['-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${folder}`]);
}

/** Fills `folder` with Debezium's MySQL connector, as a folder of a Connect plugin path. */
export async function fetchDebezium(version: string, folder: string): Promise<void> {
  const artifact = `io.debezium:debezium-connector-mysql:${version}:tar.gz:plugin`;
  await maven(folder, ['dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`]);
  const archive = join(folder, `debezium-connector-mysql-${version}-plugin.tar.gz`);
  const plugins = join(folder, 'plugins');
  mkdirSync(plugins);
  await run('tar', ['-xzf', archive, '-C', plugins]);
  await run('rm', [archive]);
}

async function maven(folder: string, args: readonly string[]): Promise<void> {
  const plain = ['--quiet', '--batch-mode', '--no-transfer-progress', '-Dstyle.color=never'];
  // Maven keeps what it fetches in the user's home; a user without one gets a repository for the time of the download.
  const repository = canWriteHome() ? null : join(folder, 'repository');
  await run('mvn', [...plain, ...(repository === null ? [] : [`-Dmaven.repo.local=${repository}`]), ...args], {
    cwd: folder,
  });
  if (repository !== null) rmSync(repository, { recursive: true, force: true });
}

/** Java asks the system for the user's home, not HOME. */
function canWriteHome(): boolean {
  try {
    accessSync(userInfo().homedir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
