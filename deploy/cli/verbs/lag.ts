import type { Command } from 'commander';
import type { PartitionLag } from '../../../connectors/kafka/lag';
import { systemClock } from '../../../topology/core/clock';
import type { Column, OutputOptions } from '../../console/output';
import { counted, formatCount } from '../../console/units';
import { lagOf, withKafka } from '../../inspect/kafka';
import { readRunningTopology } from '../../inspect/running-topology';
import { contextOf, dataVerb } from '../verb';

const columns: readonly Column<PartitionLag>[] = [
  { title: 'stream', value: (row) => row.stream },
  { title: 'read by', value: (row) => row.component },
  { title: 'partition', align: 'right', value: (row) => String(row.partition) },
  { title: 'owner (host/pid)', value: (row) => row.owner ?? 'nobody' },
  { title: 'committed', align: 'right', value: (row) => count(row.committed) },
  { title: 'end', align: 'right', value: (row) => count(row.high) },
  { title: 'lag (records)', align: 'right', value: (row) => count(row.lag) },
];

/** `downspout lag`. */
export function lagCommand(): Command {
  return dataVerb('lag', 'records in Kafka that are not consumed yet, by stream, partition and owner', {
    example: 'downspout lag --json',
  }).action(async (options: OutputOptions) => {
    const { output, settings } = contextOf(options);
    const { environment } = settings;
    const { settings: topology, source, doubt } = await readRunningTopology(environment, systemClock);
    if (doubt !== null)
      output.note(`The streams are those of ${source}, because which release runs is not known: ${doubt}`);
    const rows = await withKafka(environment, (admin) => lagOf(environment, topology, admin));
    output.data(rows, () => {
      const unowned = rows.filter((row) => row.owner === null).length;
      const total = rows.reduce((sum, row) => sum + (row.lag ?? 0), 0);
      const notes = [
        `${formatCount(total)} records wait in all.`,
        ...(rows.some((row) => row.lag === null)
          ? ['– : the spout has committed nothing there; it begins at the end of a partition and reads the table.']
          : []),
        ...(unowned > 0
          ? [
              output.colors.yellow(
                `${counted(unowned, 'partition has', 'partitions have')} no owner: no worker runs for them.`,
              ),
            ]
          : []),
      ];
      return `${output.table(columns, rows)}\n\n${notes.join('\n')}`;
    });
  });
}

function count(value: number | null): string {
  return value === null ? '–' : formatCount(value);
}
