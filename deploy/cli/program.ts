import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { packageRoot } from '../../topology/config';
import { reasonOf, Unavailable, UserError } from '../../topology/core/errors';
import { accountsCommand } from './accounts';
import { downCommand } from './down';
import { envCommand } from './env';
import { lagCommand } from './lag';
import { messagesCommand } from './messages';
import { migrateCommand } from './migrate';
import { colorsFor } from './output';
import { pauseCommand } from './pause';
import { resumeCommand } from './resume';
import { statusCommand } from './status';
import { upCommand } from './up';

const USAGE_ERROR = 2;

/**
 * The `downspout` command. Sets `process.exitCode`: 0 done, 1 it could not be done, 2 it was asked for in a wrong way.
 * @param argv as Node gives it: two elements before the first argument
 */
export async function main(argv: readonly string[]): Promise<void> {
  endQuietlyWhenTheReaderLeaves();
  const program = buildProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = reportError(error, argv.includes('--verbose'));
  }
}

function buildProgram(): Command {
  const program = new Command('downspout')
    .description('Delivers messages at the time somebody chose.')
    .version(packageVersion())
    .addHelpText(
      'after',
      '\nConnection settings come from the environment (`downspout env` prints those of the local stack).\nEvery verb has --help.',
    );
  for (const command of verbs()) program.addCommand(command);
  strict(program);
  return program;
}

function verbs(): Command[] {
  return [
    upCommand(),
    downCommand(),
    envCommand(),
    statusCommand(),
    lagCommand(),
    migrateCommand(),
    messagesCommand(),
    accountsCommand(),
    pauseCommand(),
    resumeCommand(),
  ];
}

/** Usage errors are thrown instead of ending the process, in every sub-command. */
function strict(command: Command): void {
  command.exitOverride().showHelpAfterError(`(${commandPath(command)} --help tells how)`);
  for (const sub of command.commands) strict(sub);
}

function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

/** @returns the exit code */
function reportError(error: unknown, verbose: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_ERROR;
  const colors = colorsFor(process.stderr);
  if (error instanceof UserError) {
    write(`${colors.red('error:')} ${error.message}`);
  } else if (error instanceof Unavailable) {
    write(`${colors.red('error:')} ${error.message}`);
    write(
      'A part of the stack did not answer; nothing is lost. `downspout status` shows which; try again when it is back.',
    );
  } else {
    write(`${colors.red('error:')} ${reasonOf(error)}`);
    if (!verbose) write('This was not expected. Run it again with --verbose to see where it happened.');
  }
  const trace = error instanceof Error ? /^\s+at .*/ms.exec(error.stack ?? '')?.[0] : undefined;
  if (verbose && trace !== undefined) write(colors.dim(trace));
  return 1;
}

function write(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** `downspout messages list | head`: a pipe that was closed is no error of ours. */
function endQuietlyWhenTheReaderLeaves(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return manifest.version;
}
