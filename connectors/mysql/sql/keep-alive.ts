import type { Pool as DriverPool, PoolConnection } from 'mysql2/promise';
import type { Clock, Timer } from '../../../topology/core/clock';

/** So many times within the silence that the server allows, so that one answer may be slow. */
const TIMES = 4;

/**
 * Says something on the idle connections of a pool, before the server takes their owner for lost and closes them.
 *
 * It takes no time to open connections again when a crowd comes, and no statement meets a connection that is being closed.
 */
export class KeepAlive {
  private readonly idle = new Set<object>();
  private timer: Timer | undefined;

  /** @param silenceSeconds after which the server closes a connection */
  constructor(
    private readonly driver: DriverPool,
    private readonly clock: Pick<Clock, 'after'>,
    private readonly silenceSeconds: number,
    private readonly say: (connection: PoolConnection) => Promise<unknown>,
  ) {
    // A process that has not yet used its pool is not kept from ending.
    driver.on('connection', (connection) => {
      for (const end of ['end', 'error'] as const) connection.once(end, () => this.idle.delete(connection));
      this.timer ??= this.begin();
    });
    driver.on('acquire', (connection) => this.idle.delete(connection));
    driver.on('release', (connection) => this.idle.add(connection));
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** Closes a connection that nobody uses, if there is one. */
  async closeOne(): Promise<void> {
    if (this.idle.size === 0) return;
    (await this.driver.getConnection().catch(() => null))?.destroy();
  }

  private begin(): Timer {
    return this.clock.after((this.silenceSeconds * 1_000) / TIMES, () => {
      // The pool gives idle connections first: each is taken once, and none is opened.
      for (let count = this.idle.size; count > 0; count--) void this.sayOnOne();
      this.timer = this.begin();
    });
  }

  private async sayOnOne(): Promise<void> {
    const connection = await this.driver.getConnection().catch(() => null);
    if (connection === null) return;
    try {
      await this.say(connection);
      connection.release();
    } catch {
      connection.destroy();
    }
  }
}
