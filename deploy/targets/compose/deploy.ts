import { dirname, join } from 'node:path';
import { type Clock, systemClock } from '../../../topology/core/clock';
import { reasonOf, UserError } from '../../../topology/core/errors';
import type { Environment } from '../../../topology/settings/environment';
import {
  parseSpecification,
  replicasOf,
  settingsOrNull,
  type TopologySettings,
} from '../../../topology/settings/topology-settings';
import { counted } from '../../console/units';
import type { StackInDocker } from '../../stack/compose-project';
import { run } from '../../stack/host/commands';
import { type EngineRelease, GoingBackFailed, type Guard, NothingChanged } from '../engine';
import { writeRendering } from '../rendering';
import { type RollDirection, turnOf } from '../roll-order';
import { insideNames } from './inside-names';
import { marksOf } from './marks';
import { renderCompose, serviceName, type WorkerMark } from './render';
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

export interface ComposeDeployment extends ComposeTarget {
  readonly release: EngineRelease;
  /** The release that ran before; null when none did. */
  readonly live: EngineRelease | null;
  /** Releases that were begun and are not done, which containers may run too. */
  readonly unfinished: readonly EngineRelease[];
}

/**
 * Deploys a topology as services of Docker Compose.
 *
 * 1. A new container is ready before an old one is told to end, one at a time.
 * 2. When a new container does not become ready, every container of the release is replaced by one of the release that ran before.
 * 3. In the end there are as many containers of each service as the topology says, and all of them run the release.
 * 4. It changes nothing once the command may not go on.
 * 5. A container that would be the same, of the same image and with the same settings, is left alone.
 *    It goes on with the release that it was started with. One that was not healthy before fails no release, unless only a release
 *    that never was live had made it.
 * 6. Containers of components that the release does not have end, whichever release has left them.
 * 7. Nothing is started, and nothing goes back, while the file of settings lacks what no worker can do without.
 * @throws UserError with what `docker` says; GoingBackFailed; NothingChanged
 */
export async function deployToCompose(options: ComposeDeployment): Promise<void> {
  const { release, live, guard, report } = options;
  prepared(release, options);
  const lacking = lackingSettings(options.folder);
  if (lacking !== null) throw new NothingChanged(lacking);
  try {
    await roll(release, options, { running: live, renews: live?.number === release.number });
  } catch (error) {
    guard.signal.throwIfAborted();
    if (!(error instanceof UserError) || live?.number === release.number) throw error;
    await guard.mayGoOn();
    report('undo', live === null ? 'nothing ran before, so all workers end' : `back to release ${live.number}`);
    try {
      if (live === null) await endOnCompose(release, options);
      else await roll(live, options, { running: release, failed: release });
    } catch (failure) {
      guard.signal.throwIfAborted();
      throw new GoingBackFailed(
        `${error.message}\nGoing back failed too, so look at the containers (${inProject(options)} ps): ${reasonOf(failure)}`,
      );
    }
    throw error;
  }
}

