import type { Clock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import { NOW_MS, text } from '../sql/literals';
import type { DeployLock } from './deploy-lock';

const LENGTH_MS = 30_000;
const RENEW_EVERY_MS = 5_000;

/**
 * A pause of what is emitted to a channel, for as long as a command with the right to deploy works; what was emitted is sent. Its row
 * is that of whoever has the right: a command takes over what a killed one has left, and one that has lost the right changes it no more.
 *
 * 1. *A pause of ours ends by itself when its command dies*, within half a minute.
 * 2. *A pause of ours lasts as long as its command works*, whoever paused before it, pauses or resumes meanwhile.
 * 3. *What a person has paused stays paused*, also when they do so meanwhile.
 * 4. *A pause of ours that has ended by itself does not begin again*: while the database was away, the channel may have been emitted
 *    to. Whoever relies on the pause is told.
 */
export class OwnPause {
  private readonly ending = new AbortController();
  private readonly renewing: Promise<void>;

  private constructor(
    private readonly lock: Pick<DeployLock, 'transaction'>,
    private readonly clock: Clock,
    private readonly channel: string,
  ) {
    this.renewing = this.renew();
  }

  /** @throws UserError when the right to deploy is lost; Unavailable */
  static async begin(lock: Pick<DeployLock, 'transaction'>, clock: Clock, channel: string): Promise<OwnPause> {
    const until = `${NOW_MS} + ${LENGTH_MS}`;
    await lock.transaction((sql) =>
      sql.run(
        `INSERT INTO pauses (channel, account, command, paused_at, until_at) VALUES (${text(channel)}, '', 'deploy', ${NOW_MS}, ` +
          `${until}) ON DUPLICATE KEY UPDATE until_at=${until}`,
      ),
    );
    return new OwnPause(lock, clock, channel);
  }

  /** Before what must not happen without the pause. @throws UserError when it has ended by itself; what `begin` throws */
  async extend(): Promise<void> {
    const { affectedRows } = await this.lock.transaction((sql) =>
      sql.run(`UPDATE pauses SET until_at=${NOW_MS} + ${LENGTH_MS} WHERE ${this.row} AND until_at > ${NOW_MS}`),
    );
    if (affectedRows > 0) return;
    throw new UserError(
      `The pause of ${this.channel} has ended by itself, because the database did not answer this command for half a minute. Run it again.`,
    );
  }

  /** @throws what `begin` throws */
  async end(): Promise<void> {
    this.ending.abort();
    await this.renewing;
    await this.lock.transaction((sql) => sql.run(`DELETE FROM pauses WHERE ${this.row}`));
  }

  private get row(): string {
    return `channel=${text(this.channel)} AND account='' AND command='deploy'`;
  }

  private async renew(): Promise<void> {
    const { clock, ending } = this;
    while (!ending.signal.aborted) {
      await clock.sleep(RENEW_EVERY_MS, ending.signal);
      if (ending.signal.aborted) return;
      await this.extend().catch(() => {
        // The next time may do it. Whoever extends it before a change, or ends it, meets what lasts, and reports it.
      });
    }
  }
}
