import { UserError } from '../../../topology/core/errors';

/** The image's name in the manifests; `images` of kustomization.yaml says where it comes from. */
export const IMAGE = 'downspout';
/** The container of a worker in its pod, beside which a cluster may have put others. */
export const CONTAINER = 'worker';
/** How a pod's worker was started, for `kubectl`. */
export const ARGS_OF_WORKER = `spec.containers[?(@.name=="${CONTAINER}")].args`;
/** The port of /healthz, /readyz and /metrics. */
export const STATUS_PORT = 8080;

/** Objects that the workers refer to. Kustomize makes the two ConfigMaps; the two Secrets are made by people. */
export const TOPOLOGY = 'downspout-topology';
export const SETTINGS = 'downspout-settings';
export const SECRETS = 'downspout-secrets';
export const FILES = 'downspout-files';

/** Where a worker finds topology.yaml, and the files of the Secret `downspout-files`. */
export const TOPOLOGY_FOLDER = '/etc/downspout/topology';
export const FILES_FOLDER = '/etc/downspout/files';

/** What every worker has in common, and nothing else in the namespace. */
export const WORKER_LABELS = { 'app.kubernetes.io/name': 'downspout', 'app.kubernetes.io/part-of': 'downspout' };

/** Says to which deployment an object belongs: the id in its database. It is in no selector and no template. */
export const DEPLOYMENT_LABEL = 'downspout/deployment';

/** Says to which component an object belongs; what all have in common has it not. */
export const COMPONENT_LABEL = 'app.kubernetes.io/component';

/** The labels of one component's workers. */
export function labelsOf(component: string): Record<string, string> {
  return { ...WORKER_LABELS, [COMPONENT_LABEL]: component };
}

/** The file of a component's objects. Those beside it begin otherwise, because a channel may be called as any of them. */
export function componentFile(component: string): string {
  return `worker-${component}.yaml`;
}

/** The name of a component's objects. Kubernetes takes small letters, digits and hyphens. */
export function objectName(component: string): string {
  return `downspout-${component.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
}

/** @throws UserError naming the component whose objects can have no name, or the two that would have one */
export function requireNames(components: readonly string[]): void {
  const taken = new Map<string, string>();
  for (const component of components) {
    const name = objectName(component);
    if (name.endsWith('-')) {
      throw new UserError(
        `${component}: Kubernetes takes no name that ends in "${component.slice(-1)}". Run it elsewhere, or rename it.`,
      );
    }
    const other = taken.get(name);
    if (other !== undefined) {
      throw new UserError(
        `${other} and ${component} would both be ${name} on Kubernetes. Run one elsewhere, or rename it.`,
      );
    }
    taken.set(name, component);
  }
}

/** Two hyphens in a row are in no name of a component's objects. */
const CANARY = '--canary';

/** The labels of a component's canaries, which no selector of the component takes; no component is called so. */
export function canaryLabels(component: string): Record<string, string> {
  return labelsOf(`${component}.canary`);
}

/** The name of the objects of a component's canaries. */
export function canaryName(component: string): string {
  return `${objectName(component)}${CANARY}`;
}

/** The name of the objects beside which these are canaries; null for what is none. */
export function besideCanary(name: string): string | null {
  return name.endsWith(CANARY) ? name.slice(0, -CANARY.length) : null;
}
