import type { Dispatcher } from 'undici';
import type { Bounded } from './attempts-under-way';

/** How one exchange ended. */
export type ExchangeResult =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: readonly Buffer[]; readonly body: Buffer }
  /** Nothing was written. `error` is undefined when `mayStart` said no or the exchange expired. */
  | { readonly kind: 'not_written'; readonly why: 'refused' | 'expired' | 'error'; readonly error?: unknown }
  /** The request was written and no status came back. */
  | { readonly kind: 'no_answer'; readonly why: 'expired' | 'error'; readonly error?: unknown };

/** What is read of an answer before the connection is closed. */
const MAX_BODY_BYTES = 64 * 1024;
/** What is kept of a body that comes in chunks. */
const MAX_KEPT_BYTES = 16 * 1024;
/** How long a body may take after its status. */
const BODY_GRACE_MS = 1_000;
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
 * 3. *The status decides*: after it, a body that is too long, too slow or broken changes nothing.
 */
export class Exchange implements Dispatcher.DispatchHandler, Bounded {
  private written = false;
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
   * @param end called once
   */
  constructor(
    public deadline: number,
    private readonly mayStart: () => boolean,
    private readonly monotonic: () => number,
    private readonly end: (ended: ExchangeResult) => void,
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

  onHeaders(status: number, headers: readonly Buffer[]): boolean {
    if (status < 200) return true;
    this.status = status;
    this.headers = headers;
    this.deadline = Math.min(this.deadline, this.monotonic() + BODY_GRACE_MS);
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.received += chunk.length;
    if (this.received === chunk.length) this.body = chunk;
    else this.append(chunk);
    if (this.received > MAX_BODY_BYTES) this.stop();
    return true;
  }

  onComplete(): void {
    this.answered();
  }

  onError(error: Error): void {
    if (this.status !== 0) this.answered();
    else this.finish({ kind: this.written ? 'no_answer' : 'not_written', why: 'error', error });
  }

  expire(): void {
    this.stop();
  }

  /** Ends now, with what is known. */
  private stop(): void {
    if (this.status !== 0) this.answered();
    else this.finish({ kind: this.written ? 'no_answer' : 'not_written', why: 'expired' });
    this.abort?.(new NotWanted('given up'));
  }

  /** Copies each byte once at most, however small the chunks are. A body of one chunk, which is the rule, is not copied. */
  private append(chunk: Buffer): void {
    if (this.kept === undefined) {
      this.kept = Buffer.allocUnsafe(MAX_KEPT_BYTES);
      this.keptBytes = this.body.copy(this.kept);
    }
    this.keptBytes += chunk.copy(this.kept, this.keptBytes);
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
