import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { type Connection, createServer } from 'mysql2';

/** What the driver's own server has, and its types leave out. */
interface Served extends Connection {
  readonly stream: Socket;
}

const VAR_STRING = 253;

/** A MySQL server that answers as a test says. */
export class ScriptedMySql {
  /** The error that whoever connects gets; undefined: everybody is let in. */
  refusal: number | undefined;
  /** The error that every statement gets but those with which a connection begins. */
  denial: number | undefined;
  /** How many connections its user may have at once. */
  limit = Number.POSITIVE_INFINITY;
  /** Connections that were let in. */
  connections = 0;
  private readonly letIn = new Set<Served>();
  private readonly server = createServer((connection) => this.serve(connection as Served));

  static async start(): Promise<ScriptedMySql> {
    const mysql = new ScriptedMySql();
    mysql.server.listen(0);
    await once(mysql.listener, 'listening');
    return mysql;
  }

  get url(): string {
    return `mysql://worker:hush@127.0.0.1:${(this.listener.address() as AddressInfo).port}/downspout`;
  }

  /** Breaks off every connection, so that each has to be made again. */
  breakOff(): void {
    for (const connection of this.letIn) connection.stream.destroy();
    this.letIn.clear();
  }

  async close(): Promise<void> {
    this.breakOff();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
  }

  /** What the driver's server is made of; its types leave that out too. */
  private get listener(): Server {
    return (this.server as unknown as Record<string, Server>)['_server'] as Server;
  }

  private serve(connection: Served): void {
    connection.on('error', () => undefined);
    connection.stream.once('close', () => this.letIn.delete(connection));
    connection.serverHandshake({
      protocolVersion: 10,
      serverVersion: '8.4.0',
      connectionId: this.connections + 1,
      statusFlags: 2,
      characterSet: 45,
      // What the driver needs: long passwords, protocol 4.1, secure connections, a plugin.
      capabilityFlags: 0x00_08_82_0f,
      authCallback: (_: unknown, answered: (error: null, refusal?: object) => void) => {
        const refusal = this.letIn.size < this.limit ? this.refusal : 1226;
        if (refusal === undefined) {
          this.connections++;
          this.letIn.add(connection);
        }
        answered(null, refusal === undefined ? undefined : { message: `no ${refusal}`, code: refusal });
        connection.sequenceId = 0;
      },
    });
    // The driver takes a SET for the beginning of a prepared statement.
    connection.on('stmt_prepare', () => {
      connection.writeOk();
      connection.sequenceId = 0;
    });
    connection.on('query', (statement: string) => {
      this.answer(connection, statement);
      connection.sequenceId = 0;
    });
  }

  private answer(connection: Served, statement: string): void {
    if (this.denial !== undefined && !statement.includes('@@')) {
      connection.writeError({ code: this.denial, message: `no ${this.denial}` });
      return;
    }
    const row = statement.includes('@@GLOBAL.read_only') ? { a: '0', b: 'server' } : { a: '1', b: '1' };
    const columns = ['a', 'b'].map((name) => ({
      catalog: 'def',
      schema: '',
      table: '',
      orgTable: '',
      name,
      orgName: name,
      characterSet: 45,
      columnLength: 100,
      columnType: VAR_STRING,
      flags: 0,
      decimals: 0,
    }));
    connection.writeTextResult([row], columns);
  }
}
