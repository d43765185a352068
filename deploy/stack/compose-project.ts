import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';
import { newClusterId, type StackState, StackStateFile } from './stack-state';

type Variables = Readonly<Record<string, string>>;

/** The project of stacks that were started before each had one of its own, and of the file when it is used by hand. */
const SHARED_PROJECT = 'downspout';
const HASH_DIGITS = 8;
/** How every docker-compose.yml of ours begins, whatever else was changed in it. */
const HEAD = '# The stack, described once.';
/** What Compose takes. */
const NAME = /^[a-z0-9][a-z0-9_-]*$/;
/** How Kafka writes 16 bytes. */
const CLUSTER_ID = /^[\w-]{22}$/;

/** What others need to know of a stack in Docker so that their `docker compose` is about the same containers. */
export interface StackInDocker {
  /** Undefined where no stack of this folder is in Docker: `docker compose` finds a name by itself. */
  readonly project: string | undefined;
  /** Variables of docker-compose.yml. */
  readonly variables: Variables;
}

/**
 * The Compose project of a folder: containers, networks and volumes bear its name, so two folders share none of them.
 * @param folder in which `.downspout` is; it must exist
 */
export function ownProject(folder: string): string {
  const hash = createHash('sha256').update(realpathSync(folder)).digest('hex');
  return `${SHARED_PROJECT}-${hash.slice(0, HASH_DIGITS)}`;
}

/**
 * The project of a stack that begins in a folder.
 * @throws UserError when COMPOSE_PROJECT_NAME is no name: it would be kept, and then neither start nor stop
 */
export function newProject(folder: string, { COMPOSE_PROJECT_NAME: named }: Variables): string {
  if (named === undefined) return ownProject(folder);
  if (NAME.test(named)) return named;
  throw new UserError(
    `COMPOSE_PROJECT_NAME is ${named}, which Docker Compose does not take. Use lower-case letters, digits, - and _ only, and begin with a letter or digit.`,
  );
}

/**
 * The project under which a stack was started.
 * @throws UserError when COMPOSE_PROJECT_NAME is another one: the stack's containers and data would be left behind unseen
 */
export function projectOf({ project }: StackState, { COMPOSE_PROJECT_NAME: named }: Variables): string {
  if (project === undefined) return named ?? SHARED_PROJECT;
  if (named === undefined || named === project) return project;
  throw new UserError(
    `COMPOSE_PROJECT_NAME is ${named}, but this stack was started as the project ${project}. Unset it; a stack can have another name after \`downspout down --wipe\`.`,
  );
}

/** What docker-compose.yml refuses to be without: the id of its Kafka. */
export const CLUSTER_ID_VARIABLE = 'KAFKA_CLUSTER_ID';

/**
 * The id of the Kafka of a stack that begins: the one that was given, because volumes that were made by hand, or whose `.downspout` is
 * lost, hold it and no Kafka starts on them with another one.
 * @throws UserError when it is none: it would be kept
 */
export function newCluster({ [CLUSTER_ID_VARIABLE]: given }: Variables): string {
  if (given === undefined || given === '') return newClusterId();
  if (CLUSTER_ID.test(given)) return given;
  throw new UserError(
    `${CLUSTER_ID_VARIABLE} is ${given}, which is no id of a Kafka: 22 letters, digits, - and _. Unset it, and one is drawn.`,
  );
}

/** The variables of docker-compose.yml for a stack that was started, with its Kafka's id and the ports that it was given. */
export function variablesOf({ ports, clusterId }: StackState, variables: Variables): Variables {
  const given = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]));
  return { ...variables, ...given, [CLUSTER_ID_VARIABLE]: clusterId };
}

/** @param folder `.downspout` @param variables of the environment */
export function stackInDocker(folder: string, variables: Variables): StackInDocker {
  const state = new StackStateFile(folder).read();
  if (state?.mode !== 'compose') return { project: undefined, variables };
  return { project: projectOf(state, variables), variables: variablesOf(state, variables) };
}

/**
 * The docker-compose.yml whose project and network workers in containers join: the one that the stack was started from. That is the
 * package's where `downspout up` has started it; else that of a folder that `downspout init` has made, which people use by hand.
 * @param folder the current one
 */
export function composeFileOf({ project }: StackInDocker, folder: string = process.cwd()): string {
  const own = join(folder, 'docker-compose.yml');
  const isOurs = project === undefined && existsSync(own) && readFileSync(own, 'utf8').startsWith(HEAD);
  return isOurs ? own : join(packageRoot(), 'docker-compose.yml');
}
