import type { Socket } from 'node:net';

/** As long as the head of an answer may be, interim or final: some servers send very many cookies, or long policies. */
export const MAX_ANSWER_HEAD_BYTES = 128 * 1024;
const BEGINNING = 'HTTP/1.1 100 ';
/** 101 is none: after it the connection speaks another protocol (RFC 9110, section 15.2.2). */
const INTERIM = /^HTTP\/\d\.\d 1(?!01)\d\d[ \r]/;
/** The beginning of any answer, filled up with what is not there yet. */
const STATUS_LINE = /^HTTP\/\d\.\d \d{3}[ \r]/;
const [LF, CR, BLANK, ZERO, ONE, NINE, LETTER_H] = [10, 13, 32, 48, 49, 57, 72];
/** `HTTP/`. */
const PROTOCOL = [LETTER_H, 84, 84, 80, 47];
const END = Buffer.from('\r\n\r\n');
/** Of empty lines before a head. They are kept, and looked at again with each piece that comes, so beyond it nothing is left out. */
const MAX_EMPTY_BYTES = 1_024;
/** What each line counts for besides, while a head is not there whole: undici keeps names and values apart, each for a hundred bytes. */
const LINE_BYTES = 32;
const NOTHING = Buffer.alloc(0);

/**
 * Leaves the interim answers (1xx) out of what comes after a request. A client must be able to take one or more of them, though
 * nobody asked, and may ignore them (RFC 9110, section 15.2).
 */
export class InterimAnswers {
  private state: 'before_head' | 'in_interim' | 'in_final' | 'final' = 'before_head';
  /** Before a head: too little of it to know what it is. In one: what may be the beginning of its end. */
  private kept: Buffer = NOTHING;
  private headBytes = 0;
  private begun = 0;

  /** A request was written: an answer begins, unless one has begun already. */
  expect(): void {
    if (this.state !== 'final' && this.state !== 'in_final') return;
    this.state = 'before_head';
    this.kept = NOTHING;
    this.begun = 0;
  }

  /** The status of the final answer that has begun, as far as its first line says one; else 0. */
  get status(): number {
    return this.begun;
  }

  /** Bytes that were held back and belong to no interim answer, when nothing comes any more. */
  get rest(): Buffer {
    return this.state === 'before_head' ? this.kept : NOTHING;
  }

