import { Command } from 'commander';
import { Output, type OutputOptions } from '../console/output';
import { readSettings, type Settings } from './settings';

/** What every verb that connects has at hand. */
export interface VerbContext {
  readonly output: Output;
  readonly settings: Settings;
}

/** What the help of a verb says last. */
export interface Manners {
  /** A command line, whole. */
  readonly example: string;
  /** When the exit code is 1 although the verb ran to its end. */
  readonly fails?: string;
}

/** A verb: it has `--verbose`, and help that ends with its exit codes and an example. */
export function verb(name: string, description: string, { example, fails }: Manners): Command {
  const failure = fails === undefined ? 'it could not be done' : `it could not be done, or ${fails}`;
  return new Command(name)
    .description(description)
    .option('--verbose', 'say where settings come from; show the whole of unexpected errors')
    .addHelpText('afterAll', `\nExit codes: 0 done; 1 ${failure}; 2 the command line is wrong.\nExample: ${example}`);
}

/** A verb that prints data: it has `--json` too. */
export function dataVerb(name: string, description: string, manners: Manners): Command {
  return verb(name, description, manners).option('--json', 'print JSON');
}

/** Reads the settings and prepares the output, once for each run of a verb. */
export function contextOf(options: OutputOptions): VerbContext {
  const output = new Output(options);
  return { output, settings: readSettings(output) };
}
