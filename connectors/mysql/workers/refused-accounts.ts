import { cut } from '../sql/cut';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Sql } from '../sql/sql';

/** A claimed row whose account's credentials were refused, or are none. */
export interface RefusedRow {
  readonly id: number;
  /** Which of the account's credentials. */
  readonly generation: number;
  readonly reason: string;
}

interface RefusedAccount {
  readonly account: string;
  readonly channel: string;
  readonly generation: number;
  readonly reason: string;
}

const MAX_REASON_CHARACTERS = 1_024;

interface Owner extends Pick<RefusedAccount, 'account' | 'channel'> {
  readonly name: string;
}

/** Rows that are not suspended, by id. */
interface NotSuspended {
  /** Their account has other credentials by now. */
  readonly stale: ReadonlySet<number>;
  /** Somebody holds their account. */
  readonly held: ReadonlySet<number>;
}

/** The accounts of rows, by the rows' ids. */
async function accountsOf(
  sql: Pick<Sql, 'rows'>,
  rows: readonly Pick<RefusedRow, 'id'>[],
): Promise<ReadonlyMap<number, Owner>> {
  const found = await sql.rows<[id: number, account: string, channel: string]>(
    'SELECT id, account, channel FROM scheduled_messages FORCE INDEX (PRIMARY) ' +
      `WHERE id IN ${list(rows, ({ id }) => integer(id))}`,
  );
  return new Map(
    found.map(([id, account, channel]) => [id, { account, channel, name: nameOf({ account, channel }) }] as const),
  );
}

/**
 * Marks the accounts of rows unusable, and holds them as they are until the end of the transaction, in which the rows are suspended.
 *
 * 1. *What a person has set since is not marked*: the mark compares the generation that was refused. The rows of such an account are
 *    returned, because nothing would wake them.
 * 2. *An account is marked once*: what is marked already is only read, so that the batches of many workers do not wait for each other.
 * 3. *An account that somebody holds is left*, without waiting for it. Only where nothing is written of one yet, and somebody is just
 *    writing it, is it waited for.
 */
export async function markRefused(sql: Sql, refused: readonly RefusedRow[]): Promise<NotSuspended> {
  if (refused.length === 0) return { stale: new Set(), held: new Set() };
  const owners = await accountsOf(sql, refused);
  const accounts = new Map<string, RefusedAccount>();
  for (const { id, generation, reason } of refused) {
    const owner = owners.get(id);
    if (owner === undefined || (accounts.get(owner.name)?.generation ?? -1) >= generation) continue;
    accounts.set(owner.name, { account: owner.account, channel: owner.channel, generation, reason });
  }
  const sorted = [...accounts.values()].toSorted(inOrderOfIndex);
  if (sorted.length === 0) return { stale: new Set(), held: new Set() };
  const before = await statesOf(sql, sorted, '');
  const unmarked = sorted.filter((one) => {
    const known = before.get(nameOf(one));
    return known?.isUsable === true && known.generation === one.generation;
  });
  const free = await statesOf(sql, unmarked, 'FOR UPDATE SKIP LOCKED');
  const marked = sorted.filter((one) => free.has(nameOf(one)) || !before.has(nameOf(one)));
  if (marked.length > 0) await sql.run(markStatement(marked));
  const now = await statesOf(sql, sorted, 'FOR SHARE SKIP LOCKED');
  const [stale, held] = [new Set<number>(), new Set<number>()];
  for (const { id, generation } of refused) {
    const name = owners.get(id)?.name;
    if (name === undefined) continue;
    const state = now.get(name);
    // One that was held when it was to be marked, and is free by now, is not marked: suspended under it, a row would wait for ever.
    if (state === undefined || (state.isUsable && state.generation === generation)) held.add(id);
    else if (state.generation !== generation) stale.add(id);
  }
  return { stale, held };
}

/** As the primary key has them, so that two batches wait for each other and never deadlock. */
function inOrderOfIndex(one: RefusedAccount, other: RefusedAccount): number {
  return inOrderOfBytes(one.account, other.account) || inOrderOfBytes(one.channel, other.channel);
}

function inOrderOfBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function nameOf({ account, channel }: Pick<RefusedAccount, 'account' | 'channel'>): string {
  return JSON.stringify([channel, account]);
}

/** The index is forced because a scan would come to the rows of other accounts, and wait for whoever holds these. */
async function statesOf(
  sql: Sql,
  accounts: readonly RefusedAccount[],
  lock: '' | 'FOR UPDATE SKIP LOCKED' | 'FOR SHARE SKIP LOCKED',
): Promise<ReadonlyMap<string, { readonly generation: number; readonly isUsable: boolean }>> {
  if (accounts.length === 0) return new Map();
  const rows = await sql.rows<[account: string, channel: string, generation: number, state: string]>(
    'SELECT account, channel, generation, state FROM account_states FORCE INDEX (PRIMARY) WHERE (account, channel) IN ' +
      `${list(accounts, ({ account, channel }) => `(${text(account)},${text(channel)})`)} ORDER BY account, channel ${lock}`,
  );
  return new Map(
    rows.map(([account, channel, generation, state]) => [
      nameOf({ account, channel }),
      { generation, isUsable: state === 'usable' || state === 'resuming' },
    ]),
  );
}

/** MySQL assigns in order, so the state that the conditions read comes last. */
export function markStatement(accounts: readonly RefusedAccount[]): string {
  const isNew = "account_states.generation=new.generation AND account_states.state IN ('usable','resuming')";
  return (
    `INSERT INTO account_states (account, channel, generation, state, since, reason) VALUES ${accounts
      .map(
        ({ account, channel, generation, reason }) =>
          `(${text(account)},${text(channel)},${integer(generation)},'unusable',${NOW_MS},${text(cut(reason, MAX_REASON_CHARACTERS))})`,
      )
      .join(',')} AS new ON DUPLICATE KEY UPDATE ` +
    `reason=IF(${isNew}, new.reason, account_states.reason), since=IF(${isNew}, new.since, account_states.since), state=IF(${isNew}, 'unusable', account_states.state)`
  );
}
