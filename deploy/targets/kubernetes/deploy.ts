import { join } from 'node:path';
import { reasonOf, UserError } from '../../../topology/core/errors';
import { replicasOf } from '../../../topology/settings/topology-settings';
import { run } from '../../stack/host/commands';
import { writeRendering } from '../rendering';
import { objectName } from './names';
import { type KubernetesOptions, renderKubernetes } from './render';

/** Until the workers of one component are replaced. */
const ROLLOUT_LIMIT_SECONDS = 600;
const REQUEST_LIMIT_SECONDS = 30;

export interface KubernetesDeployment extends KubernetesOptions {
  /** Where the manifests are written to. */
  readonly folder: string;
  /** The overlay that is applied; the base when it is not given. */
  readonly overlay: string | undefined;
  /** A step that was done, for people. */
  readonly report: (step: 'cluster' | 'manifests' | 'rollout' | 'undo', text: string) => void;
  /** Runs a program and returns what it prints. Throws UserError. */
  readonly execute?: typeof run;
}

/**
 * Deploys a topology to the cluster that `kubectl` talks to.
 *
 * 1. It returns when every worker of the new release is ready and the old ones are gone.
 * 2. When a rollout does not come to its end, every Deployment that was changed goes back to what ran before.
 * 3. It can be run again after it was interrupted: the cluster is asked for the same again.
 *
 * What one release has in a ScaledObject, a NetworkPolicy or a budget stays until the next one is applied.
 * @throws UserError with what `kubectl` says
 */
export async function deployToKubernetes(options: KubernetesDeployment): Promise<void> {
  const { folder, overlay, overlays, base, report, execute = run } = options;
  const kubectl = (args: readonly string[]) =>
    execute('kubectl', [...(options.namespace === undefined ? [] : [`--namespace=${options.namespace}`]), ...args]);
  const topology = overlay === undefined ? base : overlays.get(overlay);
  if (topology === undefined)
    throw new UserError(`There is no topology.${overlay}.yaml. Write it, or leave --environment out.`);
  report('cluster', `kubectl talks to ${(await kubectl(['config', 'current-context'])).trim()}`);
  const written = writeRendering(folder, renderKubernetes(options));
  const path = join(folder, overlay === undefined ? 'base' : join('overlays', overlay));
  report('manifests', `${written.filter(({ state }) => state === 'written').length} files written below ${folder}`);
  const applied = await kubectl(['apply', `--request-timeout=${REQUEST_LIMIT_SECONDS}s`, '-k', path]);
  const names = [...replicasOf(topology.settings).keys()].map(objectName);
  try {
    for (const name of names) {
      await kubectl(['rollout', 'status', `deployment/${name}`, `--timeout=${ROLLOUT_LIMIT_SECONDS}s`]);
      report('rollout', `${name} is rolled out`);
    }
  } catch (error) {
    const undone = await undo(kubectl, changedOf(applied, names), report);
    throw new UserError(`The rollout failed. ${undone}\n${reasonOf(error)}`);
  }
}

/** The Deployments that existed before and were changed, by what `kubectl apply` printed. */
function changedOf(applied: string, names: readonly string[]): string[] {
  return names.filter((name) => applied.includes(`deployment.apps/${name} configured`));
}

async function undo(
  kubectl: (args: readonly string[]) => Promise<string>,
  names: readonly string[],
  report: KubernetesDeployment['report'],
): Promise<string> {
  if (names.length === 0) return 'Nothing ran before, so there is nothing to go back to.';
  const failures: string[] = [];
  for (const name of names) {
    try {
      await kubectl(['rollout', 'undo', `deployment/${name}`]);
      await kubectl(['rollout', 'status', `deployment/${name}`, `--timeout=${ROLLOUT_LIMIT_SECONDS}s`]);
      report('undo', `${name} is what it was before`);
    } catch (error) {
      failures.push(`${name}: ${reasonOf(error)}`);
    }
  }
  if (failures.length === 0) return 'The workers that ran before run again.';
  return `Going back failed too, so look at the cluster (kubectl rollout undo):\n${failures.join('\n')}`;
}
