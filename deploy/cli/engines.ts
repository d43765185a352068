import { resolve } from 'node:path';
import type { Release } from '../../connectors/mysql/operators/releases';
import { readStackVariables } from '../../topology/settings/environment';
import { packageVersion } from '../../topology/settings/package';
import { parseSpecification, type ReadTopology } from '../../topology/settings/topology-settings';
import { composeFileOf, stackInDocker } from '../stack/compose-project';
import { stackFolder } from '../stack/stack-folder';
import { deployToCompose, endOnCompose, outdatedOnCompose, restartOnCompose } from '../targets/compose/deploy';
import { SETTINGS_FILE } from '../targets/compose/settings-file';
import type { Engine, EngineRelease, Guard } from '../targets/engine';
import { deployToKubernetes, outdatedOnKubernetes, restartOnKubernetes } from '../targets/kubernetes/deploy';
import { endOnKubernetes } from '../targets/kubernetes/ending';
import type { ClusterOperator } from '../targets/kubernetes/manifests';
import { type KubernetesOptions, settingsFilesOf } from '../targets/kubernetes/render';
import { requireKept } from '../targets/rendering';
import { readTopologies } from '../targets/topologies';
import type { VerbContext } from './verb';

export type EngineTarget = Exclude<Release['target'], 'local'>;

/** Where the targets other than `local` are found. */
export interface EnginePlace {
  readonly out?: string;
  readonly namespace?: string;
}

/** What they are told on the command line. */
export interface EngineOptions extends EnginePlace {
  /** Whose overlay is applied on kubernetes; the base where none is given. */
  readonly environment?: string | undefined;
  readonly without?: readonly ClusterOperator[];
  /** Of each component, so many workers are new and watched first; 0 unless given. */
  readonly canary?: number;
  /** For how long, milliseconds. Where nobody watches, kubernetes makes no canaries. */
  readonly pause?: number;
}

/** The image of this version, where none is given. */
export function defaultImage(): string {
  return `downspout:${packageVersion()}`;
}

/**
 * What runs the workers on a target.
 * @param idOf reads the id of the deployment; a deploy may be the first to join it, which draws one
 * @param file the topology that is deployed; without it that is what a release says, wherever the workers that run are
 * @throws UserError without a file, where the settings of these workers are not in the folder: before anything is touched
 */
export function engineOf(
  target: EngineTarget,
  options: EngineOptions,
  context: VerbContext,
  idOf: () => Promise<string>,
  file?: ReadTopology,
): Engine {
  const mustRun = file === undefined;
  if (target === 'compose') {
    const common = composeOf(options, context);
    if (mustRun) requireKept(common.folder, [SETTINGS_FILE]);
    return {
      outdated: (live, guard) => outdatedOnCompose(live, { ...common, guard }),
      deploy: (rollout) => deployToCompose({ ...common, ...rollout, canaries: options.canary ?? 0 }),
      restart: (component, live, guard) => restartOnCompose(component, live, { ...common, guard }),
    };
  }
  const { environment } = context.settings;
  const { report, namespace, folder } = kubernetesOf(options, context);
  const { environment: overlay, without, pause = 0 } = options;
  if (mustRun) requireKept(folder, settingsFilesOf(overlay));
  const canaries = pause === 0 ? 0 : (options.canary ?? 0);
  const common = { overlay, namespace, without, environment, folder, report, mustRun, canaries };
  const ofFile = file === undefined ? null : readTopologies(file.files[0]);
  const topologies = ({ number, specification }: EngineRelease): Pick<KubernetesOptions, 'base' | 'overlays'> => {
    if (ofFile !== null) return ofFile;
    const topology = { specification, settings: parseSpecification(specification, `release ${number}`) };
    // The overlay has the settings of its pods, and nothing that differs.
    return { base: topology, overlays: new Map(overlay === undefined ? [] : [[overlay, topology]]) };
  };
  return {
    outdated: async (live, guard) =>
      outdatedOnKubernetes({ ...common, ...topologies(live), release: live, guard, deploymentId: await idOf() }),
    deploy: async (rollout) =>
      deployToKubernetes({ ...common, ...topologies(rollout.release), ...rollout, deploymentId: await idOf() }),
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
  const stack = stackInDocker(stackFolder(), readStackVariables());
  const composeFile = composeFileOf(stack);
  return { environment: context.settings.environment, folder, composeFile, stack, report: reporter(context) };
}

function kubernetesOf({ namespace, out = 'kubernetes' }: EnginePlace, context: VerbContext) {
  return { namespace, folder: resolve(out), report: reporter(context) };
}

function reporter({ output }: VerbContext) {
  return (step: string, text: string) => output.note(`${step}: ${text}`);
}