/** Restarts all containers of a component at once. */
export async function restartOnCompose(component: string, live: EngineRelease, target: ComposeTarget): Promise<void> {
  const services = prepared(live, target);
  const service = serviceName(component);
  const containers = await services.running(service);
  if (containers.length === 0) return;
  await target.guard.mayGoOn();
  await services.restart(service);
  target.report('services', `${service}: ${containers.length} containers are restarted`);
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
    report('services', `${service}: a container that another release has left is ended`);
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
  const files = [composeFile, join(folder, 'workers.yml')].flatMap((file) => ['--file', file]);
  const docker = (args: readonly string[]) =>
    execute('docker', args, { settings: { DOWNSPOUT_WORKERS: folder }, signal: guard.signal });
  return servicesOf({
    files: [...files, '--project-directory', dirname(composeFile), ...projectOption(target)],
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

/**
 * @param how.running what the containers are expected to run
 * @param how.failed which is taken back
 * @param how.renews also replaces containers of the release, unless they would be the same
 */
async function roll(
  release: EngineRelease,
  target: ComposeDeployment,
  { running, failed, renews = false }: { running: EngineRelease | null; failed?: EngineRelease; renews?: boolean },
): Promise<void> {
  const replicas = replicasIn(release);
  const marks = await marksOf(
    { ...release, settings: settingsIn(release) },
    prepared(release, target),
    target.folder,
    failed,
  );
  const services = prepared(release, target, marks);
  const before = [...(running === null ? [] : [running]), ...target.unfinished].map(({ specification }) =>
    settingsOrNull(specification),
  );
  const direction = {
    wanted: settingsIn(release),
    running: () => before,
    isBack: failed !== undefined,
  };
  for (const [component, count] of inTurn([...replicas], direction)) {
    const service = serviceName(component);
    const mark = marks.get(component) ?? { release: release.number, fingerprint: '' };
    const isRight = (one: Container) =>
      (one.fingerprint === mark.fingerprint && one.release !== failed?.number) ||
      (!renews && one.fingerprint === null && one.release === release.number) ||
      // It ran before too, whatever its settings are called by now.
      (failed !== undefined && one.release !== null && one.release <= release.number);
    // What only a release has that never was live may be what that one broke.
    const ranLive = (await services.running(service)).filter(
      (one) => one.release !== null && one.release <= (running?.number ?? 0),
    );
    const unready = renews ? new Set<string>() : await services.unready(ranLive.map(({ id }) => id));
    await replace(service, count, { number: mark.release, isRight }, services, target);
    const judged = (await services.running(service)).filter(({ id }) => !unready.has(id));
    // Going back, those that were left alone are as they were.
    if (failed === undefined) await services.ready(judged.map(({ id }) => id));
    target.report('services', `${service}: ${counted(count, 'container runs', 'containers run')}`);
  }
  await endOthers([...replicas.keys()].map(serviceName), services, target);
}

function inTurn(components: readonly [string, number][], direction: RollDirection): [string, number][] {
  return components.toSorted(([a], [b]) => turnOf(a, direction) - turnOf(b, direction));
}

/** Compose itself ends all containers of a service before it makes new ones, so they are replaced one by one here. */
async function replace(
  service: string,
  replicas: number,
  { number: release, isRight }: { readonly number: number; readonly isRight: (one: Container) => boolean },
  services: Services,
  target: ComposeTarget,
): Promise<void> {
  const { guard, report } = target;
  await guard.mayGoOn();
  await services.removeStopped(service);
  const there = await services.running(service);
  // What an earlier deploy has begun, or what did not go back, is not begun again.
  const own = there.filter(isRight);
  const old = there.filter((one) => !own.includes(one));
  for (let made = own.length; made < replicas; made++) {
    await guard.mayGoOn();
    await addOne(service, release, services, target);
    const replaced = old.shift();
    if (replaced !== undefined) await services.stop(replaced.id);
    report('worker', `${service}: ${made + 1} of ${replicas} are new`);
  }
  for (const { id } of [...old, ...own.slice(replicas)]) {
    await guard.mayGoOn();
    await services.stop(id);
  }
  await services.scaled(service, replicas);
}

async function addOne(service: string, release: number, services: Services, target: ComposeTarget): Promise<void> {
  const before = await services.running(service);
  const added = async () => {
    const ids = new Set(before.map(({ id }) => id));
    return (await services.running(service)).filter(({ id }) => !ids.has(id));
  };
  try {
    await services.scaled(service, before.length + 1);
    const made = await added();
    // Those beside it may be unready: that is what a deploy may be to mend.
    await services.ready(made.map(({ id }) => id));
    const wrong = made.find((one) => one.release !== release);
    if (wrong !== undefined) throw new UserError(`container ${wrong.id} runs release ${wrong.release ?? 'unknown'}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    for (const { id } of await added()) await services.remove(id);
    target.report('undo', `${service}: removed the container that did not become ready`);
    throw new UserError(
      `${service}: a new container did not become ready. ${before.length} run on. Its log: ${inProject(target)} logs ${service}\n${reasonOf(error)}`,
    );
  }
}
