import type { AccountRefreshes, AskedRefresh, ClaimedRefresh, RefreshResult } from '../../../bolts/account-refreshes';
import { Unavailable } from '../../../topology/core/errors';
import { BELIEVED_REFUSALS } from '../../../topology/message';
import { cut } from '../sql/cut';
import { hex, integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { advanceSet } from './account-states';
import { DueRefreshes, IS_ASKED } from './due-refreshes';
import type { SecretKey, SecretOwner } from './secret-key';

const MAX_ERROR_CHARACTERS = 1_024;
/** As the column has them. */
const MAX_FAILURES = 65_535;
const MAX_REFUSALS = 255;
/**
 * A refresh that was asked for and did not help is not asked for again so soon: longer than refused credentials are on trial, and
 * shorter than any access token lives.
 */
const HELPED_WITHIN_MS = 600_000;

/**
 * The provider has been asked again often enough: it was put off for as long as its credentials serve, which is over when somebody waits.
 */
const IS_BELIEVED = `refusals >= ${BELIEVED_REFUSALS}`;

/** Accounts whose credentials end. Locks are taken as `accounts set` takes them: accounts, their states, their refreshes. */
export class MySqlAccountRefreshes implements AccountRefreshes {
  private readonly due: DueRefreshes;

  constructor(
    private readonly pool: Pool,
    private readonly key: SecretKey | null,
  ) {
    this.due = new DueRefreshes(pool, key);
  }

  readonly claim: AccountRefreshes['claim'] = (...query) => this.due.claim(...query);

  settle(channel: string, session: string, claimed: ClaimedRefresh, result: RefreshResult): Promise<boolean> {
    const owner = { account: claimed.account, channel };
    return this.pool.transaction(async (sql) => {
      const credentials = await this.lock(sql, owner);
      if (credentials !== claimed.credentials) {
        // Its answer was lost, and it is written once more.
        return result.kind === 'refreshed' && credentials === result.credentials;
      }
      if (result.kind === 'refreshed') return this.replace(sql, owner, result);
      const free = 'claim=NULL, lease_until=NULL';
      const isOurs = `${isOwned(owner)} AND claim=${hex(session)}`;
      if (result.kind === 'unbegun') {
        return isWritten(sql, `${free}, begun_at=${instant(claimed.lostAt)} WHERE ${isOurs}`);
      }
      const error = `${free}, error=${text(cut(result.reason, MAX_ERROR_CHARACTERS))}`;
      if (result.kind === 'later') {
        const begun = result.isLost ? '' : `, begun_at=${instant(claimed.lostAt)}`;
        const refused = result.isRefusal === true ? `, refusals=LEAST(refusals + 1, ${MAX_REFUSALS})` : '';
        const putOff = `${NOW_MS} + ${integer(result.delayMs)}`;
        // Whoever has asked since the claim waits for what was put off because nobody did. MySQL assigns in order, so it is counted.
        const isOver = result.isRefusal === true && !claimed.isAsked ? `${IS_ASKED}=1 AND ${IS_BELIEVED}` : 'FALSE';
        const at = `IF(${isOver}, ${NOW_MS}, ${putOff})`;
        const failed = `${error}, failures=LEAST(failures + 1, ${MAX_FAILURES})`;
        return isWritten(sql, `${failed}${refused}${begun}, refresh_at=${at} WHERE ${isOurs}`);
      }
      // It is said by the account's state from now on.
      const over = `${error}, refused=1, begun_at=NULL, failures=0, refresh_at=NULL`;
      const isSaid = await isWritten(sql, `${over} WHERE ${isOurs}`);
      if (isSaid) await markUnusable(sql, owner, result.reason);
      return isSaid;
    });
  }

  ask(channel: string, account: string, generation: number): Promise<AskedRefresh> {
    const owner = { account, channel };
    return this.pool.transaction(async (sql) => {
      // Locked first: what is refreshed meanwhile has a generation of its own when this has the lock.
      const [row] = await sql.rows<[refused: number, error: string | null, isUseless: number, isPutOff: number]>(
        `SELECT refused, error, COALESCE(refreshed_at > ${NOW_MS} - ${HELPED_WITHIN_MS} AND refreshed_at >= asked_at, 0), ` +
          `failures > 0 AND (${IS_ASKED}=1 OR NOT (${IS_BELIEVED})) ` +
          `FROM account_refreshes FORCE INDEX (PRIMARY) WHERE ${isOwned(owner)} FOR UPDATE SKIP LOCKED`,
      );
      if (row === undefined) await mustBeFree(sql, owner);
      const [state] = await sql.rows<[number]>(`SELECT generation FROM account_states WHERE ${isOwned(owner)}`);
      if ((state?.[0] ?? 0) !== generation) return { kind: 'other' };
      const [refused, error, isUseless, isPutOff] = row ?? [0, null, 0, 0];
      if (refused === 1) return { kind: 'useless', reason: error };
      if (isUseless === 1) return { kind: 'useless', reason: null };
      const known = 'COALESCE(account_refreshes.refresh_at, new.refresh_at)';
      await sql.run(
        'INSERT INTO account_refreshes (account, channel, refresh_at, asked_at) ' +
          `VALUES (${text(account)},${text(channel)},${NOW_MS},${NOW_MS}) AS new ON DUPLICATE KEY UPDATE ` +
          // One that was put off is made when it was put off to, and one that is due keeps its place.
          `refresh_at=${isPutOff === 1 ? known : `LEAST(${known}, new.refresh_at)`}, ` +
          'asked_at=IF(account_refreshes.asked_at > COALESCE(account_refreshes.refreshed_at, 0), account_refreshes.asked_at, new.asked_at)',
      );
      return { kind: 'asked' };
    });
  }

  /** The newest credentials, until the end of the transaction; undefined when there are none that can be opened. */
  private async lock(sql: Sql, owner: SecretOwner): Promise<string | undefined> {
    const [row] = await sql.rows<[Buffer]>(`SELECT secret FROM accounts WHERE ${isOwned(owner)} FOR UPDATE`);
    return row === undefined ? undefined : this.key?.open(owner, row[0])?.[0];
  }

  private async replace(
    sql: Sql,
    owner: SecretOwner,
    { credentials, expiresAt, refreshAt }: Extract<RefreshResult, { kind: 'refreshed' }>,
  ): Promise<boolean> {
    if (this.key === null) return false;
    const sealed = hex(this.key.seal(owner, [credentials]).toString('hex'));
    await sql.run(`UPDATE accounts SET secret=${sealed} WHERE ${isOwned(owner)}`);
    // As a person's: the account goes on, unless a person has disabled it.
    await advanceSet(sql, owner, undefined);
    await sql.run(
      `UPDATE account_refreshes SET expires_at=${instant(expiresAt)}, refresh_at=${instant(refreshAt)}, refreshed_at=${NOW_MS}, ` +
        `begun_at=NULL, claim=NULL, lease_until=NULL, failures=0, refusals=0, error=NULL, refused=0 WHERE ${isOwned(owner)}`,
    );
    return true;
  }
}

/** What a person has said of the account stays. */
async function markUnusable(sql: Sql, { account, channel }: SecretOwner, reason: string): Promise<void> {
  const isUsable = "account_states.state IN ('usable','resuming')";
  // MySQL assigns in order, so the state that the conditions read comes last.
  await sql.run(
    'INSERT INTO account_states (account, channel, state, since, reason) ' +
      `VALUES (${text(account)},${text(channel)},'unusable',${NOW_MS},${text(cut(reason, MAX_ERROR_CHARACTERS))}) AS new ` +
      `ON DUPLICATE KEY UPDATE since=IF(${isUsable}, new.since, account_states.since), ` +
      `reason=IF(${isUsable}, new.reason, account_states.reason), state=IF(${isUsable}, 'unusable', account_states.state)`,
  );
}

/**
 * Nobody is waited for: messages of many accounts ask at once, by the connections that send.
 * @throws Unavailable when somebody holds the account's row
 */
async function mustBeFree(sql: Sql, owner: SecretOwner): Promise<void> {
  const [held] = await sql.rows(`SELECT 1 FROM account_refreshes WHERE ${isOwned(owner)}`);
  if (held !== undefined) throw new Unavailable("another transaction holds the refresh of the account's credentials");
}

async function isWritten(sql: Sql, change: string): Promise<boolean> {
  const { affectedRows } = await sql.run(`UPDATE account_refreshes SET ${change}`);
  return affectedRows > 0;
}

function isOwned({ account, channel }: SecretOwner): string {
  return `account=${text(account)} AND channel=${text(channel)}`;
}

function instant(at: number | null): string {
  return at === null ? 'NULL' : integer(Math.round(at));
}
