import { hashOf } from '../../../../connectors/mysql/client/content-hash';
import { type CheckedMessage, checkMessage } from '../../../../connectors/mysql/client/input';
import { scheduleAll } from '../../../../connectors/mysql/client/schedule';
import type { Sql } from '../../../../connectors/mysql/sql/sql';
import { payloads } from '../../../../topology/payloads/payloads';

const message = (dedupeKey: string): CheckedMessage =>
  checkMessage(
    { account: 'shop', channel: 'webhook', payload: { url: 'http://x.test/' }, dueAt: 4e12, dedupeKey },
    payloads,
  );
const known = message('known');
const existing = [
  7,
  'shop',
  'known',
  'webhook',
  known.dueAt,
  known.payload,
  'scheduled',
  hashOf(known),
  null,
  null,
  40,
];

/** A transaction that sees one message, 7 with the key `known`; every statement is noted. */
function scripted(locksGaps: boolean) {
  const statements: string[] = [];
  const rows = async (statement: string) => {
    statements.push(statement);
    if (statement.includes('auto_increment_increment')) return [[1]];
    if (statement.includes('FOR SHARE')) return [existing];
    return statement.startsWith('SELECT id ') ? [[7]] : [];
  };
  const run = async (statement: string) => {
    statements.push(statement);
    if (statement.includes("'known'")) throw Object.assign(new Error('twice'), { errno: 1062, sqlState: '23000' });
    return { insertId: 8 };
  };
  return { sql: { rows, run, locksGaps } as unknown as Sql, statements };
}

test.each([true, false])(
  'what is there and what is new of a batch are told apart; where gaps are locked: %s',
  async (locks) => {
    const { sql } = scripted(locks);
    expect(await scheduleAll(sql, {} as never, [message('a'), known], 'keep')).toEqual([
      { result: 'scheduled', id: 8, created: true },
      { result: 'scheduled', id: 7, created: false },
    ]);
  },
);

test('where gaps are locked, no key that is new is looked for with a lock, and no INSERT meets what is there', async () => {
  const { sql, statements } = scripted(true);
  await scheduleAll(sql, {} as never, [message('a'), known], 'keep');
  const locking = statements.filter((statement) => statement.includes('FOR SHARE'));
  expect(locking).toEqual([expect.stringContaining('FORCE INDEX (PRIMARY) WHERE id IN (7)')]);
  expect(statements.filter((statement) => statement.startsWith('INSERT'))).toEqual([
    expect.not.stringContaining('known'),
  ]);
});

/** Every tenth is a mebibyte. */
const sizeOf = (id: number) => (id % 10 === 0 ? 1024 * 1024 : 1_000);

async function insertButK1(statement: string) {
  if (statement.includes("'k1'")) throw Object.assign(new Error('twice'), { errno: 1062, sqlState: '23000' });
  return { insertId: 8 };
}

test('what is there is read with as many payloads in one answer as some mebibytes hold, however many keys are given again', async () => {
  const given = Array.from({ length: 1_000 }, (_, n) => message(`k${n}`));
  const answers: number[] = [];
  const rows = async (statement: string) => {
    if (statement.includes('auto_increment_increment')) return [[1]];
    const ids = /WHERE id IN \(([\d,]+)\)/.exec(statement)?.[1]?.split(',').map(Number);
    const isSmallOnly = statement.includes('IF(JSON_STORAGE_SIZE(payload) <= 8192, CAST(payload AS CHAR), NULL)');
    let bytes = 0;
    const found = given.flatMap((one, id) => {
      if (ids !== undefined && !ids.includes(id)) return [];
      const isHere = !isSmallOnly || sizeOf(id) <= 8_192;
      bytes += isHere ? sizeOf(id) : 0;
      const { account, dedupeKey, channel, dueAt, payload } = one;
      const columns = [id, account, dedupeKey, channel, dueAt, isHere ? payload : null, 'scheduled', hashOf(one)];
      return [[...columns, null, null, sizeOf(id)]];
    });
    answers.push(bytes);
    return found;
  };
  const sql = { rows, run: insertButK1 } as unknown as Sql;
  expect(await scheduleAll(sql, {} as never, given, 'keep')).toEqual(
    given.map((_, id) => ({ result: 'scheduled', id, created: false })),
  );
  expect(answers).toHaveLength(1 + Math.ceil(100 / 8));
  expect(Math.max(...answers)).toBe(8 * 1024 * 1024);
});

// Three bytes a unit, and a backslash before each quote.
test.each([
  ['ASCII', 'a', 1],
  ['Chinese', '中', 3],
  ['quotes', '"', 4],
])('no statement is longer than a server takes: bodies of %s', async (_, piece, bytes) => {
  const { sql, statements } = scripted(false);
  const body = piece.repeat(200_000);
  const messages = Array.from({ length: 20 }, () =>
    checkMessage(
      { account: 'shop', channel: 'webhook', payload: { url: 'http://x.test/', body }, dueAt: 4e12 },
      payloads,
    ),
  );
  await scheduleAll(sql, {} as never, messages, 'keep');
  const sent = statements.filter((one) => one.startsWith('INSERT')).map((one) => Buffer.byteLength(one));
  expect(Math.max(...sent)).toBeLessThan(8.1 * 1024 * 1024);
  expect(sent).toHaveLength(Math.ceil(20 / Math.floor((8 * 1024 * 1024) / (200_000 * bytes + 100))));
});

test('what a message says of its lateness is a part of what it says, and nothing said hashes as before there was any', () => {
  const own = { ...known, sendWithin: 1_000 };
  expect(new Set([known, own, { ...own, onLate: 'skip' as const }].map(hashOf)).size).toBe(3);
  expect(hashOf(known)).toBe('64e64ce7617e656bc28b200e0e6bd12a');
});
