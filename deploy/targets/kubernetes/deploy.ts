import { join } from 'node:path';
import { reasonOf, UserError } from '../../../topology/core/errors';
import { replicasOf } from '../../../topology/settings/topology-settings';
import { run } from '../../stack/host/commands';
import { GoingBackFailed, type Guard, NothingChanged } from '../engine';
import { writeRendering } from '../rendering';
import { goBackOf, type Revision, revisionsOf } from './going-back';
import { DEPLOYMENT_LABEL, labelsOf, objectName, WORKER_LABELS } from './names';
import { type KubernetesOptions, renderKubernetes } from './render';

/** Until the workers of one component are replaced. */
const ROLLOUT_LIMIT_SECONDS = 600;
const REQUEST_LIMIT_SECONDS = 30;

/** How a cluster is talked to. */
export interface Cluster {
  readonly namespace?: string | undefined;
  readonly guard: Guard;
  /** A step that was done, for people. */
  readonly report: (step: 'cluster' | 'manifests' | 'rollout' | 'undo', text: string) => void;
  /** Runs a program and returns what it prints. Throws UserError. */
  readonly execute?: typeof run;
}

export interface KubernetesDeployment extends Cluster, Omit<KubernetesOptions, 'release' | 'namespace'> {
  readonly release: number;
  /** The release that ran before; null when none did. */
  readonly live: number | null;
  /** Where the manifests are written to. */
  readonly folder: string;
  /** The overlay that is applied; the base when it is not given. */
  readonly overlay: string | undefined;
}

type Kubectl = (...args: readonly string[]) => Promise<string>;
type Revisions = ReadonlyMap<string, readonly Revision[]>;

const ALL_WORKERS = `--selector=${selectorOf(WORKER_LABELS)}`;

/**
 * Deploys a topology to the cluster that `kubectl` talks to.
 *
 * 1. It returns when every worker of the new release is ready and the old ones are gone.
 * 2. When a rollout does not come to its end, every Deployment that has the release goes back to the one that ran before.
 * 3. It can be run again after it was interrupted: the cluster is asked for the same again.
 * 4. It changes nothing once the command may not go on.
 * 5. Workers of components that the release does not have end with all that belongs to them, whichever release has left them.
 *
 * What one release has in a ScaledObject, a NetworkPolicy or a budget stays until the next one is applied.
 * @throws UserError with what `kubectl` says; GoingBackFailed; NothingChanged when it says that before anything is applied
 */
export async function deployToKubernetes(options: KubernetesDeployment): Promise<void> {
  const { folder, overlay, overlays, base, report, guard } = options;
  const kubectl = kubectlOf(options);
  const topology = overlay === undefined ? base : overlays.get(overlay);
  if (topology === undefined)
    throw new NothingChanged(`There is no topology.${overlay}.yaml. Write it, or leave --environment out.`);
  const revisions = await revisionsBefore(kubectl, options);
  const written = writeRendering(folder, renderKubernetes(options));
  const path = join(folder, overlay === undefined ? 'base' : join('overlays', overlay));
  report('manifests', `${written.filter(({ state }) => state === 'written').length} files written below ${folder}`);
  await guard.mayGoOn();
  const names = [...replicasOf(topology.settings).keys()].map(objectName);
  try {
    // When one object is refused, the others are applied nevertheless.
    await kubectl('apply', `--request-timeout=${REQUEST_LIMIT_SECONDS}s`, '-k', path);
    for (const name of names) {
      await rolledOut(kubectl, name);
      report('rollout', `${name} is rolled out`);
    }
  } catch (error) {
    const undone = await undo(kubectl, names, revisions, options);
    const text = `The rollout failed. ${undone.text}\n${reasonOf(error)}`;
    throw undone.isBack ? new UserError(text) : new GoingBackFailed(text);
  }
  await endOthers(kubectl, names, options);
}

