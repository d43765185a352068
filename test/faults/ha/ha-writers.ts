import { createClient, type ScheduleAnswer, Unavailable } from '../../../connectors/mysql/client/client';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import type { Deployment } from '../../support/stack/deployment';
import type { ClientOperation } from '../judge/history';
import { RecordingClient } from '../judge/recorder';

const WRITERS = 6;
const PAUSE_MS = 10;
/** Every tenth message is canceled as soon as it is scheduled. */
const CANCELED_EVERY = 10;
const AHEAD_MS = 1_500;

/** What a client knows of a message that it scheduled. */
interface Acknowledged {
  readonly id: number;
  /** When the call began that was answered, and when the answer came, epoch milliseconds. */
  readonly begunAt: number;
  readonly scheduledAt: number;
}

/** Applications that schedule some hundred messages a second, cancel some, and try again when the database is away. */
export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  /** Calls that ended in Unavailable. */
  refused = 0;
  /** The slowest call that succeeded. */
  slowestMs = 0;
  private stopping = false;
  private readonly begun = systemClock.now();
  private readonly clients;
  private readonly recorders: readonly RecordingClient[];
  private readonly running: Promise<void>[];

  constructor(private readonly deployment: Deployment) {
    const url = required(deployment.world.environment, 'DATABASE_URL');
    this.clients = Array.from({ length: WRITERS }, () => createClient(url, { connections: 1 }));
    this.recorders = this.clients.map((client) => new RecordingClient(client, systemClock));
    this.running = this.recorders.map((recorder, writer) => this.write(recorder, writer));
  }

  /** @param idOf of a dedupe key, as the table has it */
  history(idOf: (key: string) => number | undefined): ClientOperation[] {
    return this.recorders.flatMap((recorder) => recorder.historyWith(idOf));
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.running);
    await Promise.all(this.clients.map((client) => client.close()));
  }

  private async write(recorder: RecordingClient, writer: number): Promise<void> {
    for (let n = 0; !this.stopping; n++) {
      const dedupeKey = `w-${this.begun}-${writer}-${n}`;
      const message = {
        account: `writer-${writer}-${n % 50}`,
        channel: 'webhook' as const,
        dueAt: systemClock.now() + AHEAD_MS,
        dedupeKey,
        payload: { url: `${this.deployment.receiver.url}/${dedupeKey}`, body: { n } },
      };
      let begunAt = 0;
      const [answer] = await this.call(() => {
        begunAt = systemClock.now();
        return recorder.schedule([message]);
      });
      const { id } = answer as ScheduleAnswer;
      this.acknowledged.push({ id, begunAt, scheduledAt: systemClock.now() });
      if (n % CANCELED_EVERY === 0) await this.call(() => recorder.cancel([{ id }]));
      await systemClock.sleep(PAUSE_MS);
    }
  }

  private async call<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      const begun = systemClock.monotonic();
      try {
        const answer = await ask();
        this.slowestMs = Math.max(this.slowestMs, systemClock.monotonic() - begun);
        return answer;
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        this.refused++;
        await systemClock.sleep(PAUSE_MS);
      }
    }
  }
}
