import type { Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { readStackVariables } from '../../../topology/settings/environment';
import { Output, type OutputOptions } from '../../console/output';
import { KeptWorkers } from '../../demo/kept';
import { startedStack } from '../../stack/choice';
import { stackFolder } from '../../stack/stack-folder';
import { showParts } from '../stack-view';
import { dataVerb } from '../verb';

interface DownOptions extends OutputOptions {
  readonly wipe?: boolean;
}

/** `downspout down`. */
export function downCommand(): Command {
  return dataVerb('down', 'stop the local stack', { example: 'downspout down --wipe' })
    .option('--wipe', 'remove its data too: every message, topic and password')
    .action(async (options: DownOptions) => {
      const output = new Output(options);
      const folder = stackFolder();
      const workers = await new KeptWorkers(folder).stop(systemClock);
      if (workers > 0) output.line(`${workers} workers that a demo left running are stopped.`);
      const stack = startedStack({ folder, variables: readStackVariables() }, systemClock);
      const wiped = options.wipe === true;
      await stack?.down(wiped, showParts(output));
      output.data({ folder, stopped: stack !== null, wiped: stack !== null && wiped, workers }, () => {
        if (stack === null) return 'There is no local stack to stop.';
        return wiped
          ? `The stack is stopped and its data is removed from ${folder}.`
          : `The stack is stopped. Its data stays in ${folder}; \`downspout up\` starts it again, \`downspout down --wipe\` removes it.`;
      });
    });
}
