import type { Socket } from 'node:net';

const BEGINNING = 'HTTP/1.1 100';
const END = Buffer.from('\r\n\r\n');
/** Each piece is put behind those before it, so the whole must be short. */
const MAX_HEAD_BYTES = 1024;
const NOTHING = Buffer.alloc(0);

/**
 * Leaves `100 Continue` out of what a connection receives. Some servers send it though nobody asked, and a client must be
 * able to take it (RFC 9110, section 15.2); undici takes it for the end of the connection, after the request was written.
 * The other interim answers undici passes on.
 */
export function withoutContinue<S extends Socket>(socket: S): S {
  const push = socket.push.bind(socket);
  let kept: Buffer = NOTHING;
  let isHead = false;
  let written = -1;
  socket.push = (chunk: Buffer | null) => {
    // An answer begins after a request was written; requests are not pipelined.
    if (socket.bytesWritten !== written) {
      written = socket.bytesWritten;
      isHead = true;
    }
    if (!isHead && kept.length === 0) return push(chunk);
    if (chunk === null) {
      if (kept.length > 0) push(kept);
      return push(null);
    }
    let rest: Buffer = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    kept = NOTHING;
    while (isHead) {
      const begins = rest.toString('latin1', 0, BEGINNING.length).replace('HTTP/1.0', 'HTTP/1.1');
      isHead = rest.length < BEGINNING.length ? BEGINNING.startsWith(begins) : begins === BEGINNING;
      if (!isHead) break;
      const end = rest.indexOf(END);
      if (end === -1 && rest.length < MAX_HEAD_BYTES) {
        kept = rest;
        return true;
      }
      if (end === -1) isHead = false;
      else rest = rest.subarray(end + END.length);
    }
    return push(rest);
  };
  return socket;
}
