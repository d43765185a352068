import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../deploy/stack/host/ports';
import { until } from '../../support/until';
import { fetchMailpit } from './fetched';
import { ServerProcess } from './server-process';

interface MailpitAddress {
  readonly Name: string;
  readonly Address: string;
}

/** A mail as Mailpit reads it. */
export interface MailpitMail {
  readonly MessageID: string;
  readonly From: MailpitAddress;
  readonly To: readonly MailpitAddress[];
  readonly Cc: readonly MailpitAddress[];
  readonly Bcc: readonly MailpitAddress[];
  readonly ReplyTo: readonly MailpitAddress[];
  readonly Subject: string;
  readonly Date: string;
  readonly Text: string;
  readonly HTML: string;
  readonly ID: string;
  readonly Attachments: readonly { readonly PartID: string; readonly FileName: string; readonly ContentType: string }[];
}

/** Of a fault that never happens; it has to have one. */
const ANY_CODE = 451;

/** What Mailpit answers instead of what it would, always. */
type MailpitFaults = { readonly [stage in 'Sender' | 'Recipient' | 'Authentication']?: number };

interface MailpitOptions {
  /** For encryption. */
  readonly certificate?: { readonly key: string; readonly cert: string };
  /** Without it encryption may be begun, and need not. */
  readonly requires?: 'starttls' | 'tls';
  /** Passwords by user. Without them nobody signs in. */
  readonly users?: Readonly<Record<string, string>>;
  /** A mail whose Message-ID it has already is taken and dropped. */
  readonly dropsRepeats?: boolean;
}

/** A mail server that keeps what it takes, Mailpit, on this machine. */
export class Mailpit {
  private constructor(
    private readonly process: ServerProcess,
    readonly port: number,
    private readonly apiPort: number,
  ) {}

  static async start(options: MailpitOptions = {}): Promise<Mailpit> {
    const program = await fetchMailpit(() => undefined);
    const port = await freePort(new Set());
    const apiPort = await freePort(new Set([port]));
    const process = ServerProcess.start('guarded', (folder) => [
      program,
      ...argumentsOf(options, port, apiPort, folder),
    ]);
    const mailpit = new Mailpit(process, port, apiPort);
    try {
      await until('Mailpit answers', () => {
        process.assertRuns();
        return mailpit.isReady();
      });
      return mailpit;
    } catch (error) {
      await process.stop();
      throw error;
    }
  }

  /** What it took, in the order in which it did. */
  async mails(): Promise<MailpitMail[]> {
    return Promise.all((await this.ids()).map((id) => this.get<MailpitMail>(`message/${id}`)));
  }

  /** Headers of every mail that it took, each with its values. */
  async headers(): Promise<Readonly<Record<string, readonly string[]>>[]> {
    return Promise.all(
      (await this.ids()).map((id) => this.get<Readonly<Record<string, readonly string[]>>>(`message/${id}/headers`)),
    );
  }

  /** An attachment of a mail that it took, as a receiver saves it. */
  async attachment({ ID }: MailpitMail, partId: string): Promise<Buffer> {
    return Buffer.from(await (await this.ask(`message/${ID}/part/${partId}`)).arrayBuffer());
  }

  /** What it took, as it keeps it. */
  async raw(): Promise<Buffer[]> {
    const one = async (id: string) => Buffer.from(await (await this.ask(`message/${id}/raw`)).arrayBuffer());
    return Promise.all((await this.ids()).map(one));
  }

  /** From now on. @param faults codes by stage; none: everything goes well again */
  async fail(faults: MailpitFaults): Promise<void> {
    const { Sender, Recipient, Authentication } = faults;
    const body = { Sender: trigger(Sender), Recipient: trigger(Recipient), Authentication: trigger(Authentication) };
    await this.ask('chaos', { method: 'PUT', body: JSON.stringify(body) });
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }

  private async ids(): Promise<string[]> {
    const { messages } = await this.get<{ messages: { ID: string; Created: string }[] }>('messages?limit=1000');
    return messages.map(({ ID }) => ID).toReversed();
  }

  private async get<T>(path: string): Promise<T> {
    return (await (await this.ask(path)).json()) as T;
  }

  private async ask(path: string, request: RequestInit = {}): Promise<Response> {
    const answer = await fetch(`http://127.0.0.1:${this.apiPort}/api/v1/${path}`, request);
    if (!answer.ok) throw new Error(`Mailpit: ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  private async isReady(): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.apiPort}/readyz`).catch(() => undefined);
    return answer?.ok === true;
  }
}

function trigger(code: number | undefined): object {
  return { ErrorCode: code ?? ANY_CODE, Probability: code === undefined ? 0 : 100 };
}

function argumentsOf(
  { certificate, requires, users, dropsRepeats }: MailpitOptions,
  port: number,
  apiPort: number,
  folder: string,
): string[] {
  const keep = (name: string, text: string) => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  // Its file of passwords has none with blanks, unless they are hashed.
  const passwords = Object.entries(users ?? {}).map(
    ([user, password]) => `${user}:{SHA}${createHash('sha1').update(password).digest('base64')}\n`,
  );
  return [
    `--smtp=127.0.0.1:${port}`,
    `--listen=127.0.0.1:${apiPort}`,
    `--database=${join(folder, 'mails.db')}`,
    '--disable-version-check',
    '--enable-chaos',
    '--quiet',
    ...(certificate === undefined
      ? []
      : ['--smtp-tls-cert', keep('cert.pem', certificate.cert), '--smtp-tls-key', keep('key.pem', certificate.key)]),
    ...(requires === undefined ? [] : [`--smtp-require-${requires}`]),
    ...(users === undefined ? [] : ['--smtp-auth-file', keep('users', passwords.join(''))]),
    ...(users === undefined || requires !== undefined ? [] : ['--smtp-auth-allow-insecure']),
    ...(dropsRepeats === true ? ['--ignore-duplicate-ids'] : []),
  ];
}
