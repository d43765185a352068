import type { Dispatcher } from 'undici';
import type { Bounded } from './attempts-under-way';
import { statusBefore } from './interim-answers';

/** A status came back, and as much of the rest as was waited for. Headers are names and values in turn. */
export interface Answered {
  readonly kind: 'answered';
  readonly status: number;
  readonly headers: readonly Buffer[];
  readonly body: Buffer;
}

/** How one exchange ended. */
export type ExchangeResult =
  | Answered
  /** Nothing was written. `error` is undefined when `mayStart` said no or the exchange expired. */
  | { readonly kind: 'not_written'; readonly why: 'refused' | 'expired' | 'error'; readonly error?: unknown }
  /**
   * The request was begun and no status came back. `isWhole`: all of it was handed to the socket. What ends before cannot have been
   * taken, because its length was said.
   */
  | {
      readonly kind: 'no_answer';
      readonly why: 'expired' | 'error';
      readonly isWhole: boolean;
      readonly error?: unknown;
    };

/** How much of an answer is wanted. */
export interface AnswerLimits {
  /** What is read of a body before the connection is closed. */
  readonly maxBytes: number;
  /** What is kept of a body that comes in chunks. */
  readonly keptBytes: number;
  /** How long a body may take after its status. */
  readonly graceMs: number;
}

/** Of an answer whose status is what matters. */
export const SHORT_ANSWER: AnswerLimits = { maxBytes: 64 * 1024, keptBytes: 16 * 1024, graceMs: 1_000 };
/** The first room for a body that comes in small chunks; it doubles as far as the limit. */
const FIRST_BYTES = 16 * 1024;
const EMPTY = Buffer.alloc(0);

class NotWanted extends Error {
  override readonly name = 'NotWanted';
}

/**
 * One request and its answer, as undici's low-level handler: undici calls it, nobody else.
 *
 * 1. *`mayStart` is asked in the tick of the write*: undici calls `onConnect` directly before it writes to a connected
 *    socket. Throwing there is the only way to stop undici that leaves nothing written and the connection usable.
 * 2. *The request is written at most once*: undici may call `onConnect` again after a connection was lost; the second call
 *    throws.
 * 3. *The status decides*: after it, a body that is too long, too slow or broken changes nothing. Of a success the first line is enough,
 *    whatever undici dislikes in the rest of the head: any other answer may be another one when it is asked for again.
 */
export class Exchange implements Dispatcher.DispatchHandler, Bounded {
  private written = false;
  private sent = 0;
  private status = 0;
  private headers: readonly Buffer[] = [];
  /** The first chunk, and where the body is put together once there are more. */
  private body: Buffer = EMPTY;
  private kept: Buffer | undefined;
  private keptBytes = 0;
  private received = 0;
  private abort: ((error?: Error) => void) | undefined;
  private ended = false;

  /**
   * @param deadline of the whole exchange, monotonic milliseconds
   * @param streamed how long the body is when it is a stream, bytes; everything else is written whole, in one tick
   * @param end called once
   */
  constructor(
    public deadline: number,
    private readonly mayStart: () => boolean,
    private readonly monotonic: () => number,
    private readonly end: (ended: ExchangeResult) => void,
    private readonly limits: AnswerLimits = SHORT_ANSWER,
    private readonly streamed = 0,
  ) {}

  onConnect(abort: (error?: Error) => void): void {
    if (this.ended || this.written) throw new NotWanted('not wanted any more');
    if (!this.mayStart()) {
      this.finish({ kind: 'not_written', why: 'refused' });
      throw new NotWanted('may not start');
    }
    this.written = true;
    this.abort = abort;
  }

  /** Called in the tick in which a part of the body is handed to the socket: with its length, as undici's types say, or with itself. */
  onBodySent(chunk: number | Buffer): void {
    this.sent += typeof chunk === 'number' ? chunk : chunk.length;
  }

  onHeaders(status: number, headers: readonly Buffer[]): boolean {
    if (status < 200) return true;
    this.status = status;
    this.headers = headers;
    this.deadline = Math.min(this.deadline, this.monotonic() + this.limits.graceMs);
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.received += chunk.length;
    if (this.received === chunk.length) this.body = chunk;
    else this.append(chunk);
    if (this.received > this.limits.maxBytes) this.stop();
    return true;
  }

  onComplete(): void {
    this.answered();
  }

  onError(error: Error): void {
    if (this.status === 0 && this.written && this.isWhole && isSuccess(statusBefore(error))) {
      this.status = statusBefore(error);
    }
    if (this.status !== 0) this.answered();
    else this.finish(this.unanswered('error', error));
  }

  expire(): void {
    this.stop();
  }

  /** Ends now, with what is known. */
  private stop(): void {
    if (this.status !== 0) this.answered();
    else this.finish(this.unanswered('expired'));
    this.abort?.(new NotWanted('given up'));
  }

  private unanswered(why: 'expired' | 'error', error?: unknown): ExchangeResult {
    if (!this.written) return { kind: 'not_written', why, error };
    return { kind: 'no_answer', why, isWhole: this.isWhole, error };
  }

  /** A stream's head is written with its first part, so before that nothing has come for it. */
  private get isWhole(): boolean {
    return this.sent >= this.streamed;
  }

  /** Copies little, however small the chunks are. A body of one chunk, which is the rule, is not copied. */
  private append(chunk: Buffer): void {
    const { keptBytes: most } = this.limits;
    if (this.kept === undefined) {
      this.kept = Buffer.allocUnsafe(Math.min(most, Math.max(FIRST_BYTES, this.body.length)));
      this.keptBytes = this.body.copy(this.kept);
    }
    while (this.keptBytes + chunk.length > this.kept.length && this.kept.length < most)
      this.kept = this.grown(this.kept);
    this.keptBytes += chunk.copy(this.kept, this.keptBytes);
  }

  private grown(kept: Buffer): Buffer {
    const larger = Buffer.allocUnsafe(Math.min(this.limits.keptBytes, 2 * kept.length));
    kept.copy(larger, 0, 0, this.keptBytes);
    return larger;
  }

  private answered(): void {
    const body = this.kept === undefined ? this.body : this.kept.subarray(0, this.keptBytes);
    this.finish({ kind: 'answered', status: this.status, headers: this.headers, body });
  }

  private finish(ended: ExchangeResult): void {
    if (this.ended) return;
    this.ended = true;
    this.end(ended);
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
