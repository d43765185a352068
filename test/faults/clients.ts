import { type Client, type NewMessage, Unavailable } from '../../connectors/mysql/client';
import { systemClock } from '../../topology/core/clock';
import type { Random } from '../simulation/random';

/** One call of a client and what it was told. Times are epoch milliseconds. */
export interface Operation {
  readonly kind: 'schedule' | 'edit' | 'cancel' | 'overwrite';
  /** Which message: its dedupe key. */
  readonly key: string;
  /** What is to be sent from then on, and when; each operation has its own content. */
  readonly content?: string;
  readonly dueAt?: number;
  /** Nobody minds when it is late. */
  readonly patient?: boolean;
  readonly invokedAt: number;
  readonly endedAt: number;
  /** `fail`: certainly without effect. `unknown`: with or without. */
  readonly result: 'ok' | 'fail' | 'unknown';
}

export interface Burst {
  readonly count: number;
  readonly dueAt: number;
  /** Scripts the receiver. */
  readonly query?: string;
  readonly account?: string;
  /** Where it goes, when not to the receiver. */
  readonly url?: string;
  /** Nobody minds when they are late. */
  readonly patient?: boolean;
}

interface Fresh {
  readonly key: string;
  readonly content: string;
  readonly dueAt: number;
  readonly account: string;
  readonly query: string;
  readonly url: string;
  readonly patient: boolean;
}

/** Milliseconds between two calls of the steady load, and how far ahead it schedules. */
const PACE = 200;
const AHEAD = { least: 500, most: 6_000 };
const ACCOUNTS = 60;

/** Applications that schedule, edit and cancel, and keep a log. */
export class Clients {
  readonly log: Operation[] = [];
  private readonly standing = new Map<string, { edits: number; dueAt: number }>();
  private last = 0;

  constructor(
    private readonly client: Client,
    private readonly url: string,
    /** Tells the messages of one run from those of another. */
    private readonly run: string,
    private readonly random: Random,
  ) {}

  /** Messages that are due at one instant. @returns their keys */
  async burst({ count, dueAt, query = '', account, url = this.url, patient = false }: Burst): Promise<string[]> {
    const all = Array.from({ length: count }, () => {
      const key = `${this.run}-${++this.last}`;
      return { key, content: `${key}/1`, dueAt, account: account ?? accountOf(key), query, url, patient };
    });
    await this.schedule(all);
    return all.map(({ key }) => key);
  }

  /** Changes the content of a message that was not edited before, by plain SQL. @param write takes the payload; true when it was changed */
  async overwrite(key: string, write: (payload: string) => Promise<boolean>): Promise<void> {
    const dueAt = this.log.find((one) => one.key === key)?.dueAt ?? 0;
    const content = `${key}/2`;
    const invokedAt = systemClock.now();
    const result = await answered(() => write(JSON.stringify({ url: `${this.url}/${content}`, body: { content } })));
    this.log.push({ kind: 'overwrite', key, content, dueAt, invokedAt, endedAt: systemClock.now(), result });
  }

  /** A stream of messages, some of which are edited or canceled. Ends when `signal` aborts. @param rate per second */
  async steady(rate: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = systemClock.now();
      const count = Math.round((rate * PACE) / 1_000);
      const fresh = Array.from({ length: count }, () => {
        const key = `${this.run}-${++this.last}`;
        const dueAt = Math.floor(now + this.random.between(AHEAD.least, AHEAD.most));
        const query = `?delay=${this.random.integer(0, 100)}`;
        return { key, content: `${key}/1`, dueAt, account: accountOf(key), query, url: this.url, patient: false };
      });
      const keys = [...this.standing.keys()];
      for (const { key, dueAt } of fresh) this.standing.set(key, { edits: 1, dueAt });
      await Promise.all([
        this.schedule(fresh),
        ...(keys.length === 0 ? [] : [this.edit(this.random.pick(keys)), this.cancel(this.random.pick(keys))]),
        systemClock.sleep(PACE, signal),
      ]);
    }
  }

  private async schedule(messages: readonly Fresh[]): Promise<void> {
    if (messages.length === 0) return;
    const invokedAt = systemClock.now();
    const result = await answered(async () => {
      const answers = await this.client.schedule(
        messages.map(
          ({ key, content, dueAt, account, query, url }): NewMessage => ({
            account,
            channel: 'webhook',
            dueAt,
            dedupeKey: key,
            payload: { url: `${url}/${content}${query}`, body: { content } },
          }),
        ),
      );
      return answers.every((answer) => answer.result === 'scheduled');
    });
    const endedAt = systemClock.now();
    for (const { key, content, dueAt, patient } of messages) {
      this.log.push({ kind: 'schedule', key, content, dueAt, patient, invokedAt, endedAt, result });
    }
  }

  private async edit(key: string): Promise<void> {
    const message = this.standing.get(key);
    if (message === undefined) return;
    const content = `${key}/${++message.edits}`;
    const dueAt = message.dueAt + this.random.integer(0, 1_000);
    const invokedAt = systemClock.now();
    const result = await answered(async () => {
      const payload = { url: `${this.url}/${content}`, body: { content } };
      const answer = await this.client.edit({ account: accountOf(key), dedupeKey: key, dueAt, payload });
      return answer.result === 'edited';
    });
    this.log.push({ kind: 'edit', key, content, dueAt, invokedAt, endedAt: systemClock.now(), result });
    if (result !== 'ok') this.standing.delete(key);
  }

  private async cancel(key: string): Promise<void> {
    this.standing.delete(key);
    const invokedAt = systemClock.now();
    const result = await answered(
      async () => (await this.client.cancel({ account: accountOf(key), dedupeKey: key })).result === 'canceled',
    );
    this.log.push({ kind: 'cancel', key, invokedAt, endedAt: systemClock.now(), result });
  }
}

function accountOf(key: string): string {
  return `account-${Number(key.slice(key.lastIndexOf('-') + 1)) % ACCOUNTS}`;
}

/** A call that was not answered may have had its effect. */
async function answered(call: () => Promise<boolean>): Promise<Operation['result']> {
  try {
    return (await call()) ? 'ok' : 'fail';
  } catch (error) {
    if (error instanceof Unavailable) return 'unknown';
    throw error;
  }
}
