import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { counted } from '../../console/units';
import { defaultStateFolder, detachSupervisor, stopSupervisor } from '../../targets/local/detached';
import { runningSupervisor, runningWorkers } from '../../targets/local/host-state';
import { runSupervisor } from '../../targets/local/run-supervisor';
import { recordOfHost } from '../audited';
import { refuseGiven } from '../given-options';
import { statusHostOption } from '../status-host-option';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../verb';

interface SupervisorOptions extends ChangeOptions {
  readonly state?: string;
  readonly detach?: boolean;
  readonly stop?: boolean;
  readonly releaseWorkers?: boolean;
  readonly statusHost?: string;
}

/** `downspout supervisor`. */
export function supervisorCommand(): Command {
  return changingVerb('supervisor', 'run on this host the workers that were deployed to the target local', {
    example: 'downspout supervisor --detach',
  })
    .option('--state <folder>', 'what it remembers, and the logs of its workers (default: workers/ in .downspout)')
    .addOption(statusHostOption())
    .option('--detach', 'leave it running and return; one that runs already is left as it is')
    .option('--stop', 'drain the workers of the supervisor that runs in this state folder, and end it')
    .option('--release-workers', 'leave the workers running when it ends; its next life takes them over')
    .addHelpText(
      'after',
      '\nA Prometheus on this host finds the workers by targets.json in the state folder; one elsewhere by --status-host.' +
        '\nOne for each host. SIGTERM, SIGINT and SIGHUP drain every worker and end it; a second SIGTERM or SIGINT ends it at once, and the\n' +
        'workers finish by themselves. Hosts share the workers: what a dead host ran is started on the others.',
    )
    .action(async (options: SupervisorOptions, command: Command) => {
      if (options.stop === true) {
        refuseGiven(
          command,
          ['--detach', '--release-workers', '--status-host'],
          'what --stop ends drains its workers. Leave it out.',
        );
      }
      const context = contextOf(options);
      const { output, settings } = context;
      const folder = resolve(options.state ?? defaultStateFolder());
      if (context.dryRun) {
        tellSupervisor(context, folder, options.stop === true);
        return;
      }
      if (options.stop === true) {
        const stopped = await stopSupervisor(folder, systemClock);
        if (stopped.supervisor !== null || stopped.workers > 0) {
          await recordOfHost(context, { verb: 'supervisor --stop', subject: hostname(), after: stopped });
        }
        output.data({ folder, stopped }, () =>
          stopped.supervisor === null && stopped.workers === 0
            ? 'No supervisor runs here.'
            : `The supervisor is ended, and ${counted(stopped.workers, 'worker')} with it.`,
        );
        return;
      }
      if (options.detach === true) {
        const { pid, isNew, logFile } = await detachSupervisor({
          folder,
          clock: systemClock,
          releaseWorkers: options.releaseWorkers === true,
          statusHost: options.statusHost,
        });
        if (isNew) await recordOfHost(context, { verb: 'supervisor --detach', subject: hostname(), after: { pid } });
        const inVain = [
          ...(options.releaseWorkers === true ? ['--release-workers'] : []),
          ...(options.statusHost === undefined ? [] : ['--status-host']),
        ].join(' and ');
        output.data({ folder, pid, isNew, logFile }, () =>
          isNew
            ? `The supervisor runs (process ${pid}, log ${logFile}).`
            : `A supervisor runs already (process ${pid})${inVain === '' ? '' : `, of which ${inVain} changes nothing`}.`,
        );
        return;
      }
      await runSupervisor({
        folder,
        environment: settings.environment,
        stackFolder: settings.stackFolder,
        releaseWorkers: options.releaseWorkers === true,
        statusHost: options.statusHost,
        pretty: process.stdout.isTTY,
      });
    });
}

/** Of `--dry-run`: what runs in the state folder, and what would become of it. */
function tellSupervisor({ output }: VerbContext, folder: string, stops: boolean): void {
  const pid = runningSupervisor(folder)?.pid ?? null;
  const workers = runningWorkers(folder).length;
  output.data({ folder, supervisor: pid, workers, dryRun: true }, () => {
    const who = pid === null ? 'No supervisor runs here' : `A supervisor runs (process ${pid})`;
    const state = `${who}, and ${counted(workers, 'worker runs', 'workers run')}.`;
    if (stops)
      return pid === null && workers === 0
        ? 'No supervisor runs here.'
        : `${state} All of them would be drained and ended.`;
    return pid === null ? `${state} One would be started in ${folder}.` : `${state} It would be left as it is.`;
  });
}
