import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { reasonOf, Unavailable } from '../../topology/core/errors';
import type { ConnectConnection } from '../../topology/settings/connections';

/** For one answer: validating a configuration includes a connection to MySQL. */
const ANSWER_LIMIT_MS = 20_000;
/** More than any answer of Connect. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

export interface ConnectAnswer {
  readonly status: number;
  readonly ok: boolean;
  readonly text: string;
}

/** The REST interface of Kafka Connect. */
export class ConnectRest {
  private readonly base: string;

  constructor(private readonly connection: ConnectConnection) {
    this.base = connection.url.replace(/\/+$/, '');
  }

  /** For texts: who it is, without a password. */
  get host(): string {
    return new URL(this.base).host;
  }

  /** @throws Unavailable when Connect does not answer, or does not let us in */
  async request(method: string, path: string, body?: unknown): Promise<ConnectAnswer> {
    let answer: ConnectAnswer;
    try {
      answer = await this.exchange(method, path, body);
    } catch (error) {
      throw new Unavailable(`Kafka Connect does not answer at ${this.host}: ${reasonOf(error)}`);
    }
    // Who may look and not change is let in.
    if (answer.status !== 401 && (answer.status !== 403 || method !== 'GET')) return answer;
    throw new Unavailable(
      `Kafka Connect at ${this.host} answered ${answer.status}: set CONNECT_USERNAME and CONNECT_PASSWORD.`,
    );
  }

  /** The answer's JSON. @throws Unavailable when it is none: a proxy or a page to log in stands before Connect */
  parse(answer: ConnectAnswer): unknown {
    try {
      return JSON.parse(answer.text);
    } catch {
      throw new Unavailable(`What answers at ${this.host} is not Kafka Connect: it sends no JSON.`);
    }
  }

  private exchange(method: string, path: string, body: unknown): Promise<ConnectAnswer> {
    const { authorization, ca } = this.connection;
    const url = new URL(`${this.base}${path}`);
    const content = body === undefined ? undefined : JSON.stringify(body);
    const options = {
      method,
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      headers: {
        accept: 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
        ...(content === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
      },
    };
    return new Promise((resolve, reject) => {
      const answered = (response: IncomingMessage) => void read(response).then(resolve, reject);
      const sent =
        url.protocol === 'https:'
          ? tlsRequest(url, { ...options, ...(ca === undefined ? {} : { ca }) }, answered)
          : plainRequest(url, options, answered);
      sent.on('error', reject).end(content);
    });
  }
}

async function read(response: IncomingMessage): Promise<ConnectAnswer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`);
    pieces.push(piece);
  }
  const status = response.statusCode ?? 0;
  return { status, ok: status >= 200 && status < 300, text: Buffer.concat(pieces).toString() };
}
