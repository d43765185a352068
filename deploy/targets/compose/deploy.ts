import { dirname, join } from 'node:path';
import { reasonOf, UserError } from '../../../topology/core/errors';
import { replicasOf } from '../../../topology/settings/topology-settings';
import { run } from '../../stack/host/commands';
import { writeRendering } from '../rendering';
import { insideNames } from './inside-names';
import { type ComposeOptions, renderCompose, serviceName } from './render';

/** Until a new worker is ready. */
const READY_LIMIT_SECONDS = 120;
/** Docker warns on the same line-wise output. */
const CONTAINER = /^[0-9a-f]{12,64}$/;

export interface ComposeDeployment extends Omit<ComposeOptions, 'inside'> {
  /** Where the workers' compose file is written to. */
  readonly folder: string;
  /** docker-compose.yml, whose network and project the workers join. */
  readonly composeFile: string;
  /** A step that was done, for people. */
  readonly report: (step: 'services' | 'worker' | 'undo', text: string) => void;
  /** Runs a program and returns what it prints. Throws UserError. */
  readonly execute?: typeof run;
}

/**
 * Deploys a topology as services of Docker Compose.
 *
 * 1. A new container is ready before an old one is told to end, one at a time.
 * 2. When a new container does not become ready it is removed, and the old ones that are left run on.
 * 3. In the end there are as many containers of each service as the topology says.
 * @throws UserError with what `docker` says
 */
export async function deployToCompose(options: ComposeDeployment): Promise<void> {
  const { folder, composeFile, settings, report, execute = run } = options;
  writeRendering(folder, renderCompose({ ...options, inside: insideNames(composeFile) }));
  const files = [
    '--file',
    composeFile,
    '--file',
    join(folder, 'workers.yml'),
    '--project-directory',
    dirname(composeFile),
  ];
  const docker = async (args: readonly string[]) =>
    (await execute('docker', args, { settings: { DOWNSPOUT_WORKERS: folder } })).trim();
  const compose = (args: readonly string[]) => docker(['compose', ...files, ...args]);
  for (const [component, replicas] of replicasOf(settings)) {
    await replace({ docker, compose, service: serviceName(component), replicas, report });
    report('services', `${serviceName(component)}: ${replicas} containers run`);
  }
}

interface Replacement {
  readonly docker: (args: readonly string[]) => Promise<string>;
  readonly compose: (args: readonly string[]) => Promise<string>;
  readonly service: string;
  readonly replicas: number;
  readonly report: ComposeDeployment['report'];
}

/** Compose itself ends all containers of a service before it makes new ones, so they are replaced one by one here. */
async function replace({ docker, compose, service, replicas, report }: Replacement): Promise<void> {
  const running = async () =>
    (await compose(['ps', '--quiet', service])).split('\n').filter((id) => CONTAINER.test(id));
  const old = await running();
  const end = async (id: string) => {
    await docker(['stop', id]);
    await docker(['rm', id]);
  };
  for (let made = 0; made < replicas; made++) {
    const before = await running();
    try {
      await compose([
        'up',
        '--detach',
        '--no-deps',
        '--no-recreate',
        '--wait',
        '--wait-timeout',
        String(READY_LIMIT_SECONDS),
        '--scale',
        `${service}=${before.length + 1}`,
        service,
      ]);
    } catch (error) {
      const failed = (await running()).filter((id) => !before.includes(id));
      for (const id of failed) await docker(['rm', '--force', id]);
      report('undo', `${service}: removed the container that did not become ready`);
      throw new UserError(
        `${service}: a new container did not become ready. ${before.length} run on. Its log: docker compose logs ${service}\n${reasonOf(error)}`,
      );
    }
    const replaced = old.shift();
    if (replaced !== undefined) await end(replaced);
    report('worker', `${service}: ${made + 1} of ${replicas} are new`);
  }
  for (const id of old) await end(id);
}
