import { Command, CommanderError } from 'commander';
import type * as schema from '../../connectors/mysql/schema/schema-behind';
import { reasonOf, SchemaBehind, Unavailable, UserError } from '../../topology/core/errors';
import { hasLostBytes } from '../../topology/core/text-encoding';
import { readerUrl } from '../../topology/settings/connections';
import { packageVersion } from '../../topology/settings/package';
import { colorsFor } from '../console/output';
import { outliveReaders } from '../console/readers';
import { Interrupted } from './interrupt';
import { readSettings } from './settings';
import { UsageError } from './usage-error';
import type * as accounts from './verbs/accounts';
import type * as activate from './verbs/activate';
import type * as adopt from './verbs/adopt';
import type * as audit from './verbs/audit';
import type * as completion from './verbs/completion';
import type * as config from './verbs/config';
import type * as demo from './verbs/demo';
import type * as deploy from './verbs/deploy';
import type * as diff from './verbs/diff';
import type * as down from './verbs/down';
import type * as drain from './verbs/drain';
import type * as env from './verbs/env';
import type * as grants from './verbs/grants';
import type * as history from './verbs/history';
import type * as init from './verbs/init';
import type * as kill from './verbs/kill';
import type * as lag from './verbs/lag';
import type * as list from './verbs/list';
import type * as logs from './verbs/logs';
import type * as messages from './verbs/messages';
import type * as migrate from './verbs/migrate';
import type * as pause from './verbs/pause';
import type * as plan from './verbs/plan';
import type * as providers from './verbs/providers';
import type * as provision from './verbs/provision';
import type * as ps from './verbs/ps';
import type * as rebalance from './verbs/rebalance';
import type * as render from './verbs/render';
import type * as restart from './verbs/restart';
import type * as resume from './verbs/resume';
import type * as rollback from './verbs/rollback';
import type * as scale from './verbs/scale';
import type * as status from './verbs/status';
import type * as supervisor from './verbs/supervisor';
import type * as up from './verbs/up';
import type * as verify from './verbs/verify';
import type * as worker from './verbs/worker';

const USAGE_ERROR = 2;
const SCHEMA_BEHIND = 4;

/**
 * The `downspout` command. Sets `process.exitCode`; docs/cli.md has the table.
 * @param argv as Node gives it: two elements before the first argument
 */
export async function main(argv: readonly string[]): Promise<void> {
  outliveReaders(process.stdout, process.stderr);
  const lost = lostArgument(argv);
  if (lost !== undefined) {
    write(`${colorsFor(process.stderr).red('error:')} ${lost}`);
    process.exitCode = USAGE_ERROR;
    return;
  }
  const program = buildProgram(argv);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    process.exitCode = reportError(await explained(error), argv.includes('--verbose'));
  }
}

/**
 * What is wrong with an argument of which bytes were lost, because the terminal or the script is not in UTF-8: what was meant
 * cannot be known. It is not shown, because it may be a secret. The text that `--error` looks for may be an answer in which they were lost long ago.
 */
function lostArgument(argv: readonly string[]): string | undefined {
  const at = argv.findIndex(
    (argument, index) => hasLostBytes(argument) && !argument.startsWith('--error=') && argv[index - 1] !== '--error',
  );
  if (at === -1) return undefined;
  return `argument ${at - 1} has bytes that are not UTF-8: set the terminal or the script to UTF-8.`;
}

