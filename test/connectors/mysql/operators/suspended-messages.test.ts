import { search } from '../../../../connectors/mysql/operators/search';
import { SuspendedMessages } from '../../../../connectors/mysql/operators/suspended-messages';
import { AccountStates, advanceSet } from '../../../../connectors/mysql/secrets/account-states';
import { SecretKey } from '../../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../../connectors/mysql/secrets/secret-store';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import type { Sql } from '../../../../connectors/mysql/sql/sql';
import { MySqlSuspendedRows } from '../../../../connectors/mysql/workers/suspended-rows';
import { systemClock } from '../../../../topology/core/clock';
import { Unavailable } from '../../../../topology/core/errors';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';
import { until } from '../../../support/until';

const ann = { who: 'ann', host: 'desk' };
const key = SecretKey.from({ DOWNSPOUT_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') });
const DUE = Date.UTC(2026, 0, 1);

let world: World;
let app: Pool;
let worker: Pool;
let admin: Pool;
let states: AccountStates;
let messages: SuspendedMessages;

beforeEach(async () => {
  world = await freshDatabase();
  const open = (name: 'DATABASE_URL' | 'WORKER_DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  [app, worker, admin] = [open('DATABASE_URL'), open('WORKER_DATABASE_URL'), open('ADMIN_DATABASE_URL')];
  states = new AccountStates(app);
  messages = new SuspendedMessages(app, ann);
});
afterEach(async () => {
  await Promise.all([app.close(), worker.close(), admin.close()]);
  await world.close();
});

/** Suspended rows of an account; the last of them is due first. */
async function suspend(
  account: string,
  count: number,
  more: { channel?: string; error?: string; late?: boolean } = {},
): Promise<void> {
  const { channel = 'mastodon', error = 'revoked', late = false } = more;
  const rows = Array.from(
    { length: count },
    (_, n) => `('${account}', '${channel}', '{}', ${DUE - n}, '${late ? 'late' : 'suspended'}', '${error}')`,
  );
  await admin.run(
    `INSERT INTO scheduled_messages (account, channel, payload, due_at, state, last_error) VALUES ${rows.join(', ')}`,
  );
}

async function counts(): Promise<Record<string, number>> {
  const rows = await admin.rows<[string, string, number]>(
    'SELECT account, state, COUNT(*) FROM scheduled_messages GROUP BY account, state',
  );
  return Object.fromEntries(rows.map(([account, state, count]) => [`${account} ${state}`, count]));
}

test('a filter resumes what was kept, in the order in which it is due, and leaves accounts that cannot be used', async () => {
  await suspend('kept', 450);
  await suspend('kept', 3, { error: 'another reason' });
  await suspend('bad', 5);
  await states.disable('bad', 'mastodon');
  const selected = await messages.select({ error: 'revoked' });
  expect(selected).toMatchObject({ count: 450, isFirst: true });
  expect(selected.sample.map(({ dueAt }) => dueAt)).toEqual([449, 448, 447, 446, 445].map((n) => DUE - n));
  expect(await messages.blocked({}, 5)).toEqual([{ account: 'bad', channel: 'mastodon' }]);
  const seen: number[] = [];
  const done = await messages.resume({ error: 'revoked' }, (soFar) => seen.push(soFar.done));
  expect(done).toEqual({ done: 450, skipped: 0 });
  expect(seen).toEqual([200, 400, 450]);
  expect(await counts()).toEqual({ 'kept scheduled': 450, 'kept suspended': 3, 'bad suspended': 5 });
  const [row] = await admin.rows<[number, number]>(
    "SELECT MIN(version), MAX(version) FROM scheduled_messages WHERE state='scheduled'",
  );
  expect(row).toEqual([2, 2]);
  expect(await messages.resume({ channel: 'webhook' })).toEqual({ done: 0, skipped: 0 });
});

test('what was late is resumed where a filter asks for it, and what was kept where it does not', async () => {
  await suspend('kept', 3);
  await suspend('kept', 1_200, { late: true, error: 'late: so' });
  await suspend('other', 2, { late: true, channel: 'x', error: 'late: so' });
  expect(await new AccountStates(app).suspended('kept', 'mastodon')).toMatchObject({ count: 3, exact: true });
  expect(await messages.select({ isLate: true })).toMatchObject({ count: 1_202 });
  expect(await messages.select({ isLate: true, channel: 'x', dueFrom: DUE })).toMatchObject({ count: 1 });
  expect(await messages.select({ state: 'late' })).toMatchObject({ count: 1_202 });
  expect(await messages.select({ state: 'suspended', isLate: true })).toMatchObject({ count: 0 });
  const late = await messages.select({ account: 'kept', isLate: true });
  expect(late.sample.map(({ dueAt }) => dueAt)).toEqual([1_199, 1_198, 1_197, 1_196, 1_195].map((n) => DUE - n));
  expect(await messages.select({ account: 'kept' })).toMatchObject({ count: 3 });
  expect(await messages.resume({ isLate: true, account: 'kept' })).toEqual({ done: 1_200, skipped: 0 });
  expect(await counts()).toEqual({ 'kept scheduled': 1_200, 'kept suspended': 3, 'other late': 2 });
  // Those that a person resumes begin anew, those that were kept too.
  await messages.resume({ account: 'kept' });
  const [[kept] = [0]] = await admin.rows<[number]>(
    "SELECT COUNT(*) FROM scheduled_messages WHERE state='scheduled' AND late_from IS NOT NULL",
  );
  expect(kept).toBe(1_203);
});

test('an account that is resumed passes by what was late, whatever there is of it', async () => {
  await suspend('shop', 2_500, { late: true });
  await suspend('shop', 2);
  await states.disable('shop', 'mastodon');
  await states.enable('shop', 'mastodon', 'send');
  await admin.run('UPDATE account_states SET since=since - 10000');
  const rows = new MySqlSuspendedRows(worker);
  expect(await rows.resume(undefined)).toMatchObject({ rows: 2 });
  expect(await rows.resume(undefined)).toMatchObject({ rows: 0 });
  expect(await states.of('shop', 'mastodon')).toBe('usable');
  expect(await counts()).toEqual({ 'shop scheduled': 2, 'shop late': 2_500 });
});

test('a row that changed since it was found is left', async () => {
  await suspend('kept', 3);
  const [[first] = [0]] = await admin.rows<[number]>('SELECT MIN(id) FROM scheduled_messages');
  const once = jest.spyOn(app, 'transaction').mockImplementationOnce(async (work) => {
    await admin.run(`UPDATE scheduled_messages SET state='canceled', version=version+1 WHERE id=${first}`);
    return app.transaction(work);
  });
  expect(await messages.resume({ account: 'kept' })).toEqual({ done: 2, skipped: 1 });
  once.mockRestore();
});

test('messages are resumed by their names too, and each answer says why one is not', async () => {
  await suspend('kept', 1);
  await suspend('bad', 1);
  await states.disable('bad', 'mastodon');
  const rows = await admin.rows<[number]>('SELECT id FROM scheduled_messages ORDER BY id');
  const [kept, bad] = rows.map(([id]) => id) as [number, number];
  const answers = await messages.resumeThese([{ id: kept }, { id: bad }, { id: 999_999 }]);
  expect(answers).toEqual([
    { result: 'resumed', version: 2 },
    { result: 'account_blocked', account: 'bad', channel: 'mastodon' },
    { result: 'not_found' },
  ]);
  expect(await messages.resumeThese([{ id: kept }])).toEqual([{ result: 'not_suspended', state: 'scheduled' }]);
  const audit = await admin.rows<[string]>("SELECT subject FROM audit WHERE verb='messages resume'");
  expect(audit).toEqual([[`message ${kept}`]]);
});

test('a search for a few suspended messages reads their index, and not the table from its newest message on', async () => {
  await suspend('shop', 3);
  await suspend('other', 2);
  await suspend('shop', 1, { channel: 'webhook' });
  await suspend('late', 2, { late: true });
  await admin.run("UPDATE scheduled_messages SET state='canceled' WHERE account='other' LIMIT 1");
  for (const [filter, count] of [
    [{}, 5],
    [{ state: 'late' }, 2],
    [{ state: 'late', channel: 'webhook' }, 0],
    [{ channel: 'mastodon' }, 4],
    [{ account: 'shop' }, 4],
    [{ account: 'shop', channel: 'mastodon', error: 'revoked' }, 3],
  ] as const) {
    const read: string[] = [];
    const found = await worker.use(async (sql) => {
      const seen: Sql = {
        run: (statement) => sql.run(statement),
        rows: (statement) => {
          read.push(statement);
          return sql.rows(statement);
        },
      };
      const ids: number[] = [];
      for await (const step of search(seen, { state: 'suspended', ...filter }))
        ids.push(...step.seen.map(({ id }) => id));
      return ids;
    });
    expect(found).toHaveLength(count);
    expect(found).toEqual(found.toSorted((a, b) => b - a));
    const byIds = read.filter((one) => one.includes('WHERE id IN ('));
    expect(byIds).toHaveLength(count === 0 ? 0 : 1);
    const others = read.filter((one) => !byIds.includes(one));
    expect(others.length).toBeGreaterThan(0);
    for (const one of others) expect(one).toMatch(/FORCE INDEX \((suspended|late)_by_due\)/);
  }
});

test('setting credentials begins a new generation, in which the account is resumed or its messages are kept', async () => {
  const store = new SecretStore(app, key);
  const known = async () => (await new SecretStore(worker, key).accountsOf('mastodon', ['shop'])).get('shop');
  expect(await known()).toBeUndefined();
  await store.set('shop', 'mastodon', 'one', { replace: true });
  expect(await known()).toEqual({ secrets: ['one'], generation: 1, blocked: undefined });
  expect(await states.of('shop', 'mastodon')).toBe('usable');
  await states.disable('shop', 'mastodon');
  expect(await known()).toMatchObject({ generation: 2, blocked: 'a person has disabled the account' });
  expect(await states.list()).toMatchObject([{ account: 'shop', channel: 'mastodon', state: 'disabled' }]);
  expect(await states.enable('shop', 'mastodon', 'send', { evenDisabled: false })).toBe('nothing');
  await store.set('shop', 'mastodon', 'two', { replace: true });
  expect(await known()).toMatchObject({ secrets: ['two'], generation: 3 });
  // On another channel nothing was said.
  expect(await states.of('shop', 'webhook')).toBe('usable');
});

test('An account that a person has disabled stays so, whoever sets credentials, by hand or in a job', async () => {
  const store = new SecretStore(app, key);
  await states.disable('shop', 'mastodon');
  for (const resume of ['send', 'keep', undefined] as const) {
    await store.set('shop', 'mastodon', 'two', { replace: true, ...(resume && { resume }) });
    expect(await states.list()).toMatchObject([{ state: 'disabled', reason: 'a person has disabled the account' }]);
  }
  const known = async () => (await new SecretStore(worker, key).accountsOf('mastodon', ['shop'])).get('shop');
  expect(await known()).toEqual({ secrets: ['two'], generation: 4, blocked: 'a person has disabled the account' });
  expect(await states.enable('shop', 'mastodon', 'keep')).toBe('enabled');
  expect(await known()).toEqual({ secrets: ['two'], generation: 5, blocked: undefined });
  expect(await states.of('shop', 'mastodon')).toBe('usable');
  expect(await states.enable('shop', 'mastodon', 'send')).toBe('nothing');
  expect(await known()).toMatchObject({ generation: 5 });
});

test('Without a policy what was suspended goes out, and what a person has kept back stays', async () => {
  const store = new SecretStore(app, key);
  await store.set('shop', 'mastodon', 'three', { replace: true });
  expect(await states.of('shop', 'mastodon')).toBe('usable');
  await store.set('shop', 'mastodon', 'three', { replace: true, resume: 'send' });
  expect(await states.of('shop', 'mastodon')).toBe('resuming');
  await suspend('shop', 100);
  await store.set('shop', 'mastodon', 'four', { replace: true, resume: 'keep' });
  expect(await states.of('shop', 'mastodon')).toBe('usable');
  await suspend('shop', 2);
  expect(await states.suspended('shop', 'mastodon')).toEqual({ count: 102, kept: 100, exact: true });
  await admin.run("UPDATE account_states SET state='unusable'");
  await store.set('shop', 'mastodon', 'five', { replace: true });
  await admin.run('UPDATE account_states SET since=since - 2000');
  expect(await states.of('shop', 'mastodon')).toBe('resuming');
  const rows = new MySqlSuspendedRows(worker);
  expect(await rows.resume(undefined)).toMatchObject({ rows: 2, hasMore: false });
  expect(await states.of('shop', 'mastodon')).toBe('resuming');
  expect(await rows.resume(undefined)).toMatchObject({ rows: 0, hasMore: false });
  expect(await states.of('shop', 'mastodon')).toBe('usable');
  expect(await counts()).toEqual({ 'shop scheduled': 2, 'shop suspended': 100 });
  // As a worker does that has refreshed them: it may not write what a person has decided.
  await admin.run("UPDATE account_states SET state='unusable'");
  await worker.use((sql) => advanceSet(sql, { account: 'shop', channel: 'mastodon' }, undefined));
  expect(await states.suspended('shop', 'mastodon')).toMatchObject({ count: 100, kept: 100 });
  await store.set('shop', 'mastodon', 'six', { replace: true, resume: 'send' });
  await admin.run('UPDATE account_states SET since=since - 2000');
  expect((await rows.resume(undefined)).rows).toBe(64);
  expect(await states.suspended('shop', 'mastodon')).toMatchObject({ count: 36, kept: 0 });
});

/** Everybody sees the statements of their own user. */
async function isSettingAState(): Promise<boolean> {
  const statements = await app.rows('SHOW FULL PROCESSLIST');
  return statements.some((columns) => String(columns.at(-1)).includes('INSERT INTO account_states'));
}

test('what a worker suspends while a person waits for it is kept back too', async () => {
  await admin.run("INSERT INTO account_states (account, channel, state) VALUES ('shop', 'mastodon', 'unusable')");
  const person = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 1 });
  let kept: Promise<number> | undefined;
  await worker.transaction(async (sql) => {
    await sql.rows('SELECT 1 FROM account_states FOR SHARE');
    kept = new SecretStore(person, key).set('shop', 'mastodon', 'two', { resume: 'keep' });
    await until('the person waits', isSettingAState);
    await suspend('shop', 1);
  });
  await kept;
  await person.close();
  expect(await states.of('shop', 'mastodon')).toBe('usable');
  expect(await states.suspended('shop', 'mastodon')).toEqual({ count: 1, kept: 1, exact: true });
});

test('many messages of one account are resumed in bounded batches, each read by the index alone', async () => {
  await suspend('shop', 500);
  for (let rows = 500; rows < 32_000; rows *= 2) {
    await admin.run(
      'INSERT INTO scheduled_messages (account, channel, payload, due_at, state) ' +
        'SELECT account, channel, payload, due_at, state FROM scheduled_messages',
    );
  }
  await suspend('shop', 3, { channel: 'webhook' });
  await admin.run('ANALYZE TABLE scheduled_messages');
  await admin.run("INSERT INTO account_states (account, channel, state) VALUES ('shop', 'mastodon', 'resuming')");
  const rows = new MySqlSuspendedRows(worker);
  const begun = systemClock.monotonic();
  const sizes: number[] = [];
  for (;;) {
    const { rows: size } = await rows.resume(undefined);
    if (size === 0) break;
    sizes.push(size);
  }
  // The first ones are small, because nothing is known of the size of a row.
  expect(sizes.slice(0, 6)).toEqual([64, 128, 256, 512, 1_000, 1_000]);
  expect(sizes).toHaveLength(36);
  expect(systemClock.monotonic() - begun).toBeLessThan(20_000);
  expect(await counts()).toEqual({ 'shop scheduled': 32_000, 'shop suspended': 3 });
  expect(await states.of('shop', 'mastodon')).toBe('usable');
}, 120_000);

/** What a spout asks the database, and the SELECTs of pages of suspended rows in it. */
function watched(): { readonly pool: Pool; readonly reads: string[] } {
  const reads: string[] = [];
  const pool = new Proxy(worker, {
    get(target, name) {
      if (name === 'rows') {
        return (statement: string) => {
          if (statement.includes('suspended_by_due')) reads.push(statement);
          return target.rows(statement);
        };
      }
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { pool, reads };
}

/** Rows that the server has read from indexes for this statement, from the first to the last. */
async function readBy(statement: string): Promise<number> {
  return worker.use(async (sql) => {
    const sum = async () =>
      (await sql.rows<[string, string]>("SHOW SESSION STATUS LIKE 'Handler_read_%'"))
        .filter(([name]) => name !== 'Handler_read_rnd_next')
        .reduce((all, [, count]) => all + Number(count), 0);
    const before = await sum();
    await sql.rows(statement);
    return (await sum()) - before;
  });
}

test('A batch begins where the last one ended, by two ranges of the index, also where many rows are due at one instant', async () => {
  await suspend('shop', 1);
  for (let rows = 1; rows < 8_192; rows *= 2) {
    await admin.run(
      'INSERT INTO scheduled_messages (account, channel, payload, due_at, state) ' +
        'SELECT account, channel, payload, due_at, state FROM scheduled_messages',
    );
  }
  await admin.run('ANALYZE TABLE scheduled_messages');
  await admin.run("INSERT INTO account_states (account, channel, state) VALUES ('shop', 'mastodon', 'resuming')");
  const { pool, reads } = watched();
  const rows = new MySqlSuspendedRows(pool);
  let resumed = 0;
  // A transaction may read what is resumed, so its entries stay in the index.
  const view = await admin.use(async (sql) => {
    await sql.run('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    await sql.run('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    while (reads.length < 6) resumed += (await rows.resume(undefined)).rows;
    const [row] = await sql.rows<[number]>("SELECT COUNT(*) FROM scheduled_messages WHERE state='suspended'");
    await sql.run('COMMIT');
    return row?.[0];
  });
  expect(view).toBe(8_192);
  expect(resumed).toBe(64 + 128 + 256 + 512 + 1_000 + 1_000);
  const last = reads.at(-1) as string;
  const ids = await admin.rows<[number]>('SELECT id FROM scheduled_messages ORDER BY id LIMIT 1959, 1');
  expect(last).toContain(`AND id > ${ids[0]?.[0]})`);
  // All rows up to there are suspended once more: a read from the beginning, or of the whole instant, would walk over them.
  await admin.run("UPDATE scheduled_messages SET state='suspended'");
  expect(await readBy(last)).toBeLessThanOrEqual(1_100);
  const [plan] = await worker.rows<(string | number | null)[]>(`EXPLAIN FORMAT=TRADITIONAL ${last}`);
  expect({ type: plan?.[4], index: plan?.[6] }).toEqual({ type: 'range', index: 'suspended_by_due' });
  expect(String(plan?.[11])).not.toContain('filesort');
}, 120_000);

test('At the end the account is read from its beginning: what was held or moved stands before the position', async () => {
  await suspend('shop', 150);
  await admin.run("INSERT INTO account_states (account, channel, state) VALUES ('shop', 'mastodon', 'resuming')");
  const { pool, reads } = watched();
  const rows = new MySqlSuspendedRows(pool);
  const [[first] = [0]] = await admin.rows<[number]>('SELECT id FROM scheduled_messages ORDER BY due_at LIMIT 1');
  const [[moved] = [0]] = await admin.rows<[number]>('SELECT id FROM scheduled_messages ORDER BY due_at DESC LIMIT 1');
  await admin.transaction(async (sql) => {
    await sql.rows(`SELECT 1 FROM scheduled_messages WHERE id=${first} FOR UPDATE`);
    expect((await rows.resume(undefined)).rows).toBe(63);
  });
  await admin.run(`UPDATE scheduled_messages SET due_at=due_at - 100000 WHERE id=${moved}`);
  expect((await rows.resume(undefined)).rows).toBe(85);
  expect(await states.of('shop', 'mastodon')).toBe('resuming');
  expect((await rows.resume(undefined)).rows).toBe(2);
  expect(await states.of('shop', 'mastodon')).toBe('resuming');
  expect((await rows.resume(undefined)).rows).toBe(0);
  expect(reads.map((read) => read.includes('AND id >'))).toEqual([false, true, false, false]);
  expect(await states.of('shop', 'mastodon')).toBe('usable');
  expect(await counts()).toEqual({ 'shop scheduled': 150 });
});

test('an account is not resumed before every worker knows that it can be used', async () => {
  await suspend('shop', 1);
  await states.disable('shop', 'mastodon');
  expect(await states.enable('shop', 'mastodon', 'send')).toBe('enabled');
  const rows = new MySqlSuspendedRows(worker);
  expect(await rows.resume(undefined)).toEqual({ rows: 0, hasMore: false, at: undefined });
  await admin.run('UPDATE account_states SET since=since - 2000');
  expect(await rows.resume(undefined)).toEqual({
    rows: 1,
    hasMore: false,
    at: { account: 'shop', channel: 'mastodon' },
  });
});

test('nothing of an account goes out after a person has said that it is kept or disabled, however late the spout is', async () => {
  await suspend('shop', 3);
  const resuming = "INSERT INTO account_states (account, channel, state) VALUES ('shop', 'mastodon', 'resuming')";
  for (const say of [
    () => states.disable('shop', 'mastodon'),
    () => admin.run("UPDATE account_states SET state='usable', generation=generation + 1"),
    // Said anew: what the spout has read is an older word.
    () => admin.run('UPDATE account_states SET generation=generation + 1'),
  ]) {
    await admin.run(`${resuming} ON DUPLICATE KEY UPDATE state='resuming', since=NULL`);
    // The spout has read that the account is being resumed, and is slow.
    const late = jest.spyOn(worker, 'transaction').mockImplementationOnce(async (work) => {
      await say();
      return worker.transaction(work);
    });
    const { rows } = await new MySqlSuspendedRows(worker).resume(undefined);
    late.mockRestore();
    expect(rows).toBe(0);
    expect(await counts()).toEqual({ 'shop suspended': 3 });
  }
});

test('one account whose rows cannot be written does not hold up those after it', async () => {
  await suspend('bad', 2);
  await suspend('good', 2);
  await admin.run(
    "INSERT INTO account_states (account, channel, state) VALUES ('bad', 'mastodon', 'resuming'), ('good', 'mastodon', 'resuming')",
  );
  await admin.run(
    "CREATE TRIGGER refuse BEFORE UPDATE ON scheduled_messages FOR EACH ROW BEGIN IF NEW.account='bad' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT='no'; END IF; END",
  );
  const rows = new MySqlSuspendedRows(worker);
  const first = await rows.resume(undefined);
  expect(first).toMatchObject({ rows: 0, at: { account: 'bad', channel: 'mastodon' } });
  expect(first.failure).toBeInstanceOf(Unavailable);
  expect(await rows.resume(first.at)).toEqual({
    rows: 2,
    hasMore: false,
    at: { account: 'good', channel: 'mastodon' },
  });
  expect(await counts()).toEqual({ 'bad suspended': 2, 'good scheduled': 2 });
});

test('a batch is bounded in bytes too, and a row that is larger is one by itself', async () => {
  const payload = `JSON_OBJECT('text', REPEAT('x', 900000))`;
  await admin.run(
    `INSERT INTO scheduled_messages (account, channel, payload, due_at, state) VALUES ${Array.from(
      { length: 12 },
      (_, n) => `('shop', 'mastodon', ${payload}, ${DUE + n}, 'suspended')`,
    ).join(', ')}`,
  );
  await admin.run("INSERT INTO account_states (account, channel, state) VALUES ('shop', 'mastodon', 'resuming')");
  const rows = new MySqlSuspendedRows(worker);
  const sizes = [(await rows.resume(undefined)).rows, (await rows.resume(undefined)).rows];
  expect(sizes).toEqual([9, 3]);
});
