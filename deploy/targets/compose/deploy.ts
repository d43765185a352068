import { dirname, join } from 'node:path';
import { type Clock, systemClock } from '../../../topology/core/clock';
import { reasonOf, UserError } from '../../../topology/core/errors';
import type { Environment } from '../../../topology/settings/environment';
import { parseSpecification, replicasOf, type TopologySettings } from '../../../topology/settings/topology-settings';
import { counted } from '../../console/units';
import { CLUSTER_ID_VARIABLE, type StackInDocker } from '../../stack/compose-project';
import { run } from '../../stack/host/commands';
import {
  type EngineRelease,
  type EngineRollout,
  GoingBackFailed,
  type Guard,
  Halted,
  NothingChanged,
  type Watch,
  wayBack,
  wayTo,
} from '../engine';
import { writeRendering } from '../rendering';
import { type RollDirection, stagesOf } from '../roll-order';
import { insideNames } from './inside-names';
import { marksBack, marksOf } from './marks';
import { renderCompose, serviceName, type WorkerMark } from './render';
import { replaceContainers } from './replacing';
import { type Container, type Services, servicesOf } from './services';
import { lackingSettings } from './settings-file';

export interface ComposeTarget {
  readonly environment: Environment;
  /** Where the workers' compose file is written to. */
  readonly folder: string;
  /** docker-compose.yml, whose network and project the workers join. */
  readonly composeFile: string;
  readonly stack: StackInDocker;
  readonly guard: Guard;
  /** A step that was done, for people. */
  readonly report: (step: 'services' | 'worker' | 'undo', text: string) => void;
  /** Runs a program and returns what it prints. Throws UserError. */
  readonly execute?: typeof run;
  readonly clock?: Pick<Clock, 'monotonic' | 'sleep'>;
}

export interface ComposeDeployment extends ComposeTarget, EngineRollout {
  /** Of each service, so many containers are replaced and watched before the others of its stage; 0 unless given. */
  readonly canaries?: number;
}

/**
 * Deploys a topology as services of Docker Compose.
 *
 * 1. A new container is ready before an old one is told to end, one at a time.
 * 2. When a new container does not become ready, or the rollout is halted, every container of the release is replaced by one of the
 *    release that ran before.
 * 3. In the end there are as many containers of each service as the topology says, and all of them run the release.
 * 4. It changes nothing once the command may not go on.
 * 5. A container that would be the same, of the same image and with the same settings, is left alone.
 *    It goes on with the release that it was started with. One that was not healthy before fails no release, unless only a release
 *    that never was live had made it.
 * 6. Containers of components that the release does not have end, whichever release has left them. So do those of the same folder in
 *    another project, where a deploy with another docker-compose.yml has left them.
 * 7. Nothing is started, and nothing goes back, while the file of settings lacks what no worker can do without.
 * 8. Of the services of a stage the canaries are replaced first, and watched before the others follow.
 * 9. What going back has made with settings that may be those of the release that failed is no container of any release to the next
 *    deploy: it is replaced first.
 * @throws UserError with what `docker` says; Halted; GoingBackFailed; NothingChanged
 */
export async function deployToCompose(options: ComposeDeployment): Promise<void> {
  const { release, live, guard, report, watch, folder } = options;
  prepared(release, options);
  const lacking = lackingSettings(folder);
  if (lacking !== null) throw new NothingChanged(lacking);
  try {
    await roll(release, options, {
      direction: wayTo(options),
      running: live,
      watch,
      renews: live?.number === release.number,
    });
  } catch (error) {
    guard.signal.throwIfAborted();
    if (!(error instanceof UserError) || live?.number === release.number) throw error;
    await guard.mayGoOn();
    if (error instanceof Halted) report('undo', `halted: ${error.message}`);
    report('undo', live === null ? 'nothing ran before, so all workers end' : `back to release ${live.number}`);
    try {
      if (live === null) await endOnCompose(release, options);
      else await roll(live, options, { direction: wayBack(options), running: release, failed: release });
    } catch (failure) {
      guard.signal.throwIfAborted();
      throw new GoingBackFailed(
        `${error.message}\nGoing back failed too, so look at the containers (${inProject(options)} ps): ${reasonOf(failure)}`,
      );
    }
    throw error;
  }
}

