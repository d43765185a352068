import type { Command, Option } from 'commander';
import { UsageError } from './usage-error';

/** Whether an option stands on the command line. */
export function isGiven(command: Command, option: Option): boolean {
  return command.getOptionValueSource(option.attributeName()) === 'cli';
}

/**
 * Refuses options that mean nothing beside the others, rather than to take no notice of them.
 * @param names as `--state`
 * @throws UsageError naming those that were given, and why not
 */
export function refuseGiven(command: Command, names: readonly string[], why: string): void {
  const given = command.options.filter((option) => names.includes(option.long ?? '') && isGiven(command, option));
  if (given.length > 0) throw new UsageError(`${given.map(({ long }) => long).join(', ')}: ${why}`);
}
