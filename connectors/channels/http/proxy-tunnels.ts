import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { buildConnector } from 'undici';
import type { Clock } from '../../../topology/core/clock';
import { percentDecoded } from '../../../topology/settings/url-parts';
import { InterimAnswers } from './interim-answers';

/** The proxy itself could not be reached, or wants other credentials: that says nothing about the host behind it. */
export class ProxyFailed extends Error {
  override readonly name = 'ProxyFailed';
}

/** The proxy answered that it does not reach the host. */
class TunnelRefused extends Error {
  override readonly name = 'TunnelRefused';
}

/** The proxy said nothing that ends the question: it waits for the host. */
class TunnelSilent extends Error {
  override readonly name = 'TunnelSilent';
  /** As of a host that takes no connection. */
  readonly code = 'ETIMEDOUT';
}

const MAX_HEAD_BYTES = 16 * 1024;
/** Of an attempt. Shorter than it, so that it is known whose fault it is, and so that no request waits for a connection after its attempt. */
const PART_FOR_PROXY = 1 / 2;
const PART_FOR_TUNNEL = 3 / 4;
const END = Buffer.from('\r\n\r\n');

/**
 * Connections through a proxy. A request to an http:// origin goes over a connection to the proxy, with the whole URL as
 * its path; for an https:// origin the proxy opens a tunnel (RFC 9110, section 9.3.6) in which TLS is spoken with the origin.
 *
 * 1. *Whoever asks for a connection is answered in time*, whatever the proxy says, or says again and again: undici keeps the request with
 *    its body, and its place among the connections of the origin, until then.
 */
export class ProxyTunnels {
  private readonly overTunnel: buildConnector.connector;

  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    private readonly timeoutMs: number,
  ) {
    this.overTunnel = buildConnector({ timeout: timeoutMs });
  }

  connect(proxy: URL, options: buildConnector.Options, callback: buildConnector.Callback): void {
    const socket = open(proxy);
    let isOver = false;
    const end = (error: Error | null) => {
      if (isOver) return;
      isOver = true;
      for (const timer of timers) timer.cancel();
      if (error !== null) {
        socket.destroy();
        callback(error, null);
      } else if (options.protocol === 'http:') callback(null, socket);
      else this.overTunnel({ ...options, httpSocket: socket }, callback);
    };
    const fail = (reason: string) => end(new ProxyFailed(`proxy ${proxy.host}: ${reason}`));
    const silent = () => end(new TunnelSilent(`proxy ${proxy.host}: no answer to CONNECT ${authorityOf(options)}`));
    const reached = this.clock.after(this.timeoutMs * PART_FOR_PROXY, () => fail('no connection'));
    // Not the socket's own timer, which begins again with each byte that comes.
    const timers = [reached, this.clock.after(this.timeoutMs * PART_FOR_TUNNEL, silent)];
    // Stays for as long as the socket does: whoever uses it listens besides.
    socket.on('error', (error) => fail(error.message));
    socket.once('close', () => fail('closed the connection'));
    socket.once(proxy.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
      reached.cancel();
      if (options.protocol === 'http:') end(null);
      else openTunnel(socket, proxy, authorityOf(options), end);
    });
  }
}

/** The `Proxy-Authorization` that a proxy's URL asks for. */
export function authorizationFor(proxy: URL): string | undefined {
  if (proxy.username === '' && proxy.password === '') return undefined;
  // Called by a listener of sockets, so it must not throw whatever the URL says.
  const plain = `${percentDecoded(proxy.username)}:${percentDecoded(proxy.password)}`;
  return `Basic ${Buffer.from(plain).toString('base64')}`;
}

function open(proxy: URL): Socket {
  const isTls = proxy.protocol === 'https:';
  const host = proxy.hostname.replace(/^\[|\]$/g, '');
  const port = proxy.port === '' ? (isTls ? 443 : 80) : Number(proxy.port);
  const socket = isTls ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
  return socket.setNoDelay(true).setKeepAlive(true, 60_000);
}

function authorityOf({ hostname, port }: buildConnector.Options): string {
  return `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port === '' ? 443 : port}`;
}

function openTunnel(socket: Socket, proxy: URL, authority: string, end: (error: Error | null) => void): void {
  let head: Buffer = Buffer.alloc(0);
  const interim = new InterimAnswers();
  const onData = (chunk: Buffer) => {
    const rest = interim.take(chunk);
    head = rest === undefined ? Buffer.alloc(0) : Buffer.concat([head, rest]);
    const at = head.indexOf(END);
    if (rest !== undefined && at === -1 && head.length <= MAX_HEAD_BYTES) return;
    socket.off('data', onData).pause();
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head.toString('latin1', 0, 16))?.[1] ?? 0);
    // In TLS the client speaks first: what comes at once is not the origin's.
    const isOpen = status >= 200 && status < 300 && at + END.length === head.length;
    end(isOpen ? null : refusal(proxy, authority, status));
  };
  socket.on('data', onData);
  const credentials = authorizationFor(proxy);
  const line = credentials === undefined ? '' : `Proxy-Authorization: ${credentials}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${line}\r\n`);
}

function refusal(proxy: URL, authority: string, status: number): Error {
  const answer = status < 300 ? 'no usable answer' : `HTTP ${status}`;
  const text = `proxy ${proxy.host}: ${answer} to CONNECT ${authority}`;
  return status === 407 || status < 300 ? new ProxyFailed(text) : new TunnelRefused(text);
}
