import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import SMTPConnection, { type SMTPError } from 'nodemailer/lib/smtp-connection';
import type { Outcome } from '../../../topology/message';
import type { Bounded } from '../http/attempts-under-way';
import { timeForMs } from '../media/media-file';
import { codeOf, refusalOf, type Stage } from './smtp-answers';

/** What an answer may be at most, bytes. */
const MAX_ANSWER_BYTES = 16 * 1024;
/** How long a server may take to say good-bye, milliseconds. */
const LEAVE_MS = 1_000;
/** The end of a mail, depending on how its last line ended. */
const DOTS = new Set(['.\r\n', '\n.\r\n', '\r\n.\r\n']);
const LONGEST_DOT = 5;

interface SmtpServer {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly security: 'tls' | 'starttls' | 'plain';
  readonly login: { readonly user: string; readonly pass: string } | undefined;
}

export interface SmtpMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Of its attachments: the mail may take longer by the time for them. */
  readonly attachedBytes: number;
  /** Of all of it, where the server is told: a little more than it has. */
  readonly size?: number;
  /** Called when the server has taken the receivers: nothing is made, or held, for those that are away or refuse. */
  readonly compose: () => AsyncIterable<Buffer>;
}

export interface DialogueOptions {
  readonly server: SmtpServer;
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** Of the whole dialogue but for attachments; half of it is kept for the answer to the mail. Milliseconds. */
  readonly timeoutMs: number;
  /** A reply on one line, without secrets. */
  readonly shown: (reply: string) => string;
}

type Ended = Outcome | 'not_started';

interface Envelope {
  readonly from: string;
  readonly to: string[];
  readonly size?: number;
  rejectedErrors?: SMTPError[];
}

/**
 * One connection to a mail server, for one mail or for a login alone.
 *
 * 1. *The final dot is the one write that makes a mail visible*: `mayStart` is asked in its tick, and everything before it may be
 *    broken off. It is sent in the first half of the time, the time for attachments besides, or not at all.
 * 2. *A mail goes to all of its receivers or to none*: one that the server refuses ends the dialogue before the mail is written.
 * 3. *Without encryption nothing is said to a server that is to be spoken to with it.*
 */
export class SmtpDialogue implements Bounded {
  deadline: number;
  private readonly lastDeadline: number;
  private readonly connection: SMTPConnection;
  private stage: Stage = 'connection';
  /** For attachments, milliseconds. */
  private allowedMs = 0;
  private isOver = false;
  private resolve: (ended: Ended) => void = () => undefined;

