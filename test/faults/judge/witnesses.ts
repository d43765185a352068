import { readSnapshot, Sessions } from '../../../connectors/mysql/operators/verify/snapshot';
import type { Pool } from '../../../connectors/mysql/sql/pool';
import type { TableHistory } from './history';

/** The third witness: the table and the ledger, in the end. All of it is read in one snapshot. */
export async function tableHistory(pool: Pool): Promise<TableHistory> {
  const { now, messages, sessions } = await readSnapshot(pool, 'TRUE', new Sessions());
  return {
    now,
    rows: messages.map(({ row }) => row),
    attempts: messages.flatMap(({ attempts }) => attempts),
    sessions: [...sessions.values()],
  };
}
