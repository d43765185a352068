import type { SupervisorView } from '../../../connectors/mysql/operators/supervision';
import type { Readiness } from '../../../topology/runtime/status-server';
import type { HostWorker } from './host-workers';

const ANSWER_LIMIT_MS = 1_000;

/** What a worker says of itself at `/readyz`; null when it does not answer. */
export async function askReadiness(statusUrl: string): Promise<Readiness | null> {
  try {
    const response = await fetch(`${statusUrl}/readyz`, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    return (await response.json()) as Readiness;
  } catch {
    return null;
  }
}

/**
 * Whether a worker does its share: it says that it is ready, and it owns partitions, unless there are none left for it.
 * @param owned of all living workers, how many partitions of each component
 */
export function doesItsShare(
  { reasons, partitions }: Readiness,
  component: string,
  owned: SupervisorView['owned'],
): boolean {
  if (reasons.length > 0) return false;
  if ((partitions[component]?.length ?? 0) > 0) return true;
  const counts = owned.map((one) => one[component] ?? 0);
  return counts.some((count) => count > 0) && counts.every((count) => count <= 1);
}

/** Finds out which of the workers that start are ready, and what their sessions are. @returns also where the workers serve their status */
export async function askWorkers(
  all: readonly HostWorker[],
  { workers, owned }: Pick<SupervisorView, 'workers' | 'owned'>,
  readiness: (statusUrl: string) => Promise<Readiness | null>,
): Promise<{ readonly ready: readonly HostWorker[]; readonly urls: readonly string[] }> {
  const registered = new Map(workers.map((one) => [one.pid, one]));
  const known = all.flatMap((worker) => {
    const row = worker.pid === null ? undefined : registered.get(worker.pid);
    if (row !== undefined) worker.session = row.session;
    return row?.statusUrl == null ? [] : [{ worker, session: row.session, statusUrl: row.statusUrl }];
  });
  const ready: HostWorker[] = [];
  const ask = async ({ worker, session, statusUrl }: (typeof known)[number]) => {
    const said = await readiness(statusUrl);
    if (said?.session !== session) return;
    worker.reasons = said.reasons;
    if (doesItsShare(said, worker.component, owned)) ready.push(worker);
  };
  await Promise.all(known.filter(({ worker }) => worker.phase === 'starting').map(ask));
  return { ready, urls: known.map(({ statusUrl }) => statusUrl) };
}
