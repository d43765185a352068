import { randomBytes } from 'node:crypto';
import {
  databaseNow,
  emittingSpouts,
  silentSpouts,
  workersBeforePauses,
} from '../../../../connectors/mysql/operators/emitting-spouts';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { MySqlWorkerRegistry } from '../../../../connectors/mysql/workers/worker-registry';
import { systemClock } from '../../../../topology/core/clock';
import type { WorkerReport } from '../../../../topology/runtime/worker-registry';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const CUT_OFF_MS = 60_000;
let world: World;
let pool: Pool;
let registry: MySqlWorkerRegistry;
let now: number;

beforeEach(async () => {
  world = await freshDatabase();
  pool = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 2 });
  registry = new MySqlWorkerRegistry(pool, systemClock);
  now = await pool.use(databaseNow);
});
afterEach(async () => {
  await pool.close();
  await world.close();
});

/** A worker of a component, with a lease and with what it has reported. */
async function worker(component: string, leaseMs: number, report?: Omit<WorkerReport, 'partitions'>): Promise<string> {
  const session = randomBytes(16).toString('hex');
  const identity = { session, components: [component], host: 'h', pid: 1, version: '0', statusUrl: null };
  await registry.register(identity, leaseMs);
  if (report !== undefined) await registry.renew(session, leaseMs, { partitions: { [component]: [0] }, ...report });
  return session;
}
const emitting = (since: number) => pool.use((sql) => emittingSpouts(sql, 'webhook', since, CUT_OFF_MS));
const quiet = { due: { 'emitting.webhook': 0, 'emitting.x': 3 } };

test.each([
  ['has read the pause, and appends nothing', 0, { gauges: quiet, pausesReadAt: 10.5 }, 10_000],
  ['has not read the pause', 1, { gauges: quiet, pausesReadAt: -0.5 }, 10_000],
  ['has an append under way', 1, { gauges: { due: { 'emitting.webhook': 1 } }, pausesReadAt: 10 }, 10_000],
  ['is cut off from the database, perhaps', 1, { gauges: quiet, pausesReadAt: -10 }, -30_000],
  ['has been away for so long that it is dead', 0, { gauges: quiet, pausesReadAt: -10 }, -70_000],
] as const)('a spout that %s', async (_, count, report, leaseMs) => {
  await worker('due', leaseMs, { ...report, pausesReadAt: now + report.pausesReadAt });
  await worker('webhook', 10_000, { gauges: {}, pausesReadAt: 0 });
  expect(await emitting(now)).toBe(count);
});

test('a spout that reports no such thing, or nothing yet, may emit, and is named among the workers that know no such pause', async () => {
  await worker('due', 10_000, { gauges: quiet });
  await worker('due', 10_000);
  await worker('webhook', 10_000, { gauges: {} });
  await worker('webhook', 10_000, { gauges: {}, pausesReadAt: now });
  await worker('webhook', -1_000, { gauges: {} });
  await registry.leave(await worker('webhook', 10_000, { gauges: {} }));
  expect(await emitting(now)).toBe(2);
  expect(await workersBeforePauses(pool)).toEqual(
    Array.from({ length: 3 }, () => ({ host: 'h', pid: 1, version: '0' })),
  );
  expect(await workersBeforePauses(pool, 60_000)).toEqual([]);
});

test('a spout that left emits nothing', async () => {
  await registry.leave(await worker('due', 10_000, { gauges: quiet, pausesReadAt: now - 10 }));
  expect(await emitting(now)).toBe(0);
});

test.each([
  ['has renewed its lease since then', 0, 11_000, 'due'],
  ['was killed while its lease runs', 1, 9_000, 'due'],
  ['is cut off from the database, perhaps', 1, -30_000, 'due'],
  ['has been away for so long that it is dead', 0, -70_000, 'due'],
  ['is none', 0, 9_000, 'webhook'],
] as const)('is silent, or not: a spout that %s', async (_, count, leaseMs, component) => {
  await worker(component, leaseMs, { gauges: quiet });
  expect(await pool.use((sql) => silentSpouts(sql, now, CUT_OFF_MS))).toBe(count);
});

test('a spout that left is not silent', async () => {
  await registry.leave(await worker('due', 9_000, { gauges: quiet }));
  expect(await pool.use((sql) => silentSpouts(sql, now, CUT_OFF_MS))).toBe(0);
});
