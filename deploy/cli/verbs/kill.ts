import type { Command } from 'commander';
import { listPlacements } from '../../../connectors/mysql/operators/placements';
import { currentRelease, finishRelease } from '../../../connectors/mysql/operators/releases';
import { readRollView } from '../../../connectors/mysql/operators/roll-view';
import { systemClock } from '../../../topology/core/clock';
import { confirm } from '../../console/confirm';
import { parseCount } from '../../console/durations';
import { deactivateForKill } from '../../release/kill';
import { endLimitMs } from '../../release/local-workers';
import type { RolloutResult } from '../../release/rollout';
import { settingsOf } from '../../release/worker-steps';
import { withWorkersPool } from '../database';
import { tellRolled, withDeployer } from '../deploying';
import { tellWorkers } from '../rehearsal';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';

interface KillOptions extends ChangeOptions {
  readonly wait: number;
  readonly yes?: boolean;
}

/** `downspout kill`. */
export function killCommand(): Command {
  return changingVerb('kill', 'stop everything: emit nothing more, wait, and end all workers', {
    example: 'downspout kill -w 30 --yes',
  })
    .option('-w, --wait <seconds>', 'between the last tuple and the end of the workers', parseCount, 30)
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      '\nRows, topics and the connector stay, and applications may go on scheduling. `downspout deploy` starts again, and sends\n' +
        'what has become due meanwhile. `downspout down` is what stops the local stack.',
    )
    .action(async (options: KillOptions) => {
      const context = contextOf(options);
      if (context.dryRun) {
        const what = `would end, after everything was deactivated for ${options.wait} s`;
        tellWorkers(context, await withWorkersPool(context, listPlacements), what);
        return;
      }
      await confirm('Stop all workers of this deployment?', options.yes === true);
      await withDeployer(context, { verb: 'kill', subject: 'all', supervises: false }, async (deploying) => {
        const { workers, signal, lock, pool } = deploying;
        const live = await currentRelease(pool);
        await lock.transaction(deactivateForKill);
        for (const line of await workers.leftOver()) context.output.note(line);
        context.output.note(`deactivated; the workers end in ${options.wait} s`);
        await systemClock.sleep(options.wait * 1_000, signal);
        const { workers: running } = await readRollView(pool);
        const result: RolloutResult = signal.aborted
          ? { result: 'interrupted', done: 0, of: running.length }
          : await workers.end(endLimitMs(live === null ? null : settingsOf(live)));
        if (result.result === 'done' && live !== null) {
          await lock.transaction((sql) => finishRelease(sql, live.number, 'superseded', 'killed'));
        }
        const data = { release: live?.number ?? null, workers: running.length };
        tellRolled(context, deploying, result, data, textOf(result, running.length));
      });
    });
}

function textOf(result: RolloutResult, workers: number): string {
  if (result.result === 'done') {
    return `${workers} workers have ended. Rows, topics and the connector stay; \`downspout deploy\` starts again.`;
  }
  const why = 'reason' in result ? `Not everything has ended: ${result.reason}` : 'Interrupted';
  return `${why}. Nothing is emitted. \`downspout kill\` goes on, \`downspout activate\` or \`downspout deploy\` goes back.`;
}
