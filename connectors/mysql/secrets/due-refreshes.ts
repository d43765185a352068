import type { ClaimedRefresh } from '../../../bolts/account-refreshes';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import type { SecretKey, SecretOwner } from './secret-key';

/** Due accounts that one statement reads at least: some of them may be sealed with a key that this worker does not have. */
const PAGE = 64;
/** Pages of one claim, so that ten thousand accounts that cannot be opened are passed over in less than a minute. */
const MAX_PAGES = 16;
/** Accounts that one transaction tries to claim at least, also where fewer are wanted: some of them may be held. */
const TRIED_AT_ONCE = 16;

/** Somebody waits: a column of `account_refreshes`. */
export const IS_ASKED = 'COALESCE(asked_at > COALESCE(refreshed_at, 0), 0)';

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

/**
 * Claims refreshes that are due: those that somebody waits for, then the earliest. What this worker cannot open, or somebody holds, is
 * passed over page by page, so that it keeps no other waiting, however many they are.
 */
export class DueRefreshes {
  /** By channel: before this stands nothing that this worker could have claimed. The next round begins anew. */
  private readonly positions = new Map<string, Position>();

  constructor(
    private readonly pool: Pool,
    private readonly key: SecretKey | null,
  ) {}

  /** As `AccountRefreshes` says. */
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
      const claimed = await this.claimSome(channel, session, opened, limit, isFree, leaseMs);
      if (claimed.length < limit) {
        if (last === undefined || page.length < size) this.positions.delete(channel);
        else this.positions.set(channel, { account: last[0], isAsked: last[1], refreshAt: last[2] });
      }
      if (claimed.length > 0 || page.length < size) return claimed;
    }
    return [];
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

  /** Claims of these as many as are wanted, the first first. Fewer when all were tried: those that somebody holds are passed over. */
  private async claimSome(
    channel: string,
    session: string,
    due: readonly DueColumns[],
    limit: number,
    isFree: string,
    leaseMs: number,
  ): Promise<readonly ClaimedRefresh[]> {
    const claimed: ClaimedRefresh[] = [];
    for (let tried = 0; tried < due.length && claimed.length < limit; ) {
      const wanted = limit - claimed.length;
      const some = due.slice(tried, tried + Math.max(wanted, TRIED_AT_ONCE));
      claimed.push(...(await this.claimOf(channel, session, some, wanted, isFree, leaseMs)));
      tried += some.length;
    }
    return claimed;
  }

  private claimOf(
    channel: string,
    session: string,
    due: readonly DueColumns[],
    wanted: number,
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
      const ours = await this.withCredentials(sql, channel, free);
      const claimed = due.flatMap(([account]) => ours.get(account) ?? []).slice(0, wanted);
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
  ): Promise<ReadonlyMap<string, ClaimedRefresh>> {
    const stored = new Map(
      await sql.rows<[account: string, secret: Buffer]>(
        `SELECT account, secret FROM accounts FORCE INDEX (PRIMARY) WHERE ${among(channel, free)} FOR UPDATE SKIP LOCKED`,
      ),
    );
    return new Map(
      free.flatMap(([account, expiresAt, isAsked, lostAt, failures, refusals]) => {
        const secret = stored.get(account);
        const credentials = secret === undefined ? undefined : this.opened({ account, channel }, secret);
        if (credentials === undefined) return [];
        return [[account, { account, credentials, lostAt, expiresAt, isAsked: isAsked === 1, failures, refusals }]];
      }),
    );
  }

  /** The newest credentials; undefined where they cannot be opened, which is said where they are used. */
  private opened(owner: SecretOwner, secret: Buffer): string | undefined {
    return this.key?.open(owner, secret)?.[0];
  }
}

function among(channel: string, rows: readonly (readonly [account: string, ...unknown[]])[], of = ''): string {
  return `${of}channel=${text(channel)} AND ${of}account IN ${list(rows, ([account]) => text(account))}`;
}
