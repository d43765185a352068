import { Pool } from '../../connectors/mysql/sql/pool';
import { provision } from '../../deploy/provision';
import { newState } from '../../deploy/stack/stack-state';
import { systemClock } from '../../topology/core/clock';
import { idempotencyKey } from '../../topology/message';
import { type Environment, required } from '../../topology/settings/environment';
import { type CliResult, runCli, variablesOf } from '../support/stack/cli';
import { Deployment, workerSettings } from '../support/stack/deployment';
import { deprovision } from '../support/stack/removal';
import { copySchema } from '../support/stack/schema-copy';
import { freshNamespace, freshWorld, testSettings, type World } from '../support/stack/stack';
import { until } from '../support/until';

const TABLES = ['deployment', 'scheduled_messages', 'delivery_attempts', 'accounts', 'pauses', 'workers'];

let original: Deployment;
let delivered: number;
let waiting: number;
/** What is there only to name a database and a namespace that are free. */
const places: World[] = [];

/** A database with the rows of the original as they are now, and a namespace of its own in the same Kafka. */
async function copy(): Promise<Environment> {
  const place = await freshNamespace();
  places.push(place);
  const { environment } = place;
  const [from, to] = [original.world.environment, environment].map((one) =>
    new URL(required(one, 'ADMIN_DATABASE_URL')).pathname.slice(1),
  ) as [string, string];
  await copySchema(required(environment, 'ADMIN_DATABASE_URL'));
  for (const table of TABLES) {
    const columns = await original.sql.rows<[string]>(
      `SELECT column_name FROM information_schema.columns
       WHERE table_schema='${from}' AND table_name='${table}' AND generation_expression=''`,
    );
    const names = columns.map(([name]) => `\`${name}\``).join(', ');
    await original.sql.run(`DELETE FROM \`${to}\`.${table}`);
    await original.sql.run(`INSERT INTO \`${to}\`.${table} (${names}) SELECT ${names} FROM \`${from}\`.${table}`);
  }
  expect((await downspout(environment, 'migrate', '--users')).code).toBe(0);
  return environment;
}

function downspout(environment: Environment, ...args: string[]): Promise<CliResult> {
  return runCli(args, { environment: variablesOf(environment) });
}

