import type { Command } from 'commander';
import { listPlacements, type PlacementRow, placementName } from '../../../connectors/mysql/operators/placements';
import type { Pool } from '../../../connectors/mysql/sql/pool';
import { UserError } from '../../../topology/core/errors';
import { nearestWord } from '../../../topology/core/nearest-word';
import type { RolloutResult } from '../../release/rollout';
import { withWorkersPool } from '../database';
import { type Deploying, tellRolled, withDeployer } from '../deploying';
import { requireHere } from '../elsewhere';
import { tellWorkers } from '../rehearsal';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../verb';

/** `downspout restart`. */
export function restartCommand(): Command {
  return changingVerb('restart', 'replace the workers by new ones of the same release, one after another', {
    example: 'downspout restart webhook',
    fails: 'a new worker did not become ready; the old one runs on',
  })
    .argument('[component]', 'all unless given')
    .action(async (component: string | undefined, options: ChangeOptions) => {
      const context = contextOf(options);
      if (context.dryRun) {
        const these = await withWorkersPool(context, (pool) => placementsOf(pool, component));
        tellWorkers(context, these, 'would be restarted, one after another');
        return;
      }
      await withDeployer(context, { verb: 'restart', subject: component ?? 'all' }, async (deploying) => {
        const { workers, pool } = deploying;
        const these = await placementsOf(pool, component);
        tellRestarted(
          context,
          deploying,
          these,
          await workers.restart(these),
          `${component ?? 'Every worker'} was restarted.`,
        );
      });
    });
}

/** The workers that are asked for. @throws UserError when there are none */
export async function placementsOf(pool: Pool, component: string | undefined): Promise<PlacementRow[]> {
  await requireHere(pool, 'restart', component);
  const all = await listPlacements(pool);
  const these = all.filter((one) => component === undefined || one.component === component);
  if (these.length > 0) return these;
  const names = [...new Set(all.map((one) => one.component))];
  const near = nearestWord(component ?? '', names);
  if (names.length === 0)
    throw new UserError('No worker was deployed. `downspout deploy` deploys what topology.yaml says.');
  throw new UserError(
    `There is no worker of "${component}".${near === undefined ? '' : ` Did you mean ${near}?`} There are: ${names.join(', ')}.`,
  );
}

/** @param these the workers that were to be restarted */
export function tellRestarted(
  context: VerbContext,
  deploying: Pick<Deploying, 'change' | 'signal'>,
  these: readonly PlacementRow[],
  result: RolloutResult,
  done: string,
): void {
  const { change } = deploying;
  change.before = { workers: these.map(placementName) };
  if (result.result === 'done') change.after = { restarted: these.length };
  else if (result.result === 'interrupted') change.after = { restarted: result.done };
  tellRolled(context, deploying, result, {}, textOf(result, done));
}

function textOf(result: RolloutResult, done: string): string {
  if (result.result === 'done') return done;
  if (result.result === 'interrupted')
    return `Interrupted after ${result.done} of ${result.of} workers; all of them run.`;
  return `Stopped: ${result.reason}\nThe workers that were not restarted run on.`;
}
