import type { Command } from 'commander';
import { readRollView } from '../../../connectors/mysql/operators/roll-view';
import { UserError } from '../../../topology/core/errors';
import type { OutputOptions } from '../../console/output';
import { surplus } from '../../release/surplus';
import { withDeployer } from '../deploying';
import { contextOf, dataVerb } from '../verb';
import { tellRestarted } from './restart';

/** `downspout rebalance`. */
export function rebalanceCommand(): Command {
  return dataVerb('rebalance', 'spread the workers evenly over the hosts that run supervisors', {
    example: 'downspout rebalance',
    fails: 'a new worker did not become ready; the old one runs on',
  })
    .addHelpText(
      'after',
      '\nA host that joined later has only what was new or replaced since. Workers that move are replaced one after another, the\n' +
        'new one ready before the old one drains. How many workers a component has is changed by `downspout scale`.',
    )
    .action(async (options: OutputOptions) => {
      const context = contextOf(options);
      await withDeployer(context, { verb: 'rebalance', subject: 'all' }, async (deploying) => {
        const { workers, pool } = deploying;
        const view = await readRollView(pool);
        if (view.supervisors.length === 0) {
          throw new UserError('No supervisor runs. `downspout supervisor` runs one on a host.');
        }
        const over = surplus(view.placements, view.supervisors.length);
        const done =
          over.length === 0
            ? 'The workers are spread evenly already.'
            : `${over.length} workers were offered to other hosts.`;
        tellRestarted(context, deploying, await workers.restart(over), done);
      });
    });
}
