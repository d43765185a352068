import type { Command } from 'commander';
import { listPlacements, listSupervisors } from '../../../connectors/mysql/operators/placements';
import { currentRelease } from '../../../connectors/mysql/operators/releases';
import { Status } from '../../../connectors/mysql/operators/status';
import { listWorkers } from '../../../connectors/mysql/operators/worker-status';
import type { Pool } from '../../../connectors/mysql/sql/pool';
import { replicasOf, settingsOrNull } from '../../../topology/settings/topology-settings';
import type { Column, OutputOptions } from '../../console/output';
import { formatDuration, formatPartitions } from '../../console/units';
import { type ProcessLine, processesOf, type Whereabouts } from '../../inspect/where-it-runs';
import { withPool } from '../database';
import { contextOf, dataVerb } from '../verb';

const columns: readonly Column<ProcessLine>[] = [
  { title: 'component', value: ({ component }) => component },
  { title: 'replica', align: 'right', value: ({ replica }) => numberOr(replica) },
  { title: 'host', value: ({ host }) => host ?? '–' },
  { title: 'pid', align: 'right', value: ({ pid }) => numberOr(pid) },
  { title: 'release', align: 'right', value: ({ release }) => numberOr(release) },
  { title: 'state', value: ({ state }) => state },
  { title: 'partitions', value: ({ partitions }) => formatPartitions(Object.values(partitions).flat()) },
  { title: 'up for', align: 'right', value: ({ upMs }) => (upMs === null ? '–' : formatDuration(upMs)) },
  { title: 'last error', value: ({ lastError }) => lastError ?? '' },
];

/** `downspout ps`. */
export function psCommand(): Command {
  return dataVerb('ps', 'every worker process, and every worker that is to run and does not', {
    example: 'downspout ps --json',
  }).action(async (options: OutputOptions) => {
    const context = contextOf(options);
    const lines = processesOf(await withPool(context, readWhereabouts));
    context.output.data(lines, () =>
      lines.length === 0 ? 'No worker runs, and none is to run.' : context.output.table(columns, lines),
    );
  });
}

export async function readWhereabouts(pool: Pool): Promise<Whereabouts> {
  const [now, workers, placements, supervisors, live] = await Promise.all([
    new Status(pool).now(),
    listWorkers(pool),
    listPlacements(pool),
    listSupervisors(pool),
    currentRelease(pool),
  ]);
  const settings = live === null || live.target === 'local' ? null : settingsOrNull(live.specification);
  return { now, workers, placements, supervisors, ...(settings === null ? {} : { elsewhere: replicasOf(settings) }) };
}

function numberOr(value: number | null): string {
  return value === null ? '–' : String(value);
}
