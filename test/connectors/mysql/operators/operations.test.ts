import { type Client, createClient } from '../../../../connectors/mysql/client/client';
import { Bulk } from '../../../../connectors/mysql/operators/bulk';
import { limitedNow } from '../../../../connectors/mysql/operators/limited';
import { Operations } from '../../../../connectors/mysql/operators/operations';
import type { MessageFilter } from '../../../../connectors/mysql/operators/search';
import type { BulkCounts } from '../../../../connectors/mysql/operators/small-transactions';
import { Status } from '../../../../connectors/mysql/operators/status';
import { listWorkers } from '../../../../connectors/mysql/operators/worker-status';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { MySqlWorkerRegistry } from '../../../../connectors/mysql/workers/worker-registry';
import { systemClock } from '../../../../topology/core/clock';
import { appNamed } from '../../../../topology/core/limits';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const ann = { who: 'ann', host: 'desk' };
const DUE = Date.UTC(2026, 0, 1);

let world: World;
let client: Client;
let app: Pool;
let admin: Pool;
let operations: Operations;
let status: Status;

beforeEach(async () => {
  world = await freshDatabase();
  client = createClient(required(world.environment, 'DATABASE_URL'));
  const open = (name: 'DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  [app, admin] = [open('DATABASE_URL'), open('ADMIN_DATABASE_URL')];
  operations = new Operations(app);
  status = new Status(app);
});
afterEach(async () => {
  await Promise.all([client.close(), app.close(), admin.close()]);
  await world.close();
});

const schedule = async (dueAts: readonly number[], account = 'shop') => {
  const answers = await client.schedule(
    dueAts.map((dueAt) => ({
      account,
      channel: 'webhook' as const,
      payload: { url: 'http://127.0.0.1/', body: null },
      dueAt,
    })),
  );
  return answers.map(({ id }) => id);
};

test('list: newest first, page by page, by every filter', async () => {
  const [a, b, c] = (await schedule([DUE + 10, DUE + 20, DUE + 30])) as [number, number, number];
  const [d] = (await schedule([DUE + 40], 'Shop')) as [number];
  await client.cancel({ id: b });
  const ids = async (filter: Parameters<Operations['list']>[0]) =>
    (await operations.list(filter, { limit: 10 })).messages.map(({ id }) => id);
  expect(await ids({})).toEqual([d, c, b, a]);
  expect(await ids({ account: 'Shop' })).toEqual([d]);
  expect(await ids({ state: 'canceled' })).toEqual([b]);
  expect(await ids({ channel: 'x' })).toEqual([]);
  expect(await ids({ dueFrom: DUE + 20, dueUntil: new Date(DUE + 40) })).toEqual([c, b]);
  const first = await operations.list({}, { limit: 3 });
  expect(first.next).toBe(b);
  const second = await operations.list({}, { limit: 3, before: b });
  expect([second.messages.map(({ id }) => id), second.next]).toEqual([[a], null]);
  await expect(ids({ state: 'lost' as 'failed' })).rejects.toThrow('state: expected one of scheduled');
  await expect(ids({ dueFrom: '2030-01-01' })).rejects.toThrow('dueFrom: "2030-01-01" has no zone');
  expect(await operations.show({ id: 999_999 })).toBeNull();
});

const idsOf = async (error: string) => (await operations.list({ error }, { limit: 9 })).messages.map(({ id }) => id);

test('list: by a part of the last error', async () => {
  const [a, b, c] = (await schedule([DUE, DUE, DUE])) as [number, number, number];
  await admin.run(
    `UPDATE scheduled_messages SET state='failed', last_error='HTTP 503 from 100%_host' WHERE id IN (${a},${c})`,
  );
  await admin.run(`UPDATE scheduled_messages SET state='failed', last_error='gone' WHERE id=${b}`);
  expect([await idsOf('503'), await idsOf('100%_'), await idsOf('100_'), await idsOf('gone')]).toEqual([
    [c, a],
    [c, a],
    [],
    [b],
  ]);
});

const endIn = (state: string, late: number, id: number) =>
  admin.run(`UPDATE scheduled_messages SET state='${state}', late=${late}, last_error='late: so' WHERE id=${id}`);
const found = async (filter: MessageFilter) =>
  (await operations.list(filter, { limit: 9 })).messages.map(({ id, isLate }) => [id, isLate]);

test('list and status: what was not sent in time, apart from what failed or is suspended for another reason', async () => {
  const made = await schedule([DUE, DUE, DUE, DUE, DUE]);
  const [skipped, failed, waits, suspended, redriven] = made as [number, number, number, number, number];
  await endIn('failed', 1, skipped);
  await endIn('failed', 0, failed);
  await endIn('late', 0, waits);
  await endIn('suspended', 0, suspended);
  // It was skipped once.
  await endIn('scheduled', 1, redriven);
  expect(await found({ isLate: true })).toEqual([
    [waits, true],
    [skipped, true],
  ]);
  expect(await found({ isLate: true, state: 'failed' })).toEqual([[skipped, true]]);
  expect(await found({ isLate: false, state: 'failed' })).toEqual([[failed, false]]);
  expect(await found({ state: 'failed' })).toEqual([
    [failed, false],
    [skipped, true],
  ]);
  expect(await found({ state: 'late', channel: 'webhook' })).toEqual([[waits, true]]);
  const counts = await status.counts();
  for (const state of ['failed', 'skipped', 'late', 'suspended', 'scheduled'] as const) {
    expect(counts).toContainEqual({ channel: 'webhook', state, count: 1, exact: true });
  }
});

/** How many rows a pool of one connection has read. */
async function readsOf(single: Pool): Promise<number> {
  const handlers = await single.rows<[string, string]>("SHOW SESSION STATUS LIKE 'Handler_read%'");
  return handlers.reduce((sum, [, count]) => sum + Number(count), 0);
}

describe('many messages', () => {
  const COUNT = 25_000;

  beforeEach(async () => {
    await schedule([DUE], 'first');
    for (let rows = 1; rows < COUNT; rows *= 2) {
      await admin.run(
        `INSERT INTO scheduled_messages (account, channel, payload, due_at) SELECT 'shop', channel, payload, due_at FROM scheduled_messages LIMIT ${Math.min(rows, COUNT - rows)}`,
      );
    }
  });

  test('list: a search that takes long says how far it came, and gives the next page', async () => {
    let now = 0;
    // Every look at the clock is a tenth of a second later, so three steps fit into the time of a page.
    const clock = { ...systemClock, monotonic: () => (now += 100) };
    const slow = Pool.open(required(world.environment, 'DATABASE_URL'), { clock, size: 1 });
    const [searched] = await admin.rows<[number]>(
      'SELECT id FROM scheduled_messages ORDER BY id DESC LIMIT 1 OFFSET 4199',
    );
    const pages = [];
    for (let before: number | undefined; ; ) {
      const page = await new Operations(slow).list(
        { dueUntil: DUE },
        { limit: 5, ...(before === undefined ? {} : { before }) },
      );
      pages.push(page);
      if (page.next === null) break;
      before = page.next;
    }
    await slow.close();
    expect(pages.map(({ isFull }) => isFull)).toEqual([false, false, false, false, false, true]);
    expect(pages.flatMap(({ messages }) => messages)).toEqual([]);
    expect(pages[0]?.next).toBe(searched?.[0]);
  });

  test('list: messages that need a person, and those of a small account, are found at once', async () => {
    const [oldest, next] = await admin.rows<[number]>('SELECT id FROM scheduled_messages ORDER BY id LIMIT 2');
    const ids = [next?.[0], oldest?.[0]];
    await admin.run(`UPDATE scheduled_messages SET state='failed' WHERE id IN (${ids.join(',')})`);
    const looks: string[] = [];
    const clock = { ...systemClock, monotonic: () => looks.push('look') * 1_000 };
    const counting = Pool.open(required(world.environment, 'DATABASE_URL'), { clock, size: 1 });
    const page = await new Operations(counting).list({ state: 'failed' }, { limit: 5 });
    const own = await new Operations(counting).list({ account: 'first' }, { limit: 5 });
    await counting.close();
    expect(page).toMatchObject({ next: null, isFull: true, messages: ids.map((id) => ({ id })) });
    expect(own).toMatchObject({ next: null, isFull: true, messages: [{ id: oldest?.[0] }] });
  });

  test('list: a full page is found without a look at all that an index has', async () => {
    await admin.run("UPDATE scheduled_messages SET state='failed'");
    await admin.rows('ANALYZE TABLE scheduled_messages');
    const single = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 1 });
    const before = await readsOf(single);
    const page = await new Operations(single).list({ state: 'failed' }, { limit: 20 });
    const after = await readsOf(single);
    await single.close();
    expect(page.messages).toHaveLength(20);
    expect(after - before).toBeLessThan(2_000);
  });

  test.each([
    [{ isLate: true }],
    [{ isLate: true, channel: 'webhook', account: 'shop' }],
    [{ state: 'late' as const }],
    [{ state: 'suspended' as const }],
    [{ state: 'uncertain' as const }],
  ])('list: what few messages are, or none, is found without a look at the others: %j', async (filter) => {
    await admin.rows('ANALYZE TABLE scheduled_messages');
    const single = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 1 });
    const before = await readsOf(single);
    const page = await new Operations(single).list(filter, { limit: 5 });
    const after = await readsOf(single);
    await single.close();
    expect(page).toMatchObject({ next: null, isFull: true, messages: [] });
    expect(after - before).toBeLessThan(1_000);
  });

  test('redrive by filter: counted with a sample, then changed in small transactions with rests', async () => {
    await admin.run(
      "UPDATE scheduled_messages SET state='failed', attempts=9, last_error='HTTP 503' ORDER BY id LIMIT 450",
    );
    await admin.run("UPDATE scheduled_messages SET last_error='HTTP 400' WHERE state='failed' ORDER BY id LIMIT 40");
    const rests: number[] = [];
    const clock = { ...systemClock, sleep: async (milliseconds: number) => void rests.push(milliseconds) };
    const pool = Pool.open(required(world.environment, 'DATABASE_URL'), { clock, size: 2 });
    const bulk = new Bulk(pool, ann);
    const filter = { error: '503', channel: 'webhook' };
    const selection = await bulk.select({ ...filter, state: 'failed' });
    expect(selection.count).toBe(410);
    expect(selection.sample).toHaveLength(5);
    expect(selection.sample[0]).toMatchObject({ state: 'failed', lastError: 'HTTP 503' });
    const reports: number[] = [];
    expect(await bulk.redrive(filter, ({ done }) => reports.push(done))).toEqual({ done: 410, skipped: 0 });
    expect(reports).toEqual([200, 400, 410]);
    expect(rests).toHaveLength(3);
    expect(Math.min(...rests)).toBeGreaterThan(0);
    const states = await admin.rows<[string, number, number]>(
      "SELECT state, plan_number, COUNT(*) FROM scheduled_messages WHERE last_error LIKE 'HTTP%' GROUP BY 1, 2",
    );
    expect(new Map(states.map(([state, plan, count]) => [`${state} ${plan}`, count]))).toEqual(
      new Map([
        ['scheduled 2', 410],
        ['failed 1', 40],
      ]),
    );
    await pool.close();
  });

  test('resolve by filter', async () => {
    await admin.run("UPDATE scheduled_messages SET state='uncertain', in_doubt=1 ORDER BY id LIMIT 3");
    const worker = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 2 });
    const counts = await new Bulk(worker, ann).resolve({ account: 'shop' }, { as: 'delivered', receipt: 'r' });
    await worker.close();
    expect(counts).toEqual({ done: 2, skipped: 0 });
    const states = await admin.rows('SELECT account, state, receipt FROM scheduled_messages ORDER BY id LIMIT 3');
    expect(states).toEqual([
      ['first', 'uncertain', null],
      ['shop', 'delivered', 'r'],
      ['shop', 'delivered', 'r'],
    ]);
  });

  test('a message that is uncertain anew since it was found keeps its doubt, and one that failed anew is not sent', async () => {
    const worker = required(world.environment, 'WORKER_DATABASE_URL');
    const bulkWhile = async (state: 'uncertain' | 'failed', work: (bulk: Bulk) => Promise<BulkCounts>) => {
      await admin.run(
        `UPDATE scheduled_messages SET state='${state}', in_doubt=(state='uncertain') WHERE account='shop' ORDER BY id DESC LIMIT 1000`,
      );
      const oldest = `SELECT MIN(id) FROM scheduled_messages WHERE account='shop' AND state='${state}'`;
      const [[id] = [0]] = await admin.rows<[number]>(oldest);
      // The second look finds the oldest. While the run rests after that look's first transaction, somebody sends it again, and the same comes of it.
      let rests = 0;
      const sleep = async () => {
        if (rests++ === 1) await admin.run(`UPDATE scheduled_messages SET version=version+1 WHERE id=${id}`);
      };
      const pool = Pool.open(worker, { clock: { ...systemClock, sleep }, size: 2 });
      const counts = await work(new Bulk(pool, ann));
      await pool.close();
      const left = await admin.rows<[number]>(`SELECT id FROM scheduled_messages WHERE state='${state}' AND id=${id}`);
      return { ...counts, isLeft: left.length === 1 };
    };
    const decided = await bulkWhile('uncertain', (bulk) => bulk.resolve({ account: 'shop' }, { as: 'delivered' }));
    expect(decided).toEqual({ done: 999, skipped: 1, isLeft: true });
    await admin.run("UPDATE scheduled_messages SET state='delivered' WHERE state IN ('uncertain', 'failed')");
    const redriven = await bulkWhile('failed', (bulk) => bulk.redrive({ account: 'shop' }));
    expect(redriven).toEqual({ done: 999, skipped: 1, isLeft: true });
  });

  test('purge: no faster than CDC can bear', async () => {
    await admin.run("UPDATE scheduled_messages SET state='delivered', updated_at=NOW(6) - INTERVAL 2 HOUR LIMIT 3000");
    let slept = 0;
    const clock = {
      ...systemClock,
      monotonic: () => 0,
      sleep: async (milliseconds: number) => {
        slept += milliseconds;
      },
    };
    const pool = Pool.open(required(world.environment, 'DATABASE_URL'), { clock, size: 1 });
    expect(await new Operations(pool).purge(3_600_000)).toBe(3_000);
    await pool.close();
    expect(slept).toBe(600);
  });
});

