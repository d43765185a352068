import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { topologyOf } from '../../../topology/settings/topology-settings';
import type { OutputOptions } from '../../console/output';
import { type ProvisionReport, provision } from '../../provision';
import { showParts } from '../stack-view';
import { contextOf, dataVerb } from '../verb';

interface ProvisionOptions extends OutputOptions {
  readonly dryRun?: boolean;
}

/** `downspout provision`. */
export function provisionCommand(): Command {
  return dataVerb('provision', 'make the parts that the environment names ready for workers', {
    example: 'downspout provision --json',
  })
    .option('--dry-run', 'change nothing: compare what is there with what is needed')
    .addHelpText(
      'after',
      '\nIt brings the schema and the users up to date, makes the topics, registers the connector, and sees one change come\n' +
        'through. Repeating it changes nothing that is as it should be. What it may not make (no ADMIN_DATABASE_URL, no right to\n' +
        'make topics, no CONNECT_URL) others have to have made: that is compared with what is needed, and every difference named.\n' +
        '`downspout up` does the same on the local stack.',
    )
    .action(async (options: ProvisionOptions) => {
      const { output, settings } = contextOf(options);
      const { environment } = settings;
      const show = showParts(output);
      const done: { step: string; text: string }[] = [];
      const dryRun = options.dryRun === true;
      const topology = topologyOf(environment);
      const report: ProvisionReport = (step, text) => {
        done.push({ step, text });
        show({ part: step, stage: 'ready', text });
      };
      await provision(environment, topology, systemClock, report, { dryRun });
      output.data(done, () => (dryRun ? 'Nothing was changed.' : 'Everything is ready for workers.'));
    });
}
