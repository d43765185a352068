import type { Command } from 'commander';
import type { PlacementRow } from '../../../connectors/mysql/operators/placements';
import { readRollView } from '../../../connectors/mysql/operators/roll-view';
import type { Pool } from '../../../connectors/mysql/sql/pool';
import { UserError } from '../../../topology/core/errors';
import { counted } from '../../console/units';
import { surplus } from '../../release/surplus';
import { withWorkersPool } from '../database';
import { withDeployer } from '../deploying';
import { requireHere } from '../elsewhere';
import { tellWorkers } from '../rehearsal';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';
import { tellRestarted } from './restart';

/** `downspout rebalance`. */
export function rebalanceCommand(): Command {
  return changingVerb('rebalance', 'spread the workers evenly over the hosts that run supervisors', {
    example: 'downspout rebalance',
    fails: 'a new worker did not become ready; the old one runs on',
  })
    .addHelpText(
      'after',
      '\nA host that joined later has only what was new or replaced since. Workers that move are replaced one after another, the\n' +
        'new one ready before the old one drains. How many workers a component has is changed by `downspout scale`.',
    )
    .action(async (options: ChangeOptions) => {
      const context = contextOf(options);
      if (context.dryRun) {
        tellWorkers(context, await withWorkersPool(context, toMove), 'would be offered to other hosts');
        return;
      }
      await withDeployer(context, { verb: 'rebalance', subject: 'all' }, async (deploying) => {
        const { workers, pool } = deploying;
        const over = await toMove(pool);
        const done =
          over.length === 0
            ? 'The workers are spread evenly already.'
            : `${counted(over.length, 'worker was', 'workers were')} offered to other hosts.`;
        tellRestarted(context, deploying, over, await workers.restart(over), done);
      });
    });
}

/** What a host has beyond its share. @throws UserError when no host runs workers */
async function toMove(pool: Pool): Promise<PlacementRow[]> {
  await requireHere(pool, 'rebalance');
  const { placements, supervisors } = await readRollView(pool);
  if (supervisors.length > 0) return surplus(placements, supervisors.length);
  throw new UserError('No supervisor runs. `downspout supervisor` runs one on a host.');
}
