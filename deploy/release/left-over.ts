import { placementName } from '../../connectors/mysql/operators/placements';
import type { RunningWorker } from '../../connectors/mysql/operators/roll-view';

/** `webhook-1 of release 3 on host-1 (process 42)`, one after another, and what to do when nobody ends some of them. */
export function workersText(workers: readonly RunningWorker[]): string {
  const names = workers.map((worker) => {
    const { host, pid, releaseNumber } = worker;
    return `${placementName(worker)} of release ${releaseNumber ?? '?'} on ${host} (process ${pid})`;
  });
  const hosts = [...new Set(workers.filter(({ isSupervised }) => !isSupervised).map(({ host }) => host))];
  const remedy =
    hosts.length === 0
      ? ''
      : `. Their supervisor does not run on ${hosts.join(', ')}: \`downspout supervisor\` there ends them or takes them over`;
  return `${names.join('; ')}${remedy}`;
}

/** Workers that run on without their supervisor, in one line if there are any: nobody drains them, and no deploy replaces them. */
export function leftOver(workers: readonly RunningWorker[]): string[] {
  const alone = workers.filter(({ isSupervised }) => !isSupervised);
  return alone.length === 0 ? [] : [`Left over: ${workersText(alone)}.`];
}
