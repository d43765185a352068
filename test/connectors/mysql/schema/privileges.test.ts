import { missingOf, privilegesOf, rightsText } from '../../../../connectors/mysql/schema/privileges';

const missing = (needed: string, ...given: string[]) => rightsText(missingOf([needed], given));

describe('missingOf', () => {
  it.each([
    ['on the table', 'SELECT, UPDATE ON `shop`.`workers`'],
    ['on the database', 'SELECT, UPDATE ON `shop`.*'],
    ['on databases by a pattern', 'SELECT, UPDATE ON `s%p`.*'],
    ['on every database', 'SELECT, UPDATE ON *.*'],
    ['all', 'ALL PRIVILEGES ON `shop`.*'],
  ])('takes what is granted %s', (_where, right) => {
    expect(missing('SELECT, UPDATE ON shop.workers', `GRANT ${right} TO \`w\`@\`%\``)).toEqual([]);
  });

  it.each([
    ['nothing is', 'GRANT USAGE ON *.* TO `w`@`%`'],
    ['another table is', 'GRANT UPDATE ON `shop`.`pauses` TO `w`@`%`'],
    ['another database is, whose name a pattern would match', 'GRANT UPDATE ON `sh\\_p`.* TO `w`@`%`'],
    ['columns are', 'GRANT SELECT, UPDATE (`id`) ON `shop`.`workers` TO `w`@`%`'],
    ['a role that is not active is', 'GRANT `writers`@`%` TO `w`@`%`'],
  ])('names the right when only %s granted', (_what, line) => {
    expect(missing('UPDATE ON shop.workers', line)).toEqual(['UPDATE ON `shop`.`workers`']);
  });

  it('names the columns that are missing', () => {
    const given = 'GRANT INSERT (`payload`), UPDATE (`state`, `version`) ON `shop`.`rows` TO `w`@`%`';
    expect(missing('UPDATE (version, due_at, state) ON shop.rows', given)).toEqual([
      'UPDATE (due_at) ON `shop`.`rows`',
    ]);
  });

  it('knows what was taken away again from what is granted everywhere', () => {
    const given = ['GRANT SELECT, UPDATE ON *.* TO `w`@`%`', 'REVOKE UPDATE ON `shop`.* FROM `w`@`%`'];
    expect(missing('SELECT, UPDATE ON shop.rows', ...given)).toEqual(['UPDATE ON `shop`.`rows`']);
  });

  it('reads rights of more than one word, and those on the whole server', () => {
    const given = 'GRANT REPLICATION SLAVE ON *.* TO `c`@`%` WITH GRANT OPTION';
    expect(missing('RELOAD, REPLICATION SLAVE, REPLICATION CLIENT ON *.*', given)).toEqual([
      'RELOAD, REPLICATION CLIENT ON *.*',
    ]);
  });
});

test('a right is read with and without quotes', () => {
  expect(privilegesOf('SELECT, UPDATE (id, state) ON `my-shop`.rows')).toEqual([
    { name: 'SELECT', columns: [], on: 'my-shop.rows' },
    { name: 'UPDATE', columns: ['id', 'state'], on: 'my-shop.rows' },
  ]);
});
