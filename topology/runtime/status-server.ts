import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { reasonOf, UserError } from '../core/errors';

/** What a worker says of itself. */
export interface Readiness {
  readonly session: string;
  /** The release that it runs; null when it was started with a file. */
  readonly release: number | null;
  /** Why it is not ready; empty when it is. */
  readonly reasons: readonly string[];
  readonly partitions: Readonly<Record<string, readonly number[]>>;
}

export interface StatusServerOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly status: () => Readiness;
  readonly metrics: () => Promise<string>;
}

/** Health, readiness and metrics of a worker over HTTP: `/healthz`, `/readyz`, `/metrics`. */
export class StatusServer {
  private constructor(
    private readonly server: Server,
    /** Where others reach it: by this machine's name when it listens on every address. */
    readonly url: string,
  ) {}

  /** @throws UserError when the port is taken */
  static async start(options: StatusServerOptions): Promise<StatusServer> {
    const server = createServer((request, response) => void answer(options, request.url ?? '/', response));
    await new Promise<void>((resolve, reject) => {
      const refused = (error: Error) =>
        reject(new UserError(`The status port cannot be opened: ${reasonOf(error)}. Choose another, or 0 for any.`));
      server.once('error', refused);
      server.listen(options.port, options.host, resolve);
    });
    const { port, address, family } = server.address() as AddressInfo;
    const host = isAnyAddress(address) ? hostname() : family === 'IPv6' ? `[${address}]` : address;
    return new StatusServer(server, `http://${host}:${port}`);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }
}

function isAnyAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

async function answer({ status, metrics }: StatusServerOptions, url: string, response: ServerResponse): Promise<void> {
  const path = url.split('?')[0];
  if (path === '/metrics') {
    try {
      const text = await metrics();
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
    } catch (error) {
      response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' }).end(reasonOf(error));
    }
    return;
  }
  const now = status();
  if (path === '/healthz') json(response, 200, { session: now.session, release: now.release });
  else if (path === '/readyz') json(response, now.reasons.length === 0 ? 200 : 503, now);
  else json(response, 404, { error: 'There are /healthz, /readyz and /metrics.' });
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
}
