import type { AccountRefreshes, AskedRefresh, ClaimedRefresh, RefreshResult } from '../../../bolts/account-refreshes';
import { BELIEVED_REFUSALS } from '../../../topology/message';
import { cut } from '../sql/cut';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import { advanceSet } from './account-states';
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

/** Due accounts that one statement reads at least: some of them may be sealed with a key that this worker does not have. */
const PAGE = 64;
/** Pages of one claim, so that ten thousand accounts that cannot be opened are passed over in less than a minute. */
const MAX_PAGES = 16;

/** Somebody waits. */
const IS_ASKED = 'COALESCE(asked_at > COALESCE(refreshed_at, 0), 0)';
/**
 * The provider has been asked again often enough: it was put off for as long as its credentials serve, which is over when somebody waits.
 */
const IS_BELIEVED = `refusals >= ${BELIEVED_REFUSALS}`;

type ClaimedColumns = readonly [
  account: string,
  expiresAt: number | null,
  isAsked: number,
  begunAt: number | null,
  failures: number,
  refusals: number,
];

type DueColumns = readonly [account: string, isAsked: number, refreshAt: number, secret: Buffer];

/** The last row of a page, in its order. */
type Position = Pick<ClaimedRefresh, 'account'> & { readonly isAsked: number; readonly refreshAt: number };

/** Accounts whose credentials end. Locks are taken as `accounts set` takes them: accounts, their states, their refreshes. */
export class MySqlAccountRefreshes implements AccountRefreshes {
  /** By channel: before this stands nothing that this worker can open, and could have claimed. The next round begins anew. */
  private readonly positions = new Map<string, Position>();

  constructor(
    private readonly pool: Pool,
    private readonly key: SecretKey | null,
  ) {}

