import { closeSync, openSync, readSync } from 'node:fs';
import { sizeOf } from '../../stack/host/part-log';

/** Read at one time; what is left comes with the next look. */
const MAX_READ_BYTES = 1024 * 1024;

/** Reads a log as it grows, also when it is emptied: what was not read by then is in `<path>.1`. */
export class LogFollower {
  private rest = '';

  /** @param position the byte to begin at */
  constructor(
    readonly path: string,
    private position: number,
  ) {}

  /** Begins with the last lines of the log. @param tailBytes how far back they are looked for */
  static atEnd(path: string, lines: number, tailBytes = 256 * 1024): { follower: LogFollower; last: string[] } {
    const size = sizeOf(path);
    const from = Math.max(0, size - tailBytes);
    const follower = new LogFollower(path, from);
    const found = follower.read();
    // The first line may have begun before.
    const whole = from === 0 ? found : found.slice(1);
    return { follower, last: lines === 0 ? [] : whole.slice(-lines) };
  }

  /** Whole lines that have come since. */
  read(): string[] {
    let text = this.rest;
    if (sizeOf(this.path) < this.position) {
      text += readFrom(`${this.path}.1`, this.position).text;
      this.position = 0;
    }
    const { text: more, bytes } = readFrom(this.path, this.position);
    this.position += bytes;
    const lines = (text + more).split('\n');
    this.rest = lines.pop() ?? '';
    return lines;
  }
}

function readFrom(path: string, position: number): { readonly text: string; readonly bytes: number } {
  const length = Math.min(MAX_READ_BYTES, sizeOf(path) - position);
  if (length <= 0) return { text: '', bytes: 0 };
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(length);
    const bytes = readSync(file, buffer, 0, length, position);
    return { text: buffer.toString('utf8', 0, bytes), bytes };
  } finally {
    closeSync(file);
  }
}
