import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { readEnvironment, readStackVariables } from '../../../topology/settings/environment';
import { confirm } from '../../console/confirm';
import { counted } from '../../console/units';
import { stopDemoWorkers } from '../../demo/workers';
import { startedStack } from '../../stack/choice';
import { stackFolder } from '../../stack/stack-folder';
import { defaultStateFolder } from '../../targets/local/detached';
import { runningSupervisor, runningWorkers } from '../../targets/local/host-state';
import { recordOfStack } from '../audited';
import { showParts } from '../stack-view';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../verb';

interface DownOptions extends ChangeOptions {
  readonly wipe?: boolean;
  readonly yes?: boolean;
}

/** `downspout down`. */
export function downCommand(): Command {
  return changingVerb('down', 'stop the local stack', { example: 'downspout down --wipe --yes' })
    .option('--wipe', 'remove its data too: every message, topic and password')
    .option('--yes', 'with --wipe: do not ask')
    .action(async (options: DownOptions) => {
      const context = contextOf(options);
      const folder = stackFolder();
      const wiped = options.wipe === true;
      if (wiped && startedStack({ folder, variables: readStackVariables() }, systemClock) !== null) {
        await confirm(
          `Remove every message, topic and password of the local stack in ${folder} for good?`,
          options.yes === true || context.dryRun,
        );
      }
      await down(context, folder, wiped);
    });
}

async function down({ output, settings, dryRun }: VerbContext, folder: string, wipe: boolean): Promise<void> {
  const stack = startedStack({ folder, variables: readStackVariables() }, systemClock);
  const done = stack !== null && !dryRun;
  let workers = 0;
  if (!dryRun) {
    workers = await stopDemoWorkers(folder, settings.fallback, systemClock);
    if (workers > 0) output.line(`Stopped ${counted(workers, 'worker')} that a demo left running.`);
    if (done && !wipe) await recordOfStack(readEnvironment(settings.fallback, {}), 'down');
    await stack?.down(wipe, showParts(output));
  }
  const state = defaultStateFolder();
  const left = { supervisor: runningSupervisor(state)?.pid ?? null, workers: runningWorkers(state).length };
  output.data({ folder, stopped: done, wiped: done && wipe, workers, left }, () => {
    if (stack === null) return ['There is no local stack to stop.', ...leftText(left)].join('\n');
    const stopped = wipe
      ? `The stack is stopped and its data is removed from ${folder}.`
      : `The stack is stopped. Its data stays in ${folder}; \`downspout up\` starts it again, \`downspout down --wipe\` removes it.`;
    return [stopped, ...leftText(left)].join('\n');
  });
}

/** What was deployed on this host outlives the stack. It may use another database, and then it goes on sending. */
function leftText({ supervisor, workers }: { readonly supervisor: number | null; readonly workers: number }): string[] {
  if (supervisor === null && workers === 0) return [];
  const who = supervisor === null ? [] : [`the supervisor (process ${supervisor})`];
  const what = [...who, ...(workers === 0 ? [] : [counted(workers, 'worker')])].join(' and ');
  return [
    `On this host ${what} of a deploy go on; if they use the stack, they wait for it. \`downspout supervisor --stop\` ends them.`,
  ];
}
