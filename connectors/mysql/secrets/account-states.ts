import { checkAccount, checkText } from '../client/input';
import { list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import type { SecretOwner } from './secret-key';

/** `resuming`: usable, and its suspended messages are being scheduled again. `disabled`: by a person. */
export type AccountState = 'usable' | 'resuming' | 'unusable' | 'disabled';

/** What happens to an account's suspended messages when it can be used again. */
export const resumePolicies = ['send', 'keep'] as const;
export type ResumePolicy = (typeof resumePolicies)[number];

export interface StateEntry extends SecretOwner {
  readonly state: AccountState;
  /** Epoch milliseconds; null where nothing was ever wrong. */
  readonly since: number | null;
  readonly reason: string | null;
}

/** More suspended messages are not counted for a person who waits. */
const MAX_COUNTED = 100_000;

/**
 * Whether accounts may be used, as people and workers say. A state belongs to a *generation* of the account's credentials, which
 * rises whenever a person says anew what is to be used: a worker that was refused marks only the generation that was refused.
 */
export class AccountStates {
  constructor(private readonly pool: Pool) {}

  /** Suspends the account's messages as they become due, until it is enabled. */
  async disable(account: string, channel: string): Promise<void> {
    const owner = ownerOf(account, channel);
    await this.pool.transaction((sql) => advance(sql, owner, 'disabled', 'a person has disabled the account'));
  }

  /**
   * The account may be used again, whoever said otherwise. With `evenDisabled: false` one that a person has disabled stays so. A
   * refresh of its credentials that was refused or put off is made now.
   * @returns false when nothing was changed
   */
  enable(account: string, channel: string, policy: ResumePolicy, { evenDisabled = true } = {}): Promise<boolean> {
    const owner = ownerOf(account, channel);
    return this.pool.transaction(async (sql) => {
      // Locks are taken as `accounts set` takes them: accounts, their states, their refreshes.
      await sql.rows(`SELECT 1 FROM accounts WHERE ${isOwned(owner)} FOR UPDATE`);
      const [row] = await sql.rows<[AccountState]>(
        `SELECT state FROM account_states WHERE ${isOwned(owner)} FOR UPDATE`,
      );
      const blocked = row?.[0] === 'unusable' || (evenDisabled && row?.[0] === 'disabled');
      if (blocked) await advance(sql, owner, afterwards(policy));
      const isRefreshed = await refreshAgain(sql, owner);
      return blocked || isRefreshed;
    });
  }

  /** Accounts that are not usable, or are only becoming so; of those the ones in these states. */
  async list(
    states: readonly Exclude<AccountState, 'usable'>[] = ['resuming', 'unusable', 'disabled'],
  ): Promise<StateEntry[]> {
    const rows = await this.pool.rows<[string, string, AccountState, number | null, string | null]>(
      'SELECT account, channel, state, since, reason FROM account_states FORCE INDEX (by_state) ' +
        `WHERE state IN ${list(states, text)} ORDER BY channel, account`,
    );
    return rows.map(([account, channel, state, since, reason]) => ({ account, channel, state, since, reason }));
  }

  /** Of one account. */
  async of(account: string, channel: string): Promise<AccountState> {
    const [row] = await this.pool.rows<[AccountState]>(
      `SELECT state FROM account_states WHERE ${isOwned(ownerOf(account, channel))}`,
    );
    return row?.[0] ?? 'usable';
  }

  /** How many of its messages are suspended, up to MAX_COUNTED. */
  async suspended(account: string, channel: string): Promise<{ readonly count: number; readonly exact: boolean }> {
    const [row] = await this.pool.rows<[number]>(
      'SELECT COUNT(*) FROM (SELECT 1 FROM scheduled_messages FORCE INDEX (suspended_by_due) ' +
        `WHERE suspended=1 AND ${isOwned({ account, channel })} LIMIT ${MAX_COUNTED}) counted`,
    );
    const count = row?.[0] ?? 0;
    return { count, exact: count < MAX_COUNTED };
  }
}

/** What becomes of an account that may be used again. */
function afterwards(policy: ResumePolicy): AccountState {
  return policy === 'send' ? 'resuming' : 'usable';
}

/**
 * Begins a new generation after credentials were set, in the transaction that writes them.
 *
 * 1. *An account that a person has disabled stays so*: only `enable` ends that.
 * 2. *Without a policy what was suspended goes out, and what a person has kept back stays*: an account that is usable stays so.
 */
export function advanceSet(sql: Pick<Sql, 'run'>, owner: SecretOwner, policy: ResumePolicy | undefined): Promise<void> {
  const stays =
    policy === undefined ? "account_states.state IN ('disabled','usable')" : "account_states.state='disabled'";
  return advance(sql, owner, afterwards(policy ?? 'send'), null, { stays, first: afterwards(policy ?? 'keep') });
}

/** Begins a new generation. `stays`: where this condition holds, the state is left; `first`: of an account that has no row yet. */
export async function advance(
  sql: Pick<Sql, 'run'>,
  { account, channel }: SecretOwner,
  state: AccountState,
  reason: string | null = null,
  { stays = 'FALSE', first = state }: { readonly stays?: string; readonly first?: AccountState } = {},
): Promise<void> {
  // MySQL assigns in order, so the state that the condition reads comes last.
  const left = (column: 'since' | 'reason' | 'state', value: string) =>
    `${column}=IF(${stays}, account_states.${column}, ${value})`;
  await sql.run(
    'INSERT INTO account_states (account, channel, generation, state, since, reason) ' +
      `VALUES (${text(account)},${text(channel)},1,${text(first)},${NOW_MS},${text(reason)}) AS new ` +
      'ON DUPLICATE KEY UPDATE generation=account_states.generation+1, ' +
      `${left('since', 'new.since')}, ${left('reason', 'new.reason')}, ${left('state', text(state))}`,
  );
}

/**
 * A refresh of the account's credentials that was refused for good, or put off, is made now: a person says that what was wrong is mended.
 * @returns false when neither was so
 */
async function refreshAgain(sql: Pick<Sql, 'run'>, owner: SecretOwner): Promise<boolean> {
  const { affectedRows } = await sql.run(
    `UPDATE account_refreshes SET refresh_at=${NOW_MS}, refused=0, failures=0, error=NULL ` +
      `WHERE ${isOwned(owner)} AND (refused=1 OR failures > 0)`,
  );
  return affectedRows > 0;
}

function ownerOf(account: string, channel: string): SecretOwner {
  return { account: checkAccount(account), channel: checkText('channel', channel, 32) };
}

function isOwned({ account, channel }: SecretOwner): string {
  return `account=${text(account)} AND channel=${text(channel)}`;
}
