import { Command } from 'commander';
import { stringify } from 'yaml';
import { Output, type OutputOptions } from '../../console/output';
import { alertGroups } from '../../monitoring/alert-rules';
import { dataVerb } from '../verb';

/** `downspout render`. */
export function renderCommand(): Command {
  return new Command('render').description('write what another engine runs the topology from').addCommand(alerts());
}

/** `downspout render alerts`. */
function alerts(): Command {
  return dataVerb('alerts', 'print the alert rules for a Prometheus of your own', {
    example: 'downspout render alerts > alerts.yml',
  }).action((options: OutputOptions) => {
    const rules = { groups: alertGroups() };
    new Output(options).data(rules, () => stringify(rules, { lineWidth: 0 }).trimEnd());
  });
}