  async claim(
    channel: string,
    session: string,
    limit: number,
    leaseMs: number,
    takesOver: boolean,
  ): Promise<readonly ClaimedRefresh[]> {
    // Without its key nothing can be opened; another worker may have it.
    if (this.key === null) return [];
    const isOver = `r.lease_until <= ${NOW_MS}${takesOver ? '' : ` AND r.claim=${hex(session)}`}`;
    const isFree = `r.refresh_at <= ${NOW_MS} AND (r.lease_until IS NULL OR (${isOver}))`;
    const size = Math.max(PAGE, limit);
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await this.dueOf(channel, isFree, size);
      const opened = page.filter(([account, , , secret]) => this.opened({ account, channel }, secret) !== undefined);
      const last = page.at(-1);
      if (opened.length <= limit) {
        if (last === undefined || page.length < size) this.positions.delete(channel);
        else this.positions.set(channel, { account: last[0], isAsked: last[1], refreshAt: last[2] });
      }
      if (opened.length > 0) return this.claimOf(channel, session, opened.slice(0, limit), isFree, leaseMs);
      if (page.length < size) return [];
    }
    return [];
  }

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
          `FROM account_refreshes WHERE ${isOwned(owner)} FOR UPDATE`,
      );
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

  /** A page of accounts whose refresh is due, with their secrets: those that somebody waits for, then the earliest. */
  private dueOf(channel: string, isFree: string, size: number): Promise<readonly DueColumns[]> {
    const from = this.positions.get(channel);
    const beyond =
      from === undefined
        ? ''
        : `AND (${IS_ASKED} < ${from.isAsked} OR (${IS_ASKED} = ${from.isAsked} AND (r.refresh_at > ${integer(from.refreshAt)} ` +
          `OR (r.refresh_at = ${integer(from.refreshAt)} AND r.account > ${text(from.account)})))) `;
    return this.pool.rows<DueColumns>(
      `SELECT r.account, ${IS_ASKED}, r.refresh_at, a.secret FROM account_refreshes r FORCE INDEX (by_refresh) ` +
        'STRAIGHT_JOIN accounts a ON a.account=r.account AND a.channel=r.channel ' +
        'LEFT JOIN account_states s ON s.account=r.account AND s.channel=r.channel ' +
        `WHERE r.channel=${text(channel)} AND ${isFree} AND COALESCE(s.state, 'usable') IN ('usable','resuming') ${beyond}` +
        `ORDER BY ${IS_ASKED} DESC, r.refresh_at, r.account LIMIT ${integer(size)}`,
    );
  }

  private claimOf(
    channel: string,
    session: string,
    due: readonly DueColumns[],
    isFree: string,
    leaseMs: number,
  ): Promise<readonly ClaimedRefresh[]> {
    return this.pool.transaction(async (sql) => {
      const free = await sql.rows<ClaimedColumns>(
        `SELECT r.account, r.expires_at, ${IS_ASKED}, r.begun_at, r.failures, r.refusals ` +
          `FROM account_refreshes r FORCE INDEX (PRIMARY) WHERE ${among(channel, due, 'r.')} AND ${isFree} ` +
          'ORDER BY r.account, r.channel FOR UPDATE SKIP LOCKED',
      );
      if (free.length === 0) return [];
      // While the rows are held: what a person sets next has a row of its own, and is not taken for what was due.
      const claimed = await this.withCredentials(sql, channel, free);
      if (claimed.length === 0) return [];
      const names = claimed.map(({ account }): readonly [string] => [account]);
      await sql.run(
        `UPDATE account_refreshes FORCE INDEX (PRIMARY) SET claim=${hex(session)}, lease_until=${NOW_MS} + ${integer(leaseMs)}, ` +
          `begun_at=COALESCE(begun_at, ${NOW_MS}) WHERE ${among(channel, names)}`,
      );
      return claimed;
    });
  }

  /**
   * Locked as for writing them: who may not write what the provider gives must not ask for it, and credentials that somebody holds are
   * left, because the answer of an earlier refresh may be waiting for them.
   */
  private async withCredentials(
    sql: Sql,
    channel: string,
    free: readonly ClaimedColumns[],
  ): Promise<readonly ClaimedRefresh[]> {
    const stored = new Map(
      await sql.rows<[account: string, secret: Buffer]>(
        `SELECT account, secret FROM accounts FORCE INDEX (PRIMARY) WHERE ${among(channel, free)} FOR UPDATE SKIP LOCKED`,
      ),
    );
    return free.flatMap(([account, expiresAt, isAsked, lostAt, failures, refusals]) => {
      const secret = stored.get(account);
      const credentials = secret === undefined ? undefined : this.opened({ account, channel }, secret);
      if (credentials === undefined) return [];
      return [{ account, credentials, lostAt, expiresAt, isAsked: isAsked === 1, failures, refusals }];
    });
  }

  /** The newest credentials; undefined where they cannot be opened, which is said where they are used. */
  private opened(owner: SecretOwner, secret: Buffer): string | undefined {
    return this.key?.open(owner, secret)?.[0];
  }

  /** The newest credentials, until the end of the transaction; undefined when there are none that can be opened. */
  private async lock(sql: Sql, owner: SecretOwner): Promise<string | undefined> {
    const [row] = await sql.rows<[Buffer]>(`SELECT secret FROM accounts WHERE ${isOwned(owner)} FOR UPDATE`);
    return row === undefined ? undefined : this.opened(owner, row[0]);
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

async function isWritten(sql: Sql, change: string): Promise<boolean> {
  const { affectedRows } = await sql.run(`UPDATE account_refreshes SET ${change}`);
  return affectedRows > 0;
}

function among(channel: string, rows: readonly (readonly [account: string, ...unknown[]])[], of = ''): string {
  return `${of}channel=${text(channel)} AND ${of}account IN ${list(rows, ([account]) => text(account))}`;
}

function isOwned({ account, channel }: SecretOwner): string {
  return `account=${text(account)} AND channel=${text(channel)}`;
}

function instant(at: number | null): string {
  return at === null ? 'NULL' : integer(Math.round(at));
}
