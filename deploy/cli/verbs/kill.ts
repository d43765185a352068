import type { Command } from 'commander';
import { currentRelease, finishRelease } from '../../../connectors/mysql/operators/releases';
import { readRollView } from '../../../connectors/mysql/operators/roll-view';
import { systemClock } from '../../../topology/core/clock';
import { confirm } from '../../console/confirm';
import { parseCount } from '../../console/durations';
import type { OutputOptions } from '../../console/output';
import { deactivateForKill } from '../../release/kill';
import { withDeployer } from '../deploying';
import { contextOf, dataVerb } from '../verb';

interface KillOptions extends OutputOptions {
  readonly wait: number;
  readonly yes?: boolean;
}

/** `downspout kill`. */
export function killCommand(): Command {
  return dataVerb('kill', 'stop everything: emit nothing more, wait, and end all workers', {
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
      await confirm('Stop all workers of this deployment?', options.yes === true);
      const result = await withDeployer(
        context,
        { verb: 'kill', subject: 'all', supervises: false },
        async ({ workers, signal, lock, pool }) => {
          const live = await currentRelease(pool);
          await lock.transaction(deactivateForKill);
          context.output.note(`deactivated; the workers end in ${options.wait} s`);
          await systemClock.sleep(options.wait * 1_000, signal);
          const { placements } = await readRollView(pool);
          const ended = await workers.end();
          if (ended.result === 'done' && live !== null) {
            await lock.transaction((sql) => finishRelease(sql, live.number, 'superseded', 'killed'));
          }
          return { ...ended, release: live?.number ?? null, workers: placements.length };
        },
      );
      if (result.result !== 'done') process.exitCode = 1;
      context.output.data(result, () =>
        result.result === 'done'
          ? `${result.workers} workers have ended. Rows, topics and the connector stay; \`downspout deploy\` starts again.`
          : 'Interrupted; nothing is emitted. `downspout kill` goes on, `downspout activate` goes back.',
      );
    });
}
