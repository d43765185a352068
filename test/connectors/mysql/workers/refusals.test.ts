import { instructionOf, instructionOfWrite } from '../../../../connectors/mysql/sql/failures';
import { MySqlOpenRows } from '../../../../connectors/mysql/workers/open-rows';
import { MySqlSendRows } from '../../../../connectors/mysql/workers/send-rows';
import { PartlyClaimed, Unavailable } from '../../../../topology/core/errors';
import { ManualClock } from '../../../support/manual-clock';

const SESSION = 'ab'.repeat(16);
const result = {
  version: 1,
  dueAt: 1,
  wakeAt: 1,
  contentHash: 'ab'.repeat(32),
  startedAt: 1,
  finishedAt: 2,
  outcome: { kind: 'delivered' },
  settlement: { state: 'delivered', deliveredAt: 2, receipt: null },
} as const;
const rows = [1, 2, 3, 4].map((id) => ({ id, version: 1, session: SESSION, updatedAt: 'now' }));
const results = rows.map(({ id }) => ({ ...result, id }));

const select = async (statement: string) => (statement.startsWith('SELECT id FROM') ? rows.map(({ id }) => [id]) : []);

/** A server that refuses some rows with this error whatever is written of them, and writes all others. A transaction that fails has no effect. */
function refusing(errno: number, refused: readonly number[]) {
  const written: number[] = [];
  let updates = 0;
  const transaction = async (work: (sql: unknown) => Promise<unknown>) => {
    const own: number[] = [];
    const run = async (statement: string) => {
      if (!statement.startsWith('UPDATE')) return { affectedRows: 0 };
      updates++;
      const ids = [...statement.matchAll(/\((\d+),1,/g)].map((match) => Number(match[1]));
      if (ids.some((id) => refused.includes(id))) {
        throw instructionOfWrite(Object.assign(new Error('no'), { errno, sqlState: 'HY000' }), true);
      }
      own.push(...ids);
      return { affectedRows: ids.length };
    };
    const answer = await work({ rows: select, run });
    written.push(...own);
    return answer;
  };
  const pool = { clock: new ManualClock(), use: transaction, transaction, rows: async () => [] } as never;
  return { pool, written, updates: () => updates };
}

describe.each([1180, 3101, 1041, 1030, 3169, 1613, 1290])('error %i of the server for all that is written', (errno) => {
  test('gives up no row and no result: it is thrown, after each row was tried once', async () => {
    const { pool, updates } = refusing(errno, [1, 2, 3, 4]);
    await expect(new MySqlOpenRows(pool).recover(rows, 0)).rejects.toThrow(Unavailable);
    await expect(new MySqlSendRows(pool).writeBack(SESSION, results)).rejects.toThrow(Unavailable);
    await expect(new MySqlSendRows(pool).claim(SESSION, rows, 0)).rejects.toThrow(Unavailable);
    expect(updates()).toBe(3 * 5);
  });
});

/** A trigger's SIGNAL, a key that is there already, a parent that is gone, two rows for one, division by zero, a page that is corrupt, sizes … */
describe.each([1644, 1062, 1452, 1451, 1242, 1365, 1146, 1054, 1064, 1136, 1305, 1712, 1197, 3100])(
  'error %i for one row holds no other',
  (errno) => {
    test('of a claim, which says how many were won', async () => {
      const { pool, written } = refusing(errno, [2]);
      const claimed = new MySqlSendRows(pool).claim(SESSION, rows, 0);
      await expect(claimed).rejects.toThrow(PartlyClaimed);
      await expect(claimed).rejects.toMatchObject({
        won: 3,
        message: expect.stringContaining('message 2 cannot be claimed: '),
      });
      expect(written.toSorted((a, b) => a - b)).toEqual([1, 3, 4]);
    });

    test('of those that are recovered', async () => {
      const { pool, written } = refusing(errno, [2]);
      expect(await new MySqlOpenRows(pool).recover(rows, 0)).toEqual({
        recovered: 3,
        delivered: 0,
        refused: [{ id: 2, reason: expect.any(String) }],
      });
      expect(written.toSorted((a, b) => a - b)).toEqual([1, 3, 4]);
    });
  },
);

describe.each([1064, 1136, 1305, 1054])('error %i for the only row there is ends no worker', (errno) => {
  test.each(['recovered', 'claimed', 'written back'])('whether it is %s', async (what) => {
    const { pool } = refusing(errno, [2]);
    const only = rows.filter(({ id }) => id === 2);
    const done =
      what === 'recovered'
        ? new MySqlOpenRows(pool).recover(only, 0)
        : what === 'claimed'
          ? new MySqlSendRows(pool).claim(SESSION, only, 0)
          : new MySqlSendRows(pool).writeBack(
              SESSION,
              results.filter(({ id }) => id === 2),
            );
    await expect(done).rejects.toThrow(Unavailable);
  });
});

/** What the database can answer about one row: a trigger may fail in any way, and nobody has heard of the last. */
const answers = [1644, 1062, 1452, 1242, 1365, 1146, 1305, 1197, 1534, 3100, 9999];

test.each(answers)('error %i for one row holds no other of a write-back', async (errno) => {
  const { pool, written } = refusing(errno, [2]);
  expect(await new MySqlSendRows(pool).writeBack(SESSION, results)).toEqual([
    { id: 2, reason: expect.any(String), again: false },
  ]);
  expect(written.toSorted((a, b) => a - b)).toEqual([1, 3, 4]);
});

test.each([1205, 3572])('error %i for one row hands it back, and the others are written', async (errno) => {
  const { pool, written } = refusing(errno, [2]);
  expect(await new MySqlSendRows(pool).writeBack(SESSION, results)).toEqual([
    { id: 2, reason: expect.any(String), again: true, ...(errno === 1205 && { wait: 'own' }) },
  ]);
  expect(written.toSorted((a, b) => a - b)).toEqual([1, 3, 4]);
});

const isEntry = (statement: string) => statement.startsWith('INSERT INTO delivery_attempts (message_id, version');
const isResult = (statement: string) => statement.startsWith('UPDATE (VALUES');
const both = (statement: string) => isEntry(statement) || isResult(statement);
const isMarkOfNone = (statement: string) =>
  statement.startsWith('INSERT INTO account_states') && statement.includes(SESSION);
const isRelease = (statement: string) => statement.startsWith('UPDATE scheduled_messages');

/** @param errnoOf of a statement, and how many like it were before it */
function answering(errnoOf: (statement: string, before: number) => number | undefined) {
  const statements: string[] = [];
  const committed: string[][] = [];
  const transaction = async (work: (sql: unknown) => Promise<unknown>) => {
    const own: string[] = [];
    const run = async (statement: string) => {
      const errno = errnoOf(statement, statements.filter((other) => other === statement).length);
      statements.push(statement);
      if (errno !== undefined) throw instructionOf(Object.assign(new Error('no'), { errno, sqlState: 'HY000' }));
      if (statement.startsWith('ROLLBACK TO')) own.length = 0;
      else if (!statement.startsWith('SAVEPOINT')) own.push(statement);
      return { affectedRows: 1 };
    };
    const answer = await work({ run, rows: async () => [] });
    committed.push(own);
    return answer;
  };
  const sendRows = new MySqlSendRows({ clock: new ManualClock(), transaction, rows: async () => [] } as never);
  return { sendRows, committed };
}

describe('a result that is written alone', () => {
  const [one] = results as [(typeof results)[number]];
  const release = { reason: 'not written', delayMs: 60_000 };
  test('is written, and nothing else is', async () => {
    const { sendRows, committed } = answering(() => undefined);
    expect(await sendRows.writeAlone(SESSION, one, release)).toBe('written');
    expect(committed.flat().map(isRelease)).toEqual([false, false]);
    expect(committed.flat().filter(isResult)).toHaveLength(1);
  });

  test.each(answers)(
    'is refused with error %i where both tables take what is written before and after it',
    async (errno) => {
      const refuses = (statement: string) => (isResult(statement) ? errno : undefined);
      const asked = answering(refuses);
      expect(await asked.sendRows.writeAlone(SESSION, one, null)).toBe('refused');
      expect(asked.committed).toEqual([[]]);
      const released = answering(refuses);
      expect(await released.sendRows.writeAlone(SESSION, one, release)).toBe('released');
      expect(released.committed.flat().map(isRelease)).toEqual([true]);
    },
  );

  const outages: readonly (readonly [string, (statement: string, before: number) => boolean])[] = [
    ['the ledger is away', both],
    [
      'the ledger is away for it and after it',
      (statement, before) => isResult(statement) || (isEntry(statement) && before > 0),
    ],
    [
      'the ledger was away before it',
      (statement, before) => isResult(statement) || (isEntry(statement) && before === 0),
    ],
    ['the ledger has not all columns', (statement) => statement.includes('receipt, settled')],
    ['the table has not all columns', (statement) => statement.includes('delivered_at=')],
    ['the table is away', (statement) => isResult(statement) || isRelease(statement)],
    [
      'the table is away for it and after it',
      (statement, before) => isResult(statement) || (isRelease(statement) && before > 0),
    ],
    [
      'the table was away before it',
      (statement, before) => isResult(statement) || (isRelease(statement) && before === 0),
    ],
  ];

  test.each(outages)('is not refused while %s', async (_, isAway) => {
    for (const given of [null, release]) {
      const { sendRows, committed } = answering((...asked) => (isAway(...asked) ? 1030 : undefined));
      await expect(sendRows.writeAlone(SESSION, one, given)).rejects.toThrow(Unavailable);
      expect(committed).toEqual([]);
    }
  });

  test.each([1205, 3572, 1213, 1114, 1021])(
    '2. what waits for a lock, or for space, is not refused: error %i',
    async (errno) => {
      const { sendRows, committed } = answering((statement) => (isResult(statement) ? errno : undefined));
      await expect(sendRows.writeAlone(SESSION, one, release)).rejects.toThrow(Unavailable);
      expect(committed).toEqual([]);
    },
  );

  test.each([
    ['its row cannot be released', isRelease],
    ['an entry of the ledger for no message is refused', (statement: string) => statement.includes('VALUES (0,')],
  ] as const)('3. What can be written is, although %s', async (_, isRefused) => {
    const { sendRows, committed } = answering((statement) => (isRefused(statement) ? 1644 : undefined));
    expect(await sendRows.writeAlone(SESSION, one, release)).toBe('written');
    expect(committed.flat().filter(isResult)).toHaveLength(1);
  });

  test.each([1146, 1142, 1644])('is written although ids that were kept of it cannot go: error %i', async (errno) => {
    const dropped: string[] = [];
    const { sendRows, committed } = answering((statement) => {
      if (!statement.startsWith('DELETE k FROM kept_ids')) return undefined;
      dropped.push(statement);
      return errno;
    });
    expect(await sendRows.writeAlone(SESSION, { ...one, hasKept: true }, release)).toBe('written');
    expect(committed.flat().filter(isResult)).toHaveLength(1);
    expect(dropped).toHaveLength(1);
  });

  describe('that suspends its row', () => {
    const outcome = { kind: 'rejected', reason: 'no' } as const;
    const settlement = { state: 'suspended', inDoubt: false, error: 'no', generation: 3 } as const;
    const suspension = { ...one, outcome, settlement };

    test('is refused where the table of the accounts takes a mark before and after it, and its row is released', async () => {
      const { sendRows, committed } = answering((statement) => (isResult(statement) ? 1644 : undefined));
      expect(await sendRows.writeAlone(SESSION, suspension, null)).toBe('refused');
      expect(await sendRows.writeAlone(SESSION, suspension, release)).toBe('released');
      expect([committed[0], committed[1]?.map(isRelease)]).toEqual([[], [true]]);
    });

    test.each([0, 1])(
      'is not refused while the table of the accounts takes none: the mark %i of two',
      async (which) => {
        const { sendRows, committed } = answering((statement, before) =>
          isResult(statement) || (isMarkOfNone(statement) && before === which) ? 1030 : undefined,
        );
        await expect(sendRows.writeAlone(SESSION, suspension, release)).rejects.toThrow(Unavailable);
        expect(committed).toEqual([]);
      },
    );
  });

  test('waits for no other that is written alone beside it', async () => {
    const entries: string[] = [];
    const { sendRows } = answering((statement) => {
      if (statement.includes('VALUES (0,')) entries.push(statement);
      return isResult(statement) ? 1644 : undefined;
    });
    for (const id of [1, 2, 2 ** 32 + 3]) await sendRows.writeAlone(SESSION, { ...one, id }, null);
    expect([entries.length, new Set(entries).size]).toEqual([6, 3]);
  });

  test('is refused for a value that is no SQL', async () => {
    const { sendRows } = answering(() => undefined);
    expect(await sendRows.writeAlone(SESSION, { ...one, contentHash: 'not a hash' }, null)).toBe('refused');
  });
});

/** A server that refuses rows with error 3100. Batches are of 32 MiB. */
function ofLargeRows(mebibytes: number, refused: readonly number[], random: () => number = () => 0) {
  const server = refusing(3100, refused);
  const sizes = async () => rows.map(({ id }) => [id, mebibytes * 1024 * 1024]);
  return { ...server, openRows: new MySqlOpenRows({ ...(server.pool as object), rows: sizes } as never, random) };
}

describe('a batch of rows to recover that is refused as a whole', () => {
  test('holds no other, and its row is named where it is the only one', async () => {
    const { openRows, written } = ofLargeRows(40, [1]);
    expect(await openRows.recover(rows, 0)).toEqual({
      recovered: 3,
      delivered: 0,
      refused: [{ id: 1, reason: expect.any(String) }],
    });
    expect(written).toEqual([2, 3, 4]);
  });

  test('is said where it is of several, which may not all be refused', async () => {
    const { openRows, written } = ofLargeRows(16, [1, 2]);
    expect(await openRows.recover(rows, 0)).toEqual({
      recovered: 2,
      delivered: 0,
      refused: [],
      failure: expect.any(Unavailable),
    });
    expect(written).toEqual([3, 4]);
  });

  test('is not followed by others after a second one, and another one begins the next time', async () => {
    let random = 0;
    const { openRows, written, updates } = ofLargeRows(40, [1, 2], () => random);
    await expect(openRows.recover(rows, 0)).rejects.toThrow(Unavailable);
    expect([updates(), written]).toEqual([2, []]);
    random = 0.5;
    expect(await openRows.recover(rows, 0)).toMatchObject({ recovered: 2, refused: [{ id: 1 }, { id: 2 }] });
    expect(written).toEqual([3, 4]);
  });
});

describe('a row whose writing waits for what somebody else holds (error 1205) holds no other', () => {
  test('of a claim: it is left out as a locked one is', async () => {
    const { pool, written } = refusing(1205, [2]);
    expect(await new MySqlSendRows(pool).claim(SESSION, rows, 0)).toBe(3);
    expect(written.toSorted((a, b) => a - b)).toEqual([1, 3, 4]);
  });

  test('of those that are recovered', async () => {
    const { pool, written } = refusing(1205, [2]);
    expect(await new MySqlOpenRows(pool).recover(rows, 0)).toMatchObject({ recovered: 3, refused: [{ id: 2 }] });
    expect(written.toSorted((a, b) => a - b)).toEqual([1, 3, 4]);
  });
});

/** Of the rows that are asked for, 2 and 3 are delivered by the ledger. */
async function selectWithLedger(statement: string): Promise<unknown[][]> {
  if (!statement.startsWith('SELECT message_id')) return select(statement);
  const asked = new Set([...statement.matchAll(/\((\d+),1,/g)].map(([, id]) => Number(id)));
  return [2, 3].filter((id) => asked.has(id)).map((id) => [id, 1, Buffer.from(SESSION, 'hex'), 7, null]);
}

/** @param refuses whether the server refuses to deliver row 2 */
function delivering(errno: number, refuses: boolean) {
  const committed: string[][] = [];
  const transaction = async (work: (sql: unknown) => Promise<unknown>) => {
    const own: string[] = [];
    const run = async (statement: string) => {
      const isDelivery = statement.startsWith('UPDATE (VALUES');
      if (refuses && isDelivery && statement.includes('ROW(2,'))
        throw instructionOfWrite(Object.assign(new Error('no'), { errno, sqlState: 'HY000' }), true);
      own.push(statement);
      return { affectedRows: isDelivery ? statement.split('ROW(').length - 1 : 1 };
    };
    const answer = await work({ rows: selectWithLedger, run });
    committed.push(own);
    return answer;
  };
  const pool = { clock: new ManualClock(), use: transaction, transaction, rows: async () => [] } as never;
  return { pool, committed };
}

describe('a row of a dead worker that the ledger says is delivered', () => {
  test('is delivered in the transaction that puts the others back', async () => {
    const { pool, committed } = delivering(0, false);
    expect(await new MySqlOpenRows(pool).recover(rows, 0)).toEqual({ recovered: 1, delivered: 2, refused: [] });
    expect(committed).toHaveLength(1);
    expect(committed[0]?.map((statement) => statement.slice(0, 14))).toEqual(['UPDATE (VALUES', 'UPDATE schedul']);
    expect(committed[0]?.[0]).toContain('ROW(2,1,7,NULL),ROW(3,1,7,NULL)');
  });

  test('is put back where that is refused, and holds no other', async () => {
    const { pool, committed } = delivering(1644, true);
    expect(await new MySqlOpenRows(pool).recover(rows, 0)).toMatchObject({ delivered: 1, refused: [] });
    const [putBack = []] = committed.filter((own) => own.some((statement) => statement.includes('(2,1,x')));
    expect(putBack.map((statement) => statement.slice(0, 14))).toEqual(['UPDATE schedul']);
  });

  test.each([1205, 3572])('waits where a lock is why (error %i)', async (errno) => {
    const { pool } = delivering(errno, true);
    expect(await new MySqlOpenRows(pool).recover(rows, 0)).toMatchObject({ delivered: 1, refused: [{ id: 2 }] });
  });
});

test('rows that the database refuses for their values are named, although nothing else is written', async () => {
  const { pool } = refusing(1264, [1, 2]);
  const reason = expect.any(String);
  expect(await new MySqlOpenRows(pool).recover(rows.slice(0, 2), 0)).toEqual({
    recovered: 0,
    delivered: 0,
    refused: [
      { id: 1, reason },
      { id: 2, reason },
    ],
  });
});

async function locked(): Promise<never> {
  throw instructionOf(Object.assign(new Error('no'), { errno: 1205, sqlState: 'HY000' }));
}

const onLockedTable = (work: (sql: unknown) => Promise<unknown>) => work({ rows: locked, run: locked });

test('a table that is locked is no refusal of its rows', async () => {
  const pool = {
    clock: new ManualClock(),
    use: onLockedTable,
    transaction: onLockedTable,
    rows: async () => [],
  } as never;
  await expect(new MySqlSendRows(pool).claim(SESSION, rows, 0)).rejects.toThrow('the table is locked');
  await expect(new MySqlSendRows(pool).writeBack(SESSION, results)).rejects.toThrow('the table is locked');
  await expect(new MySqlOpenRows(pool).recover(rows, 0)).rejects.toThrow('the table is locked');
});
