import { text } from '../sql/literals';
import type { Sql } from '../sql/sql';

/** The first channels in the order of their names. Applications may write any number of them. */
export interface ChannelNames {
  readonly names: readonly string[];
  /** There are others. */
  readonly more: boolean;
}

/**
 * The channels in an index whose first part the condition fixes. One look-up for each: DISTINCT would walk over every row,
 * because the optimizer does not skip within an index on a virtual column.
 */
export async function channelsIn(
  sql: Pick<Sql, 'rows'>,
  index: 'open_by_wake' | 'needs_person' | 'suspended_by_due' | 'late_by_due',
  condition: string,
  most: number,
): Promise<ChannelNames> {
  const names: string[] = [];
  for (let next = ''; ; ) {
    const [row] = await sql.rows<[string]>(
      `SELECT channel FROM scheduled_messages FORCE INDEX (${index}) WHERE ${condition} ${next} ORDER BY channel LIMIT 1`,
    );
    if (row === undefined || names.length === most) return { names, more: row !== undefined };
    names.push(row[0]);
    next = `AND channel > ${text(row[0])}`;
  }
}
