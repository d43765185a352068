import { changeEventCodec } from '../../connectors/debezium/change-event';
import { captureNames } from '../../connectors/debezium/settings';
import { watchTopic } from '../../connectors/kafka/topic-set-up';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import type { ScheduleChange } from '../../topology/streams';
import { freshWorld, type World } from '../support/stack/stack';

let world: World;
let pool: Pool;
let watch: { close: () => Promise<void> };
const DUE = Date.UTC(2026, 0, 1);
const changes: ScheduleChange[] = [];

beforeAll(async () => {
  world = await freshWorld();
  const { environment } = world;
  pool = Pool.open(required(environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  const { changes: topic } = captureNames(environment.DOWNSPOUT_NAMESPACE);
  watch = await watchTopic(required(environment, 'KAFKA_BROKERS'), topic, `${topic}-test`, (value) => {
    if (value !== null) changes.push(changeEventCodec.decode(value));
  });
}, 60_000);

afterAll(async () => {
  await watch.close();
  await pool.close();
  await world.close();
}, 60_000);

async function insert(account: string): Promise<number> {
  const { insertId } = await pool.run(
    `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('${account}', 'webhook', '{}', ${DUE})`,
  );
  return insertId;
}

async function changesOf(id: number, count: number): Promise<ScheduleChange[]> {
  const found = () => changes.filter((change) => change.id === id);
  while (found().length < count) await systemClock.sleep(10);
  return found();
}

describe('the capture of changes', () => {
  it('shows every change of a plan, in order', async () => {
    const id = await insert('a');
    await pool.run(`UPDATE scheduled_messages SET due_at = ${DUE + 1}, version = 2 WHERE id = ${id}`);
    await pool.run(`UPDATE scheduled_messages SET state = 'canceled', version = 3 WHERE id = ${id}`);
    await pool.run(`DELETE FROM scheduled_messages WHERE id = ${id}`);
    const seen = await changesOf(id, 4);
    expect(seen.map(({ version, wakeAt, deleted }) => [version, wakeAt, deleted])).toEqual([
      [1, DUE, false],
      [2, DUE + 1, false],
      [3, null, false],
      [3, null, true],
    ]);
    expect(seen[0]).toMatchObject({ account: 'a', channel: 'webhook' });
  });

  it('shows nothing of claims and write-backs', async () => {
    const id = await insert('b');
    await pool.run(`UPDATE scheduled_messages SET state = 'sending', attempts = 1 WHERE id = ${id}`);
    await pool.run(`UPDATE scheduled_messages SET state = 'delivered', delivered_at = 5 WHERE id = ${id}`);
    const marker = await insert('c');
    await changesOf(marker, 1);
    expect(await changesOf(id, 1)).toHaveLength(1);
  });

  it('says when a change was committed, by the database’s clock', async () => {
    const [change] = await changesOf(await insert('d'), 1);
    const [[now] = [0]] = await pool.rows<[number]>('SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)');
    expect(Math.abs(now - (change?.committedAt ?? 0))).toBeLessThan(5_000);
  });
});
