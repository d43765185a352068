import { Pool } from '../../../../connectors/mysql/sql/pool';
import { adoptDeployment, joinDeployment, readDeployment } from '../../../../connectors/mysql/workers/deployment';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

let world: World;
let worker: Pool;

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
  const { id } = await readDeployment(worker);
  const joined = { id, kafkaCluster: 'kafka-1', namespace: '' };
  const all = await Promise.all([1, 2, 3, 4].map(() => joinDeployment(worker, 'kafka-1', '')));
  for (const one of all) expect(one).toEqual(joined);
  expect(await readDeployment(worker)).toEqual(joined);
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

test('a copy that is adopted gets another id, so that its keys are not those of the original', async () => {
  const { id } = await joinDeployment(worker, 'kafka-1', '');
  const adopted = await adoptDeployment(worker, 'kafka-2', 'staging', { restored: false });
  expect(adopted).toEqual({ id: expect.not.stringMatching(id), kafkaCluster: 'kafka-2', namespace: 'staging' });
  expect(await joinDeployment(worker, 'kafka-2', 'staging')).toEqual(adopted);
  await expect(joinDeployment(worker, 'kafka-1', '')).rejects.toThrow('belongs to Kafka cluster kafka-2');
});

test('one that was restored keeps its id, so that providers recognise what was sent after the backup', async () => {
  const { id } = await joinDeployment(worker, 'kafka-1', '');
  const adopted = await adoptDeployment(worker, 'kafka-2', '', { restored: true });
  expect(adopted).toEqual({ id, kafkaCluster: 'kafka-2', namespace: '' });
});
