import { Bulk } from '../../../../connectors/mysql/operators/bulk';
import { Operations } from '../../../../connectors/mysql/operators/operations';
import { SuspendedMessages } from '../../../../connectors/mysql/operators/suspended-messages';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const ann = { who: 'ann', host: 'desk' };
const DUE = Date.UTC(2026, 0, 1);
const MESSAGES = 5;

let world: World;
let app: Pool;
let admin: Pool;
let ids: number[];

beforeEach(async () => {
  world = await freshDatabase();
  const open = (name: 'DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  [app, admin] = [open('DATABASE_URL'), open('ADMIN_DATABASE_URL')];
});
afterEach(async () => {
  await Promise.all([app.close(), admin.close()]);
  await world.close();
});

/** Messages of 12 MB, which plain SQL may make. */
async function insertLarge(): Promise<void> {
  ids = [];
  for (let n = 0; n < MESSAGES; n++) {
    const { insertId } = await admin.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('shop', 'mastodon', JSON_OBJECT('text', REPEAT('x', 12000000)), ${DUE + n})`,
    );
    ids.push(insertId);
  }
}

const all = (state: string) =>
  admin.run(`UPDATE scheduled_messages SET state='${state}', updated_at=NOW(6) - INTERVAL 2 HOUR`);
const idsIn = async (state: string) =>
  (await admin.rows<[number]>(`SELECT id FROM scheduled_messages WHERE state='${state}'`)).flat();
/** A trigger of the application that calls a procedure which is not there, for the third message alone. */
const refuse = (event: 'UPDATE' | 'DELETE') =>
  admin.run(
    `CREATE TRIGGER of_application BEFORE ${event} ON scheduled_messages FOR EACH ROW BEGIN IF OLD.id = ${ids[2]} THEN CALL missing(); END IF; END`,
  );
/** The application's pool, and what its transactions resolved to. */
const counting = () => {
  const results: unknown[] = [];
  const pool: Pool = Object.assign(Object.create(app), {
    transaction: async (work: Parameters<Pool['transaction']>[0]) => {
      const result = await app.transaction(work);
      results.push(result);
      return result;
    },
  });
  return { pool, results };
};
const named = () => new RegExp(`^The database refuses message ${ids[2]}: .*missing.* All others were written\\.$`);

describe.each([
  { state: 'failed', change: (report?: (counts: { done: number }) => void) => new Bulk(app, ann).redrive({}, report) },
  {
    state: 'suspended',
    change: (report?: (counts: { done: number }) => void) => new SuspendedMessages(app, ann).resume({}, report),
  },
])('what changes many messages that are $state', ({ state, change }) => {
  beforeEach(insertLarge);

  test('1. A transaction is bounded in rows and in bytes of payload', async () => {
    await all(state);
    const reports: number[] = [];
    expect(await change(({ done }) => reports.push(done))).toEqual({ done: MESSAGES, skipped: 0 });
    expect(reports).toEqual([2, 4, 5]);
    expect(await idsIn('scheduled')).toEqual(ids);
  });

  test('2. A row that the database refuses holds no other, and is named at the end', async () => {
    await all(state);
    await refuse('UPDATE');
    await expect(change()).rejects.toThrow(named());
    expect(await idsIn(state)).toEqual([ids[2]]);
  });

  test('a message that somebody holds is skipped', async () => {
    await all(state);
    await admin.transaction(async (sql) => {
      await sql.rows(`SELECT 1 FROM scheduled_messages WHERE id=${ids[1]} FOR UPDATE`);
      expect(await change()).toEqual({ done: MESSAGES - 1, skipped: 1 });
    });
  });
});

describe('more messages than a page has, of which the database refuses the oldest and each seventh,', () => {
  const OLDEST = 250;
  let old: number[];
  let refused: number[];

  beforeEach(async () => {
    const rows = Array.from(
      { length: 500 },
      (_, n) => `('shop', 'mastodon', JSON_OBJECT('text', 'x'), ${DUE + n}, 'failed', NOW(6) - INTERVAL 2 HOUR)`,
    );
    await admin.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at, state, updated_at) VALUES ${rows.join(',')}`,
    );
    old = (await admin.rows<[number]>('SELECT id FROM scheduled_messages ORDER BY id')).flat();
    refused = old.filter((_, n) => n < OLDEST || n % 7 === 0);
  });

  const refuseThem = (event: 'UPDATE' | 'DELETE') =>
    admin.run(
      `CREATE TRIGGER of_application BEFORE ${event} ON scheduled_messages FOR EACH ROW BEGIN IF OLD.id IN (${refused.join(',')}) THEN CALL missing(); END IF; END`,
    );

  test.each([
    ['DELETE', () => new Operations(app).purge(3_600_000)],
    ['UPDATE', () => new Bulk(app, ann).redrive({})],
  ] as const)('are all tried, and those that are refused are counted at the end: %s', async (event, run) => {
    await refuseThem(event);
    await expect(run()).rejects.toThrow(
      new RegExp(
        `^The database refuses message \\d+: .*missing.* ${refused.length - 1} more were refused\\. All others were written\\.$`,
      ),
    );
    expect((await idsIn('failed')).toSorted((a, b) => a - b)).toEqual(refused);
  });

  test('are named where nothing at all is written, too', async () => {
    refused = old;
    await refuseThem('UPDATE');
    await expect(new Bulk(app, ann).redrive({})).rejects.toThrow(
      /^The database refuses message \d+: .*missing.* 499 more were refused\. All others were written\.$/,
    );
    expect((await idsIn('failed')).length).toBe(old.length);
  });

  test.each([
    ['kept_ids', (pool: Pool) => new Operations(pool).purge(3_600_000)],
    ['audit', (pool: Pool) => new Bulk(pool, ann).redrive({})],
  ] as const)('3. An outage ends the run: at once, naming no message, without the table %s', async (table, run) => {
    const { pool, results } = counting();
    await admin.run(`RENAME TABLE ${table} TO elsewhere`);
    await expect(run(pool)).rejects.toThrow(new RegExp(`^(?!The database refuses).*${table}`));
    // Neither the transaction nor the one that is about no row was taken.
    expect(results).toEqual([]);
    expect((await idsIn('failed')).length).toBe(old.length);
  });

  test('statements of a user who lacks the right are refused about no row too', async () => {
    const { pool, results } = counting();
    await admin.run("UPDATE scheduled_messages SET state='uncertain', in_doubt=1");
    // As the application's user, who may not write what came of a message.
    await expect(new Bulk(pool, ann).resolve({}, { as: 'delivered' })).rejects.toThrow(/OPERATOR_DATABASE_URL/);
    expect(results).toEqual([]);
  });

  test('a message that is refused beside others that are skipped ends nothing', async () => {
    refused = [old[0] as number];
    await refuseThem('UPDATE');
    await admin.transaction(async (sql) => {
      // The others of its batch.
      await sql.rows(`SELECT 1 FROM scheduled_messages WHERE id > ${old[0]} AND id <= ${old[199]} FOR UPDATE`);
      await expect(new Bulk(app, ann).redrive({})).rejects.toThrow(
        /^The database refuses message .*All others were written\.$/,
      );
    });
    expect((await idsIn('failed')).toSorted((a, b) => a - b)).toEqual(old.slice(0, 200));
  });
});

test('a purge is bounded in the same way, and a message that the database refuses holds no other', async () => {
  await insertLarge();
  await all('failed');
  await refuse('DELETE');
  const { pool, results } = counting();
  await expect(new Operations(pool).purge(3_600_000)).rejects.toThrow(named());
  // The one that deletes none shows that the refusal is about a row.
  expect(results).toEqual([2, 0, 1, 1]);
  expect(await idsIn('failed')).toEqual([ids[2]]);
});