  /**
   * @param socket to the server
   * @param gone called once, when the connection is closed
   */
  constructor(
    private readonly options: DialogueOptions,
    startedAt: number,
    socket: Socket,
    private readonly gone: (dialogue: SmtpDialogue) => void,
  ) {
    const { server, timeoutMs } = options;
    this.deadline = startedAt + timeoutMs / 2;
    this.lastDeadline = startedAt + timeoutMs;
    this.connection = new SMTPConnection({
      connection: socket,
      host: server.host,
      secure: server.security === 'tls',
      requireTLS: server.security === 'starttls',
      ignoreTLS: server.security === 'plain',
      // The deadline bounds each of these together; nodemailer's own times are the last resort.
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: 2 * timeoutMs,
      socketCloseTimeout: 0,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
    this.connection.on('error', (error) => this.failed(error));
    this.connection.once('end', () => {
      this.failed(new Error('the server closed the connection'));
      this.gone(this);
    });
  }

  /** @param mail none: the login is all that is tried; then `delivered` means that it was taken */
  run(mail: SmtpMail | undefined, mayStart: () => boolean): Promise<Ended> {
    const { login } = this.options.server;
    return new Promise((resolve) => {
      this.resolve = resolve;
      const send = () => {
        if (mail === undefined) this.leave({ kind: 'delivered' });
        else this.send(mail, mayStart);
      };
      this.connection.connect((error) => {
        if (error) this.failed(error);
        else if (login === undefined) send();
        else {
          this.stage = 'login';
          this.connection.login(login, (refusal) => (refusal ? this.failed(refusal) : send()));
        }
      });
    });
  }

  expire(): void {
    const { timeoutMs } = this.options;
    if (this.stage === 'sent') {
      this.end({
        kind: 'unknown',
        reason: `The mail server did not answer within ${timeoutMs + this.allowedMs} ms; it may have the mail`,
      });
    } else {
      const withinMs = timeoutMs / 2 + this.allowedMs;
      this.end({ kind: 'retry', reason: `The mail server was not ready for the mail within ${withinMs} ms` });
    }
  }

  /** Ends now, because nobody waits any more. */
  abandon(): void {
    if (this.stage === 'sent')
      this.end({ kind: 'unknown', reason: 'The worker stopped before the mail server answered' });
    else this.end('not_started');
  }

  private send(mail: SmtpMail, mayStart: () => boolean): void {
    const { from, to, size } = mail;
    this.stage = 'sender';
    this.guardDot(mayStart);
    // nodemailer notes here which receivers the server refused, before it reads the body.
    const envelope: Envelope = { from, to: [...to], ...(size === undefined ? {} : { size }) };
    const body = Readable.from(this.written(mail, envelope), { objectMode: false });
    body.on('error', (error) => this.failed(error));
    this.connection.send(envelope, body, (error, info) => {
      if (error) this.failed(error);
      else this.taken(info.response);
    });
  }

  /** What is written when the server is ready for it. Throws where nothing more is to be: no dot follows then. */
  private async *written({ attachedBytes, compose }: SmtpMail, envelope: Envelope): AsyncGenerator<Buffer> {
    const refusal = this.receiverRefused(envelope.rejectedErrors);
    if (refusal !== undefined) this.end(refusal);
    if (this.isOver) throw new Error('nothing is written');
    this.allowedMs = timeForMs(attachedBytes);
    this.deadline += this.allowedMs;
    for await (const piece of withoutShort(compose())) {
      if (this.isOver) throw new Error('nothing more is written');
      this.stage = 'data';
      yield piece;
    }
  }

  /** nodemailer writes the dot apart from what is before it. */
  private guardDot(mayStart: () => boolean): void {
    const { _socket: socket } = this.connection;
    if (!socket) return;
    const write = socket.write.bind(socket) as (...given: unknown[]) => boolean;
    const guarded = (chunk: Buffer | string, ...others: unknown[]): boolean => {
      if (this.stage !== 'data' || chunk.length > LONGEST_DOT || !DOTS.has(chunk.toString())) {
        return write(chunk, ...others);
      }
      if (!this.isOver && this.options.monotonic() >= this.deadline) this.expire();
      if (this.isOver || !mayStart()) {
        this.end('not_started');
        return false;
      }
      this.stage = 'sent';
      this.deadline = Math.max(this.lastDeadline, this.options.monotonic() + this.options.timeoutMs / 2);
      return write(chunk, ...others);
    };
    Object.assign(socket, { write: guarded });
  }

  private taken(response: string): void {
    const status = codeOf(response);
    // A server that says yes before the dot has not read the mail.
    if (this.stage !== 'sent') this.end(refusalOf('data', undefined, this.shown(response)));
    else if (status === undefined || status >= 300) this.leave(refusalOf('sent', undefined, this.shown(response)));
    else this.leave({ kind: 'delivered', status, receipt: this.shown(response) });
  }

  /** That one is refused for ever weighs more than that others are refused for now. */
  private receiverRefused(errors: readonly SMTPError[] = []): Outcome | undefined {
    const refusals = errors.map(({ response = '', recipient = '' }) =>
      refusalOf('receivers', codeOf(response), `${recipient}: ${this.shown(response)}`),
    );
    return refusals.find(({ kind }) => kind !== 'retry') ?? refusals[0];
  }

  private failed(error: SMTPError): void {
    if (!this.isOver) this.end(this.meaningOf(error));
  }

  private meaningOf({ code, command = '', response, message, rejectedErrors }: SMTPError): Outcome {
    const refused = this.receiverRefused(rejectedErrors);
    if (refused !== undefined) return refused;
    const said = this.shown(response ?? message);
    if (code === 'EMESSAGE' && response === undefined) {
      return { kind: 'rejected', reason: `The mail is larger than the mail server takes (${said})` };
    }
    if (code === 'ETLS') return { kind: 'retry', reason: `The mail server could not be spoken to with TLS (${said})` };
    if (response !== undefined) return refusalOf(this.stageOf(command), codeOf(response), said);
    if (this.stage === 'sent') {
      return { kind: 'unknown', reason: `The mail server did not answer to the mail (${said}); it may have it` };
    }
    return { kind: 'retry', reason: `The connection to the mail server failed before the mail was sent (${said})` };
  }

  /** Where the server stood when it said so. */
  private stageOf(command: string): Stage {
    if (this.stage === 'sent') return 'sent';
    if (command.startsWith('AUTH')) return 'login';
    if (command === 'MAIL FROM') return 'sender';
    return command === 'RCPT TO' ? 'receivers' : command === 'DATA' ? 'data' : 'connection';
  }

  private shown(reply: string): string {
    return this.options.shown(reply);
  }

  /** Ends, and says good-bye to a server that still listens. */
  private leave(ended: Ended): void {
    if (this.isOver) return;
    this.isOver = true;
    this.deadline = this.options.monotonic() + LEAVE_MS;
    this.connection.quit();
    this.resolve(ended);
  }

  private end(ended: Ended): void {
    if (!this.isOver) {
      this.isOver = true;
      this.resolve(ended);
    }
    this.connection.close();
  }
}

/** A mail in pieces of which none is as short as the final dot, so that none is taken for it. */
async function* withoutShort(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of content) {
    if (held.length > LONGEST_DOT && chunk.length > LONGEST_DOT) {
      yield held;
      held = chunk;
    } else held = Buffer.concat([held, chunk]);
  }
  yield held;
}
