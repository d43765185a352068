import { type Client, createClient } from '../../../../connectors/mysql/client/client';
import { Operations } from '../../../../connectors/mysql/operators/operations';
import { Status } from '../../../../connectors/mysql/operators/status';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { MySqlWorkerRegistry } from '../../../../connectors/mysql/workers/worker-registry';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

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

test('purge: what ended long enough ago, with its attempts, in small batches', async () => {
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
  const reports: number[] = [];
  expect(await operations.purge(3_600_000, (deleted) => reports.push(deleted), 10)).toBe(23);
  expect(reports).toEqual([8, 18, 23]);
  expect((await operations.list({}, { limit: 50 })).messages.map(({ id }) => id)).toEqual([recent, waiting]);
  expect(await admin.rows('SELECT message_id FROM delivery_attempts')).toEqual([[recent]]);
  await expect(operations.purge(-1)).rejects.toThrow('age: expected milliseconds, 0 or more, got -1');
});

test('pause and resume: a channel or one of its accounts, once', async () => {
  await operations.pause('webhook');
  await operations.pause('webhook', 'shop');
  await operations.pause('webhook', 'shop');
  expect(await operations.pauses()).toEqual([
    { channel: 'webhook', account: null, pausedAt: expect.any(Number) },
    { channel: 'webhook', account: 'shop', pausedAt: expect.any(Number) },
  ]);
  expect(await operations.resume('webhook', 'Shop')).toBe(false);
  expect(await operations.resume('webhook')).toBe(true);
  expect((await operations.pauses()).map(({ account }) => account)).toEqual(['shop']);
  await expect(operations.pause('pigeon')).rejects.toThrow('channel: expected one of webhook');
});

test('status: rows by channel and state, what waits, what is coming, and who works', async () => {
  const now = await status.now();
  const minute = Math.floor(now / 60_000) * 60_000;
  const [, , canceled] = await schedule([now - 5_000, now + 1_000_000_000, DUE, minute + 120_000, minute + 150_000]);
  await client.cancel({ id: canceled as number });
  expect(await status.counts()).toEqual([
    { channel: 'webhook', state: 'scheduled', count: 4 },
    { channel: 'webhook', state: 'canceled', count: 1 },
  ]);
  expect(await status.waiting()).toEqual([{ channel: 'webhook', open: 4, overdue: 1, oldest: now - 5_000 }]);
  const coming = (await status.byMinute(10)).filter((one) => one.minute > now);
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
  const workers = new Map((await status.workers()).map((worker) => [worker.session, worker]));
  expect(sessions.map((session) => workers.get(session)?.state)).toEqual(['alive', 'late', 'dead', 'left']);
  expect(workers.get(sessions[0])).toMatchObject({ host: 'here', components: ['due'], ...report });
  expect(workers.get(sessions[1])).toMatchObject({ partitions: {}, gauges: {} });
});