/**
 * The components of which a deploy of the release that they run would replace a container.
 * @throws UserError with what `docker` says, or the file of settings lacks
 */
export async function outdatedOnCompose(live: EngineRelease, target: ComposeTarget): Promise<readonly string[]> {
  const services = prepared(live, target);
  const lacking = lackingSettings(target.folder);
  if (lacking !== null) throw new UserError(lacking);
  const marks = await marksOf({ ...live, settings: settingsIn(live) }, services, target, live.number);
  const outdated: string[] = [];
  for (const [component, { fingerprint }] of marks) {
    const there = await services.running(serviceName(component));
    if (there.some((one) => one.fingerprint !== fingerprint)) outdated.push(component);
  }
  return outdated;
}

/** Restarts all containers of a component at once, also those that a deploy with another docker-compose.yml has left. */
export async function restartOnCompose(component: string, live: EngineRelease, target: ComposeTarget): Promise<void> {
  const services = prepared(live, target);
  const service = serviceName(component);
  await target.guard.mayGoOn();
  const restarted = await services.restart(service);
  if (restarted === 0) return;
  target.report('services', `${service}: ${counted(restarted, 'container is', 'containers are')} restarted`);
}

/** Ends all containers of workers: at once those of the release, and then what others have left. */
export async function endOnCompose(release: EngineRelease, target: ComposeTarget): Promise<void> {
  const services = prepared(release, target);
  await target.guard.mayGoOn();
  const own = [...replicasIn(release).keys()].map(serviceName);
  await services.end(own);
  await endOthers(own, services, target);
}

async function endOthers(own: readonly string[], services: Services, { guard, report }: ComposeTarget): Promise<void> {
  for (const { id, service } of await services.others(own)) {
    await guard.mayGoOn();
    await services.stop(id);
    report('services', `${service}: a container that another deploy has left is ended`);
  }
}

function settingsIn({ number, specification }: EngineRelease): TopologySettings {
  return parseSpecification(specification, `release ${number}`);
}

function replicasIn(release: EngineRelease): ReadonlyMap<string, number> {
  return replicasOf(settingsIn(release));
}

/** Writes the compose file of a release. @param marks by component */
function prepared(release: EngineRelease, target: ComposeTarget, marks?: ReadonlyMap<string, WorkerMark>): Services {
  const { environment, folder, composeFile, stack, guard, execute = run, clock = systemClock } = target;
  const { number, specification, image } = release;
  const options = { specification, settings: settingsIn(release), image, environment, folder, release: number, marks };
  writeRendering(folder, renderCompose({ ...options, inside: insideNames(composeFile, stack.variables) }));
  const workersFile = join(folder, 'workers.yml');
  const files = [composeFile, workersFile].flatMap((file) => ['--file', file]);
  // Compose reads the whole file, and refuses it without the id of a Kafka, which is not touched here.
  const clusterId = stack.variables[CLUSTER_ID_VARIABLE] ?? 'none';
  const variables = { DOWNSPOUT_WORKERS: folder, [CLUSTER_ID_VARIABLE]: clusterId };
  const docker = (args: readonly string[]) => execute('docker', args, { settings: variables, signal: guard.signal });
  return servicesOf({
    files: [...files, '--project-directory', dirname(composeFile), ...projectOption(target)],
    workersFile,
    docker,
    clock,
    signal: guard.signal,
  });
}

function projectOption({ stack: { project } }: ComposeTarget): readonly string[] {
  return project === undefined ? [] : ['--project-name', project];
}

/** How people begin a command about the same containers. */
function inProject(target: ComposeTarget): string {
  return ['docker compose', ...projectOption(target)].join(' ');
}

