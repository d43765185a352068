import { createClient, type NewMessage, Unavailable } from '../../../connectors/mysql/client/client';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import type { Deployment } from '../../support/deployment';

const WRITERS = 6;
/** Milliseconds between a writer's calls. */
const PAUSE = 10;
/** Every so manieth message is canceled as soon as it is scheduled. */
const CANCELED = 10;
const AHEAD = 1_500;

/** What a client was told, with the times by which it knew. */
export interface Acknowledged {
  readonly id: number;
  readonly path: string;
  readonly scheduledAt: number;
  /** When a cancel was acknowledged. */
  canceledAt?: number;
}

/** Applications that schedule some hundred messages a second, cancel some, and try again when the database is away. */
export class Writers {
  readonly acknowledged: Acknowledged[] = [];
  /** Calls that were told that the database is away. */
  refused = 0;
  /** Milliseconds of the slowest call that succeeded. */
  slowest = 0;
  private stopping = false;
  private readonly begun = systemClock.now();
  private readonly clients;
  private readonly running: Promise<void>[];

  constructor(private readonly deployment: Deployment) {
    const url = required(deployment.world.environment, 'DATABASE_URL');
    this.clients = Array.from({ length: WRITERS }, () => createClient(url, { connections: 1 }));
    this.running = this.clients.map((_, writer) => this.write(writer));
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.running);
    await Promise.all(this.clients.map((client) => client.close()));
  }

  private async write(writer: number): Promise<void> {
    for (let n = 0; !this.stopping; n++) {
      const key = `w-${this.begun}-${writer}-${n}`;
      const message: NewMessage = {
        account: `writer-${writer}-${n % 50}`,
        channel: 'webhook',
        dueAt: systemClock.now() + AHEAD,
        dedupeKey: key,
        payload: { url: `${this.deployment.receiver.url}/${key}`, body: { n } },
      };
      const { id } = await this.call(writer, (client) => client.schedule(message));
      const known: Acknowledged = { id, path: `/${key}`, scheduledAt: systemClock.now() };
      this.acknowledged.push(known);
      if (n % CANCELED === 0) {
        const { result } = await this.call(writer, (client) => client.cancel({ id }));
        if (result === 'canceled') known.canceledAt = systemClock.now();
      }
      await systemClock.sleep(PAUSE);
    }
  }

  private async call<T>(writer: number, ask: (client: ReturnType<typeof createClient>) => Promise<T>): Promise<T> {
    for (;;) {
      const begun = systemClock.monotonic();
      try {
        const answer = await ask(this.clients[writer] as ReturnType<typeof createClient>);
        this.slowest = Math.max(this.slowest, systemClock.monotonic() - begun);
        return answer;
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        this.refused++;
        await systemClock.sleep(PAUSE);
      }
    }
  }
}
