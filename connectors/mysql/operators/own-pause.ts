import type { Clock } from '../../../topology/core/clock';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';

const LENGTH_MS = 30_000;
const RENEW_EVERY_MS = 5_000;

/**
 * A pause of a channel for as long as a command works.
 *
 * 1. *A pause of ours ends by itself when its command dies*, within half a minute.
 * 2. *What a person has paused stays paused*, also when they do so meanwhile.
 */
export class OwnPause {
  private readonly ending = new AbortController();
  private readonly renewing: Promise<void>;

  private constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly channel: string,
    /** As we wrote it last, epoch milliseconds: a person who pauses what is paused changes it. Null: it is not ours. */
    private untilAt: number | null,
  ) {
    this.renewing = this.renew();
  }

  /** @param pool of the application's user, who may pause */
  static async begin(pool: Pool, clock: Clock, channel: string): Promise<OwnPause> {
    const where = `channel=${text(channel)} AND account=''`;
    await pool.run(`DELETE FROM pauses WHERE ${where} AND until_at <= ${NOW_MS}`);
    const { affectedRows } = await pool.run(
      `INSERT IGNORE INTO pauses (channel, account, paused_at, until_at) VALUES (${text(channel)}, '', ${NOW_MS}, ${NOW_MS} + ${LENGTH_MS})`,
    );
    const [row] = await pool.rows<[number | null]>(`SELECT until_at FROM pauses WHERE ${where}`);
    return new OwnPause(pool, clock, channel, affectedRows === 1 ? (row?.[0] ?? null) : null);
  }

  async end(): Promise<void> {
    this.ending.abort();
    await this.renewing;
    if (this.untilAt !== null) await this.pool.run(`DELETE FROM pauses WHERE ${this.ours(this.untilAt)}`);
  }

  private async renew(): Promise<void> {
    const { clock, pool, ending } = this;
    while (this.untilAt !== null && !ending.signal.aborted) {
      await clock.sleep(RENEW_EVERY_MS, ending.signal);
      if (ending.signal.aborted) return;
      const next = this.untilAt + RENEW_EVERY_MS;
      try {
        const { affectedRows } = await pool.run(
          `UPDATE pauses SET until_at=${integer(next)} WHERE ${this.ours(this.untilAt)}`,
        );
        this.untilAt = affectedRows === 1 ? next : null;
      } catch {
        // The next time may do it. `end` meets what lasts, and reports it.
      }
    }
  }

  private ours(untilAt: number): string {
    return `channel=${text(this.channel)} AND account='' AND until_at=${integer(untilAt)}`;
  }
}
