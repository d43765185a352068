import { type Connection, createConnection, createPool, type RowDataPacket } from 'mysql2/promise';
import { readAudit } from '../../../../connectors/mysql/audit/audit';
import { type Client, createClient, type NewMessage, UserError } from '../../../../connectors/mysql/client/client';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';
import { until } from '../../../support/until';

let world: World;
let client: Client;
let connection: Connection;
let keys = 0;

beforeAll(async () => {
  world = await freshDatabase();
  client = createClient(required(world.environment, 'DATABASE_URL'));
});
afterAll(async () => {
  await client.close();
  await world.close();
});
beforeEach(async () => {
  connection = await createConnection(required(world.environment, 'DATABASE_URL'));
});
afterEach(() => connection.end());

const later = systemClock.now() + 3_600_000;
const message = (more: Partial<NewMessage> = {}): NewMessage => ({
  account: 'shop',
  channel: 'webhook',
  payload: { url: 'http://127.0.0.1/', body: { b: 1, a: 2, c: 0.1, d: 1e21 } },
  dueAt: later,
  ...more,
});
const key = () => `key-${++keys}`;

/** More than a statement's worth, of which the last waits for somebody else's transaction. */
const blocked = (dedupeKey: string) => [
  ...Array.from({ length: 1_000 }, (_, n) => message({ account: `half-${dedupeKey}`, dedupeKey: `${n}` })),
  message({ dedupeKey }),
];
const whileTaken = async (dedupeKey: string, work: () => Promise<unknown>) => {
  const other = await createConnection(required(world.environment, 'DATABASE_URL'));
  await other.beginTransaction();
  await createClient(other).schedule(message({ dedupeKey }));
  try {
    await work();
  } finally {
    await other.rollback();
    await other.end();
  }
};
const half = (dedupeKey: string) => client.get({ account: `half-${dedupeKey}`, dedupeKey: '0' });

describe('schedule', () => {
  test('answers one with one and many with many, in their order', async () => {
    const one = await client.schedule(message());
    expect(one).toEqual({ result: 'scheduled', id: expect.any(Number), created: true });
    const many = await client.schedule([1, 2, 3].map((n) => message({ account: `m${n}` })));
    const rows = await client.get(many.map(({ id }) => ({ id })));
    expect(rows.map((row) => row?.account)).toEqual(['m1', 'm2', 'm3']);
    expect(await client.schedule([])).toEqual([]);
  });

  test('scheduling twice under one dedupe key is scheduling once', async () => {
    const [a, b] = [message({ dedupeKey: key() }), message({ dedupeKey: key() })];
    const first = await client.schedule(a);
    const answers = await client.schedule([b, a, b, message({ dedupeKey: key() }), { ...a, account: 'other' }]);
    expect(answers.map((answer) => (answer.result === 'scheduled' ? answer.created : null))).toEqual([
      true,
      false,
      false,
      true,
      true,
    ]);
    expect(answers[1]?.id).toBe(first.id);
    expect(answers[2]?.id).toBe(answers[0]?.id);
  });

  test('other content under the same key is a conflict', async () => {
    const known = message({ dedupeKey: key() });
    const { id } = await client.schedule(known);
    const others = [
      { ...known, dueAt: later + 1 },
      { ...known, payload: { url: 'http://127.0.0.1/', body: 'other' } },
    ];
    for (const other of others)
      expect(await client.schedule(other)).toEqual({ result: 'conflict', id, state: 'scheduled' });
    const fresh = message({ dedupeKey: key() });
    const [created, conflict] = await client.schedule([fresh, { ...fresh, dueAt: later + 1 }]);
    expect(conflict).toEqual({ result: 'conflict', id: created?.id, state: 'scheduled' });
  });

  test('two at once with the same keys create each message once', async () => {
    const all = Array.from({ length: 300 }, () => message({ dedupeKey: key() }));
    const answers = await Promise.all([client.schedule(all), client.schedule(all.toReversed())]);
    const [one, two] = answers;
    expect(two.toReversed().map(({ id }) => id)).toEqual(one.map(({ id }) => id));
    const created = answers.flat().filter((answer) => answer.result === 'scheduled' && answer.created);
    expect(created).toHaveLength(300);
  });

  test('is all or nothing, and names the field, its place and its value', async () => {
    const dedupeKey = key();
    const wrong = client.schedule([message({ dedupeKey }), message({ account: '' })]);
    await expect(wrong).rejects.toThrow(new UserError('[1].account: expected 1 to 64 characters, got ""'));
    expect(await client.get({ account: 'shop', dedupeKey })).toBeNull();
  });

  test('ids are right with any auto_increment_increment', async () => {
    await connection.query('SET SESSION auto_increment_increment=7');
    const own = createClient(connection);
    const answers = await own.schedule([1, 2, 3].map((n) => message({ account: `i${n}` })));
    const rows = await client.get(answers.map(({ id }) => ({ id })));
    expect(rows.map((row) => row?.account)).toEqual(['i1', 'i2', 'i3']);
  });

  test('a megabyte and every kind of character come back as they went', async () => {
    const body = { text: 'ä🦆\u2028\u0000\\"\'`%_?:name ?? \n'.repeat(25_000) };
    const own = await createConnection({ uri: required(world.environment, 'DATABASE_URL'), namedPlaceholders: true });
    for (const one of [client, createClient(own)]) {
      const { id } = await one.schedule(message({ payload: { url: 'http://127.0.0.1/?a=?&b=:c', body } }));
      expect((await client.get({ id }))?.payload).toEqual({ url: 'http://127.0.0.1/?a=?&b=:c', body });
    }
    await own.end();
  });
});

