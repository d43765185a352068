import { placementName } from '../../connectors/mysql/operators/placements';
import type { LivingWorker, RunningWorker } from '../../connectors/mysql/operators/roll-view';

/** `webhook-1 of release 3 on host-1 (process 42)`, one after another, and what to do when nobody ends some of them. */
export function workersText(workers: readonly RunningWorker[]): string {
  const hosts = [...new Set(workers.filter(({ isSupervised }) => !isSupervised).map(({ host }) => host))];
  const remedy =
    hosts.length === 0
      ? ''
      : `. Their supervisor does not run on ${hosts.join(', ')}: \`downspout supervisor\` there ends them or takes them over`;
  return `${namesOf(workers)}${remedy}`;
}

/** Workers that run on without their supervisor, in one line if there are any: nobody drains them, and no deploy replaces them. */
export function leftOver(workers: readonly RunningWorker[]): string[] {
  const alone = workers.filter(({ isSupervised }) => !isSupervised);
  return alone.length === 0 ? [] : [`Left over: ${workersText(alone)}.`];
}

/** `webhook-1 of release 3 on host-1 (process 42)`, one after another, without the replica where no supervisor has started it. */
export function namesOf(workers: readonly LivingWorker[]): string {
  const names = workers.map(({ component, replica, host, pid, releaseNumber }) => {
    const name = replica === null ? component : placementName({ component, replica });
    return `${name} of release ${releaseNumber ?? '?'} on ${host} (process ${pid})`;
  });
  return names.join('; ');
}
