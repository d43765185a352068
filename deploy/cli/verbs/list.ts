import type { Command } from 'commander';
import { Operations } from '../../../connectors/mysql/operators/operations';
import type { Column, OutputOptions } from '../../console/output';
import { type ComponentLine, componentsOf } from '../../inspect/where-it-runs';
import { withPool } from '../database';
import { contextOf, dataVerb } from '../verb';
import { readWhereabouts } from './ps';

const columns: readonly Column<ComponentLine>[] = [
  { title: 'component', value: ({ component }) => component },
  { title: 'state', value: ({ state }) => state },
  { title: 'replicas', align: 'right', value: ({ wanted }) => (wanted === null ? '–' : String(wanted)) },
  { title: 'ready', align: 'right', value: ({ ready }) => String(ready) },
  { title: 'tasks', align: 'right', value: ({ tasks }) => String(tasks) },
  { title: 'partitions', align: 'right', value: ({ partitions }) => String(partitions) },
  { title: 'release', value: ({ releases }) => (releases.length === 0 ? '–' : releases.join(', ')) },
];

/** `downspout list`. */
export function listCommand(): Command {
  return dataVerb('list', 'the components: their state, their workers and their tasks', {
    example: 'downspout list',
  }).action(async (options: OutputOptions) => {
    const context = contextOf(options);
    const lines = await withPool(context, async (pool) =>
      componentsOf(await readWhereabouts(pool), await new Operations(pool).pauses()),
    );
    context.output.data(lines, () =>
      lines.length === 0 ? 'Nothing runs, and nothing is to run.' : context.output.table(columns, lines),
    );
  });
}
