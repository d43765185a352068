import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { readEnvironment, readStackVariables } from '../../../topology/settings/environment';
import { confirm } from '../../console/confirm';
import { counted } from '../../console/units';
import { stopDemoWorkers } from '../../demo/workers';
import { startedStack } from '../../stack/choice';
import { stackFolder } from '../../stack/stack-folder';
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
  output.data({ folder, stopped: done, wiped: done && wipe, workers }, () => {
    if (stack === null) return 'There is no local stack to stop.';
    return wipe
      ? `The stack is stopped and its data is removed from ${folder}.`
      : `The stack is stopped. Its data stays in ${folder}; \`downspout up\` starts it again, \`downspout down --wipe\` removes it.`;
  });
}
