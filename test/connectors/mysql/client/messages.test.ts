import { getAll } from '../../../../connectors/mysql/client/messages';
import type { Sql } from '../../../../connectors/mysql/sql/sql';

const MEBIBYTE = 1024 * 1024;

test('messages are read with as many payloads in one answer as some mebibytes hold; one that is deleted meanwhile is null', async () => {
  const statements: string[] = [];
  const rows = async (statement: string) => {
    statements.push(statement);
    const ids = (/id IN \(([\d,]+)\)/.exec(statement)?.[1] ?? '').split(',').map(Number);
    const isSmallOnly = statement.startsWith('SELECT IF(');
    return ids
      .filter((id) => isSmallOnly || id !== 4)
      .map((id) => {
        const isLarge = id <= 20;
        return [isSmallOnly && isLarge ? null : `{"n":${id}}`, isLarge ? MEBIBYTE : 10, id, 'shop', 'webhook', 4e12];
      });
  };
  const targets = Array.from({ length: 1_500 }, (_, n) => ({ id: n + 1 }));
  const messages = await getAll({ rows } as unknown as Sql, targets);
  expect(messages.map((message) => message?.payload ?? null)).toEqual(
    targets.map(({ id }) => (id === 4 ? null : { n: id })),
  );
  expect(messages[0]).toMatchObject({ id: 1, account: 'shop', channel: 'webhook', dueAt: 4e12 });
  // A thousand small ones, three times eight large ones at most, and the other small ones.
  expect(statements.map((statement) => /id IN \(([\d,]+)\)/.exec(statement)?.[1]?.split(',').length)).toEqual([
    1_000, 8, 8, 4, 500,
  ]);
});
