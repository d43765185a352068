import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { OnExisting } from '../../../../connectors/mysql/client/client';
import { maySchedule } from '../../../../connectors/mysql/client/schedule';
import { systemClock } from '../../../../topology/core/clock';
import { reasonOf, UserError } from '../../../../topology/core/errors';
import { printable } from '../../../console/output';
import { Progress } from '../../../console/progress';
import { formatCount, formatDuration } from '../../../console/units';
import { audited } from '../../audited';
import { channelsFor } from '../../channels';
import { withClient } from '../../database';
import { interruptible } from '../../interrupt';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../../verb';
import { type ImportCounts, type ImportOptions, runImport } from './import-run';
import { readRecords, type SourceForm } from './import-source';
import { onExistingOption } from './schedule-answers';

interface ImportVerbOptions extends ChangeOptions, SourceForm {
  readonly errors?: string;
  readonly onExisting: OnExisting;
}

/** `downspout messages import`. */
export function importCommand(): Command {
  return changingVerb('import', 'schedule messages from a CSV or NDJSON file', {
    example: 'downspout messages import march.csv --errors bad.ndjson',
    fails: 'a line is bad (the others are scheduled all the same)',
  })
    .argument('<file>', 'the file, - for standard input')
    .addOption(
      new Option('--format <format>', 'recognised by the first character unless given').choices(['csv', 'ndjson']),
    )
    .option('--encoding <name>', 'such as windows-1252; UTF-8 and UTF-16 are recognised', parseEncoding)
    .addOption(onExistingOption())
    .option('--errors <path>', 'write the bad lines to this file too, as NDJSON')
    .addHelpText(
      'after',
      '\nColumns or fields: account, channel, due_at (ISO 8601 with a zone, or epoch milliseconds), dedupe_key,\n' +
        'send_within (such as 24h), on_late (send, skip or suspend), and\n' +
        'payload (JSON) or, in CSV, payload.url, payload.body, payload.headers.<name> …\n' +
        'CSV may be separated by commas, semicolons or tabs. A body that is JSON is sent as JSON, as with --body.\n' +
        'With dedupe keys an import that was interrupted can be run again: scheduling twice is scheduling once.',
    )
    .action(async (file: string, options: ImportVerbOptions) => {
      const context = contextOf(options);
      const startedAt = systemClock.monotonic();
      const say = (counts: ImportCounts) => {
        const milliseconds = Math.round(systemClock.monotonic() - startedAt);
        const { read, scheduled, already, bad } = counts;
        if (bad > 0) process.exitCode = 1;
        context.output.data({ read, scheduled, already, bad, milliseconds, dryRun: context.dryRun }, () =>
          summary(counts, milliseconds, context.dryRun),
        );
      };
      await interruptible(context.output, async ({ signal, check }) => {
        const subject = file === '-' ? 'standard input' : basename(file);
        const input = await openInput(file);
        const counts = await audited(context, { verb: 'messages import', subject }, async (change) => {
          const done = await importFile(input, options, context, signal);
          change.after = done;
          if (signal.aborted) change.outcome = 'interrupted';
          return done;
        });
        say(counts);
        check();
      });
    });
}

async function importFile(
  input: Readable,
  options: ImportVerbOptions,
  context: VerbContext,
  signal: AbortSignal,
): Promise<ImportCounts> {
  const { err } = context.output;
  const errorFile = options.errors === undefined ? null : await openErrors(options.errors);
  addAbortSignal(signal, input);
  const progress = new Progress(err);
  const startedAt = systemClock.monotonic();
  const { schemas } = channelsFor(context);
  let doneUpTo = 0;
  const run = (into: Pick<ImportOptions, 'write' | 'check'>) =>
    runImport(readRecords(input, { ...options, schemas }), {
      ...into,
      schemas,
      signal,
      onBad: (line, reason) => {
        progress.note(`line ${line}: ${printable(reason)}`);
        errorFile?.write(`${JSON.stringify({ line, reason })}\n`);
      },
      onProgress: (counts) => {
        doneUpTo = counts.doneUpTo;
        progress.show(progressText(counts, systemClock.monotonic() - startedAt));
      },
    });
  try {
    const counts = context.dryRun
      ? await run({ write: null, check: async () => undefined })
      : await withClient(
          context,
          (client, pool) =>
            run({
              write: (messages) => client.schedule(messages, { onExisting: options.onExisting }),
              check: () => maySchedule(pool),
            }),
          schemas,
        );
    if (signal.aborted) progress.note(`Interrupted: every line up to ${counts.doneUpTo} is done, nothing after it.`);
    return counts;
  } catch (error) {
    progress.note(
      doneUpTo === 0 ? 'Nothing was scheduled.' : `Every line up to ${doneUpTo} is done; the next may be or not.`,
    );
    throw error;
  } finally {
    progress.end();
    input.destroy();
    errorFile?.end();
  }
}

function progressText(counts: Readonly<ImportCounts>, milliseconds: number): string {
  const rate = Math.round((counts.read / Math.max(1, milliseconds)) * 1_000);
  const bad = counts.bad === 0 ? '' : `, ${formatCount(counts.bad)} bad`;
  return `${formatCount(counts.read)} lines read${bad}, ${formatCount(rate)} lines/s`;
}

function summary(counts: ImportCounts, milliseconds: number, dryRun: boolean): string {
  const good = counts.read - counts.bad;
  const done = dryRun
    ? `${formatCount(good)} good, nothing was scheduled (dry run)`
    : `${formatCount(counts.scheduled)} scheduled, ${formatCount(counts.already)} were scheduled before`;
  return `${formatCount(counts.read)} lines read in ${formatDuration(milliseconds)}: ${done}, ${formatCount(counts.bad)} bad.`;
}

async function openInput(file: string): Promise<Readable> {
  if (file === '-') return process.stdin;
  try {
    if ((await stat(file)).isDirectory()) throw new UserError('it is a folder');
    return createReadStream('', { fd: await open(file), highWaterMark: 256 * 1024 });
  } catch (error) {
    throw new UserError(`The file cannot be read: ${reasonOf(error)}`);
  }
}

async function openErrors(path: string): Promise<WriteStream> {
  try {
    const handle = await open(path, 'w');
    return createWriteStream('', { fd: handle });
  } catch (error) {
    throw new UserError(`The file for errors cannot be written: ${reasonOf(error)}`);
  }
}

function parseEncoding(name: string): string {
  try {
    return new TextDecoder(name).encoding;
  } catch {
    throw new InvalidArgumentError('Expected an encoding, for example utf-8, utf-16le, windows-1252, shift_jis.');
  }
}
