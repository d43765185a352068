import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../topology/core/clock';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { cut } from '../sql/cut';
import { hex, integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';

/** Who holds the lock, as it is written. Times are epoch milliseconds by the database's clock. */
export interface LockHolder {
  /** 32 hex digits, new for each command. */
  readonly holder: string;
  readonly who: string;
  readonly host: string;
  /** `deploy of release 7`. */
  readonly doing: string;
  readonly since: number;
  readonly leaseUntil: number;
}

const LEASE_MS = 10_000;
const RENEW_EVERY_MS = 2_000;
const LOOK_EVERY_MS = 500;
const MAX_CHARACTERS = 255;

/**
 * The right to deploy: one row with a lease, because GET_LOCK is not replicated and ends with its connection.
 *
 * 1. *Of two who deploy at once one is told who is at it*, since when, doing what, and from which host.
 * 2. *A deployer that died holds up the next one for a lease at most*: the next one waits to see whether the lease is renewed.
 * 3. *A deployer that lost its lease changes nothing any more*: every change is one transaction with a look at the row, or, in
 *    Kafka and Connect, begins with one. A lease that ran out while the database was away, and that nobody took meanwhile, holds again.
 */
export class DeployLock {
  private readonly losing = new AbortController();
  private readonly freeing = new AbortController();
  private renewing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly holder: string,
  ) {
    this.renewing = this.renew();
  }

  /**
   * Takes the lock. While somebody else has it, waits until it is clear whether they live.
   * @param onWait told once who has it, when the wait begins
   * @param signal ends the wait
   * @throws UserError naming them when they do; the signal's reason
   */
  static async take(
    pool: Pool,
    clock: Clock,
    by: { readonly who: string; readonly host: string; readonly doing: string },
    onWait: (text: string) => void = () => undefined,
    signal?: AbortSignal,
  ): Promise<DeployLock> {
    const holder = randomBytes(16).toString('hex');
    let seen: LockHolder | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const other = await tryToTake(pool, holder, by);
      if (other === null) return new DeployLock(pool, clock, holder);
      if (seen === undefined) onWait(`${describeHolder(other)}; waiting to see whether it goes on.`);
      else if (seen.holder !== other.holder || seen.leaseUntil !== other.leaseUntil) throw busy(other);
      seen = other;
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  /** Aborts when the lease was lost: the command has to end. */
  get lost(): AbortSignal {
    return this.losing.signal;
  }

  /** Says what is being done, for others who ask. */
  async describe(doing: string): Promise<void> {
    await this.transaction((sql) =>
      sql.run(`UPDATE deploy_lock SET doing=${text(cut(doing, MAX_CHARACTERS))} WHERE id=1`),
    );
  }

  /**
   * Runs `work` in a transaction during which nobody else can take the lock.
   * @throws UserError when it is not ours any more
   */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.pool.transaction(async (sql) => {
      if (!(await this.extend(sql))) throw lostToAnother();
      return work(sql);
    });
  }

  /** Before a change that is no transaction here. @throws UserError when the lock is not ours any more */
  async check(): Promise<void> {
    await this.transaction(() => Promise.resolve());
  }

  /** Lets the next one in at once. A lock that was lost is left to whoever has it. */
  async free(): Promise<void> {
    this.freeing.abort();
    await this.renewing;
    await this.pool.run(`DELETE FROM deploy_lock WHERE id=1 AND holder=${hex(this.holder)}`);
  }

  private async renew(): Promise<void> {
    const { clock, freeing } = this;
    while (!freeing.signal.aborted && !this.lost.aborted) {
      await clock.sleep(RENEW_EVERY_MS, freeing.signal);
      if (freeing.signal.aborted) return;
      try {
        await this.extend(this.pool);
      } catch (error) {
        // While the database is away nobody else can take the lock either.
        if (!(error instanceof Unavailable)) this.losing.abort(error);
      }
    }
  }

  /** @returns whether it is still ours */
  private async extend(sql: Sql): Promise<boolean> {
    if (this.lost.aborted) return false;
    const { affectedRows } = await sql.run(
      `UPDATE deploy_lock SET lease_until=${NOW_MS} + ${integer(LEASE_MS)} WHERE id=1 AND holder=${hex(this.holder)}`,
    );
    if (affectedRows === 0) this.losing.abort(lostToAnother());
    return affectedRows === 1;
  }
}

/** Makes sure that the user of the connection may take the lock, and writes nothing. @throws UserError, Unavailable */
export async function mayTakeDeployLock(sql: Pick<Sql, 'run'>): Promise<void> {
  await sql.run('UPDATE deploy_lock SET doing=doing WHERE FALSE');
  await sql.run('DELETE FROM deploy_lock WHERE FALSE');
  await sql.run(
    "INSERT INTO deploy_lock (id, holder, who, host, doing, since, lease_until) SELECT 0, '', '', '', '', 0, 0 FROM DUAL WHERE FALSE",
  );
}

/** Who has the lock now, or null. */
export async function readDeployLock(sql: Sql): Promise<LockHolder | null> {
  const [row] = await sql.rows<[Buffer, string, string, string, number, number]>(
    `SELECT holder, who, host, doing, since, lease_until FROM deploy_lock WHERE id=1 AND lease_until > ${NOW_MS}`,
  );
  if (row === undefined) return null;
  const [holder, who, host, doing, since, leaseUntil] = row;
  return { holder: holder.toString('hex'), who, host, doing, since, leaseUntil };
}

/** ``ann on host-1 has been at `deploy of release 7` since 2026-11-26T12:03:10.000Z``. */
export function describeHolder({ who, host, doing, since }: LockHolder): string {
  return `${who} on ${host} has been at \`${doing}\` since ${new Date(since).toISOString()}`;
}

/** @returns who has it instead, or null when it is ours now */
async function tryToTake(
  pool: Pool,
  holder: string,
  { who, host, doing }: { readonly who: string; readonly host: string; readonly doing: string },
): Promise<LockHolder | null> {
  for (;;) {
    await pool.run(`DELETE FROM deploy_lock WHERE id=1 AND lease_until <= ${NOW_MS}`);
    const { affectedRows } = await pool.run(
      'INSERT IGNORE INTO deploy_lock (id, holder, who, host, doing, since, lease_until) VALUES ' +
        `(1, ${hex(holder)}, ${text(cut(who, MAX_CHARACTERS))}, ${text(cut(host, MAX_CHARACTERS))}, ` +
        `${text(cut(doing, MAX_CHARACTERS))}, ${NOW_MS}, ${NOW_MS} + ${integer(LEASE_MS)})`,
    );
    if (affectedRows === 1) return null;
    const other = await readDeployLock(pool);
    // It was freed, or ran out, in between.
    if (other !== null) return other;
  }
}

function lostToAnother(): UserError {
  return new UserError(
    'This command has lost the right to deploy to another one, because it could not renew it in time; it changed ' +
      'nothing since. `downspout history` shows who deploys.',
  );
}

function busy(other: LockHolder): UserError {
  return new UserError(
    `${describeHolder(other)}. Nothing was changed: wait until it is done (\`downspout history\` shows it), then run this again.`,
  );
}
