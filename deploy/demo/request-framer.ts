/** One request as it came off the wire. */
export interface FramedRequest {
  /** Request line and header lines, without the empty line. */
  readonly head: string;
  readonly body: Buffer;
}

const LENGTH = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?:\r\n|$)/i;
const CHUNKED = /\r\ntransfer-encoding:/i;
const END = Buffer.from('\r\n\r\n');
const MAX_HEAD_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** The peer does not speak the part of HTTP/1.1 that is understood here. */
export class NotUnderstood extends Error {
  override readonly name = 'NotUnderstood';
}

/**
 * Cuts a connection's bytes into HTTP/1.1 requests: any split over packets, several requests in one packet, bodies with
 * Content-Length. Node's own server does more, and takes twice the time per request; the receiver of a benchmark should
 * not be what is measured.
 */
export class RequestFramer {
  private rest: Buffer = NOTHING;

  constructor(private readonly onRequest: (request: FramedRequest) => void) {}

  /** @throws NotUnderstood for a chunked body or a head that never ends; the connection cannot be used any more */
  feed(chunk: Buffer): void {
    let bytes: Buffer = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (;;) {
      const end = bytes.indexOf(END);
      if (end === -1) {
        if (bytes.length > MAX_HEAD_BYTES) throw new NotUnderstood('the head is too long');
        break;
      }
      const head = bytes.toString('latin1', 0, end);
      const length = LENGTH.exec(head);
      if (length === null && CHUNKED.test(head)) throw new NotUnderstood('chunked bodies are not understood');
      const next = end + END.length + (length === null ? 0 : Number(length[1]));
      if (bytes.length < next) break;
      this.onRequest({ head, body: bytes.subarray(end + END.length, next) });
      bytes = bytes.subarray(next);
      if (bytes.length === 0) break;
    }
    this.rest = bytes.length === 0 ? NOTHING : bytes;
  }
}

/** A header's value; the name in lower case, as the delivery sends it or as the peer chose to write it. */
export function headerOf(head: string, name: string): string | undefined {
  let at = head.indexOf(`\r\n${name}:`);
  if (at === -1) at = head.toLowerCase().indexOf(`\r\n${name}:`);
  if (at === -1) return undefined;
  const from = at + name.length + 3;
  const to = head.indexOf('\r\n', from);
  return (to === -1 ? head.slice(from) : head.slice(from, to)).trim();
}
