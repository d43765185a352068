import { integer, NOW_MS } from '../sql/literals';
import type { Sql } from '../sql/sql';
import { IN_TIME_FROM_NOW } from './late-rows';

/** Of an unsigned INT. */
const MAX_VERSION = 2 ** 32 - 1;
const BY_SPOUT = `m.first_attempt_at=m.first_attempt_at + ${NOW_MS} - FLOOR(UNIX_TIMESTAMP(m.updated_at) * 1000), `;
const BY_PERSON = `m.first_attempt_at=NULL, m.attempts=0, ${IN_TIME_FROM_NOW}`;

/**
 * Schedules rows again that are suspended or late, in the order given, which is the one in which CDC reports them. Doubt and the plan
 * number stay. A retry time in the future stays too: before it nothing may be tried. The caller must have locked the rows.
 *
 * What a spout resumes keeps its attempts, and the time for which it was suspended does not count towards giving up. What a person
 * resumes has its whole time once more, and attempts begin anew: what was refused until its end would be given up at the next refusal.
 */
export async function reschedule(
  sql: Pick<Sql, 'run'>,
  ids: readonly number[],
  by: 'spout' | 'person',
): Promise<number> {
  if (ids.length === 0) return 0;
  const { affectedRows } = await sql.run(
    `UPDATE (VALUES ${ids.map((id) => `ROW(${integer(id)})`).join(',')}) v(id) STRAIGHT_JOIN scheduled_messages m FORCE INDEX (PRIMARY) ON m.id=v.id ` +
      `SET ${by === 'spout' ? BY_SPOUT : BY_PERSON}m.state='scheduled', m.version=LEAST(m.version, ${MAX_VERSION - 1}) + 1, ` +
      `m.retry_at=IF(m.retry_at > ${NOW_MS}, m.retry_at, NULL) WHERE m.state IN (${by === 'spout' ? '' : "'late',"}'suspended')`,
  );
  return affectedRows;
}