interface Way {
  readonly direction: RollDirection;
  /** What the containers are expected to run. */
  readonly running: EngineRelease | null;
  /** Which is taken back. */
  readonly failed?: EngineRelease;
  /** Also replaces containers of the release, unless they would be the same. */
  readonly renews?: boolean;
  readonly watch?: Watch;
}

async function roll(release: EngineRelease, target: ComposeDeployment, way: Way): Promise<void> {
  const { direction, failed, watch } = way;
  const { canaries = 0 } = target;
  const settings = settingsIn(release);
  const replicas = replicasOf(settings);
  const known = await marksOf({ ...release, settings }, prepared(release, target), target, target.live?.number ?? 0);
  const marks = failed === undefined ? known : marksBack(known, release.number);
  const services = prepared(release, target, marks);
  const before = new Map<string, ReadonlySet<string>>();
  /** @returns the components that have a new container */
  const rolled = async (stage: readonly string[], first?: number): Promise<readonly string[]> => {
    const replaced: string[] = [];
    for (const component of stage) {
      const mark = marks.get(component) ?? { release: release.number, fingerprint: '' };
      const rolling = { services, target, way, before, canaries: first };
      const count = replicas.get(component) ?? 0;
      if (await rollService(serviceName(component), count, mark, release, rolling)) replaced.push(component);
    }
    return replaced;
  };
  for (const stage of stagesOf([...replicas.keys()], direction)) {
    const watched = canaries > 0 && watch !== undefined ? await rolled(stage, canaries) : [];
    if (watched.length > 0) await watch?.replaced(watched);
    const others = await rolled(stage);
    if (others.length > 0) await watch?.replaced(others.filter((component) => !watched.includes(component)));
  }
  await watch?.end();
  await endOthers([...replicas.keys()].map(serviceName), services, target);
}

interface Rolling {
  readonly services: Services;
  readonly target: ComposeDeployment;
  readonly way: Way;
  /** Which containers were not healthy before any was replaced, by service; it is filled in. */
  readonly before: Map<string, ReadonlySet<string>>;
  /** Only so many are replaced; undefined for all. */
  readonly canaries: number | undefined;
}

/** @returns whether there is a new container */
async function rollService(
  service: string,
  count: number,
  mark: WorkerMark,
  release: EngineRelease,
  { services, target, way, before, canaries }: Rolling,
): Promise<boolean> {
  const { running, failed, renews = false, watch } = way;
  const isRight = ({ fingerprint, release: read }: Container) =>
    failed === undefined
      ? fingerprint === mark.fingerprint || (!renews && fingerprint === null && read === release.number)
      : // It ran before too, whatever its settings are called by now, or an earlier way back has made it.
        read !== null && read <= release.number;
  const unready =
    before.get(service) ?? (renews ? new Set<string>() : await unreadyOf(service, running?.number ?? 0, services));
  before.set(service, unready);
  const isNew = await replaceContainers({
    ...target,
    service,
    count,
    canaries,
    release: mark.release,
    isRight,
    hasToBeReady: ({ id }) => failed === undefined && !unready.has(id),
    services,
    watch,
    log: `${inProject(target)} logs ${service}`,
  });
  if (canaries !== undefined) return isNew;
  const judged = (await services.running(service)).filter(({ id }) => !unready.has(id));
  // Going back, those that were left alone are as they were.
  if (failed === undefined) await services.ready(judged.map(({ id }) => id));
  target.report('services', `${service}: ${counted(count, 'container runs', 'containers run')}`);
  return isNew;
}

/** Those that are not healthy and need not become so: what only a release has that never was live may be what that one broke. */
async function unreadyOf(service: string, live: number, services: Services): Promise<ReadonlySet<string>> {
  const ranLive = (await services.running(service)).filter(({ release }) => release !== null && release <= live);
  return services.unready(ranLive.map(({ id }) => id));
}
