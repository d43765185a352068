import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { type ProvisionReport, provision } from '../../provision';
import { audited } from '../audited';
import { showParts } from '../stack-view';
import { type TopologyFileOptions, topologyFileOf, withTopologyFile } from '../topology-options';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';

interface ProvisionOptions extends ChangeOptions, TopologyFileOptions {}

/** `downspout provision`. */
export function provisionCommand(): Command {
  const command = changingVerb('provision', 'make the parts that the environment names ready for workers', {
    example: 'downspout provision --environment production',
  });
  return withTopologyFile(command)
    .addHelpText(
      'after',
      '\nIt brings the schema and the users up to date, makes the topics, registers the connector, and sees one change come\n' +
        'through. Repeating it changes nothing that is as it should be. What it may not make (no ADMIN_DATABASE_URL, no right to\n' +
        'make topics, no CONNECT_URL) others have to have made: that is compared with what is needed, and every difference named.\n' +
        '`downspout up` does the same on the local stack.',
    )
    .action(async (options: ProvisionOptions) => {
      const context = contextOf(options);
      const { output, settings, dryRun } = context;
      const { environment } = settings;
      const show = showParts(output);
      const done: { step: string; text: string }[] = [];
      const topology = topologyFileOf(options, environment).settings;
      const report: ProvisionReport = (step, text) => {
        done.push({ step, text });
        show({ part: step, stage: 'ready', text });
      };
      const record = { verb: 'provision', subject: 'database, topics and connector', after: done };
      const as = environment.ADMIN_DATABASE_URL === undefined ? 'OPERATOR_DATABASE_URL' : 'ADMIN_DATABASE_URL';
      await audited(context, record, () => provision(environment, topology, systemClock, report, { dryRun }), {
        as,
        makesTable: true,
      });
      output.data(done, () => (dryRun ? 'Nothing was changed.' : 'Everything is ready for workers.'));
    });
}
