import type { MessageId, MessageState } from '../../../topology/message';
import { list, NOW_MS, text } from '../sql/literals';
import type { Sql } from '../sql/sql';
import type { Standing } from './standing';

/** A new plan of a row. */
interface Planned {
  readonly row: Pick<Standing, 'id' | 'account' | 'channel' | 'state'>;
  /** Epoch milliseconds. */
  readonly dueAt: number;
}

/**
 * In which state rows are that are planned anew. A new plan is scheduled, also where the old one was suspended: while its account cannot
 * be used it is suspended again when it comes due, and what a person has kept back was an older plan. Only where a spout is scheduling
 * the account's suspended rows, and the new plan is due already, the row stays among them: it would overtake those that are due earlier.
 * Where a person has kept back rows of the account the spout may have passed over its new place, and would not look there again: it is
 * scheduled, although it overtakes others then.
 *
 * The account is read without a lock, so that an application's transaction holds up nobody who sets its credentials. The rows must be
 * locked: while one of them is suspended its account is being resumed until a spout has seen it, unless a person says meanwhile that
 * what is suspended is kept back; then the new plan is kept back with it.
 */
export async function newStates(sql: Pick<Sql, 'rows'>, planned: readonly Planned[]): Promise<StatesById> {
  const suspended = planned.filter(({ row }) => row.state === 'suspended');
  const resuming = suspended.length === 0 ? new Map<string, number>() : await resumingNow(sql, suspended);
  return new Map(
    planned.map(({ row, dueAt }) => {
      const now = row.state === 'suspended' ? resuming.get(nameOf(row)) : undefined;
      return [row.id, now !== undefined && dueAt <= now ? 'suspended' : 'scheduled'] as const;
    }),
  );
}

type StatesById = ReadonlyMap<MessageId, Extract<MessageState, 'scheduled' | 'suspended'>>;

/** The database's time, epoch milliseconds, for each account that is being resumed and of which nothing is kept back; by `nameOf`. */
async function resumingNow(sql: Pick<Sql, 'rows'>, planned: readonly Planned[]): Promise<ReadonlyMap<string, number>> {
  const names = new Map(planned.map(({ row }) => [nameOf(row), `(${text(row.account)},${text(row.channel)})`]));
  const rows = await sql.rows<[account: string, channel: string, now: number | string]>(
    `SELECT account, channel, ${NOW_MS} FROM account_states FORCE INDEX (PRIMARY) ` +
      `WHERE (account, channel) IN ${list([...names.values()], (name) => name)} AND state='resuming' AND kept_at IS NULL`,
  );
  return new Map(rows.map(([account, channel, now]) => [nameOf({ account, channel }), Number(now)]));
}

function nameOf({ account, channel }: Pick<Standing, 'account' | 'channel'>): string {
  return JSON.stringify([channel, account]);
}