/** Replaces all pods of a component at once. */
export async function restartOnKubernetes(component: string, cluster: Cluster): Promise<void> {
  const kubectl = kubectlOf(cluster);
  const name = objectName(component);
  if ((await kubectl('get', 'deployment', name, '--ignore-not-found', '-o', 'name')).trim() === '') return;
  await cluster.guard.mayGoOn();
  await kubectl('delete', 'pod', `--selector=${selectorOf(labelsOf(component))}`);
  await rolledOut(kubectl, name);
  cluster.report('rollout', `${name} is restarted`);
}

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
async function end(kubectl: Kubectl, which: string, guard: Guard): Promise<void> {
  await guard.mayGoOn();
  try {
    await kubectl('delete', 'scaledobject', which, '--ignore-not-found');
  } catch (error) {
    if (!reasonOf(error).includes('have a resource type')) throw error;
  }
  await guard.mayGoOn();
  await kubectl('delete', 'deployment', which, '--cascade=foreground', `--timeout=${ROLLOUT_LIMIT_SECONDS}s`);
  await guard.mayGoOn();
  await kubectl('delete', 'poddisruptionbudget,networkpolicy', which, '--ignore-not-found');
}

/** Ends what other releases have left. What reads topology.yaml is somebody's own. @throws GoingBackFailed; the guard's reason */
async function endOthers(kubectl: Kubectl, names: readonly string[], options: KubernetesDeployment): Promise<void> {
  const { release, guard, report } = options;
  try {
    for (const [name, revisions] of await revisionsOf(kubectl, ALL_WORKERS)) {
      if (names.includes(name) || (revisions.at(-1)?.release ?? null) === null) continue;
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

function kubectlOf({ namespace, guard, execute = run }: Cluster): Kubectl {
  const inNamespace = namespace === undefined ? [] : [`--namespace=${namespace}`];
  return (...args) => execute('kubectl', [...inNamespace, ...args], { signal: guard.signal });
}

async function tellCluster(kubectl: Kubectl, report: Cluster['report']): Promise<void> {
  report('cluster', `kubectl talks to ${(await kubectl('config', 'current-context')).trim()}`);
}

/** What the Deployments have run so far. @throws NothingChanged when the cluster does not say so */
async function revisionsBefore(kubectl: Kubectl, { report, guard }: Cluster): Promise<Revisions> {
  try {
    await tellCluster(kubectl, report);
    return await revisionsOf(kubectl, ALL_WORKERS);
  } catch (error) {
    guard.signal.throwIfAborted();
    throw error instanceof UserError ? new NothingChanged(error.message) : error;
  }
}

async function rolledOut(kubectl: Kubectl, name: string): Promise<void> {
  await kubectl('rollout', 'status', `deployment/${name}`, `--timeout=${ROLLOUT_LIMIT_SECONDS}s`);
}

/**
 * Takes the release back wherever it runs, whoever has applied it.
 * @param before what there was: where only settings have changed, a Deployment of the same revision is left alone
 * @throws the guard's reason
 */
async function undo(
  kubectl: Kubectl,
  names: readonly string[],
  before: Revisions,
  { release, live, guard, report }: KubernetesDeployment,
): Promise<{ readonly isBack: boolean; readonly text: string }> {
  const failures: string[] = [];
  let ranBefore = false;
  let isEnded = false;
  let revisions: Revisions | undefined;
  for (const name of names) {
    await guard.mayGoOn();
    try {
      revisions ??= await revisionsOf(kubectl, ALL_WORKERS);
      const isSame = revisions.get(name)?.at(-1)?.number === before.get(name)?.at(-1)?.number;
      if (live === release && isSame) continue;
      const step = goBackOf(revisions.get(name) ?? [], { release, live });
      if (step === null) continue;
      ranBefore ||= step !== 'delete';
      if (step === 'delete') {
        isEnded = true;
        await end(kubectl, name, guard);
        report('undo', `${name} is ended, as nothing ran before`);
      } else {
        await kubectl('rollout', 'undo', `deployment/${name}`, `--to-revision=${step.toRevision}`);
        await rolledOut(kubectl, name);
        report('undo', `${name} is what it was before`);
      }
    } catch (error) {
      guard.signal.throwIfAborted();
      failures.push(`${name}: ${reasonOf(error)}`);
    }
  }
  if (failures.length > 0) {
    const text = `Going back failed too, so look at the cluster (kubectl rollout undo):\n${failures.join('\n')}`;
    return { isBack: false, text };
  }
  if (ranBefore) return { isBack: true, text: 'The workers that ran before run again.' };
  const text = isEnded ? 'Nothing ran before, so its workers were ended.' : 'There is nothing to go back to.';
  return { isBack: true, text };
}

function selectorOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}
