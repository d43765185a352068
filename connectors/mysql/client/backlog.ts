import type { MessageId, MessageState } from '../../../topology/message';
import { list, NOW_MS, text } from '../sql/literals';
import type { Sql } from '../sql/sql';
import type { Standing } from './standing';

/** A new plan of a row. */
interface Planned {
  readonly row: Pick<Standing, 'id' | 'account' | 'channel' | 'state' | 'updatedAt'>;
  /** Epoch milliseconds. */
  readonly dueAt: number;
}

/**
 * In which state rows are that are planned anew. A new plan is scheduled, also where the old one was suspended: while its account cannot
 * be used it is suspended again when it comes due, and what a person has kept back was an older plan. Only where a spout is scheduling
 * the account's suspended rows, and the new plan is due already, the row stays among them: it would overtake those that are due earlier.
 * One that was kept back is not among them, and the spout may have passed over its place, so it is scheduled.
 *
 * The account is read without a lock, so that an application's transaction holds up nobody who sets its credentials. The rows must be
 * locked: while one of them is suspended its account is being resumed until a spout has seen it, unless a person says meanwhile that
 * what is suspended is kept back; then the new plan is kept back with it.
 */
export async function newStates(sql: Pick<Sql, 'rows'>, planned: readonly Planned[]): Promise<StatesById> {
  const suspended = planned.filter(({ row }) => row.state === 'suspended');
  const resuming = suspended.length === 0 ? new Map<string, Resuming>() : await resumingNow(sql, suspended);
  return new Map(
    planned.map(({ row, dueAt }) => {
      const { now = 0, keptAt = null } = (row.state === 'suspended' ? resuming.get(nameOf(row)) : undefined) ?? {};
      const isKept = keptAt !== null && row.updatedAt <= keptAt;
      return [row.id, dueAt <= now && !isKept ? 'suspended' : 'scheduled'] as const;
    }),
  );
}

type StatesById = ReadonlyMap<MessageId, Extract<MessageState, 'scheduled' | 'suspended'>>;

/** An account that is being resumed. Epoch milliseconds by the database's clock. */
interface Resuming {
  readonly now: number;
  /** Rows that were written last until then are kept back; null when none are. As `updatedAt` of a row, without its microseconds. */
  readonly keptAt: number | null;
}

/** By `nameOf`. */
async function resumingNow(
  sql: Pick<Sql, 'rows'>,
  planned: readonly Planned[],
): Promise<ReadonlyMap<string, Resuming>> {
  const names = new Map(planned.map(({ row }) => [nameOf(row), `(${text(row.account)},${text(row.channel)})`]));
  const rows = await sql.rows<[account: string, channel: string, now: number | string, keptAt: string | null]>(
    `SELECT account, channel, ${NOW_MS}, UNIX_TIMESTAMP(kept_at) FROM account_states FORCE INDEX (PRIMARY) ` +
      `WHERE (account, channel) IN ${list([...names.values()], (name) => name)} AND state='resuming'`,
  );
  return new Map(
    rows.map(([account, channel, now, keptAt]) => [
      nameOf({ account, channel }),
      { now: Number(now), keptAt: keptAt === null ? null : Math.floor(Number(keptAt) * 1000) },
    ]),
  );
}

function nameOf({ account, channel }: Pick<Standing, 'account' | 'channel'>): string {
  return JSON.stringify([channel, account]);
}