test('status: of a large table what matters is exact, and the rest is marked as an estimate', async () => {
  const now = await status.now();
  await schedule([now + 86_400_000]);
  for (let rows = 1, more = 1; rows < 120_000; rows += more) {
    more = Math.min(rows, 20_000, 120_000 - rows);
    await admin.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) SELECT CONCAT('a', id % 500), channel, payload, due_at FROM scheduled_messages LIMIT ${more}`,
    );
  }
  // Small channels beside it, so that the average channel is small.
  for (let channel = 1; channel <= 8; channel++) {
    await admin.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'x-${channel}', '{}', ${now + 86_400_000})`,
    );
  }
  await admin.rows('ANALYZE TABLE scheduled_messages');
  const set = (change: string, from: number, count: number) =>
    admin.run(
      `UPDATE scheduled_messages SET ${change} WHERE id IN (SELECT * FROM (SELECT id FROM scheduled_messages ORDER BY id LIMIT ${from}, ${count}) some)`,
    );
  await set(`due_at=${now - 60_000}`, 0, 70);
  await set("state='sending'", 0, 20);
  await set("state='failed'", 70, 30);
  await set('late=1', 70, 12);
  await set("state='uncertain'", 100, 15);
  await set("state='delivered'", 1_000, 10_000);
  await set(`due_at=${now + 600_000}`, 50_000, 400);
  const all = await status.waiting();
  expect(all.filter(({ channel }) => channel === 'x-1')).toMatchObject([{ open: 1, openIsExact: true }]);
  const waiting = all.find(({ channel }) => channel === 'webhook');
  expect(waiting).toMatchObject({
    overdue: 70,
    overdueIsExact: true,
    sending: 20,
    openIsExact: false,
    oldest: now - 60_000,
  });
  expect(waiting?.open).toBeGreaterThan(50_000);
  const counts = await status.counts();
  expect(counts).toContainEqual({ channel: 'webhook', state: 'sending', count: 20, exact: true });
  expect(counts).toContainEqual({ channel: 'webhook', state: 'failed', count: 18, exact: true });
  expect(counts).toContainEqual({ channel: 'webhook', state: 'skipped', count: 12, exact: true });
  expect(counts).toContainEqual({ channel: 'webhook', state: 'uncertain', count: 15, exact: true });
  expect(counts).toContainEqual({ channel: 'webhook', state: 'scheduled', count: expect.any(Number), exact: false });
  expect(counts).toContainEqual({ channel: 'all', state: 'ended', count: expect.any(Number), exact: false });
  const minutes = await status.byMinute(60);
  // None of these statements walks over the rows that are far in the future.
  const single = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 1 });
  const readsFor = async (senders: readonly string[]) => {
    const before = await readsOf(single);
    const watched = new Status(single, senders);
    await Promise.all([watched.waiting(), watched.byMinute(60), watched.counts()]);
    return (await readsOf(single)) - before;
  };
  const reads = await readsFor([]);
  expect(reads).toBeLessThan(20_000);
  // Nor is anything looked for of senders that have nothing to send.
  expect(await readsFor(Array.from({ length: 40 }, (_, n) => `idle-${n}`))).toBeLessThan(reads + 1_000);
  await single.close();
  expect(minutes?.map(({ count }) => count)).toEqual([400]);
}, 60_000);

