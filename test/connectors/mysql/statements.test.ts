import { createClient } from '../../../connectors/mysql/client/client';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { pageStatement } from '../../../connectors/mysql/workers/open-rows';
import { claimStatement } from '../../../connectors/mysql/workers/send-rows';
import { deliverStatement } from '../../../connectors/mysql/workers/write-back';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { freshDatabase, type World } from '../../support/stack/stack';

const ROWS = 10_000;
const WAKE = 1_800_000_000_000;
/** Messages of one account at one instant. */
const CROWD = 5_000;

/** The optimizer's choice decides whether the hot path is fast, and it depends on how many rows there are. */
describe.each([
  { statistics: 'old, and say that the table is empty', analyze: false },
  { statistics: 'fresh', analyze: true },
])('plans while the statistics are $statistics', ({ analyze }) => {
  let world: World;
  let pool: Pool;

  beforeAll(async () => {
    world = await freshDatabase();
    pool = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 2 });
    await pool.run('ALTER TABLE scheduled_messages STATS_AUTO_RECALC=0');
    const client = createClient(required(world.environment, 'DATABASE_URL'));
    await client.schedule(
      Array.from({ length: ROWS }, (_, n) => ({
        account: `a${n % 500}`,
        channel: 'webhook' as const,
        payload: { url: 'http://127.0.0.1/', body: n },
        dueAt: WAKE + n,
      })),
    );
    await client.schedule(
      Array.from({ length: CROWD }, (_, n) => ({
        account: 'crowd',
        channel: 'webhook' as const,
        payload: { url: 'http://127.0.0.1/', body: n },
        dueAt: WAKE + 2 * ROWS,
      })),
    );
    await client.close();
    if (analyze) await pool.rows('ANALYZE TABLE scheduled_messages');
  });
  afterAll(async () => {
    await pool.close();
    await world.close();
  });

  const explain = async (sql: string) => {
    const rows = await pool.rows<(string | number | null)[]>(`EXPLAIN FORMAT=TRADITIONAL ${sql}`);
    return rows.map(([, , table, , type, , key, , , examined, , extra]) => ({ table, type, key, examined, extra }));
  };

  test.each([1, 500, 5_000])('a claim of %d rows is a range of the primary key', async (count) => {
    const rows = await pool.rows<[number, string]>(`SELECT id, updated_at FROM scheduled_messages LIMIT ${count}`);
    const plan = await explain(
      claimStatement(
        'ab'.repeat(16),
        rows.map(([id, updatedAt]) => ({ id, version: 1, updatedAt })),
        0,
      ),
    );
    expect(plan).toMatchObject([{ type: 'range', key: 'PRIMARY' }]);
    expect(plan[0]?.examined).toBeLessThanOrEqual(count);
  });

  test('a write-back looks each row up by the primary key', async () => {
    const rows = Array.from({ length: 500 }, (_, n) => ({ values: `ROW(${n + 1},1,5,NULL)` }));
    const plan = await explain(deliverStatement(rows, "m.state='sending' AND m.version=v.version"));
    expect(plan.find(({ table }) => table === 'm')).toMatchObject({ type: 'eq_ref', key: 'PRIMARY', examined: 1 });
  });

  test('a page reads each shard in the order of the index, and sorts nothing', async () => {
    const cursors = Array.from({ length: 128 }, (_, shard) => ({ shard, afterWake: WAKE, afterId: 0 }));
    const plan = await explain(pageStatement('webhook', cursors, WAKE + ROWS, 40));
    const branches = plan.filter(({ table }) => table === 'scheduled_messages');
    expect(branches).toHaveLength(128);
    for (const branch of branches) {
      expect(branch).toMatchObject({ type: 'range', key: 'open_by_wake' });
      expect(branch.extra).not.toMatch(/filesort|temporary/);
    }
  });

  test('a page within one instant reads its own rows and none that earlier pages have read', async () => {
    const [row] = await pool.rows<[shard: number, wakeAt: number, lastId: number]>(
      "SELECT shard, wake_at, MAX(id) FROM scheduled_messages WHERE account='crowd' GROUP BY shard, wake_at",
    );
    const [shard, wakeAt, lastId] = row as [number, number, number];
    const limit = 40;
    const read = await pool.use(async (sql) => {
      const walked = async () => {
        const [status] = await sql.rows<[string, string]>("SHOW SESSION STATUS LIKE 'Handler_read_next'");
        return Number(status?.[1]);
      };
      const before = await walked();
      const cursor = { shard, afterWake: wakeAt, afterId: lastId - 2 * limit };
      const rows = await sql.rows(pageStatement('webhook', [cursor], wakeAt + 1, limit));
      return { rows: rows.length, walked: (await walked()) - before };
    });
    expect(read.rows).toBe(limit);
    expect(read.walked).toBeLessThanOrEqual(limit);
  });

  test('a page from the beginning without a bound does so too', async () => {
    const cursors = [{ shard: 3, afterWake: Number.NEGATIVE_INFINITY, afterId: 0 }];
    const [branch] = await explain(pageStatement('webhook', cursors, Number.POSITIVE_INFINITY, 40));
    expect(branch).toMatchObject({ key: 'open_by_wake' });
    expect(branch?.extra).not.toMatch(/filesort|temporary/);
  });
});
