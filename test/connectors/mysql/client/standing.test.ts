import { lock } from '../../../../connectors/mysql/client/standing';
import type { Sql } from '../../../../connectors/mysql/sql/sql';

const columns = [7, 'shop', 'k', 'webhook', 'scheduled', 1, 0, 0, '0', null, 2];

/** A database of one message, 7 with the key `k`; every statement is noted. */
function scripted(locksGaps: boolean) {
  const statements: string[] = [];
  const rows = async (statement: string) => {
    statements.push(statement);
    if (statement.includes('auto_increment')) return [[8]];
    if (statement.includes('stats_expiry')) return [[86_400]];
    const finds = statement.includes("'k'") || /IN \([^)]*\b7\b/.test(statement);
    if (!finds) return [];
    return [statement.includes('FOR UPDATE') ? columns : [7]];
  };
  const run = async (statement: string) => {
    statements.push(statement);
    return {};
  };
  return { sql: { rows, run, locksGaps } as unknown as Sql, statements };
}

const targets = [{ id: 7 }, { account: 'shop', dedupeKey: 'k' }, { account: 'shop', dedupeKey: 'gone' }, { id: 9 }];

test.each([true, false])(
  'what is there is found, and what is not is null; where gaps are locked: %s',
  async (locks) => {
    const { sql } = scripted(locks);
    expect((await lock(sql, targets)).map((row) => row?.id ?? null)).toEqual([7, 7, null, null]);
  },
);

test('where gaps are locked, no statement that locks names what may be missing: a key, or an id that nobody has', async () => {
  const { sql, statements } = scripted(true);
  await lock(sql, targets);
  await lock(sql, [{ account: 'shop', dedupeKey: 'gone' }]);
  const locking = statements.filter((statement) => statement.includes('FOR UPDATE'));
  expect(locking).toHaveLength(1);
  expect(locking[0]).toContain('FORCE INDEX (PRIMARY)');
  expect(locking[0]).toContain('m.id IN (7)');
});
