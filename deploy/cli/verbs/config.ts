import type { Command } from 'commander';
import { masked } from '../../console/masked';
import type { OutputOptions } from '../../console/output';
import { contextOf, dataVerb } from '../verb';

/** `downspout config`. */
export function configCommand(): Command {
  return dataVerb('config', 'the settings that count here and where each comes from, without secrets', {
    example: 'downspout config --json',
  })
    .addHelpText('after', '\nIt may be sent to somebody who helps: passwords and keys are shown as ***.')
    .action((options: OutputOptions) => {
      const { output, settings } = contextOf(options);
      const { environment, fallback, given } = settings;
      const texts = Object.entries(environment).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, Array.isArray(value) ? value.join(',') : String(value)] as const],
      );
      const rows = Object.entries(masked(Object.fromEntries(texts))).map(([name, value]) => ({
        name,
        value,
        from: given.has(name) ? 'environment' : Object.hasOwn(fallback, name) ? 'local stack' : 'default',
      }));
      output.data(rows, () =>
        output.table(
          [
            { title: 'setting', value: (row: (typeof rows)[number]) => row.name },
            { title: 'value', value: ({ value }) => value },
            { title: 'from', value: ({ from }) => from },
          ],
          rows,
        ),
      );
    });
}
