import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { topologyOf } from '../../../topology/settings/topology-settings';
import type { OutputOptions } from '../../console/output';
import { provision } from '../../provision';
import { showParts } from '../stack-view';
import { contextOf, dataVerb } from '../verb';

/** `downspout provision`. */
export function provisionCommand(): Command {
  return dataVerb('provision', 'make the parts that the environment names ready for workers', {
    example: 'downspout provision --json',
  })
    .addHelpText(
      'after',
      '\nIt brings the schema and the users up to date, makes the topics, registers the connector, and sees one change come\n' +
        'through. Repeating it changes nothing that is as it should be. `downspout up` does the same on the local stack.',
    )
    .action(async (options: OutputOptions) => {
      const { output, settings } = contextOf(options);
      const { environment } = settings;
      const show = showParts(output);
      const done: { step: string; text: string }[] = [];
      await provision(environment, topologyOf(environment), systemClock, (step, text) => {
        done.push({ step, text });
        show({ part: step, stage: 'ready', text });
      });
      output.data(done, () => 'Everything is ready for workers.');
    });
}
