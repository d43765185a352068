import type { Clock } from '../../topology/core/clock';
import { colorsFor, type Sink } from '../console/output';
import { formatCount, formatDuration } from '../console/units';
import type { AfterDueFigures } from './after-due';

/** What the demo shows at one moment. Counts of messages; times in milliseconds; null: not known now. */
export interface LiveFigures {
  /** Since the start of the minute. */
  readonly elapsed: number;
  readonly endsAt: number;
  readonly nextBurst: { readonly name: string; readonly count: number; readonly inMs: number } | null;
  readonly scheduled: number;
  readonly edited: number;
  readonly canceled: number;
  readonly tooLate: number;
  readonly pending: number | null;
  readonly queued: number | null;
  readonly held: number | null;
  readonly inFlight: number | null;
  readonly channels: readonly ChannelFigures[];
}

interface ChannelFigures {
  readonly channel: string;
  readonly delivered: number;
  /** Null while nothing was delivered. */
  readonly afterDue: AfterDueFigures | null;
}

type Colors = ReturnType<typeof colorsFor>;
const REDRAW_INTERVAL_MS = 200;
const PLAIN_INTERVAL_MS = 5_000;
const LABEL_WIDTH = 13;

/** Shows snapshots: redrawn in place on a terminal, a plain line every few seconds elsewhere. */
export class LiveView {
  private drawn = 0;
  private lastAt = Number.NEGATIVE_INFINITY;
  private readonly inPlace: boolean;
  private readonly colors: Colors;

  constructor(
    private readonly sink: Sink,
    private readonly clock: Pick<Clock, 'monotonic'>,
  ) {
    this.inPlace = sink.isTTY === true;
    this.colors = colorsFor(sink);
  }

  /** Draws, unless the last drawing is too recent; `last` always draws. */
  show(snapshot: LiveFigures, last = false): void {
    const now = this.clock.monotonic();
    if (!last && now - this.lastAt < (this.inPlace ? REDRAW_INTERVAL_MS : PLAIN_INTERVAL_MS)) return;
    this.lastAt = now;
    if (!this.inPlace) {
      this.sink.write(`${plainLine(snapshot)}\n`);
      return;
    }
    const lines = stageLines(snapshot, this.colors);
    this.sink.write(`${this.erase()}${lines.join('\n')}\n`);
    this.drawn = lines.length;
  }

  /** A line that stays, above the drawing. */
  note(text: string): void {
    this.sink.write(`${this.erase()}${text}\n`);
    this.drawn = 0;
    this.lastAt = Number.NEGATIVE_INFINITY;
  }

  /** The drawing stays as it is; what follows goes below it. */
  end(): void {
    this.drawn = 0;
  }

  private erase(): string {
    return this.drawn === 0 ? '' : `\x1b[${this.drawn}A\x1b[0J`;
  }
}

/** One line per stage, none wider than 78 columns. */
export function stageLines(snapshot: LiveFigures, colors: Colors): string[] {
  const { bold, dim, cyan, green } = colors;
  const stage = (name: string, ...parts: string[]) => `  ${bold(name.padEnd(LABEL_WIDTH))}${parts.join('   ')}`;
  const figure = (value: number | null, unit: string, width = 6) =>
    `${(value === null ? '–' : formatCount(value)).padStart(width)} ${dim(unit)}`;
  const { nextBurst, channels } = snapshot;
  return [
    '',
    `  ${cyan(clockFace(snapshot.elapsed))} ${dim(`of ${clockFace(snapshot.endsAt)}`)}   ${
      nextBurst === null
        ? dim('no burst to come')
        : `next burst: ${bold(formatCount(nextBurst.count))} messages at ${nextBurst.name}, in ${bold(seconds(nextBurst.inMs))}`
    }`,
    '',
    stage(
      'application',
      figure(snapshot.scheduled, 'scheduled'),
      figure(snapshot.edited, 'edited', 4),
      figure(snapshot.canceled, 'canceled', 4),
      figure(snapshot.tooLate, 'too late', 3),
    ),
    stage('spouts', figure(snapshot.pending, 'pending')),
    stage('Kafka', figure(snapshot.queued, 'queued')),
    stage('bolts', figure(snapshot.held, 'held'), figure(snapshot.inFlight, 'in flight', 9)),
    '',
    ...channels.map(({ channel, delivered, afterDue }) =>
      stage(channel, figure(delivered, green('delivered')), dim(afterDueText(afterDue))),
    ),
    '',
  ];
}

/** Everything in one line, for logs. */
export function plainLine(snapshot: LiveFigures): string {
  const { channels, nextBurst } = snapshot;
  return [
    clockFace(snapshot.elapsed),
    `scheduled ${formatCount(snapshot.scheduled)} (edited ${snapshot.edited}, canceled ${snapshot.canceled}, too late ${snapshot.tooLate})`,
    `pending ${known(snapshot.pending)}`,
    `queued ${known(snapshot.queued)}`,
    `held ${known(snapshot.held)}, in flight ${known(snapshot.inFlight)}`,
    ...channels.map(
      ({ channel, delivered, afterDue }) => `${channel} ${formatCount(delivered)} delivered, ${afterDueText(afterDue)}`,
    ),
    nextBurst === null
      ? 'no burst to come'
      : `next burst: ${formatCount(nextBurst.count)} in ${seconds(nextBurst.inMs)}`,
  ].join(' | ');
}

function afterDueText(figures: AfterDueFigures | null): string {
  if (figures === null) return 'none yet';
  const { p50, p99, max } = figures;
  return `after due p50 ${formatDuration(p50)}, p99 ${formatDuration(p99)}, max ${formatDuration(max)}`;
}

function known(value: number | null): string {
  return value === null ? '-' : formatCount(value);
}

function clockFace(milliseconds: number): string {
  const total = Math.max(0, Math.floor(milliseconds / 1_000));
  return `${Math.floor(total / 60)}:${String(total % 60).padStart(2, '0')}`;
}

function seconds(milliseconds: number): string {
  return `${Math.max(0, Math.ceil(milliseconds / 1_000))} s`;
}
