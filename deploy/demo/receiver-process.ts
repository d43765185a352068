import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ArrivalReport, ReceivedRequest } from './arrivals';

export interface ReceiverRequest {
  readonly id: number;
  readonly ask: 'reset' | 'accepted' | 'report' | 'list';
}

export interface ReceiverAnswer {
  readonly id: number;
  readonly port?: number;
  readonly accepted?: number;
  readonly report?: ArrivalReport;
  readonly list?: readonly ReceivedRequest[];
}

/** The receiver in a process of its own, because what it costs must not slow the senders down. */
export class ReceiverProcess {
  private last = 0;
  private readonly waiting = new Map<
    number,
    { resolve: (answer: ReceiverAnswer) => void; reject: (error: Error) => void }
  >();

  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {
    child.on('message', (message) => {
      const answer = message as ReceiverAnswer;
      this.waiting.get(answer.id)?.resolve(answer);
      this.waiting.delete(answer.id);
    });
    child.on('exit', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the receiver has ended'));
      this.waiting.clear();
    });
  }

  /** @param port 0 for any that is free */
  static async start(port = 0): Promise<ReceiverProcess> {
    const child = fork(join(__dirname, 'receiver.js'), [String(port)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const [first] = await Promise.race([
      once(child, 'message') as Promise<[ReceiverAnswer]>,
      once(child, 'exit').then(() => {
        throw new Error('the receiver did not start');
      }),
    ]);
    return new ReceiverProcess(child, first.port as number);
  }

  /** Where messages go, without a path. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Forgets all arrivals. */
  async reset(): Promise<void> {
    await this.ask('reset');
  }

  /** Messages so far; costs the receiver nothing, unlike a report. */
  async accepted(): Promise<number> {
    return (await this.ask('accepted')).accepted as number;
  }

  async report(): Promise<ArrivalReport> {
    return (await this.ask('report')).report as ArrivalReport;
  }

  /** Every request with a key, in order of arrival. */
  async list(): Promise<readonly ReceivedRequest[]> {
    return (await this.ask('list')).list as readonly ReceivedRequest[];
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.disconnect();
    await exit;
  }

  private ask(ask: ReceiverRequest['ask']): Promise<ReceiverAnswer> {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, ask } satisfies ReceiverRequest, (error) => {
        if (error !== null && this.waiting.delete(id)) reject(error);
      });
    });
  }
}
