import { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { readStackVariables } from '../../../topology/settings/environment';
import { Output } from '../../console/output';
import { KeptWorkers } from '../../demo/kept';
import { startedStack } from '../../stack/choice';
import { stackFolder } from '../../stack/stack-folder';
import { showParts } from '../stack-view';

interface DownOptions {
  readonly wipe?: boolean;
}

/** `downspout down`. */
export function downCommand(): Command {
  return new Command('down')
    .description('stop the local stack')
    .option('--verbose', 'show the whole of unexpected errors')
    .option('--wipe', 'remove its data too: every message, topic and password')
    .action(async (options: DownOptions) => {
      const output = new Output();
      const folder = stackFolder();
      const stopped = await new KeptWorkers(folder).stop(systemClock);
      if (stopped > 0) output.line(`${stopped} workers that a demo left running are stopped.`);
      const stack = startedStack({ folder, variables: readStackVariables() }, systemClock);
      if (stack === null) {
        output.line('There is no local stack to stop.');
        return;
      }
      await stack.down(options.wipe === true, showParts(output));
      output.line(
        options.wipe === true
          ? `The stack is stopped and its data is removed from ${folder}.`
          : `The stack is stopped. Its data stays in ${folder}; \`downspout up\` starts it again, \`downspout down --wipe\` removes it.`,
      );
    });
}
