import type { Lifetime } from '../../../bolts/account-refreshes';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import type { AccountState } from './account-states';
import type { SecretOwner } from './secret-key';

/** What is known of the end of an account's credentials. */
export interface LifetimeEntry extends SecretOwner, Lifetime {
  readonly state: AccountState;
  readonly refreshedAt: number | null;
  /** Refreshes in a row that came to nothing, and why the last one did. */
  readonly failures: number;
  readonly error: string | null;
  /** The provider has refused to refresh them, for good. */
  readonly isRefused: boolean;
}

/** What an account's new credentials say of their end; everything that was known of those before is forgotten. */
export async function writeLifetime(
  sql: Pick<Sql, 'run'>,
  { account, channel }: SecretOwner,
  lifetime: Lifetime | undefined,
): Promise<void> {
  const { expiresAt, refreshAt } = lifetime ?? { expiresAt: null, refreshAt: null };
  if (expiresAt === null && refreshAt === null) {
    await sql.run(`DELETE FROM account_refreshes WHERE account=${text(account)} AND channel=${text(channel)}`);
    return;
  }
  await sql.run(
    'REPLACE INTO account_refreshes (account, channel, expires_at, refresh_at) ' +
      `VALUES (${text(account)},${text(channel)},${instant(expiresAt)},${instant(refreshAt)})`,
  );
}

/** Accounts whose credentials end, the first first. */
export class Lifetimes {
  constructor(private readonly pool: Pool) {}

  /**
   * Those whose credentials end within so many milliseconds, or have ended; all when it is not given.
   * @throws Unavailable
   */
  async list(withinMs?: number): Promise<LifetimeEntry[]> {
    const within = withinMs === undefined ? '' : ` AND r.expires_at <= ${NOW_MS} + ${integer(withinMs)}`;
    return this.read(`r.expires_at IS NOT NULL${within}`);
  }

  /** Of one account. @returns undefined when nothing is known */
  async of({ account, channel }: SecretOwner): Promise<LifetimeEntry | undefined> {
    const [entry] = await this.read(`r.account=${text(account)} AND r.channel=${text(channel)}`);
    return entry;
  }

  private async read(condition: string): Promise<LifetimeEntry[]> {
    const rows = await this.pool.rows<
      [string, string, number | null, number | null, AccountState, number | null, number, string | null, number]
    >(
      "SELECT r.account, r.channel, r.expires_at, r.refresh_at, COALESCE(s.state, 'usable'), r.refreshed_at, r.failures, r.error, r.refused " +
        'FROM account_refreshes r LEFT JOIN account_states s ON s.account=r.account AND s.channel=r.channel ' +
        `WHERE ${condition} ORDER BY r.expires_at, r.channel, r.account`,
    );
    return rows.map(([account, channel, expiresAt, refreshAt, state, refreshedAt, failures, error, refused]) => ({
      account,
      channel,
      expiresAt,
      refreshAt,
      state,
      refreshedAt,
      failures,
      error,
      isRefused: refused === 1,
    }));
  }
}

function instant(at: number | null): string {
  return at === null ? 'NULL' : integer(at);
}
