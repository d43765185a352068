import { Command } from 'commander';
import { Output, type OutputOptions } from '../console/output';
import { readSettings, type Settings } from './settings';

/** What every verb that connects has at hand. */
export interface VerbContext {
  readonly output: Output;
  readonly settings: Settings;
}

/** A verb: it has `--verbose`. */
export function verb(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--verbose', 'say where settings come from; show the whole of unexpected errors');
}

/** A verb that prints data: it has `--json` too. */
export function dataVerb(name: string, description: string): Command {
  return verb(name, description).option('--json', 'print JSON');
}

/** Reads the settings and prepares the output, once for each run of a verb. */
export function contextOf(options: OutputOptions): VerbContext {
  const output = new Output(options);
  return { output, settings: readSettings(output) };
}
