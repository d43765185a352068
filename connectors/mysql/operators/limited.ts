import { APP } from '../../../topology/core/limits';
import { isSchemaError } from '../sql/failures';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Sql } from '../sql/sql';

/** An account that is at a limit; all of the channel together where it is null. Epoch milliseconds by the database's clock. */
export interface Limited {
  readonly channel: string;
  readonly account: string | null;
  readonly untilAt: number;
  /** Its provider has said so, which `downspout resume` ends. */
  readonly isHeld: boolean;
}

/** How many accounts of a channel are at a limit, and when the first and the last of them go on; `allUntilAt`: the whole channel is. */
export interface LimitedCount {
  readonly channel: string;
  readonly accounts: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly allUntilAt: number | null;
}

/** As many as anybody looks at. */
const MAX_LIMITED = 20_000;
const NOW = `gate_until > ${NOW_MS}`;

/** Who is at a limit now: all, or of one message's account and channel. */
export async function limitedNow(
  sql: Pick<Sql, 'rows'>,
  of?: { readonly channel: string; readonly account: string },
): Promise<Limited[]> {
  const where =
    of === undefined
      ? `FORCE INDEX (by_gate) WHERE ${NOW}`
      : `WHERE channel=${text(of.channel)} AND account IN ${list([APP, of.account], text)} AND ${NOW}`;
  const rows = await limitsIfThere<[channel: string, account: string, untilAt: number, isHeld: number]>(
    sql,
    `SELECT channel, account, gate_until, held_until > ${NOW_MS} FROM account_limits ${where} LIMIT ${integer(MAX_LIMITED)}`,
  );
  return rows.map(([channel, account, untilAt, isHeld]) => ({
    channel,
    account: account === APP ? null : account,
    untilAt,
    isHeld: isHeld === 1,
  }));
}

/** By channel, in the order of their names. */
export async function limitedCounts(sql: Pick<Sql, 'rows'>): Promise<LimitedCount[]> {
  const rows = await limitsIfThere<[string, string | number, number, number, number | null]>(
    sql,
    "SELECT channel, SUM(account <> ''), MIN(gate_until), MAX(gate_until), MAX(IF(account='', gate_until, NULL)) " +
      `FROM account_limits FORCE INDEX (by_gate) WHERE ${NOW} GROUP BY channel ORDER BY channel`,
  );
  return rows.map(([channel, accounts, firstAt, lastAt, allUntilAt]) => ({
    channel,
    accounts: Number(accounts),
    firstAt,
    lastAt,
    allUntilAt,
  }));
}

/** Rows of account_limits. Before the migration that makes the table nothing is limited, and what else there is is shown all the same. */
export async function limitsIfThere<T extends readonly unknown[]>(
  sql: Pick<Sql, 'rows'>,
  statement: string,
): Promise<T[]> {
  try {
    return await sql.rows<T>(statement);
  } catch (error) {
    if (isSchemaError(error)) return [];
    throw error;
  }
}
