import type { Command } from 'commander';
import { UserError } from '../../../topology/core/errors';
import type { OutputOptions } from '../../console/output';
import { contextOf, dataVerb } from '../verb';

/** `downspout env`. */
export function envCommand(): Command {
  const description = 'print the local stack\'s connection settings as shell lines: eval "$(downspout env)"';
  return dataVerb('env', description, { example: 'eval "$(downspout env)"' }).action((options: OutputOptions) => {
    const { output, settings } = contextOf(options);
    if (settings.stackFolder === null) throw new UserError('There is no local stack here. Run `downspout up` first.');
    output.data(settings.fallback, () => shellLines(settings.fallback));
  });
}

/** Lines that a POSIX shell reads back as they are, whatever the values hold. */
export function shellLines(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`)
    .join('\n');
}