test('status shows a bounded number of channels, those with a sender among them, and says how many more there are', async () => {
  const now = await status.now();
  const names = Array.from({ length: 300 }, (_, n) => `c-${String(n).padStart(3, '0')}`);
  const rows = [...names, 'webhook'].map((channel) => `('a', '${channel}', '{}', ${now + 60_000})`);
  const insert = (values: readonly string[]) =>
    admin.run(`INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ${values.join(', ')}`);
  await insert(rows.slice(0, 100));
  const few = new Status(app, ['webhook']);
  expect(await few.otherChannels()).toEqual({ count: 80, exact: true });
  await insert(rows.slice(100));
  expect((await few.waiting()).map(({ channel }) => channel)).toEqual([...names.slice(0, 20), 'webhook']);
  expect(await few.otherChannels()).toEqual({ count: 180, exact: false });
  expect(new Set((await few.byMinute(60))?.map(({ channel }) => channel)).size).toBe(21);
  const counts = await few.counts();
  expect(counts).toHaveLength(22);
  expect(counts).toContainEqual({ channel: 'others', state: 'scheduled', count: 280, exact: true });
  // What needs a person is found however many channels it is spread over.
  await admin.run("UPDATE scheduled_messages SET state='failed' WHERE id % 2 = 0");
  const failed = await admin.rows<[number]>("SELECT COUNT(*) FROM scheduled_messages WHERE state='failed'");
  const { messages } = await operations.list({ state: 'failed' }, { limit: 500 });
  expect([messages.length]).toEqual(failed[0]);
});

