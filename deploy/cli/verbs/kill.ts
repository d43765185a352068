import type { Command } from 'commander';
import { listPlacements } from '../../../connectors/mysql/operators/placements';
import {
  currentRelease,
  finishRelease,
  listReleases,
  unfinishedReleases,
} from '../../../connectors/mysql/operators/releases';
import { lapsedWorkers, livingWorkers } from '../../../connectors/mysql/operators/roll-view';
import { addressOf } from '../../../connectors/mysql/sql/address';
import type { Pool } from '../../../connectors/mysql/sql/pool';
import { readDeployment } from '../../../connectors/mysql/workers/deployment';
import { systemClock } from '../../../topology/core/clock';
import { settingsOrNull } from '../../../topology/settings/topology-settings';
import { confirm } from '../../console/confirm';
import { parseCountOrNone } from '../../console/durations';
import { counted } from '../../console/units';
import { elsewhereOf, endEverything } from '../../release/ending';
import { deactivateForKill } from '../../release/kill';
import { endLimitMs } from '../../release/local-workers';
import type { RolloutResult } from '../../release/rollout';
import { databaseUrl, withWorkersPool } from '../database';
import { tellRolled, withDeployer } from '../deploying';
import { type EnginePlace, endOn } from '../engines';
import { namespaceOption } from '../namespace-option';
import { tellWorkers } from '../rehearsal';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';

interface KillOptions extends ChangeOptions, EnginePlace {
  readonly wait: number;
  readonly yes?: boolean;
}

/** `downspout kill`. */
export function killCommand(): Command {
  return changingVerb('kill', 'stop everything: emit nothing more, wait, and end all workers', {
    example: 'downspout kill -w 30 --yes',
  })
    .option('-w, --wait <seconds>', 'between the last tuple and the end of the workers', parseCountOrNone, 30)
    .option('--yes', 'do not ask')
    .addOption(namespaceOption("of the target kubernetes (default: kubectl's own)"))
    .option('--out <folder>', 'where the compose file of the target compose is (default: compose/)')
    .addHelpText(
      'after',
      '\nRows, topics and the connector stay, and applications may go on scheduling. `downspout deploy` starts again, and sends\n' +
        'what has become due meanwhile. `downspout down` is what stops the local stack. Pods and containers of a release end by\n' +
        'kubectl or docker; what was started by hand or by systemd has to be ended there, and is named.',
    )
    .action(async (options: KillOptions) => {
      const context = contextOf(options);
      if (context.dryRun) {
        const what = `would end, after everything was deactivated for ${options.wait} s`;
        tellWorkers(context, await withWorkersPool(context, whoRuns), what);
        return;
      }
      const url = databaseUrl(context.settings.environment, 'OPERATOR_DATABASE_URL');
      const { host, port, database } = addressOf(url);
      await confirm(`Stop all workers of the deployment in ${database} on ${host}:${port}?`, options.yes === true);
      await withDeployer(context, { verb: 'kill', subject: 'all', supervises: false }, async (deploying) => {
        const { workers, signal, guard, lock, pool, change } = deploying;
        const { id: deploymentId } = await readDeployment(pool);
        const live = await currentRelease(pool);
        const unfinished = await unfinishedReleases(pool);
        const lastFailed = (await listReleases(pool, 1)).filter(({ outcome }) => outcome === 'failed');
        const killed = live?.number ?? null;
        change.before = { release: killed, workers: (await livingWorkers(pool)).length };
        await lock.transaction(deactivateForKill);
        for (const line of await workers.leftOver()) context.output.note(line);
        context.output.note(`deactivated; the workers end in ${options.wait} s`);
        await systemClock.sleep(options.wait * 1_000, signal);
        const running = await livingWorkers(pool);
        const result: RolloutResult = signal.aborted
          ? { result: 'interrupted', done: 0, of: running.length }
          : await endEverything({
              elsewhere: elsewhereOf([...lastFailed, ...unfinished, ...(live === null ? [] : [live])]),
              endElsewhere: (release) => endOn(release, options, context, guard, deploymentId),
              endPlaced: (limitMs) => workers.end(limitMs),
              living: () => livingWorkers(pool),
              lapsed: () => lapsedWorkers(pool),
              limitMs: endLimitMs(live === null ? null : settingsOrNull(live.specification)),
              clock: systemClock,
              signal,
              report: (text) => context.output.note(text),
            });
        if (result.result === 'done') {
          await lock.transaction(async (sql) => {
            if (live !== null) await finishRelease(sql, live.number, 'superseded', 'killed');
            for (const { number } of unfinished) await finishRelease(sql, number, 'failed', 'killed');
          });
          change.after = { release: null, workers: 0 };
        }
        const data = { release: killed, workers: running.length };
        tellRolled(context, deploying, result, data, textOf(result, running.length));
      });
    });
}

/** Workers that are to run, and those that no supervisor has started. */
async function whoRuns(pool: Pool): Promise<{ component: string; replica: number | null }[]> {
  return [...(await listPlacements(pool)), ...(await livingWorkers(pool)).filter(({ replica }) => replica === null)];
}

function textOf(result: RolloutResult, workers: number): string {
  if (result.result === 'done') {
    return `${counted(workers, 'worker has', 'workers have')} ended. Rows, topics and the connector stay; \`downspout deploy\` starts again.`;
  }
  const why = 'reason' in result ? `Not everything has ended: ${result.reason}` : 'Interrupted';
  return `${why}. Nothing is emitted. \`downspout kill\` goes on, \`downspout activate\` or \`downspout deploy\` goes back.`;
}
