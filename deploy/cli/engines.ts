import { join } from 'node:path';
import { packageRoot, packageVersion } from '../../topology/settings/package';
import type { ReadTopology } from '../../topology/settings/topology-settings';
import type { Engine } from '../release/engine-deployer';
import { deployToCompose } from '../targets/compose/deploy';
import { deployToKubernetes } from '../targets/kubernetes/deploy';
import type { ClusterOperator } from '../targets/kubernetes/manifests';
import { readTopologies } from '../targets/topologies';
import type { TopologyFileOptions } from './topology-options';
import type { VerbContext } from './verb';

/** What the targets other than `local` are told on the command line. */
export interface EngineOptions extends TopologyFileOptions {
  readonly image: string;
  readonly out?: string;
  readonly namespace?: string;
  readonly without?: readonly ClusterOperator[];
}

/** The image of this version, where none is given. */
export function defaultImage(): string {
  return `downspout:${packageVersion()}`;
}

/** What runs the workers on a target. @param file the topology that is deployed */
export function engineOf(
  target: 'kubernetes' | 'compose',
  { image, out: folder = target, namespace, without, environment: named }: EngineOptions,
  file: ReadTopology,
  { output, settings }: VerbContext,
): Engine {
  const { environment } = settings;
  const report = (step: string, text: string) => output.note(`${step}: ${text}`);
  if (target === 'compose') {
    const composeFile = join(packageRoot(), 'docker-compose.yml');
    return (release) => deployToCompose({ ...file, image, environment, release, folder, composeFile, report });
  }
  const overlay = named ?? environment.DOWNSPOUT_ENVIRONMENT;
  const topologies = readTopologies(file.files[0]);
  const common = { ...topologies, overlay, image, namespace, without, environment, folder, report };
  return (release) => deployToKubernetes({ ...common, release });
}
