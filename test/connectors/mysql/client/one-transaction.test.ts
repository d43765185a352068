import { cancelAll, editAll } from '../../../../connectors/mysql/client/change';
import { checkMessage } from '../../../../connectors/mysql/client/input';
import { checkUpdate } from '../../../../connectors/mysql/client/one-transaction';
import { redriveAll, resolveAll } from '../../../../connectors/mysql/client/resolve';
import { scheduleAll } from '../../../../connectors/mysql/client/schedule';
import { TooMuchAtOnce } from '../../../../connectors/mysql/sql/failures';
import type { Sql } from '../../../../connectors/mysql/sql/sql';
import { payloads } from '../../../../topology/payloads/payloads';

const MEBIBYTE = 1024 * 1024;

/** A transaction that finds messages of a mebibyte each, and notes what it writes. */
function scripted(state: string) {
  const written: string[] = [];
  const rows = async (statement: string) => {
    const ids = /m\.id IN \(([\d,]+)\)/.exec(statement)?.[1]?.split(',') ?? [];
    return ids.map((id) => [id, 'shop', null, 'webhook', state, 1, 4e12, 0, '0', null, MEBIBYTE]);
  };
  const run = async (statement: string) => {
    written.push(statement);
    return { affectedRows: 1 };
  };
  return { sql: { rows, run } as unknown as Sql, written };
}

const author = { who: 'ann', host: 'desk' };
const targets = (count: number) => Array.from({ length: count }, (_, n) => ({ id: n + 1 }));
const changes = {
  cancel: ['scheduled', (sql: Sql, count: number) => cancelAll(sql, author, targets(count))],
  redrive: ['failed', (sql: Sql, count: number) => redriveAll(sql, author, targets(count))],
  resolve: [
    'uncertain',
    (sql: Sql, count: number) =>
      resolveAll(
        sql,
        author,
        targets(count).map((target) => ({ target, as: 'delivered', at: null, receipt: null })),
      ),
  ],
  edit: [
    'scheduled',
    (sql: Sql, count: number) =>
      editAll(
        sql,
        author,
        targets(count).map((target) => ({ ...target, dueAt: 4e12 })),
        payloads,
      ),
  ],
} as const;

test.each(Object.entries(changes))(
  'a %s that the binary log cannot have in one transaction says so and writes nothing',
  async (verb, [state, change]) => {
    const few = scripted(state);
    expect(await change(few.sql, 64)).toHaveLength(64);
    expect(few.written).not.toEqual([]);
    const many = scripted(state);
    const refused = change(many.sql, 65);
    await expect(refused).rejects.toThrow(TooMuchAtOnce);
    await expect(refused).rejects.toThrow(
      `${verb}: the payloads of these 65 messages take 130 MiB of the binary log, and one call, which is one transaction, may take 128 MiB of it: give fewer messages in a call`,
    );
    expect(many.written).toEqual([]);
  },
);

const message = (body: string) =>
  checkMessage(
    { account: 'shop', channel: 'webhook', payload: { url: 'http://x.test/', body }, dueAt: 4e12 },
    payloads,
  );

test('scheduling is bounded in the same way', async () => {
  const one = message('x'.repeat(1_000_000));
  const { sql, written } = scripted('scheduled');
  await expect(
    scheduleAll(
      sql,
      author,
      Array.from({ length: 140 }, () => one),
      'keep',
    ),
  ).rejects.toThrow('schedule: the payloads of these 140 messages take 134 MiB');
  expect(written).toEqual([]);
});

test('a message alone is never refused for its size', () => {
  expect(() => checkUpdate('cancel', [{ payloadBytes: 500 * MEBIBYTE }])).not.toThrow();
});

test('no statement of an edit is longer than a server takes', async () => {
  const { sql, written } = scripted('scheduled');
  const payload = { url: 'http://x.test/', body: '"'.repeat(200_000) };
  const edits = targets(40).map((target) => ({ ...target, payload }));
  expect(await editAll(sql, author, edits, payloads)).toEqual(edits.map(() => ({ result: 'edited', version: 2 })));
  const updates = written.filter((statement) => statement.startsWith('UPDATE'));
  expect(Math.max(...updates.map((statement) => statement.length))).toBeLessThan(8.1 * MEBIBYTE);
  expect(updates).toHaveLength(4);
  expect(
    updates.flatMap((statement) => [...statement.matchAll(/ROW\((\d+),2/g)].map((match) => Number(match[1]))),
  ).toEqual(targets(40).map(({ id }) => id));
});
