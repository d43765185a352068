import type { Socket } from 'node:net';
import type { Clock } from '../../topology/core/clock';
import type { FakeMishap } from './fake-provider';

/** What a connection asks its server. */
interface MailTaker {
  readonly clock: Clock;
  /** Users, and their passwords. */
  readonly users: Readonly<Record<string, string>>;
  /** What is answered to receivers, by their address. */
  readonly refusals: ReadonlyMap<string, string>;
  readonly nextOrder: (mail: Buffer) => FakeMishap | undefined;
  /** Somebody has ordered that the next login is refused. */
  readonly isRevoked: () => boolean;
  readonly note: (command: string) => void;
  /** Takes a mail, or does not. @returns the answer */
  readonly take: (from: string, to: readonly string[], mail: Buffer) => string;
}

const MAX_LINE = 1_000;
const MAX_MAIL = 10 * 1024 * 1024;
const MAX_RECEIVERS = 100;
const END = '\r\n.\r\n';

/** One connection to a fake mail server: SMTP without encryption, read strictly. */
export class MailSession {
  private buffer = '';
  private said = '';
  private user: string | undefined;
  private login: 'none' | 'plain' | 'name' | 'password' = 'none';
  private name = '';
  private isGreeted = false;
  private from: string | undefined;
  private to: string[] = [];
  private isMail = false;
  private isBusy = false;

  constructor(
    private readonly server: MailTaker,
    private readonly socket: Socket,
  ) {}

  begin(): void {
    this.say('220 fake.test ESMTP');
    this.socket.on('data', (chunk) => {
      this.buffer += chunk.toString('latin1');
      this.said += chunk.toString('latin1');
      this.readOn();
    });
  }

  private readOn(): void {
    while (!this.isBusy && !this.socket.destroyed) {
      const end = this.isMail ? `\r\n${this.buffer}`.indexOf(END) : this.buffer.indexOf('\r\n');
      if (end === -1) {
        if (this.buffer.length > (this.isMail ? MAX_MAIL : MAX_LINE)) this.socket.destroy();
        return;
      }
      // Of a mail that is empty but for the dot, the line end before it is that of DATA.
      const taken = this.buffer.slice(0, end);
      this.buffer = this.buffer.slice(end + (this.isMail ? END.length - 2 : 2));
      if (this.isMail) void this.endOf(taken);
      else this.command(taken);
    }
  }

  private command(line: string): void {
    this.server.note(line);
    if (/[\r\n\0]|[^\x20-\x7e]/.test(line)) return this.say('500 5.5.2 strict: control characters, or not ASCII');
    if (this.login !== 'none') return this.loginLine(line);
    const verb = /^[A-Z]+/.exec(line)?.[0] ?? '';
    const rest = line.slice(verb.length);
    if (verb === 'QUIT') {
      this.say('221 2.0.0 Bye');
      this.socket.end();
    } else if (verb === 'EHLO' && /^ \S+$/.test(rest)) {
      this.isGreeted = true;
      this.say(
        `250-fake.test\r\n250-PIPELINING\r\n250-SIZE ${MAX_MAIL}\r\n250-AUTH PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES`,
      );
    } else if (!this.isGreeted) this.say('503 5.5.1 strict: expected EHLO');
    else if (verb === 'AUTH') this.auth(rest);
    else if (this.user === undefined) this.say('530 5.7.0 Authentication required');
    else this.transact(verb, rest);
  }

