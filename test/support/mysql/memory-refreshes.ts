import type {
  AccountRefreshes,
  AskedRefresh,
  ClaimedRefresh,
  Lifetime,
  RefreshResult,
} from '../../../bolts/account-refreshes';
import { BELIEVED_REFUSALS } from '../../../topology/message';
import type { MemoryAccounts } from './memory-accounts';

interface MemoryRefresh {
  readonly account: string;
  readonly channel: string;
  expiresAt: number | null;
  refreshAt: number | null;
  askedAt: number | null;
  begunAt: number | null;
  refreshedAt: number | null;
  claim: string | null;
  leaseUntil: number;
  failures: number;
  error: string | null;
  refusals: number;
  refused: boolean;
}

const HELPED_WITHIN_MS = 600_000;
const unknown = { expiresAt: null, refreshAt: null, askedAt: null, begunAt: null, refreshedAt: null } as const;
const fresh = { failures: 0, refusals: 0, error: null, refused: false } as const;
const free = { claim: null, leaseUntil: 0 } as const;

/** The rows of `account_refreshes`. Every call is a transaction. */
export class MemoryRefreshes implements AccountRefreshes {
  private readonly rows = new Map<string, MemoryRefresh>();

  /** @param now by the database's clock */
  constructor(
    private readonly accounts: MemoryAccounts,
    private readonly now: () => number,
  ) {}

  /** As `accounts set`. */
  set(account: string, channel: string, { expiresAt, refreshAt }: Lifetime): void {
    this.rows.delete(`${account}\0${channel}`);
    if (expiresAt !== null || refreshAt !== null) Object.assign(this.rowOf(account, channel), { expiresAt, refreshAt });
  }

  /** As `accounts enable`. */
  again(account: string, channel: string): void {
    const row = this.of(account, channel);
    if (row === undefined || !(row.refused || row.failures > 0)) return;
    Object.assign(row, { refreshAt: this.now(), refused: false, refusals: 0, failures: 0, error: null });
  }

  of(account: string, channel: string): MemoryRefresh | undefined {
    return this.rows.get(`${account}\0${channel}`);
  }

  async claim(
    channel: string,
    session: string,
    limit: number,
    leaseMs: number,
    takesOver: boolean,
  ): Promise<readonly ClaimedRefresh[]> {
    const now = this.now();
    const due = [...this.rows.values()]
      .filter(
        (row) => row.channel === channel && row.refreshAt !== null && row.refreshAt <= now && row.leaseUntil <= now,
      )
      .filter(({ claim }) => takesOver || claim === null || claim === session)
      .filter(({ account }) => this.accounts.newest({ account, channel }) !== undefined)
      .filter(({ account }) => ['usable', 'resuming'].includes(this.accounts.stateOf({ account, channel })))
      .toSorted(
        (one, other) => Number(isAsked(other)) - Number(isAsked(one)) || (one.refreshAt ?? 0) - (other.refreshAt ?? 0),
      )
      .slice(0, limit);
    return due.flatMap((row) => {
      const { account, begunAt: lostAt, expiresAt, failures, refusals } = row;
      const credentials = this.accounts.newest({ account, channel });
      if (credentials === undefined) return [];
      Object.assign(row, { claim: session, leaseUntil: now + leaseMs, begunAt: lostAt ?? now });
      return [{ account, credentials, lostAt, expiresAt, isAsked: isAsked(row), failures, refusals }];
    });
  }

  async settle(channel: string, session: string, claimed: ClaimedRefresh, result: RefreshResult): Promise<boolean> {
    const { account, lostAt } = claimed;
    const row = this.rowOf(account, channel);
    const credentials = this.accounts.newest({ account, channel });
    if (credentials !== claimed.credentials) {
      // Its answer was lost, and it is written once more.
      return result.kind === 'refreshed' && credentials === result.credentials;
    }
    if (result.kind === 'refreshed') {
      this.accounts.replace({ account, channel }, result.credentials);
      const { expiresAt, refreshAt } = result;
      const fine = { begunAt: null, ...fresh };
      Object.assign(row, { ...free, ...fine, expiresAt, refreshAt, refreshedAt: this.now() });
      return true;
    }
    if (row.claim !== session) return false;
    Object.assign(row, free);
    if (result.kind === 'unbegun') {
      row.begunAt = lostAt;
      return true;
    }
    row.error = result.reason;
    if (result.kind === 'later') {
      row.failures += 1;
      if (result.isRefusal === true) row.refusals += 1;
      const isOver = result.isRefusal === true && !claimed.isAsked && isAsked(row) && isBelieved(row);
      row.refreshAt = this.now() + (isOver ? 0 : result.delayMs);
      if (!result.isLost) row.begunAt = lostAt;
      return true;
    }
    Object.assign(row, { refused: true, begunAt: null, refreshAt: null, failures: 0 });
    this.accounts.markUnusable({ account, channel }, result.reason);
    return true;
  }

  async ask(channel: string, account: string, generation: number): Promise<AskedRefresh> {
    if (this.accounts.generationOf({ account, channel }) !== generation) return { kind: 'other' };
    const now = this.now();
    const row = this.rowOf(account, channel);
    const { askedAt, refreshedAt } = row;
    if (row.refused) return { kind: 'useless', reason: row.error };
    const isAnswered = askedAt !== null && (refreshedAt ?? 0) >= askedAt;
    if (isAnswered && (refreshedAt ?? 0) > now - HELPED_WITHIN_MS) return { kind: 'useless', reason: null };
    const isPutOff = row.failures > 0 && (isAsked(row) || !isBelieved(row));
    if (!isPutOff || row.refreshAt === null) row.refreshAt = Math.min(row.refreshAt ?? now, now);
    if (askedAt === null || isAnswered) row.askedAt = now;
    return { kind: 'asked' };
  }

  private rowOf(account: string, channel: string): MemoryRefresh {
    const name = `${account}\0${channel}`;
    const known = this.rows.get(name);
    if (known !== undefined) return known;
    const row: MemoryRefresh = { account, channel, ...unknown, ...free, ...fresh };
    this.rows.set(name, row);
    return row;
  }
}

function isBelieved({ refusals }: Pick<MemoryRefresh, 'refusals'>): boolean {
  return refusals >= BELIEVED_REFUSALS;
}

function isAsked({ askedAt, refreshedAt }: Pick<MemoryRefresh, 'askedAt' | 'refreshedAt'>): boolean {
  return askedAt !== null && askedAt > (refreshedAt ?? 0);
}
