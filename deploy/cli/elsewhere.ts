import { currentRelease, type Release } from '../../connectors/mysql/operators/releases';
import type { Pool } from '../../connectors/mysql/sql/pool';
import { UserError } from '../../topology/core/errors';
import { parseSpecification, replicasOf } from '../../topology/settings/topology-settings';
import { serviceName } from '../targets/compose/render';
import { labelsOf, objectName, WORKER_LABELS } from '../targets/kubernetes/names';
import type { EngineTarget } from './engines';

/** What a verb does with workers of the target local, and other engines do themselves. */
export type WorkerVerb = 'restart' | 'rebalance' | 'logs';

/** Components, of which one may be asked for. */
interface Asked {
  readonly component: string | undefined;
  readonly all: readonly string[];
}

const selector = ({ component }: Asked) =>
  Object.entries(component === undefined ? WORKER_LABELS : labelsOf(component))
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
const services = ({ component, all }: Asked) =>
  (component === undefined ? all : [component]).map((one) => serviceName(one)).join(' ');
const deployments = (asked: Asked) =>
  asked.component === undefined
    ? `deployment --selector ${selector(asked)}`
    : `deployment/${objectName(asked.component)}`;

/** By target and verb: what does it there. */
const instead: Readonly<Record<EngineTarget, Readonly<Record<WorkerVerb, (asked: Asked) => string>>>> = {
  kubernetes: {
    restart: (asked) => `\`kubectl rollout restart ${deployments(asked)}\` replaces its pods one by one.`,
    rebalance: () => 'The cluster itself spreads its pods over zones and nodes.',
    logs: (asked) => `\`kubectl logs --selector ${selector(asked)} --prefix\` has the logs of its pods.`,
  },
  compose: {
    restart: (asked) => `\`docker compose restart ${services(asked)}\` restarts its containers, all at once.`,
    rebalance: () => 'All of its containers are on one machine.',
    logs: (asked) => `\`docker compose logs ${services(asked)}\` has the logs of its containers.`,
  },
};

/** Who does a verb's work for a release whose workers another engine runs; null for one of the target local. */
export function elsewhere(
  { number, target, specification }: Pick<Release, 'number' | 'target' | 'specification'>,
  verb: WorkerVerb,
  component?: string,
): string | null {
  if (target === 'local') return null;
  const source = `release ${number}`;
  const all = [...replicasOf(parseSpecification(specification, source)).keys()];
  return `Release ${number} runs on ${target}. ${instead[target][verb]({ component, all })}`;
}

/** @throws UserError when another engine runs the workers, saying how the verb's work is done there */
export async function requireHere(pool: Pool, verb: WorkerVerb, component?: string): Promise<void> {
  const live = await currentRelease(pool);
  const there = live === null ? null : elsewhere(live, verb, component);
  if (there !== null) throw new UserError(there);
}
