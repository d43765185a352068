import { ALL_WORKERS } from './ending';
import { isUnknownKind, type Kubectl } from './kubectl';
import type { ClusterOperator } from './manifests';

/** What the objects of each operator are called, of which every deployment that has any has one. */
const kinds: Readonly<Record<ClusterOperator, string>> = { keda: 'scaledobject', prometheus: 'podmonitor' };

/**
 * The operators that what runs does without, because the cluster lacks them or somebody has left them out: what is deployed again
 * does without them too.
 * @param named are to be left out: whoever does without an operator may have no right to see its objects
 * @throws UserError with what `kubectl` says
 */
export async function operatorsLeftOut(
  kubectl: Kubectl,
  named: readonly ClusterOperator[],
): Promise<ClusterOperator[]> {
  const leftOut = [...named];
  for (const [operator, kind] of Object.entries(kinds) as [ClusterOperator, string][]) {
    if (!named.includes(operator) && !(await isThere(kubectl, kind))) leftOut.push(operator);
  }
  return leftOut;
}

async function isThere(kubectl: Kubectl, kind: string): Promise<boolean> {
  try {
    return (await kubectl('get', kind, ALL_WORKERS, '-o', 'name')).split('\n').some((line) => line.includes('/'));
  } catch (error) {
    if (isUnknownKind(error)) return false;
    throw error;
  }
}
