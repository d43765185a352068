import type { Pool } from '../../../connectors/mysql/sql/pool';
import { rollRules } from '../../../deploy/monitoring/halt-rules';
import { watchRoll } from '../../../deploy/release/local-roll';
import { ManualClock } from '../../support/manual-clock';

/** A database in which 60 messages are overdue, of twelve accounts. */
const rows = async (statement: string) => (statement.includes('MAX(messages)') ? [['webhook', '60', 5]] : []);
const pool = { rows, use: (work: (sql: unknown) => unknown) => work({ rows, run: async () => undefined }) };

async function says(isContinued: boolean): Promise<string | null> {
  const clock = new ManualClock();
  const judge = await watchRoll(pool as unknown as Pool, clock, { releaseNumber: 2, isContinued }, ['webhook']);
  await judge();
  await clock.advance(rollRules.holdMs);
  return judge();
}

test('where a roll is continued, what waits is not taken for what waited before it', async () => {
  expect(await says(false)).toBeNull();
  expect(await says(true)).toMatch(/^\d+ messages are overdue for more than 30 s \(0 before the roll\)$/);
});
