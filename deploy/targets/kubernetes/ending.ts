import { reasonOf, UserError } from '../../../topology/core/errors';
import { GoingBackFailed, type Guard } from '../engine';
import { revisionsOf } from './going-back';
import {
  type Cluster,
  isUnknownKind,
  type Kubectl,
  kubectlOf,
  ROLLOUT_LIMIT_SECONDS,
  selectorOf,
  tellCluster,
} from './kubectl';
import { besideCanary, DEPLOYMENT_LABEL, WORKER_LABELS } from './names';

export const ALL_WORKERS = `--selector=${selectorOf(WORKER_LABELS)}`;

/**
 * Ends all workers of a deployment, and none of another one that `kubectl` may talk to by mistake. The Deployments and what scales them
 * are gone until the next deploy, and so are their budgets and NetworkPolicies.
 */
export async function endOnKubernetes(deploymentId: string, cluster: Cluster): Promise<void> {
  const kubectl = kubectlOf(cluster);
  await tellCluster(kubectl, cluster.report);
  const own = { ...WORKER_LABELS, [DEPLOYMENT_LABEL]: deploymentId };
  await end(kubectl, `--selector=${selectorOf(own)}`, cluster.guard);
}

/** @param which a name or a selector */
export async function end(kubectl: Kubectl, which: string, guard: Guard): Promise<void> {
  await guard.mayGoOn();
  try {
    await kubectl('delete', 'scaledobject', which, '--ignore-not-found');
  } catch (error) {
    if (!isUnknownKind(error)) throw error;
  }
  await guard.mayGoOn();
  await kubectl('delete', 'deployment', which, '--cascade=foreground', `--timeout=${ROLLOUT_LIMIT_SECONDS}s`);
  await guard.mayGoOn();
  await kubectl('delete', 'poddisruptionbudget,networkpolicy', which, '--ignore-not-found');
}

/**
 * Ends what other releases than this one have left. What reads topology.yaml is somebody's own.
 * @param names of the Deployments that the release has
 * @throws GoingBackFailed; the guard's reason
 */
export async function endOthers(names: readonly string[], release: number, cluster: Cluster): Promise<void> {
  const { guard, report } = cluster;
  const kubectl = kubectlOf(cluster);
  try {
    for (const [name, revisions] of await revisionsOf(kubectl, ALL_WORKERS)) {
      // Canaries were ended with their stage, as far as they could be.
      if (names.includes(name) || besideCanary(name) !== null) continue;
      if ((revisions.at(-1)?.release ?? null) === null) continue;
      await end(kubectl, name, guard);
      report('rollout', `${name} is ended, as the release does not have it`);
    }
  } catch (error) {
    guard.signal.throwIfAborted();
    if (!(error instanceof UserError)) throw error;
    const text = `Release ${release} is rolled out, but workers that it does not have may run on: ${reasonOf(error)}`;
    throw new GoingBackFailed(text);
  }
}
