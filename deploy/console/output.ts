import type { Writable } from 'node:stream';
import Table from 'cli-table3';
import pc from 'picocolors';
import { showJson } from '../../topology/core/json-text';

/** What is needed of a terminal or a pipe. */
export type Sink = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** A column of a table. Numbers and anything with a unit are aligned right. */
export interface Column<Row> {
  readonly title: string;
  readonly align?: 'left' | 'right';
  readonly value: (row: Row) => string;
}

export interface OutputOptions {
  readonly json?: boolean | undefined;
  readonly verbose?: boolean | undefined;
}

type Colors = ReturnType<typeof pc.createColors>;

/** Where a verb prints: data to standard output, everything about the run to standard error. */
export class Output {
  readonly json: boolean;
  /** Colours for standard output: none unless it is a terminal, none under NO_COLOR. */
  readonly colors: Colors;
  private readonly loud: boolean;

  constructor(
    options: OutputOptions = {},
    readonly out: Sink = process.stdout,
    readonly err: Sink = process.stderr,
  ) {
    this.json = options.json === true;
    this.loud = options.verbose === true;
    this.colors = colorsFor(out);
  }

  /** The result of a verb: JSON under `--json`, the text otherwise. */
  data(value: unknown, text: () => string): void {
    this.out.write(this.json ? `${showJson(value)}\n` : `${text()}\n`);
  }

  /** A line for people; with `--json` it goes to standard error so that the data stays pure. */
  line(text: string): void {
    (this.json ? this.err : this.out).write(`${text}\n`);
  }

  /** A line about the run, never part of the data. */
  note(text: string): void {
    this.err.write(`${text}\n`);
  }

  /** A line that only `--verbose` shows. */
  detail(text: string): void {
    if (this.loud) this.note(text);
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
    return table(columns, rows, this.colors);
  }
}

/** Colours on a terminal only, none under NO_COLOR. */
export function colorsFor(sink: Sink): Colors {
  return pc.createColors(pc.isColorSupported && sink.isTTY === true);
}

function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], colors: Colors): string {
  const grid = new Table({
    head: columns.map((column) => colors.bold(column.title)),
    colAligns: columns.map((column) => column.align ?? 'left'),
    // The library's own colours ignore where the output goes.
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
    chars: {
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      'left-mid': '',
      mid: '',
      'mid-mid': '',
      right: '',
      'right-mid': '',
      middle: '',
    },
  });
  for (const row of rows) grid.push(columns.map((column) => printable(column.value(row))));
  return grid
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/**
 * Text that others wrote, safe for a terminal: control characters, which could move the cursor, recolour or reverse what
 * follows, are shown as `\x1b`.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => {
    const code = character.charCodeAt(0);
    return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`;
  });
}