test('purge: what ended long enough ago, with its attempts and kept ids, in small batches', async () => {
  const ids = await schedule(Array.from({ length: 25 }, () => DUE));
  const [waiting, recent, ...old] = ids as [number, number, ...number[]];
  await admin.run(`UPDATE scheduled_messages SET state='delivered' WHERE id <> ${waiting}`);
  await admin.run(
    `UPDATE scheduled_messages SET updated_at=NOW(6) - INTERVAL 2 HOUR WHERE id NOT IN (${waiting}, ${recent})`,
  );
  for (const id of [recent, old[0]]) {
    await admin.run(
      'INSERT INTO delivery_attempts (message_id, version, session, wake_at, content_hash, finished_at, outcome, settled) ' +
        `VALUES (${id}, 1, x'${'ab'.repeat(16)}', 0, x'${'00'.repeat(32)}', 0, 'delivered', 'delivered')`,
    );
  }
  const forlorn = Math.max(...ids) + 1_000;
  for (const id of [waiting, recent, old[0], forlorn]) {
    await admin.run(
      `INSERT INTO kept_ids (message_id, plan_number, content_hash, ids, kept_at) VALUES (${id}, 1, x'${'00'.repeat(32)}', '{}', 0)`,
    );
  }
  const keptOf = () => admin.rows('SELECT message_id FROM kept_ids ORDER BY message_id');
  const reports: number[] = [];
  expect(await operations.purge(3_600_000, { batch: 10, dryRun: true })).toBe(23);
  expect(await keptOf()).toHaveLength(4);
  const report = (deleted: number) => void reports.push(deleted);
  expect(await operations.purge(3_600_000, { report, batch: 10 })).toBe(23);
  expect(reports).toEqual([8, 18, 23]);
  expect((await operations.list({}, { limit: 50 })).messages.map(({ id }) => id)).toEqual([recent, waiting]);
  expect(await admin.rows('SELECT message_id FROM delivery_attempts')).toEqual([[recent]]);
  // What was kept of a message that plain SQL has deleted goes too.
  expect(await keptOf()).toEqual([[waiting], [recent]]);
  await expect(operations.purge(-1)).rejects.toThrow('age: expected milliseconds, 0 or more, got -1');
});

