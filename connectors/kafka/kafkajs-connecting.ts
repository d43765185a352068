import { setImmediate } from 'node:timers/promises';
import { reasonOf } from '../../topology/core/errors';

/** The fixes 9 to 11 of kafkajs-fixes.ts: how a client finds a broker that answers. */

/** As much of kafkajs's Broker as is asked before it is used. */
interface Broker {
  /** What it can do; null: it is asked with the next connection. */
  versions: object | null;
  readonly brokerAddress: string;
  readonly connectionPool: { readonly pool: readonly Breakable[] };
  disconnect: () => Promise<unknown>;
}

/** A connection that is not ended but broken off: then kafkajs rejects what is asked on it, for which ending would wait for ever. */
interface Breakable {
  readonly socket?: { destroy: (error: Error) => unknown };
}

type Ask<A extends readonly unknown[], T> = (this: Broker, ...asked: A) => Promise<T>;

/** kafkajs leaves a seed for the next one of the list at this error alone. */
type ConnectionError = new (text: string, details: { readonly broker: string }) => Error;

/** @param apiVersions the first request on a connection */
export function answeringOrLeft<A extends readonly unknown[], T>(
  apiVersions: Ask<A, T>,
  Failed: ConnectionError,
): Ask<A, T> {
  return async function askOrLeave(...asked) {
    try {
      return await apiVersions.call(this, ...asked);
    } catch (error) {
      // Whatever it is: on this connection nothing can be asked, and kafkajs would take it for a good one.
      await this.disconnect();
      throw new Failed(`${this.brokerAddress} does not say what it can do: ${reasonOf(error)}`, {
        broker: this.brokerAddress,
      });
    }
  };
}

/** @param metadata what is asked of any broker that is connected, so of the same one again where it is the only one */
export function forgottenWhenSilent<A extends readonly unknown[], T>(metadata: Ask<A, T>): Ask<A, T> {
  return async function askOrForget(...asked) {
    try {
      return await metadata.call(this, ...asked);
    } catch (error) {
      if (isRequestTimeout(error)) {
        this.versions = null;
        for (const { socket } of this.connectionPool.pool) socket?.destroy(error);
        // kafkajs hears of it in a moment, and would ask on the same connection before that.
        await setImmediate();
      }
      throw error;
    }
  };
}

/** As much of kafkajs's Connection as logging in and reading use. */
interface ReadingConnection extends Breakable {
  readonly broker: string;
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected: () => boolean;
}

type Authenticate = (this: ReadingConnection) => Promise<void>;

export function authenticatedOrLeft(authenticate: Authenticate, Failed: ConnectionError): Authenticate {
  return async function authenticateOrLeave() {
    try {
      await authenticate.call(this);
    } catch (error) {
      // A password that is wrong is wrong at each broker.
      if (!isRequestTimeout(error)) throw error;
      this.socket?.destroy(error);
      throw new Failed(reasonOf(error), { broker: this.broker });
    }
  };
}

function isRequestTimeout(error: unknown): error is Error {
  return error instanceof Error && error.name === 'KafkaJSRequestTimeoutError';
}

type ProcessData = (this: ReadingConnection, data: Buffer) => unknown;

export function endedByGarbage(processData: ProcessData): ProcessData {
  return function processOrEnd(data) {
    try {
      return processData.call(this, data);
    } catch (error) {
      // Its listener rejects what was asked on this connection.
      this.socket?.destroy(new Error(`no answer of Kafka's: ${reasonOf(error)}`));
      return undefined;
    }
  };
}

type ConnectTo = (this: ReadingConnection) => Promise<unknown>;

/** Of the length that stands before each answer. */
const LENGTH_BYTES = 4;

export function readingAfresh(connect: ConnectTo): ConnectTo {
  return function connectAfresh() {
    if (!this.isConnected()) {
      this.chunks = [];
      this.bytesBuffered = 0;
      this.bytesNeeded = LENGTH_BYTES;
    }
    return connect.call(this);
  };
}

interface Destination {
  readonly host?: string;
  readonly port?: number;
}

export type PoolBuilder = (options: { readonly brokers: readonly string[] }) => {
  build: (to?: Destination) => Promise<unknown>;
};

export function anyBrokerFirst(builder: PoolBuilder, random: () => number = Math.random): PoolBuilder {
  return (options) => {
    const { brokers } = options;
    const { build } = builder(options);
    let index = Math.floor(random() * brokers.length);
    return {
      build: (to = {}) => {
        const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(brokers[index % brokers.length] ?? '') ?? [];
        if (to.host !== undefined || host === undefined) return build(to);
        index++;
        return build({ ...to, host, port: Number(port) });
      },
    };
  };
}

/** Of kafkajs's Connection, what is replaced. */
export interface Connecting {
  connect: ConnectTo;
  processData: ProcessData;
  authenticate: Authenticate;
}

interface Asked {
  apiVersions: Ask<readonly unknown[], unknown>;
  metadata: Ask<readonly unknown[], unknown>;
}

/** @param connection the prototype of kafkajs's Connection */
export function fixConnecting(connection: Connecting): void {
  const { KafkaJSConnectionError: Failed } = require('kafkajs/src/errors') as {
    readonly KafkaJSConnectionError: ConnectionError;
  };
  connection.connect = readingAfresh(connection.connect);
  connection.processData = endedByGarbage(connection.processData);
  connection.authenticate = authenticatedOrLeft(connection.authenticate, Failed);
  const { prototype: broker } = require('kafkajs/src/broker') as { readonly prototype: Asked };
  broker.apiVersions = answeringOrLeft(broker.apiVersions, Failed);
  broker.metadata = forgottenWhenSilent(broker.metadata);
}
