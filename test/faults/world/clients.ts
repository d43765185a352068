import { type Client, type NewMessage, type Payload, Unavailable } from '../../../connectors/mysql/client/client';
import { systemClock } from '../../../topology/core/clock';
import type { Random } from '../../support/random';
import { webhookContent } from '../judge/content';
import type { ClientOperation } from '../judge/history';

/** An operation on a message that is known by its dedupe key. */
export interface Operation extends Omit<ClientOperation, 'id'> {
  readonly key: string;
  /** Nobody minds when it is late. */
  readonly patient?: boolean;
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
  readonly dueAt: number;
  readonly account: string;
  readonly payload: Payload;
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
      return { key, dueAt, account: account ?? accountOf(key), payload: payloadOf(`${url}/${key}/1${query}`), patient };
    });
    await this.schedule(all);
    return all.map(({ key }) => key);
  }

  /** Changes the content of a message that was not edited before, by plain SQL. @param write takes the payload; true when it was changed */
  async overwrite(key: string, write: (payload: string) => Promise<boolean>): Promise<void> {
    const dueAt = this.log.find((one) => one.key === key)?.dueAt ?? 0;
    const payload = payloadOf(`${this.url}/${key}/2`);
    const asked = { kind: 'overwrite' as const, key, content: webhookContent(payload), dueAt };
    await this.record([asked], () => write(JSON.stringify(payload)));
  }

  /** A stream of messages, some of which are edited or canceled. Ends when `signal` aborts. @param rate per second */
  async steady(rate: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = systemClock.now();
      const count = Math.round((rate * PACE) / 1_000);
      const fresh = Array.from({ length: count }, () => {
        const key = `${this.run}-${++this.last}`;
        const dueAt = Math.floor(now + this.random.between(AHEAD.least, AHEAD.most));
        const payload = payloadOf(`${this.url}/${key}/1?delay=${this.random.integer(0, 100)}`);
        return { key, dueAt, account: accountOf(key), payload, patient: false };
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
    const asked = messages.map(({ key, dueAt, payload, patient }) => ({
      kind: 'schedule' as const,
      key,
      content: webhookContent(payload),
      dueAt,
      patient,
    }));
    await this.record(asked, async () => {
      const answers = await this.client.schedule(
        messages.map(
          ({ key, dueAt, account, payload }): NewMessage => ({
            account,
            channel: 'webhook',
            dueAt,
            dedupeKey: key,
            payload,
          }),
        ),
      );
      return answers.every((answer) => answer.result === 'scheduled');
    });
  }

  private async edit(key: string): Promise<void> {
    const message = this.standing.get(key);
    if (message === undefined) return;
    const payload = payloadOf(`${this.url}/${key}/${++message.edits}`);
    const dueAt = message.dueAt + this.random.integer(0, 1_000);
    const asked = { kind: 'edit' as const, key, content: webhookContent(payload), dueAt };
    const result = await this.record([asked], async () => {
      const answer = await this.client.edit({ account: accountOf(key), dedupeKey: key, dueAt, payload });
      return answer.result === 'edited';
    });
    if (result !== 'ok') this.standing.delete(key);
  }

  private async cancel(key: string): Promise<void> {
    this.standing.delete(key);
    await this.record([{ kind: 'cancel' as const, key }], async () => {
      const answer = await this.client.cancel({ account: accountOf(key), dedupeKey: key });
      return answer.result === 'canceled';
    });
  }

  /** Writes down what is asked and how it ends. A call that was not answered may have had its effect, or have it yet. */
  private async record(
    asked: readonly Omit<Operation, 'invokedAt' | 'endedAt' | 'result'>[],
    call: () => Promise<boolean>,
  ): Promise<Operation['result']> {
    const invokedAt = systemClock.now();
    let result: Operation['result'];
    try {
      result = (await call()) ? 'ok' : 'fail';
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      result = 'unknown';
    }
    const endedAt = result === 'unknown' ? Number.POSITIVE_INFINITY : systemClock.now();
    this.log.push(...asked.map((one) => ({ ...one, invokedAt, endedAt, result })));
    return result;
  }
}

/** What it is about is in the path; the path's query scripts the receiver. */
function payloadOf(url: string): Payload {
  return { url, body: { n: 1 } };
}

function accountOf(key: string): string {
  return `account-${Number(key.slice(key.lastIndexOf('-') + 1)) % ACCOUNTS}`;
}
