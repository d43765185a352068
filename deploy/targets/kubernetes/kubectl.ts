import { type Clock, systemClock } from '../../../topology/core/clock';
import { reasonOf } from '../../../topology/core/errors';
import { run } from '../../stack/host/commands';
import type { Guard } from '../engine';
import { ARGS_OF_WORKER, COMPONENT_LABEL, canaryLabels, labelsOf, WORKER_LABELS } from './names';

/** Until the workers of one component are replaced, or ended. */
export const ROLLOUT_LIMIT_SECONDS = 600;
const LOOK_EVERY_MS = 1_000;

/** How a cluster is talked to. */
export interface Cluster {
  readonly namespace?: string | undefined;
  readonly guard: Guard;
  /** A step that was done, for people. */
  readonly report: (step: 'cluster' | 'manifests' | 'rollout' | 'undo', text: string) => void;
  /** Runs a program and returns what it prints. Throws UserError. */
  readonly execute?: typeof run;
  readonly clock?: Pick<Clock, 'monotonic' | 'sleep'>;
}

export type Kubectl = (...args: readonly string[]) => Promise<string>;

/** @param signal ends what runs, and what is waited for */
export function kubectlOf({ namespace, guard, execute = run }: Cluster, signal: AbortSignal = guard.signal): Kubectl {
  const inNamespace = namespace === undefined ? [] : [`--namespace=${namespace}`];
  // A cluster that has an API that does not answer, as KEDA's for metrics without any, makes kubectl warn of it beside every answer.
  return (...args) => execute('kubectl', [...inNamespace, ...args], { signal, onlyStdout: true });
}

export async function tellCluster(kubectl: Kubectl, report: Cluster['report']): Promise<void> {
  report('cluster', `kubectl talks to ${(await kubectl('config', 'current-context')).trim()}`);
}

/** Whether `kubectl` has said that the cluster has no objects of such a kind. */
export function isUnknownKind(error: unknown): boolean {
  return reasonOf(error).includes('have a resource type');
}

/** Whether `kubectl` has waited for as long as it was to. */
export function isTimedOut(error: unknown): boolean {
  return reasonOf(error).includes('timed out waiting for the condition');
}

/** Returns when the new pods of a Deployment are ready, and the old ones were told to end. */
export async function rolledOut(kubectl: Kubectl, name: string): Promise<void> {
  await kubectl('rollout', 'status', `deployment/${name}`, `--timeout=${ROLLOUT_LIMIT_SECONDS}s`);
}

/** A line for each pod that runs, also for one that drains: its name, and how its worker was started. */
const PODS = `-o=jsonpath={range .items[*]}{.metadata.name} {.${ARGS_OF_WORKER}}{"\\n"}{end}`;

/**
 * Waits until no pod of a component runs that is to end, because one that drains still sends and looks for dead senders.
 * @param isOld by how its worker was started
 * @param limitMs one that runs on for longer, such as on a node that does not answer, is waited for no longer
 * @returns whether all have ended
 */
export async function drained(
  component: string,
  isOld: (args: string) => boolean,
  limitMs: number,
  cluster: Cluster,
): Promise<boolean> {
  const { guard, clock = systemClock } = cluster;
  const kubectl = kubectlOf(cluster);
  const selector = podsOf(component);
  const untilMs = clock.monotonic() + limitMs;
  for (;;) {
    const pods = await kubectl('get', 'pod', selector, '--field-selector=status.phase=Running', PODS);
    if (!pods.split('\n').some((line) => /^\S+ \[/.test(line) && isOld(line))) return true;
    if (clock.monotonic() >= untilMs) return false;
    await clock.sleep(LOOK_EVERY_MS, guard.signal);
  }
}

/** Selects the pods of a component, and of its canaries. */
export function podsOf(component: string): string {
  const either = [labelsOf(component), canaryLabels(component)].map((labels) => labels[COMPONENT_LABEL]).join(',');
  return `--selector=${selectorOf(WORKER_LABELS)},${COMPONENT_LABEL} in (${either})`;
}

export function selectorOf(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
}
