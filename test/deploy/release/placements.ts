import type { PlacementRow } from '../../../connectors/mysql/operators/placements';

/** A placement of release 1 whose worker is ready. */
export function placement(component: string, replica: number, own: Partial<PlacementRow> = {}): PlacementRow {
  const releaseNumber = own.releaseNumber ?? 1;
  return {
    component,
    replica,
    releaseNumber,
    restarts: 0,
    supervisor: '00',
    observedAt: 0,
    observed: {
      releaseNumber,
      restarts: own.restarts ?? 0,
      session: null,
      pid: 1,
      state: 'ready',
      deaths: 0,
      lastError: null,
      logFile: null,
    },
    ...own,
  };
}
