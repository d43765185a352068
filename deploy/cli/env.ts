import { Command } from 'commander';
import { UserError } from '../../topology/core/errors';
import { Output } from './output';
import { readSettings } from './settings';

interface EnvOptions {
  readonly json?: boolean;
}

/** `downspout env`. */
export function envCommand(): Command {
  return new Command('env')
    .description('print the local stack\'s connection settings as shell lines: eval "$(downspout env)"')
    .option('--json', 'print them as JSON')
    .action((options: EnvOptions) => {
      const output = new Output(options);
      const { fallback, stackFolder } = readSettings(output);
      if (stackFolder === null) throw new UserError('There is no local stack here. Run `downspout up` first.');
      output.data(fallback, () => shellLines(fallback));
    });
}

/** Lines that a POSIX shell reads back as they are, whatever the values hold. */
export function shellLines(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`)
    .join('\n');
}
