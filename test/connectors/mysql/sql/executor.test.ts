import type { Connection } from 'mysql2/promise';
import { CallerExecutor } from '../../../../connectors/mysql/sql/executor';

const AUTOCOMMIT = 2;
const IN_TRANSACTION = 1;

interface Connected {
  readonly isolation: string;
  readonly status: number;
  readonly failing?: string;
  readonly charsets?: readonly string[];
}

/** A connection that notes its statements. */
function noted({ isolation, status, failing = '', charsets = ['utf8mb4', 'utf8mb4', 'utf8mb4'] }: Connected) {
  const statements: string[] = [];
  const query = async ({ sql }: { sql: string }) => {
    statements.push(sql);
    if (sql === failing) throw Object.assign(new Error('interrupted'), { errno: 1317, sqlState: '70100' });
    return sql.startsWith('SELECT @@SESSION') ? [[['', isolation, ...charsets]]] : [{ serverStatus: status }];
  };
  const connection = { query, destroy: () => statements.push('destroyed') } as unknown as Connection;
  return { executor: new CallerExecutor(connection), statements };
}

test.each([
  ['latin1', 'utf8mb4', 'utf8mb4'],
  ['utf8mb4', 'utf8mb3', 'utf8mb4'],
  ['utf8mb4', 'utf8mb4', 'gbk'],
])('A connection whose texts are %s, %s and %s would lose characters, and is refused', async (...charsets) => {
  const { executor, statements } = noted({ isolation: 'READ-COMMITTED', status: AUTOCOMMIT, charsets });
  const narrow = charsets.find((charset) => charset !== 'utf8mb4');
  await expect(executor.atomically(async (sql) => sql.run('DO 1'))).rejects.toThrow(
    `The connection has the character set ${narrow}, which does not have every character; make it with charset 'utf8mb4'.`,
  );
  expect(statements).toHaveLength(1);
});

const locksGapsOf = (executor: CallerExecutor) => executor.atomically(async ({ locksGaps = false }) => locksGaps);

test.each(['REPEATABLE-READ', 'SERIALIZABLE', 'READ-COMMITTED', 'READ-UNCOMMITTED'])(
  'A transaction of our own on a connection with %s locks no gaps, and changes the level of that transaction alone',
  async (isolation) => {
    const { executor, statements } = noted({ isolation, status: AUTOCOMMIT });
    expect(await locksGapsOf(executor)).toBe(false);
    expect(statements.slice(-3)).toEqual([
      'SET TRANSACTION ISOLATION LEVEL READ COMMITTED',
      'START TRANSACTION',
      'COMMIT',
    ]);
    expect(statements.filter((sql) => sql.startsWith('SET SESSION'))).toEqual([]);
  },
);

test('When our transaction does not begin, the level that was meant for it is taken back', async () => {
  const { executor, statements } = noted({
    isolation: 'REPEATABLE-READ',
    status: AUTOCOMMIT,
    failing: 'START TRANSACTION',
  });
  await expect(locksGapsOf(executor)).rejects.toThrow('interrupted');
  expect(statements.slice(-2)).toEqual(['START TRANSACTION', 'ROLLBACK']);
});

test.each([
  ['REPEATABLE-READ', IN_TRANSACTION | AUTOCOMMIT, true],
  ['SERIALIZABLE', 0, true],
  ['READ-COMMITTED', IN_TRANSACTION | AUTOCOMMIT, false],
])("The caller's own transaction (%s, status %i) keeps its level", async (isolation, status, expected) => {
  const { executor, statements } = noted({ isolation, status });
  expect(await locksGapsOf(executor)).toBe(expected);
  expect(statements.filter((sql) => sql.includes('ISOLATION LEVEL'))).toEqual([]);
});
