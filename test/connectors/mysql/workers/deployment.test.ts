import { createConnection } from 'mysql2/promise';
import { createClient, type NewMessage } from '../../../../connectors/mysql/client/client';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import {
  adoptDeployment,
  type DeploymentIdentity,
  joinDeployment,
  readDeployment,
} from '../../../../connectors/mysql/workers/deployment';
import { MySqlWorkerRegistry } from '../../../../connectors/mysql/workers/worker-registry';
import { systemClock } from '../../../../topology/core/clock';
import { idempotencyKey } from '../../../../topology/message';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

let world: World;
let worker: Pool;

const later = systemClock.now() + 3_600_000;
const admin = () => required(world.environment, 'ADMIN_DATABASE_URL');

beforeEach(async () => {
  world = await freshDatabase();
  worker = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 4 });
});
afterEach(async () => {
  await worker.close();
  await world.close();
});

test('every database has an id of its own, and belongs to nobody at first', async () => {
  const other = await freshDatabase();
  const pool = Pool.open(required(other.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 1 });
  const [one, two] = [await readDeployment(worker), await readDeployment(pool)];
  await pool.close();
  await other.close();
  expect(one).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), kafkaCluster: null, namespace: null });
  expect(two.id).not.toBe(one.id);
});

test('the first to come is written down, and is let in again; also when many come at once', async () => {
  const { id: unjoined } = await readDeployment(worker);
  const all = await Promise.all([1, 2, 3, 4].map(() => joinDeployment(worker, 'kafka-1', '')));
  const joined = await readDeployment(worker);
  expect(joined).toEqual({ id: expect.not.stringMatching(unjoined), kafkaCluster: 'kafka-1', namespace: '' });
  for (const one of all) expect(one).toEqual(joined);
  expect(await joinDeployment(worker, 'kafka-1', '')).toEqual(joined);
});

test('two clones of a database that was made and never started have two ids once they are joined', async () => {
  const clone = await freshDatabase();
  const pool = Pool.open(required(clone.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 1 });
  const root = Pool.open(required(clone.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  const { id } = await readDeployment(worker);
  await root.run(`UPDATE deployment SET id=X'${id}'`);
  const joined = [await joinDeployment(worker, 'kafka-1', ''), await joinDeployment(pool, 'kafka-2', '')];
  await root.close();
  await pool.close();
  await clone.close();
  expect(joined.map(({ kafkaCluster }) => kafkaCluster)).toEqual(['kafka-1', 'kafka-2']);
  expect(new Set([id, ...joined.map((one) => one.id)]).size).toBe(3);
});

test.each([
  ['kafka-2', ''],
  ['kafka-1', 'staging'],
])('another Kafka or namespace is refused: %s "%s"', async (cluster, namespace) => {
  const before = await joinDeployment(worker, 'kafka-1', '');
  await expect(joinDeployment(worker, cluster, namespace)).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(
      new RegExp(
        `cluster kafka-1 with namespace "", .* cluster ${cluster} with namespace "${namespace}".*downspout adopt`,
      ),
    ),
  });
  expect(await readDeployment(worker)).toEqual(before);
});

test.each([
  ['a copy was loaded into the database', 'id=RANDOM_BYTES(16)'],
  ['it was made another Kafka’s', "kafka_cluster='KAFKA-1'"],
  ['it was given another namespace', "namespace='staging'"],
])('a worker that runs is told when %s', async (_, change) => {
  const known: { joined?: DeploymentIdentity } = {};
  const registry = new MySqlWorkerRegistry(worker, systemClock, () => known.joined);
  const isElsewhere = async () => (await registry.pulse()).belongsElsewhere;
  expect(await isElsewhere()).toBe(false);
  known.joined = await joinDeployment(worker, 'kafka-1', '');
  expect(await isElsewhere()).toBe(false);
  const root = Pool.open(admin(), { clock: systemClock, size: 1 });
  await root.run(`UPDATE deployment SET ${change}`);
  expect(await isElsewhere()).toBe(true);
  // The moment in a dump between the table and its row says nothing.
  await root.run('DELETE FROM deployment');
  expect(await isElsewhere()).toBe(false);
  await root.close();
});

test('a copy that is adopted gets another id, so that its keys are not those of the original', async () => {
  const { id } = await joinDeployment(worker, 'kafka-1', '');
  const adopted = await adoptDeployment(worker, 'kafka-2', 'staging', { restored: false });
  expect(adopted).toEqual({ id: expect.not.stringMatching(id), kafkaCluster: 'kafka-2', namespace: 'staging' });
  expect(await joinDeployment(worker, 'kafka-2', 'staging')).toEqual(adopted);
  await expect(joinDeployment(worker, 'kafka-1', '')).rejects.toThrow('belongs to Kafka cluster kafka-2');
});