const paused = (scope: object) => ({ ...scope, pausedAt: expect.any(Number), untilAt: null, command: null });

test('pause and resume: everything, a channel or one of its accounts, once', async () => {
  const [all, channel, shop] = [
    { channel: null, account: null },
    { channel: 'webhook', account: null },
    { channel: 'webhook', account: 'shop' },
  ];
  expect(await operations.pause(channel)).toEqual({ before: null, after: paused(channel) });
  await operations.pause(shop);
  await operations.pause(all);
  expect(await operations.pauses()).toEqual([all, channel, shop].map(paused));
  expect(await operations.resume({ channel: 'webhook', account: 'Shop' })).toBeNull();
  expect(await operations.resume(channel)).toEqual(paused(channel));
  expect(await operations.resume(all)).toEqual(paused(all));
  expect(await operations.pauses()).toEqual([paused(shop)]);
  await expect(operations.pause({ channel: 'pigeon', account: null })).rejects.toThrow(
    'channel: expected one of webhook',
  );
});

test('what a provider has said of an account, or of a channel, is ended by a person, and no other gate is', async () => {
  await admin.run(
    'INSERT INTO account_limits (channel, account, held_until, gate_until, changed_at) VALUES ' +
      "('x', 'shop', 4000000000000, 4000000000000, 1), ('x', '', 4000000000000, 4000000000000, 1), ('x', 'busy', 0, 4000000000000, 1)",
  );
  const gates = async () =>
    (
      await admin.rows("SELECT account FROM account_limits WHERE channel='x' AND gate_until > 0 ORDER BY account")
    ).flat();
  const [all, shop, busy] = [
    { channel: 'x', account: null },
    { channel: 'x', account: 'shop' },
    { channel: 'x', account: 'busy' },
  ];
  expect(await limitedNow(admin, { channel: 'x', account: 'busy' })).toMatchObject([
    { account: null, isHeld: true },
    { account: 'busy', isHeld: false },
  ]);
  expect(await operations.endHold(shop)).toBe(4_000_000_000_000);
  expect(await operations.endHold(shop)).toBeNull();
  expect(await operations.endHold(busy)).toBeNull();
  expect(await gates()).toEqual(['', 'busy']);
  expect(await operations.endHold(all)).toBe(4_000_000_000_000);
  expect(await gates()).toEqual(['busy']);
  await admin.run("DELETE FROM account_limits WHERE channel='x'");
});