describe('scheduling again under a key', () => {
  let admin: Pool;
  beforeAll(() => {
    admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  });
  afterAll(() => admin.close());

  const inState = async (state: string, more = '') => {
    const known = message({ dedupeKey: key() });
    const { id } = await client.schedule(known);
    await admin.run(`UPDATE scheduled_messages SET state='${state}'${more} WHERE id=${id}`);
    return { known, id };
  };

  test.each(['canceled', 'failed', 'delivered', 'uncertain'])('says that the message is %s', async (state) => {
    const { known, id } = await inState(state);
    expect(await client.schedule(known)).toEqual({ result: 'already', id, state });
    expect(await client.schedule({ ...known, dueAt: later + 1 })).toEqual({ result: 'conflict', id, state });
    expect(await client.get({ id })).toMatchObject({ state, version: 1 });
  });

  test('a suspended message waits, so it is scheduled as before, and replaced by another plan', async () => {
    const { known, id } = await inState('suspended');
    expect(await client.schedule(known)).toEqual({ result: 'scheduled', id, created: false });
    expect(await client.schedule(known, { onExisting: 'replace' })).toEqual({
      result: 'scheduled',
      id,
      created: false,
    });
    const other = { ...known, dueAt: later + 1 };
    expect(await client.schedule(other, { onExisting: 'replace' })).toEqual({ result: 'replaced', id, version: 2 });
    expect(await client.get({ id })).toMatchObject({ state: 'scheduled', version: 2 });
  });

  test('a suspended message whose account is being resumed keeps its place when it is due already, and waits for its time otherwise', async () => {
    for (const [dueAt, state] of [
      [Date.UTC(2020, 0, 1), 'suspended'],
      [later + 1, 'scheduled'],
    ] as const) {
      const { known, id } = await inState('suspended');
      await admin.run(
        `INSERT INTO account_states (account, channel, state) VALUES ('${known.account}', 'webhook', 'resuming') ON DUPLICATE KEY UPDATE state='resuming'`,
      );
      const other = { ...known, dueAt };
      expect(await client.schedule(other, { onExisting: 'replace' })).toEqual({ result: 'replaced', id, version: 2 });
      expect(await client.get({ id })).toMatchObject({ state, version: 2, dueAt });
      await admin.run('DELETE FROM account_states');
    }
  });

  test('plain SQL plans a suspended message anew, as docs/how-it-works.md has it', async () => {
    const { id } = await inState('suspended');
    const statement =
      "version=version+1, state='scheduled' WHERE id=? AND state IN ('scheduled','suspended') AND in_doubt=0";
    await connection.query(`UPDATE scheduled_messages SET due_at=?, ${statement}`, [later + 1, id]);
    expect(await client.get({ id })).toMatchObject({ state: 'scheduled', version: 2, dueAt: later + 1 });
  });

  test('is no conflict after an edit, neither with what was scheduled nor with what is there now', async () => {
    const known = message({ dedupeKey: key() });
    const { id } = await client.schedule(known);
    const payload = { url: 'http://127.0.0.1/', body: 'edited' };
    await client.edit({ id, payload, dueAt: later + 5 });
    expect(await client.schedule(known)).toEqual({ result: 'scheduled', id, created: false });
    expect(await client.schedule({ ...known, payload, dueAt: later + 5 })).toEqual({
      result: 'scheduled',
      id,
      created: false,
    });
    expect(await client.schedule({ ...known, dueAt: later + 5 })).toMatchObject({ result: 'conflict' });
    expect(await client.get({ id })).toMatchObject({ version: 2, payload });
  });

  test('of plain SQL compares with what is there', async () => {
    const known = message({ dedupeKey: key() });
    await admin.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at, dedupe_key) VALUES ('shop', 'webhook', '${JSON.stringify(known.payload)}', ${later}, '${known.dedupeKey}')`,
    );
    expect(await client.schedule(known)).toMatchObject({ result: 'scheduled', created: false });
    expect(await client.schedule({ ...known, dueAt: later + 1 })).toMatchObject({ result: 'conflict' });
  });

  test('another policy is another content: a conflict, and a replacement that brings its own', async () => {
    const dedupeKey = key();
    const { id } = await client.schedule(message({ dedupeKey, onLate: 'skip' }));
    expect(await client.schedule(message({ dedupeKey, onLate: 'skip' }))).toMatchObject({ id, created: false });
    const other = message({ dedupeKey, sendWithin: '36h' });
    expect(await client.schedule(other)).toMatchObject({ result: 'conflict', id });
    const replace = { onExisting: 'replace' } as const;
    expect(await client.schedule(other, replace)).toEqual({ result: 'replaced', id, version: 2 });
    expect(await client.get(id)).toMatchObject({ onLate: null, sendWithinMs: 36 * 3_600_000, isLate: false });
    // Repeating the call is harmless.
    expect(await client.schedule(other, replace)).toEqual({ result: 'scheduled', id, created: false });
    // What is late stays so when a producer repeats all that it knows.
    await admin.run(`UPDATE scheduled_messages SET state='late' WHERE id=${id}`);
    expect(await client.schedule(other, replace)).toEqual({ result: 'scheduled', id, created: false });
    expect(await client.get(id)).toMatchObject({ state: 'late', isLate: true });
  });

  test.each(['canceled', 'failed', 'delivered'])(
    'replaces a message that is %s, under the next plan number',
    async (state) => {
      const { known, id } = await inState(state, `, attempts=3, first_attempt_at=5, retry_at=${later + 99}`);
      const other = {
        ...known,
        dueAt: later + 7,
        payload: { url: 'http://127.0.0.1/', body: 'other' },
        localTime: '9:00',
      };
      expect(await client.schedule(other, { onExisting: 'replace' })).toEqual({ result: 'replaced', id, version: 2 });
      expect(await client.get({ id })).toMatchObject({
        state: 'scheduled',
        version: 2,
        planNumber: 2,
        attempts: 0,
        payload: other.payload,
        dueAt: later + 7,
        wakeAt: later + 7,
        localTime: '9:00',
      });
      const [row] = await admin.rows(`SELECT first_attempt_at, plan_version FROM scheduled_messages WHERE id=${id}`);
      expect(row).toEqual([null, 2]);
      // Repeating the call is harmless, and the old content is another.
      expect(await client.schedule(other, { onExisting: 'replace' })).toEqual({
        result: 'scheduled',
        id,
        created: false,
      });
      expect(await client.schedule(known)).toEqual({ result: 'conflict', id, state: 'scheduled' });
    },
  );

  test('replaces nothing that was delivered with the same content and due time, so that a repeated call sends nothing twice', async () => {
    const { known, id } = await inState('failed');
    const other = { ...known, dueAt: later + 1 };
    expect(await client.schedule(other, { onExisting: 'replace' })).toMatchObject({ result: 'replaced' });
    await admin.run(`UPDATE scheduled_messages SET state='delivered', delivered_at=7, receipt='r' WHERE id=${id}`);
    expect(await client.schedule(other, { onExisting: 'replace' })).toEqual({
      result: 'already',
      id,
      state: 'delivered',
    });
    expect(await client.get({ id })).toMatchObject({
      state: 'delivered',
      version: 2,
      planNumber: 2,
      deliveredAt: 7,
      receipt: 'r',
    });
    // Another due time is another wish, and the new plan is not delivered yet.
    expect(await client.schedule({ ...other, dueAt: later + 2 }, { onExisting: 'replace' })).toMatchObject({
      result: 'replaced',
    });
    expect(await client.get({ id })).toMatchObject({ state: 'scheduled', deliveredAt: null, receipt: null });
  });

  test('replaces a message that waits only if it is another', async () => {
    const known = message({ dedupeKey: key() });
    const { id } = await client.schedule(known);
    expect(await client.schedule(known, { onExisting: 'replace' })).toEqual({
      result: 'scheduled',
      id,
      created: false,
    });
    const fresh = message({ dedupeKey: key() });
    const answers = await client.schedule([fresh, { ...known, dueAt: later + 1 }], { onExisting: 'replace' });
    expect(answers).toEqual([
      { result: 'scheduled', id: expect.any(Number), created: true },
      { result: 'replaced', id, version: 2 },
    ]);
  });

  test('replaces nothing that is being sent or in doubt, or in two ways at once', async () => {
    const sending = await inState('sending', `, claim=x'${'ab'.repeat(16)}'`);
    expect(await client.schedule({ ...sending.known, dueAt: later + 1 }, { onExisting: 'replace' })).toMatchObject({
      result: 'too_late',
      id: sending.id,
      worker: 'ab'.repeat(16),
    });
    for (const state of ['scheduled', 'uncertain', 'delivered']) {
      const { known, id } = await inState(state, ', in_doubt=1');
      const other = { ...known, dueAt: later + 1 };
      expect(await client.schedule(other, { onExisting: 'replace' })).toEqual({ result: 'in_doubt', id });
      expect(await client.get({ id })).toMatchObject({ state, version: 1, dueAt: later });
    }
    const { known } = await inState('canceled');
    const twice = [
      { ...known, dueAt: later + 1 },
      { ...known, dueAt: later + 2 },
    ];
    await expect(client.schedule(twice, { onExisting: 'replace' })).rejects.toThrow(
      /given twice with different content/,
    );
    await expect(client.schedule(known, { onExisting: 'keepp' as 'keep' })).rejects.toThrow(
      'onExisting: expected keep or replace',
    );
  });
});

describe('numbers', () => {
  test('of 64 bits and doubles come back as they went', async () => {
    const body = {
      id: 1_790_000_000_000_000_123n,
      least: -(2n ** 63n),
      most: 2n ** 64n - 1n,
      half: 0.1,
      large: 1e21,
      list: [5e-324],
    };
    const known = message({ payload: { url: 'http://127.0.0.1/', body }, dedupeKey: key() });
    const { id } = await client.schedule(known);
    expect((await client.get({ id }))?.payload).toEqual({ url: 'http://127.0.0.1/', body });
    expect(await client.schedule(known)).toEqual({ result: 'scheduled', id, created: false });
    const near = { ...body, id: body.id + 1n };
    expect(await client.schedule({ ...known, payload: { url: 'http://127.0.0.1/', body: near } })).toMatchObject({
      result: 'conflict',
    });
    await client.edit({ id, payload: { url: 'http://127.0.0.1/', body: near } });
    expect((await client.get({ id }))?.payload).toMatchObject({ body: near });
  });

  test.each([
    [2 ** 53, '9007199254740992 is beyond 2^53'],
    [Number.NaN, 'NaN is no number of JSON'],
    [2n ** 64n, '18446744073709551616 has more than 64 bits'],
  ])('%p is refused with its field', async (number, reason) => {
    const payload = { url: 'http://127.0.0.1/', body: { n: number } };
    await expect(client.schedule(message({ payload }))).rejects.toThrow(`payload.body.n: ${reason}`);
  });
});

describe('get', () => {
  test('finds by id and by key, in the order asked, null for what is not there', async () => {
    const dedupeKey = key();
    const dueAt = '2031-05-01T09:00:00.250+02:00';
    const { id } = await client.schedule(
      message({ dedupeKey, dueAt, localTime: '2031-05-01 09:00', zone: 'Europe/Berlin' }),
    );
    const found = await client.get([{ id: 999_999_999 }, { account: 'shop', dedupeKey }, { id }]);
    expect(found[0]).toBeNull();
    expect(found[1]).toEqual(found[2]);
    expect(found[1]).toMatchObject({
      id,
      account: 'shop',
      channel: 'webhook',
      dedupeKey,
      dueAt: Date.UTC(2031, 4, 1, 7, 0, 0, 250),
      wakeAt: Date.UTC(2031, 4, 1, 7, 0, 0, 250),
      localTime: '2031-05-01 09:00',
      zone: 'Europe/Berlin',
      state: 'scheduled',
      version: 1,
      payload: message().payload,
    });
    expect(found[1]?.createdAt).toBeGreaterThan(later - 3_600_000 - 60_000);
    expect(await client.get({ account: 'SHOP', dedupeKey })).toBeNull();
  });
});

describe('edit and cancel', () => {
  test('answer each of many, by id or key', async () => {
    const dedupeKey = key();
    const [a, b] = await client.schedule([message({ dedupeKey }), message()]);
    const gone = { id: 999_999_999 };
    const byKey = { account: 'shop', dedupeKey };
    const payload = { url: 'http://127.0.0.1/edited', body: { é: ['\'"\\'] } };
    expect(
      await client.edit([{ ...byKey, dueAt: later + 5, version: 1 }, gone, { id: b?.id as number, payload }]),
    ).toEqual([{ result: 'edited', version: 2 }, { result: 'not_found' }, { result: 'edited', version: 2 }]);
    const rows = await client.get([a, b].map((one) => ({ id: one?.id as number })));
    expect(rows).toMatchObject([
      { dueAt: later + 5, payload: message().payload, version: 2 },
      { dueAt: later, payload, version: 2 },
    ]);
    expect(await client.cancel([{ id: b?.id as number }, gone, byKey, { id: a?.id as number }])).toEqual([
      { result: 'canceled' },
      { result: 'not_found' },
      { result: 'canceled' },
      { result: 'canceled' },
    ]);
    expect(await client.cancel(byKey)).toEqual({ result: 'already', state: 'canceled' });
  });

  test('change when a message is too late to be sent, and each of the two alone', async () => {
    const { id } = await client.schedule(message({ sendWithin: '36h', onLate: 'skip' }));
    const policy = async () => {
      const found = await client.get(id);
      return [found?.sendWithinMs, found?.onLate, found?.version];
    };
    expect(await policy()).toEqual([36 * 3_600_000, 'skip', 1]);
    await client.edit(id, { sendWithin: 5_000 });
    expect(await policy()).toEqual([5_000, 'skip', 2]);
    await client.edit([
      { id, onLate: 'send' },
      { id: (await client.schedule(message())).id, dueAt: later + 1 },
    ]);
    expect(await policy()).toEqual([5_000, 'send', 3]);
    await client.edit(id, { sendWithin: 'channel', onLate: 'channel' });
    expect(await policy()).toEqual([null, null, 4]);
    await expect(client.edit(id, { sendWithin: 'soon' })).rejects.toThrow(/^sendWithin: expected 1s to 49d/);
    await expect(client.edit(id, { onLate: 'drop' as 'send' })).rejects.toThrow(/^onLate: expected send, skip/);
    expect(await policy()).toEqual([null, null, 4]);
  });

  test('refuse what is wrong, and change nothing', async () => {
    const { id } = await client.schedule(message());
    await expect(client.edit({ id, payload: { url: 'ftp://x' } })).rejects.toThrow(/payload\.url/);
    await expect(client.edit({ id, dueAt: '2030-01-01T00:00:00' })).rejects.toThrow(/dueAt: .* has no zone/);
    await expect(
      client.edit([
        { id, dueAt: later + 1 },
        { id, dueAt: later + 2 },
      ]),
    ).rejects.toThrow('named twice');
    await expect(client.cancel({ id: 1.5 })).rejects.toThrow('id: expected a positive integer, got 1.5');
    expect(await client.get({ id })).toMatchObject({ version: 1, dueAt: later });
  });
});

describe("on the caller's connection", () => {
  test('everything is part of the transaction', async () => {
    const own = createClient(connection);
    const dedupeKey = key();
    const { id } = await client.schedule(message());
    await connection.beginTransaction();
    const created = await own.schedule(message({ dedupeKey }));
    expect(await own.cancel({ id })).toEqual({ result: 'canceled' });
    expect((await own.get({ id: created.id }))?.dedupeKey).toBe(dedupeKey);
    expect(await client.get({ account: 'shop', dedupeKey })).toBeNull();
    await connection.rollback();
    expect(await client.get([{ id }, { account: 'shop', dedupeKey }])).toMatchObject([{ state: 'scheduled' }, null]);
    await connection.beginTransaction();
    await own.schedule(message({ dedupeKey }));
    await connection.commit();
    expect(await client.get({ account: 'shop', dedupeKey })).toMatchObject({ state: 'scheduled' });
  });

  test('a transaction that looks at an earlier time still sees that a key is taken', async () => {
    const known = message({ dedupeKey: key() });
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await connection.beginTransaction();
    await connection.query('SELECT COUNT(*) FROM scheduled_messages');
    const { id } = await client.schedule(known);
    expect(await createClient(connection).schedule(known)).toEqual({ result: 'scheduled', id, created: false });
    await connection.rollback();
  });

  test('without a transaction each call has its own; settings of the session do not matter', async () => {
    await connection.query("SET SESSION time_zone='+05:00', sql_mode=''");
    const own = createClient(connection);
    const { id } = await own.schedule(message());
    expect(await client.get({ id })).toMatchObject({ state: 'scheduled' });
    expect(await own.get({ id })).toEqual(await client.get({ id }));
    await connection.query('SET autocommit=0');
    await own.cancel({ id });
    expect(await client.get({ id })).toMatchObject({ state: 'scheduled' });
    await connection.commit();
    expect(await client.get({ id })).toMatchObject({ state: 'canceled' });
  });

  test('the present is the same in every zone, also in the hour that autumn repeats', async () => {
    const admin = await createConnection(required(world.environment, 'ADMIN_DATABASE_URL'));
    // Servers need not know the zones of the world, so this one is made: an hour less from then on.
    const back = Date.UTC(2026, 9, 25, 1);
    for (const zone of [
      "time_zone VALUES (60001,'N')",
      "time_zone_name VALUES ('Downspout/Autumn',60001)",
      "time_zone_transition_type VALUES (60001,0,3600,0,'W'),(60001,1,7200,1,'S')",
      `time_zone_transition VALUES (60001,0,1),(60001,${back / 1_000},0)`,
    ]) {
      await admin.query(`INSERT IGNORE INTO mysql.${zone}`);
    }
    const own = createClient(admin);
    const seen: (readonly [string, number])[] = [];
    for (const zone of ['+00:00', 'Downspout/Autumn']) {
      await admin.query(`SET SESSION time_zone='${zone}'`);
      for (const at of [back - 1_799_877, back + 1_800_123]) {
        await admin.query(`SET SESSION timestamp=${at / 1_000}`);
        const [[row]] = await admin.query<RowDataPacket[]>('SELECT CAST(NOW() AS CHAR) AS local');
        seen.push([String(row?.['local']).slice(11, 16), (await own.now()) - at]);
      }
    }
    // Half an hour before and after that instant are one time of the day.
    expect(seen).toEqual([
      ['00:30', 0],
      ['01:30', 0],
      ['02:30', 0],
      ['02:30', 0],
    ]);
    await admin.end();
  });

  test('works on a pool, with promises or callbacks', async () => {
    const pool = createPool(required(world.environment, 'DATABASE_URL'));
    const own = createClient(pool);
    const { id } = await own.schedule(message());
    expect(await createClient(pool.pool).cancel({ id })).toEqual({ result: 'canceled' });
    await own.close();
    await pool.end();
  });

  test('A borrowed connection is never left in our transaction: not when its statement is killed', async () => {
    const admin = await createConnection(required(world.environment, 'ADMIN_DATABASE_URL'));
    const pool = createPool({ uri: required(world.environment, 'DATABASE_URL'), connectionLimit: 1 });
    const dedupeKey = key();
    await whileTaken(dedupeKey, async () => {
      const [[row]] = await pool.query<RowDataPacket[]>('SELECT CONNECTION_ID() AS id');
      const failing = createClient(pool)
        .schedule(blocked(dedupeKey))
        .catch((error: unknown) => error);
      const waits = 'SELECT 1 FROM information_schema.processlist WHERE id = ? AND info LIKE ? AND time >= 0';
      await until('the last statement waits', async () => {
        const [rows] = await admin.query<RowDataPacket[]>(`${waits} AND info LIKE ?`, [
          row?.['id'],
          'INSERT%',
          `%'${dedupeKey}'%`,
        ]);
        return rows.length > 0;
      });
      await admin.query(`KILL QUERY ${String(row?.['id'])}`);
      expect(await failing).toMatchObject({ name: 'Unavailable' });
      // In a transaction that was left open, this would commit half of the messages.
      await pool.query('START TRANSACTION');
      await pool.query('COMMIT');
    });
    expect(await half(dedupeKey)).toBeNull();
    await pool.end();
    await admin.end();
  });

  test.each(['START TRANSACTION', 'SET autocommit=0'])(
    "In the caller's transaction all of the work happens or none of it, whatever the caller does after an error: %s",
    async (begin) => {
      const dedupeKey = key();
      await whileTaken(dedupeKey, async () => {
        await connection.query('SET SESSION innodb_lock_wait_timeout=1');
        await connection.query(begin);
        const own = createClient(connection);
        const kept = message({ dedupeKey: key() });
        await own.schedule(kept);
        await expect(own.schedule(blocked(dedupeKey))).rejects.toMatchObject({ name: 'Unavailable' });
        await connection.commit();
        expect(await client.get({ account: 'shop', dedupeKey: kept.dedupeKey as string })).not.toBeNull();
      });
      expect(await half(dedupeKey)).toBeNull();
    },
  );

  test('an id that nobody has drawn yet locks nothing, in REPEATABLE READ', async () => {
    await connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ`);
    await connection.query('SET SESSION information_schema_stats_expiry=77');
    await connection.beginTransaction();
    await connection.query('SELECT COUNT(*) FROM scheduled_messages');
    const { id } = await client.schedule(message());
    const own = createClient(connection);
    expect(await own.cancel([{ id: id + 1_000 }, { id }])).toEqual([{ result: 'not_found' }, { result: 'canceled' }]);
    expect(await own.edit({ id: id + 1_000, dueAt: later })).toEqual({ result: 'not_found' });
    // It would wait for the end of the transaction.
    expect(await client.schedule(message())).toMatchObject({ created: true });
    const [[row]] = await connection.query<RowDataPacket[]>('SELECT @@SESSION.information_schema_stats_expiry AS kept');
    expect(row?.['kept']).toBe(77);
    await connection.rollback();
  });

  test('a key that is not there locks nothing, in REPEATABLE READ', async () => {
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    const missing = key();
    const { id } = await client.schedule(message({ dedupeKey: `${missing}-there` }));
    await connection.beginTransaction();
    await connection.query('SELECT COUNT(*) FROM scheduled_messages');
    // What is there is changed as it is now, not as the transaction sees it.
    await client.edit({ id, dueAt: later + 7 });
    const own = createClient(connection);
    const there = { account: 'shop', dedupeKey: `${missing}-there` };
    const gone = { account: 'shop', dedupeKey: missing };
    expect(await own.cancel([gone, there])).toEqual([{ result: 'not_found' }, { result: 'canceled' }]);
    expect(await own.edit({ ...gone, dueAt: later })).toEqual({ result: 'not_found' });
    expect(await own.redrive(gone)).toEqual({ result: 'not_found' });
    // Each would wait for the end of the transaction: in the gap of the key, and where rows without a key are.
    for (const dedupeKey of [missing, `${missing}-between`, undefined]) {
      const made = await client.schedule(message(dedupeKey === undefined ? {} : { dedupeKey }));
      expect(made).toMatchObject({ created: true });
    }
    await connection.commit();
    expect(await client.get({ id })).toMatchObject({ state: 'canceled', version: 3 });
  });

  test('keys of a batch that are new lock nothing but themselves, in REPEATABLE READ', async () => {
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    const prefix = key();
    const known = message({ dedupeKey: `${prefix}-m` });
    const { id } = await client.schedule(known);
    await connection.beginTransaction();
    const answers = await createClient(connection).schedule([
      message({ dedupeKey: `${prefix}-a` }),
      known,
      message({ dedupeKey: `${prefix}-y` }),
    ]);
    expect(answers).toMatchObject([{ created: true }, { id, created: false }, { created: true }]);
    for (const end of ['-0', '-b', '-n', '-z']) {
      expect(await client.schedule(message({ dedupeKey: prefix + end }))).toMatchObject({ created: true });
    }
    await connection.rollback();
  });

  test('a transaction that looks at an earlier time replaces what was scheduled since', async () => {
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    const known = message({ dedupeKey: key() });
    await connection.beginTransaction();
    await connection.query('SELECT COUNT(*) FROM scheduled_messages');
    const { id } = await client.schedule(known);
    const answer = await createClient(connection).schedule({ ...known, dueAt: later + 9 }, { onExisting: 'replace' });
    expect(answer).toEqual({ result: 'replaced', id, version: 2 });
    await connection.rollback();
  });

  test('without a transaction of the caller nothing locks a gap, and the isolation level stays as it was', async () => {
    const level = async () => {
      const [[row]] = await connection.query<RowDataPacket[]>('SELECT @@SESSION.transaction_isolation AS level');
      return row?.['level'];
    };
    const { id } = await client.schedule(message());
    const twice = [later + 1, later + 2].map((dueAt) => ({ id, dueAt }));
    for (const isolation of ['REPEATABLE READ', 'SERIALIZABLE', 'READ UNCOMMITTED']) {
      await connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${isolation}`);
      const own = createClient(connection);
      expect(await own.cancel({ account: 'shop', dedupeKey: key() })).toEqual({ result: 'not_found' });
      await expect(own.edit(twice)).rejects.toThrow('named twice');
      expect(await level()).toBe(isolation.replace(' ', '-'));
    }
    // Nor is the next transaction another one: it still sees what it saw first.
    await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await createClient(connection).cancel({ account: 'shop', dedupeKey: key() });
    await connection.beginTransaction();
    const count = async () => {
      const [[row]] = await connection.query<RowDataPacket[]>('SELECT COUNT(*) AS n FROM scheduled_messages');
      return row?.['n'];
    };
    const before = await count();
    await client.schedule(message());
    expect(await count()).toBe(before);
    await connection.rollback();
  });

  test('refuses what cannot be safe', async () => {
    await connection.query("SET SESSION sql_mode='NO_BACKSLASH_ESCAPES'");
    await expect(createClient(connection).schedule(message())).rejects.toThrow('NO_BACKSLASH_ESCAPES');
    await connection.query("SET SESSION sql_mode=DEFAULT, character_set_client='latin1'");
    await expect(createClient(connection).schedule(message())).rejects.toThrow('the character set latin1');
    await connection.query('SET NAMES utf8mb4');
    expect(await createClient(connection).schedule(message())).toMatchObject({ result: 'scheduled' });
    await expect(createClient(connection).outcomes()).rejects.toThrow('make the client from a URL');
  });
});

test('a database that is away is Unavailable; a wrong URL is a UserError without its password', async () => {
  const away = createClient('mysql://u:secret@127.0.0.1:1/x');
  await expect(away.schedule(message())).rejects.toMatchObject({ name: 'Unavailable' });
  await away.close();
  for (const missing of [undefined, null, '', ' ', 7, {}, ['secret']]) {
    expect(() => createClient(missing as never)).toThrow(UserError);
    expect(() => createClient(missing as never)).toThrow(/DATABASE_URL is not set.*downspout env/);
    expect(() => createClient(missing as never)).not.toThrow('secret');
  }
  const right = 'mysql://u:secret@h/x';
  expect(() => createClient(right, { conections: 2 } as never)).toThrow(
    'there is no option "conections"; the options are connections, who',
  );
  for (const options of [{ connections: 0 }, { connections: '8' }, { who: '' }, { who: 7 }, 8, null]) {
    expect(() => createClient(right, options as never)).toThrow(/^(?:connections|who|createClient): expected/);
  }
  for (const url of ['nonsense', 'http://u:secret@h/x', 'mysql://u:secret@h/']) {
    expect(() => createClient(url)).toThrow(UserError);
    expect(() => createClient(url)).not.toThrow('secret');
  }
  const wrong = new URL(required(world.environment, 'DATABASE_URL'));
  wrong.password = 'secret';
  const denied = createClient(wrong.href);
  const error = await denied.get({ id: 1 }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'UserError', message: expect.not.stringContaining('secret') });
  await denied.close();
});

describe('names of messages', () => {
  test('a plain id is as good as an object', async () => {
    const [one, two] = (await client.schedule([message(), message()])).map(({ id }) => id) as [number, number];
    expect((await client.get(one))?.id).toBe(one);
    expect((await client.get([two, { id: one }])).map((found) => found?.id)).toEqual([two, one]);
    expect(await client.edit(one, { dueAt: later + 1 })).toEqual({ result: 'edited', version: 2 });
    expect(await client.cancel(one)).toEqual({ result: 'canceled' });
    expect(await client.cancel([one, two])).toEqual([{ result: 'already', state: 'canceled' }, { result: 'canceled' }]);
    expect(await client.redrive(one)).toEqual({ result: 'not_failed', state: 'canceled' });
  });

  test('what names no message is refused by its field', async () => {
    await expect(client.get(0)).rejects.toThrow('id: expected a positive integer, got 0');
    await expect(client.cancel([1.5])).rejects.toThrow('id: expected a positive integer, got 1.5');
    for (const none of [undefined, null, '17', {}, true]) {
      await expect(client.get(none as never)).rejects.toThrow(/^message: expected an id, \{id\}, or/);
    }
  });
});

const rowsOf = async (id: number) => {
  const pool = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 1 });
  const rows = await readAudit(pool, { message: id }, 10);
  await pool.close();
  return rows.map(({ who, verb, subject, before, after, outcome }) => ({
    who,
    verb,
    subject,
    before,
    after,
    outcome,
  }));
};

describe('audit', () => {
  test('every change says who made it, what was before and what is after, and never a payload', async () => {
    const shop = createClient(connection, { who: 'shop' });
    const given = message({ dedupeKey: key() });
    const { id } = await shop.schedule(given);
    expect(await rowsOf(id)).toEqual([]);
    await shop.edit(id, { dueAt: later + 5, payload: { url: 'http://secret.test/' } });
    await shop.schedule({ ...given, dueAt: later + 9 }, { onExisting: 'replace' });
    await shop.cancel(id);
    await shop.cancel(id);
    const scheduled = { state: 'scheduled', version: 1, dueAt: later };
    const edited = { state: 'scheduled', version: 2, dueAt: later + 5 };
    const common = { who: 'shop', subject: `message ${id}`, outcome: 'done' };
    expect(await rowsOf(id)).toEqual([
      {
        ...common,
        verb: 'messages cancel',
        before: { state: 'scheduled', version: 3 },
        after: { state: 'canceled', version: 4 },
      },
      {
        ...common,
        verb: 'messages replace',
        before: edited,
        after: { state: 'scheduled', version: 3, dueAt: later + 9 },
      },
      { ...common, verb: 'messages edit', before: scheduled, after: { ...edited, payload: 'changed' } },
    ]);
  });

  test('many messages in one call leave a row for each thousand, with all of their ids', async () => {
    const ids = (await client.schedule(Array.from({ length: 1_001 }, () => message()))).map(({ id }) => id);
    await client.cancel(ids);
    const after = { states: { canceled: 1_000 }, ids: ids.slice(0, 1_000) };
    expect(await rowsOf(ids[999] as number)).toMatchObject([{ subject: '1000 messages', after }]);
    expect(await rowsOf(ids[1_000] as number)).toMatchObject([{ subject: '1 message' }]);
  });

  test("it is a part of the caller's transaction", async () => {
    const { id } = await client.schedule(message());
    await connection.beginTransaction();
    await createClient(connection).cancel(id);
    await connection.rollback();
    expect(await rowsOf(id)).toEqual([]);
    expect((await client.get(id))?.state).toBe('scheduled');
    await connection.beginTransaction();
    await createClient(connection).cancel(id);
    await connection.commit();
    expect(await rowsOf(id)).toMatchObject([{ verb: 'messages cancel' }]);
  });

  test('a change that may not be recorded is not made, and the error says what to do', async () => {
    const { id } = await client.schedule(message());
    const admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
    const user = `'${new URL(required(world.environment, 'DATABASE_URL')).username}'@'%'`;
    await admin.run(`REVOKE INSERT ON audit FROM ${user}`);
    try {
      await expect(client.cancel(id)).rejects.toThrow(/recorded in the table audit.*`downspout migrate --users`/);
      expect((await client.get(id))?.state).toBe('scheduled');
    } finally {
      await admin.run(`GRANT INSERT ON audit TO ${user}`);
      await admin.close();
    }
  });
});