test('one that was restored keeps its id, so that providers recognise what was sent after the backup', async () => {
  const { id } = await joinDeployment(worker, 'kafka-1', '');
  const adopted = await adoptDeployment(worker, 'kafka-2', '', { restored: true, adminUrl: admin() });
  expect(adopted).toEqual({ id, kafkaCluster: 'kafka-2', namespace: '' });
});

test.each([
  ['goes with a copy, because it belongs to the messages of the original', { restored: false }, 0],
  ['stays in a restored database, because it says what was published since', { restored: true }, 1],
] as const)('what was kept of a message %s', async (_, how, left) => {
  await joinDeployment(worker, 'kafka-1', '');
  await worker.run(
    `REPLACE INTO kept_ids (message_id, plan_number, content_hash, ids, kept_at) VALUES (1, 1, x'${'00'.repeat(32)}', '{}', 0)`,
  );
  await adoptDeployment(worker, 'kafka-2', '', how.restored ? { restored: true, adminUrl: admin() } : how);
  expect(await worker.rows('SELECT message_id FROM kept_ids')).toHaveLength(left);
});

test('what is planned after a restore carries no key that was used between the backup and the loss', async () => {
  const client = createClient(required(world.environment, 'DATABASE_URL'));
  try {
    const message = (dedupeKey: string, dueAt = later): NewMessage => ({
      account: 'shop',
      channel: 'webhook',
      payload: { url: 'http://127.0.0.1/' },
      dueAt,
      dedupeKey,
    });
    const keysOf = async (these: readonly string[]) => {
      const { id: deployment } = await readDeployment(worker);
      const rows = await client.get(these.map((dedupeKey) => ({ account: 'shop', dedupeKey })));
      return rows.map((row) => idempotencyKey(deployment, row?.id ?? 0, row?.planNumber ?? 0));
    };
    const change = async () => {
      await client.edit({ account: 'shop', dedupeKey: 'edited', dueAt: later + 1 });
      await client.schedule(message('replaced', later + 1), { onExisting: 'replace' });
      await client.redrive({ account: 'shop', dedupeKey: 'redriven' });
    };
    const changed = ['edited', 'replaced', 'redriven'];
    await client.schedule(['kept', ...changed].map((one) => message(one)));
    await worker.run("UPDATE scheduled_messages SET state='failed' WHERE dedupe_key='redriven'");
    const [kept] = await keysOf(['kept']);

    // What happens after the backup; then the database is as it was at the backup, with the counter of then.
    const { id: firstLost } = await client.schedule(message('lost-1'));
    await client.schedule(message('lost-2'));
    await change();
    const lost = await keysOf(['lost-1', 'lost-2', ...changed]);
    await worker.run(
      "UPDATE scheduled_messages SET plan_number=1, due_at=IF(dedupe_key='kept', due_at, due_at - 1), state=IF(dedupe_key='redriven', 'failed', 'scheduled')",
    );
    const root = await createConnection(admin());
    await root.query('DELETE FROM scheduled_messages WHERE id >= ?', [firstLost]);
    await root.query('ALTER TABLE scheduled_messages AUTO_INCREMENT=1');
    await adoptDeployment(worker, 'kafka-1', '', { restored: true, adminUrl: admin() });

    await client.schedule([message('new-1'), message('new-2')]);
    await change();
    await root.query(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at, dedupe_key) VALUES ('shop', 'webhook', '{"url":"http://127.0.0.1/"}', ${later}, 'sql')`,
    );
    const fresh = await keysOf(['new-1', 'new-2', 'sql', ...changed]);
    expect(fresh.filter((one) => lost.includes(one))).toEqual([]);
    expect(await keysOf(['kept'])).toEqual([kept]);

    // A second restore of the same backup: all that the first one drew is lost again.
    const largest = (await client.get({ account: 'shop', dedupeKey: 'sql' }))?.id ?? 0;
    expect(largest).toBeGreaterThan(firstLost + 1e15);
    expect(Number.isSafeInteger(largest * 2)).toBe(true);
    await worker.run('UPDATE scheduled_messages SET plan_number=1');
    await root.query('DELETE FROM scheduled_messages WHERE id >= ?', [firstLost]);
    await root.query('ALTER TABLE scheduled_messages AUTO_INCREMENT=1');
    await adoptDeployment(worker, 'kafka-1', '', { restored: true, adminUrl: admin() });
    await root.end();
    await client.schedule([message('new-3'), message('new-4')]);
    const again = await keysOf(['new-3', 'new-4']);
    expect(again.filter((one) => [...lost, ...fresh].includes(one))).toEqual([]);
  } finally {
    await client.close();
  }
});

test('what comes of messages after a restore is found by one who has read more outcomes than the backup holds', async () => {
  await adoptDeployment(worker, 'kafka-1', '', { restored: true, adminUrl: admin() });
  const [[next] = [0]] = await worker.rows<[number]>(
    "SELECT auto_increment FROM information_schema.tables WHERE table_schema=DATABASE() AND table_name='delivery_attempts'",
  );
  expect(next).toBeGreaterThan(1e15);
});