async function identityOf(environment: Environment): Promise<string> {
  const pool = Pool.open(required(environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  const [row] = await pool.rows<[string]>('SELECT LOWER(HEX(id)) FROM deployment');
  await pool.close();
  return row?.[0] as string;
}

/** Workers on an adopted database. */
function running(environment: Environment): Promise<Deployment> {
  const settings = testSettings();
  return Deployment.start(['due,webhook'], undefined, async () => {
    await provision(environment, settings, systemClock, () => undefined);
    return { environment, settings, close: () => deprovision(environment) };
  });
}

function webhook(name: string, dueAt: number) {
  return { account: 'a', channel: 'webhook' as const, dueAt, payload: { url: `${original.receiver.url}/${name}` } };
}

/** The keys of the requests that came for a message, in order. */
function keysOf(name: string): string[] {
  return original.receiver.journal.filter(({ path }) => path === `/${name}`).map(({ key }) => key);
}

beforeAll(async () => {
  original = await Deployment.start(['due,webhook'], undefined, () => freshWorld());
  ({ id: delivered } = await original.client.schedule(webhook('delivered', systemClock.now() + 86_400_000)));
  ({ id: waiting } = await original.client.schedule(webhook('waiting', systemClock.now() + 86_400_000)));
}, 90_000);

afterAll(async () => {
  await original.close();
  for (const place of places) await place.close();
}, 60_000);

test('a copy is refused by provision and by a worker, until it is adopted; then its keys are its own', async () => {
  const environment = await copy();
  const { id } = original.identity;
  const provisioned = await downspout(environment, 'provision');
  expect(provisioned).toMatchObject({ code: 1, stderr: expect.stringContaining('run `downspout adopt`') });
  const worker = await runCli(['worker', '--component', 'due,webhook', '--status-port', '0'], {
    environment: workerSettings(environment),
  });
  expect(worker.code).toBe(1);
  expect(worker.stdout).toContain('run `downspout adopt`');

  const asked = await downspout(environment, 'adopt', '--as', 'copy', '--json');
  expect(asked.code).toBe(1);
  expect(JSON.parse(asked.stdout)).toMatchObject({ adopted: false, before: { id } });
  expect(await identityOf(environment)).toBe(id);

  const done = await downspout(environment, 'adopt', '--as', 'copy', '--yes', '--json');
  expect(done.code).toBe(0);
  const { after } = JSON.parse(done.stdout) as { after: { id: string; namespace: string } };
  expect(after).toMatchObject({ namespace: environment.DOWNSPOUT_NAMESPACE, id: await identityOf(environment) });
  expect(after.id).not.toBe(id);

  const staging = await running(environment);
  await staging.client.edit({ id: waiting, dueAt: systemClock.now() });
  await staging.sql.run(`DELETE FROM scheduled_messages WHERE id=${delivered}`);
  await staging.settled();
  expect(keysOf('waiting')).toEqual([idempotencyKey(after.id, waiting, 2)]);

  // Another copy is loaded under the workers: they end, and those that take their place are refused.
  const before = staging.processes.map(({ pid }) => pid);
  await staging.sql.run("UPDATE deployment SET id=RANDOM_BYTES(16), kafka_cluster='of another stack'");
  await until('the workers have ended', () => staging.processes.every(({ pid }, n) => pid !== before[n]));
  await staging.close();
}, 120_000);

test('a copy from a stack with another Kafka is refused, though both have the same namespace', async () => {
  const environment = await copy();
  const namespace = environment.DOWNSPOUT_NAMESPACE;
  const { clusterId } = newState('native');
  const pool = Pool.open(required(environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  await pool.run(`UPDATE deployment SET kafka_cluster='${clusterId}', namespace='${namespace}'`);
  await pool.close();
  const provisioned = await downspout(environment, 'provision');
  expect(provisioned).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`belongs to Kafka cluster ${clusterId}`),
  });
  const worker = await runCli(['worker', '--component', 'due,webhook', '--status-port', '0'], {
    environment: workerSettings(environment),
  });
  expect(worker.code).toBe(1);
  expect(worker.stdout).toContain(`belongs to Kafka cluster ${clusterId}`);
}, 60_000);

test('a restored database keeps its keys, and what is planned from then on has keys that were never used', async () => {
  const environment = await copy();
  const { id } = original.identity;
  // After the backup the original sends one message, and schedules another that the backup does not know.
  await original.sql.run(
    `UPDATE scheduled_messages SET due_at=${systemClock.now()}, version=version+1 WHERE id=${delivered}`,
  );
  const { id: lost } = await original.client.schedule(webhook('lost', systemClock.now() + 86_400_000));
  await original.sql.run(`DELETE FROM scheduled_messages WHERE id IN (${waiting}, ${lost})`);
  await original.settled();

  const done = await downspout(environment, 'adopt', '--as', 'restored', '--yes', '--json');
  expect(done.code).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({ after: { id, namespace: environment.DOWNSPOUT_NAMESPACE } });

  const restored = await running(environment);
  // By plain SQL the plan stays the same one, as it does when a due time has passed while the database was away.
  await restored.sql.run(
    `UPDATE scheduled_messages SET due_at=${systemClock.now()}, version=version+1 WHERE id=${delivered}`,
  );
  await restored.client.edit({ id: waiting, dueAt: systemClock.now() });
  const { id: fresh } = await restored.client.schedule(webhook('fresh', systemClock.now()));
  await restored.settled();
  const key = idempotencyKey(id, delivered, 1);
  expect(keysOf('delivered')).toEqual([key, key]);
  expect(fresh).toBeGreaterThan(1_000_000_000_000_000);
  const plans = new Map(await restored.sql.rows<[number, number]>('SELECT id, plan_number FROM scheduled_messages'));
  expect(plans.get(waiting)).toBeGreaterThan(1_000_000_000);
  expect(keysOf('waiting').at(-1)).toBe(idempotencyKey(id, waiting, plans.get(waiting) as number));
  expect(keysOf('fresh')).toEqual([idempotencyKey(id, fresh, plans.get(fresh) as number)]);
  await restored.close();
}, 120_000);
