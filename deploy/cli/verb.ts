import { Command } from 'commander';
import { Output, type OutputOptions } from '../console/output';
import { readSettings, type Settings } from './settings';

/** What every verb that connects has at hand. */
export interface VerbContext {
  readonly output: Output;
  readonly settings: Settings;
  /** Everything is done as far as its answer is known, and undone: nothing changes, and nothing is recorded. */
  readonly dryRun: boolean;
}

export interface ChangeOptions extends OutputOptions {
  readonly dryRun?: boolean;
}

/** What the help of a verb says last. */
export interface Manners {
  /** A command line, whole. */
  readonly example: string;
  /** When the exit code is 1 although the verb ran to its end. */
  readonly fails?: string;
  /** It begins a release, which takes the newest schema; other verbs work with an older one as far as that goes. */
  readonly needsSchema?: boolean;
}

/** A verb: it has `--verbose`, and help that ends with its exit codes and an example. */
export function verb(name: string, description: string, { example, fails, needsSchema }: Manners): Command {
  const behind = needsSchema === true ? '; 4 the database lacks migrations' : '';
  const failure = fails === undefined ? 'it could not be done' : `it could not be done, or ${fails}`;
  return new Command(name)
    .description(description)
    .option('--verbose', 'say where settings come from; show the whole of unexpected errors')
    .addHelpText(
      'afterAll',
      `\nExit codes: 0 done; 1 ${failure}; 2 the command line is wrong${behind}.\nExample: ${example}`,
    );
}

/** A verb that prints data: it has `--json` too. */
export function dataVerb(name: string, description: string, manners: Manners): Command {
  return verb(name, description, manners).option('--json', 'print JSON');
}

/** A verb that changes something and leaves an audit row: it has `--dry-run` too. */
export function changingVerb(name: string, description: string, manners: Manners): Command {
  return dataVerb(name, description, manners).option('--dry-run', 'say what would happen, and change nothing');
}

/** A verb that holds others: help that ends with an example. */
export function verbGroup(name: string, description: string, { example }: Pick<Manners, 'example'>): Command {
  return new Command(name).description(description).addHelpText('after', `\nExample: ${example}`);
}

/** Reads the settings and prepares the output, once for each run of a verb. */
export function contextOf(options: ChangeOptions): VerbContext {
  const output = new Output(options);
  const dryRun = options.dryRun === true;
  if (dryRun) output.note('Dry run: nothing is changed. What follows is what would be said.');
  return { output, settings: readSettings(output), dryRun };
}
