import { systemClock } from '../../topology/core/clock';
import type { Sink } from './output';

const REDRAW_MS = 200;
const PLAIN_MS = 5_000;

/** One line that says how far something is: redrawn on a terminal, a plain line every few seconds elsewhere. */
export class Progress {
  private lastAt = systemClock.monotonic();
  private drawn = false;

  constructor(private readonly sink: Sink) {}

  show(text: string): void {
    const now = systemClock.monotonic();
    const terminal = this.sink.isTTY === true;
    if (now - this.lastAt < (terminal ? REDRAW_MS : PLAIN_MS)) return;
    this.lastAt = now;
    this.sink.write(terminal ? `\r\x1b[2K${text}` : `${text}\n`);
    this.drawn = terminal;
  }

  /** A line that stays. */
  note(text: string): void {
    this.end();
    this.sink.write(`${text}\n`);
  }

  /** Removes what was drawn. */
  end(): void {
    if (this.drawn) this.sink.write('\r\x1b[2K');
    this.drawn = false;
  }
}