  private transact(verb: string, rest: string): void {
    if (verb === 'RSET') {
      this.reset();
      return this.say('250 2.0.0 Ok');
    }
    if (verb === 'MAIL') {
      const [, from, size = '0'] = /^ FROM:<([^<>\s]+@[^<>\s]+)>(?: SIZE=(\d+))?$/.exec(rest) ?? [];
      if (from === undefined || this.from !== undefined)
        return this.say('501 5.5.4 strict: expected one FROM:<address>');
      if (Number(size) > MAX_MAIL) return this.say('552 5.3.4 Message size exceeds fixed limit');
      this.from = from;
      return this.say('250 2.1.0 Ok');
    }
    if (this.from === undefined) return this.say('503 5.5.1 strict: expected MAIL');
    if (verb === 'RCPT') {
      const to = /^ TO:<([^<>\s]+@[^<>\s]+)>$/.exec(rest)?.[1];
      if (to === undefined || this.to.includes(to)) return this.say('501 5.5.4 strict: expected TO:<address>, once');
      const refusal = this.server.refusals.get(to);
      if (refusal !== undefined) return this.say(refusal);
      if (this.to.length === MAX_RECEIVERS) return this.say('452 4.5.3 Too many recipients');
      this.to.push(to);
      return this.say('250 2.1.5 Ok');
    }
    if (verb !== 'DATA' || rest !== '') return this.say('500 5.5.1 strict: unknown command');
    if (this.to.length === 0) return this.say('554 5.5.1 No valid recipients');
    this.isMail = true;
    this.say('354 End data with <CR><LF>.<CR><LF>');
  }

  private auth(rest: string): void {
    const plain = /^ PLAIN(?: (\S+))?$/.exec(rest);
    if (this.user !== undefined) return this.say('503 5.5.1 strict: authenticated already');
    if (plain?.[1] !== undefined) return this.tryLogin(...namesIn(plain[1]));
    if (plain === null && rest !== ' LOGIN') return this.say('504 5.5.4 Unknown mechanism');
    this.login = plain === null ? 'name' : 'plain';
    this.say(plain === null ? '334 VXNlcm5hbWU6' : '334 ');
  }

  private loginLine(line: string): void {
    const { login } = this;
    this.login = 'none';
    if (login === 'plain') return this.tryLogin(...namesIn(line));
    if (login === 'password') return this.tryLogin(this.name, Buffer.from(line, 'base64').toString());
    this.name = Buffer.from(line, 'base64').toString();
    this.login = 'password';
    this.say('334 UGFzc3dvcmQ6');
  }

  private tryLogin(name: string, password: string): void {
    const { users } = this.server;
    if (this.server.isRevoked() || !Object.hasOwn(users, name) || users[name] !== password) {
      // Some servers say what they were told.
      return this.say(`535 5.7.8 Authentication credentials invalid: ${name} ${password}`);
    }
    this.user = name;
    this.say('235 2.7.0 Authentication successful');
  }

  private async endOf(taken: string): Promise<void> {
    const bytes = Buffer.from(taken.replace(/(^|\r\n)\.\./g, '$1.'), 'latin1');
    this.isMail = false;
    this.isBusy = true;
    const order = this.server.nextOrder(bytes);
    if (order === undefined) this.say(this.take(bytes));
    else await this.misbehave(order, bytes);
    this.reset();
    this.isBusy = order?.do === 'hang';
    this.readOn();
  }

  private take(bytes: Buffer): string {
    return this.server.take(this.from ?? '', this.to, bytes);
  }

  private async misbehave(order: FakeMishap, bytes: Buffer): Promise<void> {
    const { clock } = this.server;
    const cut = () => this.socket.destroy();
    if (order.do === 'vanish') cut();
    else if (order.do === 'fail') this.say('451 4.3.0 Temporary failure');
    else if (order.do === 'throttle') this.say('450 4.2.1 Greylisted, try again later');
    else if (order.do === 'babble') this.socket.end('SSH-2.0-OpenSSH_9.2\r\n');
    else if (order.do === 'quote') this.say(`554 5.7.1 ${JSON.stringify(this.said)}`);
    else if (order.do === 'late') {
      cut();
      await clock.sleep(order.afterMs);
      this.take(bytes);
    } else {
      const answer = this.take(bytes);
      if (order.do === 'drop') cut();
      if (order.do === 'error') this.say('went wrong');
      if (order.do !== 'slow') return;
      await clock.sleep(order.afterMs);
      this.say(answer);
    }
  }

  private reset(): void {
    this.from = undefined;
    this.to = [];
  }

  private say(line: string): void {
    if (!this.socket.destroyed) this.socket.write(`${line}\r\n`);
  }
}

/** Name and password of a login in one word. */
function namesIn(word: string): [string, string] {
  const [, name = '', password = ''] = Buffer.from(word, 'base64').toString().split('\0');
  return [name, password];
}
