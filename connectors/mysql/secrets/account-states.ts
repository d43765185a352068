import { checkAccount, checkText } from '../client/input';
import { list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import type { SecretOwner } from './secret-key';

/** `resuming`: usable, and its suspended messages are being scheduled again. `disabled`: by a person. */
export type AccountState = 'usable' | 'resuming' | 'unusable' | 'disabled';

/** What happens to an account's suspended messages when it can be used again, those that were kept back before included. */
export const resumePolicies = ['send', 'keep'] as const;
export type ResumePolicy = (typeof resumePolicies)[number];

export interface StateEntry extends SecretOwner {
  readonly state: AccountState;
  /** Epoch milliseconds; null where nothing was ever wrong. */
  readonly since: number | null;
  readonly reason: string | null;
}

/** What `enable` has done. `refreshed`: the account was usable, and a refresh of its credentials that had failed is made now. */
type Enabled = 'enabled' | 'refreshed' | 'nothing';

/** An account's suspended messages, up to MAX_COUNTED of them. */
export interface SuspendedCount {
  readonly count: number;
  /** Of these, those that a person has kept back. */
  readonly kept: number;
  readonly exact: boolean;
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
   * refresh of its credentials that was refused or put off is made now. Without a policy, as `advanceSet`.
   */
  enable(
    account: string,
    channel: string,
    policy: ResumePolicy | undefined,
    { evenDisabled = true } = {},
  ): Promise<Enabled> {
    const owner = ownerOf(account, channel);
    return this.pool.transaction(async (sql) => {
      // Locks are taken as `accounts set` takes them: accounts, their states, their refreshes.
      await sql.rows(`SELECT 1 FROM accounts WHERE ${isOwned(owner)} FOR UPDATE`);
      const [row] = await sql.rows<[AccountState]>(
        `SELECT state FROM account_states WHERE ${isOwned(owner)} FOR UPDATE`,
      );
      const blocked = row?.[0] === 'unusable' || (evenDisabled && row?.[0] === 'disabled');
      if (blocked) await advance(sql, owner, afterwards(policy ?? 'send'), null, { policy });
      const isRefreshed = await refreshAgain(sql, owner);
      if (blocked) return 'enabled';
      return isRefreshed ? 'refreshed' : 'nothing';
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
      `SELECT state FROM account_states WHERE ${isOwned({ account, channel })}`,
    );
    return row?.[0] ?? 'usable';
  }

  /** How many of its messages are suspended, up to MAX_COUNTED. */
  async suspended(account: string, channel: string): Promise<SuspendedCount> {
    const owned = isOwned({ account, channel });
    const keptAt = `(SELECT kept_at FROM account_states WHERE ${owned})`;
    const [row] = await this.pool.rows<[number, number]>(
      `SELECT COUNT(*), COUNT(kept) FROM (SELECT IF(updated_at <= ${keptAt}, 1, NULL) AS kept ` +
        'FROM scheduled_messages FORCE INDEX (suspended_by_due) ' +
        `WHERE suspended=1 AND ${owned} LIMIT ${MAX_COUNTED}) counted`,
    );
    const [count, kept] = row ?? [0, 0];
    return { count, kept, exact: count < MAX_COUNTED };
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
 * 2. *Without a policy what was suspended goes out, and what a person has kept back stays*: an account that is usable stays so, and of
 *    others the rows go out that were suspended after `kept_at`.
 */
export function advanceSet(sql: Pick<Sql, 'run'>, owner: SecretOwner, policy: ResumePolicy | undefined): Promise<void> {
  const stays =
    policy === undefined ? "account_states.state IN ('disabled','usable')" : "account_states.state='disabled'";
  return advance(sql, owner, afterwards(policy ?? 'send'), null, {
    stays,
    first: afterwards(policy ?? 'keep'),
    policy,
  });
}

/**
 * Begins a new generation. `stays`: where this condition holds, the state is left; `first`: of an account that has no row yet;
 * `policy`: what a person has said of suspended messages, also where the state is left.
 */
export async function advance(
  sql: Pick<Sql, 'run'>,
  { account, channel }: SecretOwner,
  state: AccountState,
  reason: string | null = null,
  {
    stays = 'FALSE',
    first = state,
    policy,
  }: { readonly stays?: string; readonly first?: AccountState; readonly policy?: ResumePolicy | undefined } = {},
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
  // Workers, which say no policy, may not write it.
  if (policy === undefined) return;
  // A statement of its own, begun when the row is locked: what a worker suspends while the first one waits for it is kept.
  const keptAt = policy === 'keep' ? 'NOW(6)' : 'NULL';
  await sql.run(`UPDATE account_states SET kept_at=${keptAt} WHERE ${isOwned({ account, channel })}`);
}

/**
 * A refresh of the account's credentials that was refused for good, or put off, is made now: a person says that what was wrong is mended.
 * @returns false when neither was so
 */
async function refreshAgain(sql: Pick<Sql, 'run'>, owner: SecretOwner): Promise<boolean> {
  const { affectedRows } = await sql.run(
    `UPDATE account_refreshes SET refresh_at=${NOW_MS}, refused=0, refusals=0, failures=0, error=NULL ` +
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
