import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { reasonOf, UserError } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';
import { ownProject } from '../stack/compose-project';
import { newClusterId } from '../stack/stack-state';
import { envExample } from './env-example';

/** What tells editors which fields there are. */
const SCHEMA = /^# yaml-language-server: \$schema=.*\n/;

const PRODUCTION = `# What differs from topology.yaml in production: DOWNSPOUT_ENVIRONMENT=production, or --environment production.
# Maps are merged, any other value replaces the one there, and null takes a component or a setting away.
components:
  due:
    replicas: 3
  webhook:
    replicas: 6
    partitions: 16
# How safely topics are kept, with three brokers.
topics:
  replicationFactor: 3
  minInsyncReplicas: 2
`;

export interface StarterOptions {
  readonly folder: string;
  /** Replaces files that are there. */
  readonly force: boolean;
  readonly dryRun: boolean;
}

/**
 * Writes what somebody needs who installed the package: topology.yaml, an example of an environment, the settings with a
 * comment each, and docker-compose.yml with what it mounts.
 * @returns the files, relative to the folder
 * @throws UserError naming files that are there already, before anything is written
 */
export function writeStarter({ folder, force, dryRun }: StarterOptions): string[] {
  const target = resolve(folder);
  const compose = ofPackage('docker-compose.yml');
  const texts: Record<string, string> = {
    'topology.yaml': ofPackage('topology.yaml').replace(SCHEMA, () => schemaLine(target)),
    'topology.production.yaml': schemaLine(target) + PRODUCTION,
    '.env.example': envExample(),
    'docker-compose.yml': compose,
  };
  const mounted = [...new Set([...compose.matchAll(/\.\/(deploy\/[^:]+):/g)].map(([, path]) => path as string))];
  const files = [...Object.keys(texts), ...mounted];
  const there = files.filter((file) => existsSync(join(target, file)));
  if (there.length > 0 && !force) {
    throw new UserError(
      `${target} has ${there.join(', ')} already, and nothing was written. Name another folder, or replace them with --force.`,
    );
  }
  if (dryRun) return files;
  try {
    mkdirSync(target, { recursive: true });
    texts['docker-compose.yml'] = withOwnNames(compose, target);
    for (const [file, text] of Object.entries(texts)) {
      writeFileSync(join(target, file), text);
    }
    for (const path of mounted) {
      mkdirSync(dirname(join(target, path)), { recursive: true });
      cpSync(join(packageRoot(), path), join(target, path), { recursive: true });
    }
  } catch (error) {
    throw new UserError(`${target} cannot be written: ${reasonOf(error)}. Name a folder that you may write to.`);
  }
  return files;
}

/** The schema lies in the package: below the folder, above it, or wherever this one runs from. */
function schemaLine(folder: string): string {
  const schema = join('docs', 'topology.schema.json');
  const places = [folder, ...above(folder)].map((place) => join(place, 'node_modules', 'downspout'));
  const installed = places.find((place) => existsSync(join(place, schema))) ?? packageRoot();
  const path = relative(folder, join(installed, schema)).replaceAll('\\', '/');
  return `# yaml-language-server: $schema=${path}\n`;
}

function above(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [] : [parent, ...above(parent)];
}

const PROJECT = /^name: .*$/m;
const CLUSTER_ID = /^ +CLUSTER_ID: .*$/m;

/**
 * docker-compose.yml for a folder that is not the package's: its containers and volumes are not those of another folder, and its
 * Kafka is no other one. One that is replaced keeps both names, because its volumes are found by the first and hold the second.
 */
function withOwnNames(compose: string, folder: string): string {
  const path = join(folder, 'docker-compose.yml');
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return compose
    .replace(PROJECT, () => PROJECT.exec(before)?.[0] ?? `name: ${ownProject(folder)}`)
    .replace(CLUSTER_ID, () => CLUSTER_ID.exec(before)?.[0] ?? `      CLUSTER_ID: ${newClusterId()}`);
}

function ofPackage(file: string): string {
  return readFileSync(join(packageRoot(), file), 'utf8');
}
