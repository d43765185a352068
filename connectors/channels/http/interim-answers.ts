import { maxHeaderSize } from 'node:http';
import type { Socket } from 'node:net';

const BEGINNING = 'HTTP/1.1 100 ';
/** 101 is none: after it the connection speaks another protocol (RFC 9110, section 15.2.2). */
const INTERIM = /^HTTP\/\d\.\d 1(?!01)\d\d[ \r]/;
const CR = 13;
const LF = 10;
const END = Buffer.from('\r\n\r\n');
/** As long as the head of a final answer may be; twice, because undici counts names and values, and this whole lines. */
const MAX_HEAD_BYTES = 2 * maxHeaderSize;
const NOTHING = Buffer.alloc(0);

/**
 * Leaves the interim answers (1xx) out of what comes after a request. A client must be able to take one or more of them, though
 * nobody asked, and may ignore them (RFC 9110, section 15.2).
 */
export class InterimAnswers {
  private state: 'before_head' | 'in_interim' | 'final' = 'before_head';
  /** Before a head: too little of it to know what it is. In one: what may be the beginning of its end. */
  private kept: Buffer = NOTHING;
  private headBytes = 0;

  /** A request was written: an answer begins, unless one has begun already. */
  expect(): void {
    if (this.state === 'final') this.state = 'before_head';
  }

  /** Bytes that were held back and belong to no interim answer, when nothing comes any more. */
  get rest(): Buffer {
    return this.state === 'before_head' ? this.kept : NOTHING;
  }

  /** What is left of the next bytes that came; undefined when an interim answer has a head without end. */
  take(chunk: Buffer): Buffer | undefined {
    let bytes: Buffer = this.kept.length === 0 ? chunk : Buffer.concat([this.kept, chunk]);
    this.kept = NOTHING;
    while (this.state !== 'final') {
      if (this.state === 'before_head') {
        const at = emptyLinesOf(bytes);
        const begins = bytes.toString('latin1', at, at + BEGINNING.length);
        if (!INTERIM.test(begins + BEGINNING.slice(begins.length))) {
          // Whole, because it may be the middle of an answer that came before its request was written whole.
          this.state = 'final';
          break;
        }
        if (begins.length < BEGINNING.length) {
          if (at > MAX_HEAD_BYTES) return undefined;
          this.kept = bytes;
          return NOTHING;
        }
        bytes = bytes.subarray(at);
        this.state = 'in_interim';
        this.headBytes = 0;
      }
      const end = bytes.indexOf(END);
      const kept = end === -1 ? bytes.subarray(Math.max(0, bytes.length - END.length + 1)) : NOTHING;
      this.headBytes += end === -1 ? bytes.length - kept.length : end;
      if (this.headBytes > MAX_HEAD_BYTES) return undefined;
      if (end === -1) {
        this.kept = kept;
        return NOTHING;
      }
      bytes = bytes.subarray(end + END.length);
      this.state = 'before_head';
    }
    return bytes;
  }
}

/** Servers put empty lines before a head, and parsers skip them (RFC 9112, section 2.2). @returns their bytes */
function emptyLinesOf(bytes: Buffer): number {
  let at = 0;
  while (bytes[at] === CR || bytes[at] === LF) at++;
  return at;
}

/**
 * The socket without the interim answers. undici takes `100 Continue` for the end of the connection, and another one that closes
 * it or has a length for the beginning of nonsense, after the request was written: the message would be in doubt, and sent again.
 */
export function withoutInterimAnswers<S extends Socket>(socket: S): S {
  const push = socket.push.bind(socket);
  const interim = new InterimAnswers();
  let written = -1;
  socket.push = (chunk: Buffer | null) => {
    // Requests are not pipelined.
    if (socket.bytesWritten !== written) {
      written = socket.bytesWritten;
      interim.expect();
    }
    if (chunk === null) {
      if (interim.rest.length > 0) push(interim.rest);
      return push(null);
    }
    const rest = interim.take(chunk);
    if (rest === undefined) {
      socket.destroy(new Error(`an interim answer has a head of more than ${MAX_HEAD_BYTES} bytes`));
      return false;
    }
    return rest.length === 0 || push(rest);
  };
  return socket;
}
