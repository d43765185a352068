import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

/** Below the range from which systems take ports for outgoing connections. */
const FIRST_PORT = 20_000;
const LAST_PORT = 31_999;

/** Whether this machine's port can be listened on now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * A port that nobody listens on and that is not in `taken`.
 * @param isUsable whether it may be that one
 */
export async function freePort(
  taken: ReadonlySet<number>,
  isUsable: (port: number) => Promise<boolean> = isFree,
): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (!taken.has(port) && (await isUsable(port))) return port;
  }
}

/**
 * Connects to a port of this machine, sends `request` and returns the first bytes that come back.
 * @returns null when nobody answers within `limitMs`
 */
export function ask(port: number, request: Buffer | null, limitMs: number): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const done = (answer: Buffer | null) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(limitMs, () => done(null));
    socket.once('connect', () => request !== null && socket.write(request));
    socket.once('data', done);
    socket.once('error', () => done(null));
    socket.once('close', () => done(null));
  });
}
