import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../topology/core/clock';
import { type FakeMail, mailOf } from './fake-mail';
import { MailSession } from './fake-mail-session';
import { type FakeOrder, type FakeProtocol, FakeProvider } from './fake-provider';

/** What a fake mail server may be told. */
export interface FakeEmailOptions {
  readonly clock: Clock;
  /** Users, and their passwords. */
  readonly users: Readonly<Record<string, string>>;
}

const MAX_SAID = 1024 * 1024;

/**
 * A mail server, as far as taking mails goes: it speaks SMTP on this machine without encryption, validates strictly, keeps what it
 * takes and misbehaves on command. Orders are taken, and mails shown, by HTTP, as other fakes do it; what is ordered happens
 * at the final dot, but that a password was taken back, which is said to the next login.
 */
export class FakeEmail {
  /** What is answered to receivers, by their address. */
  readonly refusals = new Map<string, string>();
  /** The commands that were said to it, one a line; the last ones when there are very many. */
  said = '';
  private readonly kept: FakeMail[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly control: FakeProvider,
    private readonly options: FakeEmailOptions,
  ) {
    server.on('connection', (socket) => this.answer(socket));
  }

  /** @param port of SMTP, and of HTTP for control: 0 for any free one */
  static async start(options: FakeEmailOptions, port = 0, controlPort = 0): Promise<FakeEmail> {
    let fake: FakeEmail | undefined;
    const refusal = { status: 404, json: { error: 'mails are taken by SMTP' } };
    const shows: FakeProtocol = {
      name: 'email',
      publishes: () => false,
      says: { revoke: refusal },
      handle: async () => refusal,
      throttled: () => refusal,
      posts: () => fake?.posts() ?? [],
    };
    const server = createServer();
    fake = new FakeEmail(server, await FakeProvider.start(shows, options.clock, controlPort), options);
    server.listen(port, '127.0.0.1', 4_096);
    await once(server, 'listening');
    return fake;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Where orders are taken and mails shown. */
  get url(): string {
    return this.control.url;
  }

  posts(): readonly FakeMail[] {
    return this.kept;
  }

  /** The next mails that match go wrong. */
  order(order: FakeOrder): void {
    this.control.order(order);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await this.control.close();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private answer(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined);
    const { control, refusals, options } = this;
    const take = (from: string, to: readonly string[], bytes: Buffer) => this.take(from, to, bytes);
    const note = (line: string) => {
      this.said = `${this.said}${line}\n`.slice(-MAX_SAID);
    };
    const nextOrder = (mail: Buffer) => control.nextOrder(mail, 'message', ({ do: what }) => what !== 'revoke');
    const isRevoked = () =>
      control.nextOrder(Buffer.alloc(0), 'message', ({ do: what }) => what === 'revoke') !== undefined;
    new MailSession({ ...options, refusals, nextOrder, isRevoked, take, note }, socket).begin();
  }

  private take(from: string, to: readonly string[], bytes: Buffer): string {
    const mail = mailOf(from, to, bytes.toString('latin1'));
    if (typeof mail === 'string') return `554 5.6.0 strict: ${mail}`;
    this.kept.push(mail);
    return `250 2.0.0 Ok: queued as ${this.kept.length}`;
  }
}
