import { type Client, type Payload, Unavailable } from '../../../connectors/mysql/client/client';
import { systemClock } from '../../../topology/core/clock';
import type { Random } from '../../support/random';
import { webhookContent } from '../judge/content';
import { RecordingClient } from '../judge/recorder';

export interface Burst {
  readonly count: number;
  readonly dueAt: number;
  /** What the receiver is to do with them. */
  readonly query?: string;
  readonly account?: string;
  /** Where they go, when not to the receiver. */
  readonly url?: string;
  /** Their lateness is not judged: the fault itself delays them. */
  readonly patient?: boolean;
}

interface Fresh {
  readonly key: string;
  readonly dueAt: number;
  readonly account: string;
  readonly payload: Payload;
}

/** Between two calls of the steady load. */
const PACE_MS = 200;
/** How far ahead the steady load schedules. */
const AHEAD_MS = { least: 500, most: 6_000 };
const ACCOUNTS = 60;

/** Applications that schedule, edit and cancel messages. Each message has a dedupe key and is known by it. */
export class Clients {
  readonly recorder: RecordingClient;
  /** Keys of messages whose lateness is not judged. */
  readonly patient = new Set<string>();
  private readonly standing = new Map<string, { edits: number; dueAt: number }>();
  private last = 0;

  constructor(
    client: Client,
    private readonly url: string,
    /** Tells the messages of one run from those of another. */
    private readonly run: string,
    private readonly random: Random,
  ) {
    this.recorder = new RecordingClient(client, systemClock);
  }

  /** Schedules messages that are due at one instant. @returns their keys */
  async burst({ count, dueAt, query = '', account, url = this.url, patient = false }: Burst): Promise<string[]> {
    const all = Array.from({ length: count }, () => {
      const key = `${this.run}-${++this.last}`;
      return { key, dueAt, account: account ?? accountOf(key), payload: payloadOf(`${url}/${key}/1${query}`) };
    });
    if (patient) for (const { key } of all) this.patient.add(key);
    await this.schedule(all);
    return all.map(({ key }) => key);
  }

  /**
   * Changes the content of a message that was not edited before, by plain SQL.
   * @param write takes the payload and says whether the row was changed
   */
  async overwrite(key: string, write: (payload: string) => Promise<boolean>): Promise<void> {
    const dueAt = this.recorder.history.find((one) => one.key === key)?.dueAt ?? 0;
    const payload = payloadOf(`${this.url}/${key}/2`);
    const asked = { kind: 'overwrite' as const, id: undefined, key, content: webhookContent(payload), dueAt };
    await answered(
      this.recorder.record(
        [asked],
        async () => [await write(JSON.stringify(payload))],
        (changed) => ({ result: changed ? 'ok' : 'fail' }),
      ),
    );
  }

  /** Schedules a stream of messages, and edits or cancels some of them, until `signal` aborts. @param rate per second */
  async steady(rate: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = systemClock.now();
      const count = Math.round((rate * PACE_MS) / 1_000);
      const fresh = Array.from({ length: count }, () => {
        const key = `${this.run}-${++this.last}`;
        const dueAt = Math.floor(now + this.random.between(AHEAD_MS.least, AHEAD_MS.most));
        const payload = payloadOf(`${this.url}/${key}/1?delay=${this.random.integer(0, 100)}`);
        return { key, dueAt, account: accountOf(key), payload };
      });
      const keys = [...this.standing.keys()];
      for (const { key, dueAt } of fresh) this.standing.set(key, { edits: 1, dueAt });
      await Promise.all([
        this.schedule(fresh),
        ...(keys.length === 0 ? [] : [this.edit(this.random.pick(keys)), this.cancel(this.random.pick(keys))]),
        systemClock.sleep(PACE_MS, signal),
      ]);
    }
  }

  private async schedule(messages: readonly Fresh[]): Promise<void> {
    if (messages.length === 0) return;
    await answered(
      this.recorder.schedule(
        messages.map(({ key, dueAt, account, payload }) => ({
          account,
          channel: 'webhook' as const,
          dueAt,
          dedupeKey: key,
          payload,
        })),
      ),
    );
  }

  private async edit(key: string): Promise<void> {
    const message = this.standing.get(key);
    if (message === undefined) return;
    const payload = payloadOf(`${this.url}/${key}/${++message.edits}`);
    const dueAt = message.dueAt + this.random.integer(0, 1_000);
    const answer = await answered(this.recorder.edit([{ account: accountOf(key), dedupeKey: key, dueAt, payload }]));
    if (answer?.[0]?.result !== 'edited') this.standing.delete(key);
  }

  private async cancel(key: string): Promise<void> {
    this.standing.delete(key);
    await answered(this.recorder.cancel([{ account: accountOf(key), dedupeKey: key }]));
  }
}

/** The answer, or null when the database was away: the call may have had its effect, or may have it yet. */
async function answered<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Unavailable) return null;
    throw error;
  }
}

/** The path names the message and its edit; the path's query says what the receiver is to do. */
function payloadOf(url: string): Payload {
  return { url, body: { n: 1 } };
}

function accountOf(key: string): string {
  return `account-${Number(key.slice(key.lastIndexOf('-') + 1)) % ACCOUNTS}`;
}
