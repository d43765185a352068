import { join, resolve } from 'node:path';
import type { Release } from '../../connectors/mysql/operators/releases';
import { readStackVariables } from '../../topology/settings/environment';
import { packageRoot, packageVersion } from '../../topology/settings/package';
import type { ReadTopology } from '../../topology/settings/topology-settings';
import { stackInDocker } from '../stack/compose-project';
import { stackFolder } from '../stack/stack-folder';
import { deployToCompose, endOnCompose, restartOnCompose } from '../targets/compose/deploy';
import type { Engine, Guard } from '../targets/engine';
import { deployToKubernetes, endOnKubernetes, restartOnKubernetes } from '../targets/kubernetes/deploy';
import type { ClusterOperator } from '../targets/kubernetes/manifests';
import { readTopologies } from '../targets/topologies';
import type { TopologyFileOptions } from './topology-options';
import type { VerbContext } from './verb';

export type EngineTarget = Exclude<Release['target'], 'local'>;

/** Where the targets other than `local` are found. */
export interface EnginePlace {
  readonly out?: string;
  readonly namespace?: string;
}

/** What they are told on the command line. */
export interface EngineOptions extends TopologyFileOptions, EnginePlace {
  readonly image: string;
  readonly without?: readonly ClusterOperator[];
}

/** The image of this version, where none is given. */
export function defaultImage(): string {
  return `downspout:${packageVersion()}`;
}

/** What runs the workers on a target. @param file the topology that is deployed @param deploymentId of the database */
export function engineOf(
  target: EngineTarget,
  options: EngineOptions,
  file: ReadTopology,
  context: VerbContext,
  deploymentId: string,
): Engine {
  const { image, without, environment: named } = options;
  const { environment } = context.settings;
  const { specification } = file;
  if (target === 'compose') {
    const common = composeOf(options, context);
    return {
      deploy: (number, live, guard, unfinished) =>
        deployToCompose({ ...common, guard, live, unfinished, release: { number, specification, image } }),
      restart: (component, live, guard) => restartOnCompose(component, live, { ...common, guard }),
    };
  }
  const { report, namespace, folder } = kubernetesOf(options, context);
  const overlay = named ?? environment.DOWNSPOUT_ENVIRONMENT;
  const topologies = readTopologies(file.files[0]);
  const common = { ...topologies, overlay, image, namespace, without, environment, folder, report, deploymentId };
  return {
    deploy: (release, live, guard) => deployToKubernetes({ ...common, release, live: live?.number ?? null, guard }),
    restart: (component, _, guard) => restartOnKubernetes(component, { namespace, report, guard }),
  };
}

/** Ends all workers of a release that an engine runs. @param deploymentId of the database */
export function endOn(
  { target, number, specification, image }: Release,
  options: EnginePlace,
  context: VerbContext,
  guard: Guard,
  deploymentId: string,
): Promise<void> {
  if (target === 'compose') {
    const release = { number, specification, image: image ?? '' };
    return endOnCompose(release, { ...composeOf(options, context), guard });
  }
  const { namespace, report } = kubernetesOf(options, context);
  return endOnKubernetes(deploymentId, { namespace, report, guard });
}

/** The folder is a whole path, because Docker Compose takes one that is not for the name of a volume, or below another folder. */
function composeOf({ out = 'compose' }: EnginePlace, context: VerbContext) {
  const folder = resolve(out);
  const composeFile = join(packageRoot(), 'docker-compose.yml');
  const stack = stackInDocker(stackFolder(), readStackVariables());
  return { environment: context.settings.environment, folder, composeFile, stack, report: reporter(context) };
}

function kubernetesOf({ namespace, out = 'kubernetes' }: EnginePlace, context: VerbContext) {
  return { namespace, folder: resolve(out), report: reporter(context) };
}

function reporter({ output }: VerbContext) {
  return (step: string, text: string) => output.note(`${step}: ${text}`);
}
