import { text } from '../sql/literals';
import type { Sql } from '../sql/sql';

/**
 * The channels in an index whose first part the condition fixes. One look-up for each: DISTINCT would walk over every row,
 * because the optimizer does not skip within an index on a virtual column.
 */
export async function channelsIn(
  sql: Pick<Sql, 'rows'>,
  index: 'open_by_wake' | 'needs_person',
  condition: string,
): Promise<string[]> {
  const channels: string[] = [];
  for (let next = ''; ; ) {
    const [row] = await sql.rows<[string]>(
      `SELECT channel FROM scheduled_messages FORCE INDEX (${index}) WHERE ${condition} ${next} ORDER BY channel LIMIT 1`,
    );
    if (row === undefined) return channels;
    channels.push(row[0]);
    next = `AND channel > ${text(row[0])}`;
  }
}