test('what a provider has said of an app that credentials name is ended for its accounts too, which are held in its place', async () => {
  const [named, until] = [appNamed('client-1'), 3_900_000_000_000];
  await admin.run(
    'INSERT INTO account_limits (channel, account, held_until, gate_until, changed_at) VALUES ' +
      `('x', '${named}', ${until}, 0, 1), ('x', 'held', ${until + 900}, ${until + 900}, 1), ` +
      `('x', 'gated', 0, ${until}, 1), ('x', 'own', ${until + 90_000}, ${until + 99_000}, 1), ('x', '', 0, 0, 1)`,
  );
  expect(await operations.endHold({ channel: 'x', account: null })).toBe(until);
  const left = await admin.rows('SELECT account, held_until, gate_until FROM account_limits WHERE gate_until > 0');
  expect(left).toEqual([['own', until + 90_000, until + 90_000]]);
  await admin.run("DELETE FROM account_limits WHERE channel='x'");
});

test("a person's pause and a command's of the same scope are two: a person ends their own and that of kill, not that of a deploy", async () => {
  const scope = { channel: 'webhook', account: null };
  await admin.run(
    "INSERT INTO pauses (channel, account, paused_at, command) VALUES ('webhook', '', 1, 'deploy'), ('', '', 1, 'kill')",
  );
  expect(await operations.resume(scope)).toBeNull();
  expect(await operations.pause(scope)).toEqual({ before: null, after: paused(scope) });
  expect(await operations.resume(scope)).toEqual(paused(scope));
  expect(await operations.resume({ channel: null, account: null })).toMatchObject({ command: 'kill' });
  expect(await operations.pauses()).toEqual([{ ...paused(scope), command: 'deploy' }]);
});

