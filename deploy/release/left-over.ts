import { placementName } from '../../connectors/mysql/operators/placements';
import type { RunningWorker } from '../../connectors/mysql/operators/roll-view';

/** `webhook-1 of release 3 on host-1 (process 42)`, and what to do when nobody ends it. */
export function workerText(worker: RunningWorker): string {
  const { host, pid, releaseNumber, isSupervised } = worker;
  const text = `${placementName(worker)} of release ${releaseNumber ?? '?'} on ${host} (process ${pid})`;
  return isSupervised
    ? text
    : `${text}, whose supervisor does not run; \`downspout supervisor\` there ends it or takes it over`;
}

/** Workers that run on without their supervisor, one line each: nobody drains them, and no deploy replaces them. */
export function leftOver(workers: readonly RunningWorker[]): string[] {
  return workers.filter(({ isSupervised }) => !isSupervised).map((worker) => `Left over: ${workerText(worker)}.`);
}
