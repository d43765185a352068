import { integer, NOW_MS } from '../sql/literals';
import type { Sql } from '../sql/sql';

/** Of an unsigned INT. */
const MAX_VERSION = 2 ** 32 - 1;

/**
 * Schedules suspended rows again, in the order given, which is the one in which CDC reports them. Doubt, attempts and the plan number
 * stay. A retry time in the future stays too: before it nothing may be tried. The time for which a row was suspended does not count
 * towards giving up. The caller must have locked the rows.
 */
export async function reschedule(sql: Pick<Sql, 'run'>, ids: readonly number[]): Promise<number> {
  if (ids.length === 0) return 0;
  const { affectedRows } = await sql.run(
    `UPDATE (VALUES ${ids.map((id) => `ROW(${integer(id)})`).join(',')}) v(id) STRAIGHT_JOIN scheduled_messages m FORCE INDEX (PRIMARY) ON m.id=v.id ` +
      `SET m.first_attempt_at=m.first_attempt_at + ${NOW_MS} - FLOOR(UNIX_TIMESTAMP(m.updated_at) * 1000), ` +
      `m.state='scheduled', m.version=LEAST(m.version, ${MAX_VERSION - 1}) + 1, ` +
      `m.retry_at=IF(m.retry_at > ${NOW_MS}, m.retry_at, NULL) WHERE m.state='suspended'`,
  );
  return affectedRows;
}