test('a pause ends by itself at its time, by the clock of the database, and pausing again changes only that time', async () => {
  const scope = { channel: 'webhook', account: 'shop' };
  const { after } = await operations.pause(scope, { inMs: 3_600_000 });
  expect((after.untilAt ?? 0) - after.pausedAt).toBe(3_600_000);
  const at = Date.UTC(2090, 0, 1);
  const again = await operations.pause(scope, { at: '2090-01-01T00:00:00Z' });
  expect(again).toEqual({ before: after, after: { ...after, untilAt: at } });
  expect((await operations.pause(scope)).after).toEqual({ ...after, untilAt: null });
  await expect(operations.pause(scope, { at: Date.UTC(2020, 0, 1) })).rejects.toThrow('this time has passed already');
  await expect(operations.pause(scope, { at: '2090-01-01T00:00' })).rejects.toThrow(
    'until: "2090-01-01T00:00" has no zone',
  );
  expect(await operations.pauses()).toEqual([{ ...after, untilAt: null }]);
  await admin.run('UPDATE pauses SET until_at=paused_at-1');
  expect(await operations.pauses()).toEqual([]);
  expect(await operations.resume(scope)).toBeNull();
  expect(await operations.pause(scope)).toMatchObject({ before: null, after: { untilAt: null } });
});

test('status: rows by channel and state, what waits, what is coming, and who works', async () => {
  const now = await status.now();
  const minute = Math.floor(now / 60_000) * 60_000;
  const [, , canceled] = await schedule([now - 5_000, now + 1_000_000_000, DUE, minute + 120_000, minute + 150_000]);
  await client.cancel({ id: canceled as number });
  expect(await status.counts()).toEqual([
    { channel: 'webhook', state: 'scheduled', count: 4, exact: true },
    { channel: 'webhook', state: 'canceled', count: 1, exact: true },
  ]);
  expect(await status.waiting()).toEqual([
    {
      channel: 'webhook',
      open: 4,
      openIsExact: true,
      overdue: 1,
      overdueIsExact: true,
      sending: 0,
      oldest: now - 5_000,
    },
  ]);
  const coming = ((await status.byMinute(10)) ?? []).filter((one) => one.minute > now);
  expect(coming).toEqual([{ channel: 'webhook', minute: minute + 120_000, count: 2 }]);

  const registry = new MySqlWorkerRegistry(admin, systemClock);
  const sessions = ['aa', 'bb', 'cc', 'dd'].map((two) => two.repeat(16)) as [string, string, string, string];
  for (const [index, session] of sessions.entries()) {
    const identity = { session, components: ['due'], host: 'here', pid: index, version: '1', statusUrl: null };
    await registry.register(identity, index === 1 || index === 2 ? -1 : 10_000);
  }
  const report = { partitions: { due: [0, 2] }, gauges: { due: { pending: 3 } } };
  await registry.renew(sessions[0], 10_000, report);
  await admin.run(`UPDATE workers SET dead=1 WHERE session=x'${sessions[2]}'`);
  await registry.leave(sessions[3]);
  const workers = new Map((await listWorkers(app)).map((worker) => [worker.session, worker]));
  expect(sessions.map((session) => workers.get(session)?.state)).toEqual(['alive', 'late', 'dead', 'left']);
  expect(workers.get(sessions[0])).toMatchObject({ host: 'here', components: ['due'], ...report });
  expect(workers.get(sessions[1])).toMatchObject({ partitions: {}, gauges: {} });
});