  /** What is left of the next bytes that came; undefined when an answer has a head without end. */
  take(chunk: Buffer): Buffer | undefined {
    if (this.state === 'final') return chunk;
    if (this.state === 'in_final') return this.inFinal(chunk, 0);
    // Nearly all that comes, told by few bytes.
    if (this.state === 'before_head' && this.kept.length === 0 && isFinal(chunk)) return this.finalFrom(chunk, 0);
    let bytes: Buffer = this.kept.length === 0 ? chunk : Buffer.concat([this.kept, chunk]);
    this.kept = NOTHING;
    while (true) {
      if (this.state === 'before_head') {
        const at = emptyLinesOf(bytes);
        const begins = bytes.toString('latin1', at, at + BEGINNING.length);
        const isWhole = begins.length === BEGINNING.length;
        // Whole, because it may be the middle of an answer that came before its request was written whole.
        if (!(isWhole ? INTERIM : STATUS_LINE).test(begins + BEGINNING.slice(begins.length)))
          return this.finalFrom(bytes, at);
        if (!isWhole) {
          if (at > MAX_EMPTY_BYTES) return this.finalFrom(bytes, at);
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
      if (this.headBytes > MAX_ANSWER_HEAD_BYTES) return undefined;
      if (end === -1) {
        this.kept = kept;
        return NOTHING;
      }
      bytes = bytes.subarray(end + END.length);
      this.state = 'before_head';
    }
  }

  private finalFrom(bytes: Buffer, at: number): Buffer | undefined {
    this.begun = statusIn(bytes, at);
    this.state = this.begun > 0 ? 'in_final' : 'final';
    this.headBytes = 0;
    return this.begun > 0 ? this.inFinal(bytes, at) : bytes;
  }

  /** undici counts names and values only, so of the shortest lines it would take four times as much, and keep each apart. */
  private inFinal(bytes: Buffer, at: number): Buffer | undefined {
    const head = this.kept.length === 0 ? bytes.subarray(at) : Buffer.concat([this.kept, bytes]);
    const end = head.indexOf(END);
    this.headBytes += end === -1 ? bytes.length - at + LINE_BYTES * linesIn(bytes) : end;
    if (this.headBytes > MAX_ANSWER_HEAD_BYTES) return undefined;
    if (end !== -1) this.state = 'final';
    this.kept = end === -1 ? head.subarray(Math.max(0, head.length - END.length + 1)) : NOTHING;
    return bytes;
  }
}

/** Whether it is certainly no interim answer, nor the beginning of one. */
function isFinal(chunk: Buffer): boolean {
  return chunk.length >= BEGINNING.length && chunk[0] === LETTER_H && chunk[8] === BLANK && chunk[9] !== ONE;
}

/** The status of a first line, `HTTP/1.1 200 OK` or `HTTP/2 200`; 0 when it says none. */
function statusIn(bytes: Buffer, at: number): number {
  const blank = bytes[at + 8] === BLANK ? at + 8 : at + 6;
  const after = bytes[blank + 4];
  if (bytes[blank] !== BLANK || (after !== BLANK && after !== CR && after !== LF)) return 0;
  if (PROTOCOL.some((byte, n) => bytes[at + n] !== byte)) return 0;
  let status = 0;
  for (let digit = blank + 1; digit < blank + 4; digit++) {
    const byte = bytes[digit] as number;
    if (byte < ZERO || byte > NINE) return 0;
    status = 10 * status + byte - ZERO;
  }
  return status;
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) lines++;
  return lines;
}

/** Servers put empty lines before a head, and parsers skip them (RFC 9112, section 2.2). @returns their bytes */
function emptyLinesOf(bytes: Buffer): number {
  let at = 0;
  while (bytes[at] === CR || bytes[at] === LF) at++;
  return at;
}

/** Statuses of answers that had begun when their connection ended, by the error that ended it. */
const begunBefore = new WeakMap<Error, number>();

/** The status of an answer that began, and of which no more can be read since its connection ended with this error; else 0. */
export function statusBefore(error: Error): number {
  return begunBefore.get(error) ?? 0;
}

/**
 * The socket without the interim answers. undici takes `100 Continue` for the end of the connection, and another one that closes
 * it or has a length for the beginning of nonsense, after the request was written: the message would be in doubt, and sent again.
 *
 * It also keeps with the error that ends it what status an answer began with: undici tells none of a head that it cannot read.
 */
export function withoutInterimAnswers<S extends Socket>(socket: S): S {
  const push = socket.push.bind(socket);
  const write = socket.write.bind(socket);
  const destroy = socket.destroy.bind(socket);
  const interim = new InterimAnswers();
  // Requests are not pipelined. Told here, because asking a socket how much was written costs more than all of the rest.
  socket.write = ((...given: Parameters<typeof write>) => {
    interim.expect();
    return write(...given);
  }) as S['write'];
  socket.destroy = (error) => {
    // One that ends several connections, as when a pool is closed, says nothing of the answers on any of them.
    if (error && !socket.destroyed) begunBefore.set(error, begunBefore.has(error) ? 0 : interim.status);
    return destroy(error);
  };
  socket.push = (chunk: Buffer | null) => {
    if (chunk === null) {
      if (interim.rest.length > 0) push(interim.rest);
      return push(null);
    }
    const rest = interim.take(chunk);
    if (rest === undefined) {
      socket.destroy(new Error('an answer has a head that is too long'));
      return false;
    }
    return rest.length === 0 || push(rest);
  };
  return socket;
}