/** Only the verb that is run is loaded, because loading all of them, with their libraries, takes half a second. */
const verbs: Readonly<Record<string, () => Command>> = {
  init: () => (require('./verbs/init') as typeof init).initCommand(),
  up: () => (require('./verbs/up') as typeof up).upCommand(),
  down: () => (require('./verbs/down') as typeof down).downCommand(),
  env: () => (require('./verbs/env') as typeof env).envCommand(),
  demo: () => (require('./verbs/demo') as typeof demo).demoCommand(),
  status: () => (require('./verbs/status') as typeof status).statusCommand(),
  lag: () => (require('./verbs/lag') as typeof lag).lagCommand(),
  verify: () => (require('./verbs/verify') as typeof verify).verifyCommand(),
  messages: () => (require('./verbs/messages') as typeof messages).messagesCommand(),
  accounts: () => (require('./verbs/accounts') as typeof accounts).accountsCommand(),
  pause: () => (require('./verbs/pause') as typeof pause).pauseCommand(),
  resume: () => (require('./verbs/resume') as typeof resume).resumeCommand(),
  activate: () => (require('./verbs/activate') as typeof activate).activateCommand(),
  deactivate: () => (require('./verbs/activate') as typeof activate).deactivateCommand(),
  audit: () => (require('./verbs/audit') as typeof audit).auditCommand(),
  config: () => (require('./verbs/config') as typeof config).configCommand(),
  completion: () =>
    (require('./verbs/completion') as typeof completion).completionCommand(() => buildProgram(['node', 'downspout'])),
  worker: () => (require('./verbs/worker') as typeof worker).workerCommand(),
  plan: () => (require('./verbs/plan') as typeof plan).planCommand(),
  diff: () => (require('./verbs/diff') as typeof diff).diffCommand(),
  history: () => (require('./verbs/history') as typeof history).historyCommand(),
  list: () => (require('./verbs/list') as typeof list).listCommand(),
  ps: () => (require('./verbs/ps') as typeof ps).psCommand(),
  logs: () => (require('./verbs/logs') as typeof logs).logsCommand(),
  supervisor: () => (require('./verbs/supervisor') as typeof supervisor).supervisorCommand(),
  deploy: () => (require('./verbs/deploy') as typeof deploy).deployCommand(),
  rollback: () => (require('./verbs/rollback') as typeof rollback).rollbackCommand(),
  scale: () => (require('./verbs/scale') as typeof scale).scaleCommand(),
  restart: () => (require('./verbs/restart') as typeof restart).restartCommand(),
  kill: () => (require('./verbs/kill') as typeof kill).killCommand(),
  rebalance: () => (require('./verbs/rebalance') as typeof rebalance).rebalanceCommand(),
  drain: () => (require('./verbs/drain') as typeof drain).drainCommand(),
  adopt: () => (require('./verbs/adopt') as typeof adopt).adoptCommand(),
  grants: () => (require('./verbs/grants') as typeof grants).grantsCommand(),
  providers: () => (require('./verbs/providers') as typeof providers).providersCommand(),
  provision: () => (require('./verbs/provision') as typeof provision).provisionCommand(),
  render: () => (require('./verbs/render') as typeof render).renderCommand(),
  migrate: () => (require('./verbs/migrate') as typeof migrate).migrateCommand(),
};

export function buildProgram(argv: readonly string[]): Command {
  const program = new Command('downspout')
    .description('Delivers messages at the time somebody chose.')
    .version(packageVersion())
    .option('--no-color', 'no colours on a terminal; the environment variable NO_COLOR does the same')
    .addHelpText(
      'after',
      '\nConnection settings come from the environment (`downspout env` prints those of the local stack).\nEvery verb has --help.',
    );
  const word = argv.slice(2).find((one) => !one.startsWith('-'));
  const asked = Object.entries(verbs).filter(([name]) => name === word);
  for (const [, verb] of asked.length === 0 ? Object.entries(verbs) : asked) program.addCommand(verb());
  strict(program);
  return program;
}

/** Usage errors are thrown instead of ending the process, in every sub-command. */
function strict(command: Command): void {
  command.configureHelp({ showGlobalOptions: true });
  command.exitOverride().showHelpAfterError(`(${commandPath(command)} --help shows how)`);
  for (const sub of command.commands) strict(sub);
}

function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

/** The same error, or which migrations the database lacks where that is why. What finds out is loaded when there is something to find out. */
function explained(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || error.cause === undefined) return Promise.resolve(error);
  const { schemaBehindOf } = require('../../connectors/mysql/schema/schema-behind') as typeof schema;
  return schemaBehindOf(readersUrl(), error);
}

/** Undefined where no database is known. */
function readersUrl(): string | undefined {
  try {
    return readerUrl(readSettings().environment);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** @returns the exit code */
function reportError(error: unknown, verbose: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_ERROR;
  const colors = colorsFor(process.stderr);
  if (error instanceof Interrupted) {
    write(error.message);
    return error.exitCode;
  }
  if (error instanceof UserError) {
    write(`${colors.red('error:')} ${error.message}`);
    if (error instanceof UsageError) return USAGE_ERROR;
    if (error instanceof SchemaBehind) return SCHEMA_BEHIND;
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
