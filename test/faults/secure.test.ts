import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConnectRest } from '../../connectors/debezium/connect-rest';
import { captureNames } from '../../connectors/debezium/settings';
import { Pool } from '../../connectors/mysql/sql/pool';
import { readStatus } from '../../deploy/inspect/status-report';
import type { Acl } from '../../deploy/provisioning/kafka-rights';
import { systemClock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import { type ConnectConnection, connectConnectionOf } from '../../topology/settings/connections';
import { type Environment, readEnvironment, required } from '../../topology/settings/environment';
import { type CliResult, runCli } from '../support/stack/cli';
import { Deployment, localTarget, workerSettings } from '../support/stack/deployment';
import { Host } from '../support/stack/hosts';
import { testSettings, type World } from '../support/stack/stack';
import { until } from '../support/until';
import { CONNECT_PRINCIPAL, connectUser, kafkaUsers } from './world/secure-parts';
import { SecureStack } from './world/secure-stack';

interface RoleRights {
  readonly role: 'app' | 'worker' | 'operator' | 'cdc' | 'connect' | 'admin';
  readonly mysql: { readonly user: string; readonly grants: readonly string[] } | null;
  readonly kafka: { readonly principal: string; readonly acls: readonly Acl[] } | null;
}

let stack: SecureStack;
let operator: Environment;
let deployment: Deployment;
let provisioned: CliResult;
let rights: readonly RoleRights[];

function cli(args: readonly string[], environment: Readonly<Record<string, string>> = stack.operator) {
  // What is not set is not to be looked for where nothing listens.
  return runCli(args, {
    environment: { ADMIN_DATABASE_URL: '', WORKER_DATABASE_URL: '', CDC_DATABASE_URL: '', ...environment },
  });
}

function rightsOf(role: RoleRights['role']): RoleRights {
  return rights.find((one) => one.role === role) as RoleRights;
}

/** Makes the user of a role in MySQL, with exactly what is printed. */
async function makeUser(role: RoleRights['role'], url: string): Promise<void> {
  const { user, grants } = rightsOf(role).mysql ?? { user: '', grants: [] };
  const { password } = new URL(url);
  await stack.sql(`CREATE USER '${user}'@'%' IDENTIFIED BY '${decodeURIComponent(password)}'`, ...grants);
}

async function ping(url: string): Promise<unknown> {
  const pool = Pool.open(url, { clock: systemClock, size: 1 });
  try {
    return await pool.rows('SELECT 1');
  } finally {
    await pool.close();
  }
}

beforeAll(async () => {
  stack = await SecureStack.start();
  operator = readEnvironment(stack.operator, {});
  const printed = await cli(['grants', '--json'], { ...stack.operator, ...stack.admin });
  rights = JSON.parse(printed.stdout) as RoleRights[];
  for (const { role, kafka } of rights) {
    if (kafka !== null) await stack.allow(role === 'connect' ? CONNECT_PRINCIPAL : kafka.principal, kafka.acls);
  }
  await makeUser('admin', stack.admin['ADMIN_DATABASE_URL'] as string);
  const migrated = await cli(['migrate'], stack.admin);
  if (migrated.code !== 0) throw new Error(migrated.stderr);
  await makeUser('app', required(operator, 'DATABASE_URL'));
  await makeUser('worker', required(operator, 'WORKER_DATABASE_URL'));
  await makeUser('operator', required(operator, 'OPERATOR_DATABASE_URL'));
  await makeUser('cdc', required(operator, 'CDC_DATABASE_URL'));
  await stack.startConnect();
  provisioned = await cli(['provision', '--json']);
  if (provisioned.code !== 0) throw new Error(provisioned.stderr);
  const settings = testSettings();
  const makeWorld = async (): Promise<World> => ({
    environment: readEnvironment(stack.root, {}),
    workers: readEnvironment(stack.worker, {}),
    settings,
    close: () => stack.stop(),
  });
  deployment = await Deployment.start(['due,webhook'], undefined, makeWorld);
}, 600_000);

afterAll(() => deployment?.close() ?? stack?.stop(), 60_000);

test('somebody with exactly the operator’s rights provisions what an administrator of MySQL has prepared', () => {
  const steps = JSON.parse(provisioned.stdout) as { step: string; text: string }[];
  expect(steps).toEqual([
    { step: 'database', text: expect.stringMatching(/^the schema is up to date; users and rights were compared/) },
    { step: 'topics', text: expect.stringContaining('due.webhook (8)') },
    { step: 'connector', text: expect.stringContaining('RUNNING') },
    { step: 'changes', text: expect.stringContaining('came through') },
  ]);
});

test('a message is delivered by a worker with exactly its rights, over TLS everywhere', async () => {
  await deployment.client.schedule({
    account: 'a',
    channel: 'webhook',
    dueAt: systemClock.now() + 3_000,
    payload: { url: deployment.receiver.url, body: 'sealed' },
  });
  await deployment.settled();
  expect(deployment.receiver.journal.map(({ body }) => body)).toEqual(['sealed']);
  const connections = await deployment.sql.rows<[string]>(
    "SELECT DISTINCT connection_type FROM performance_schema.threads WHERE processlist_user LIKE 'downspout%'",
  );
  expect(connections).toEqual([['SSL/TLS']]);
}, 60_000);

test('status and lag work with exactly the operator’s rights', async () => {
  const { parts } = await readStatus(operator, systemClock);
  expect(parts.filter(({ needed, ok }) => needed && !ok)).toEqual([]);
  const lag = await cli(['lag', '--json']);
  expect(lag).toMatchObject({ code: 0, stderr: '' });
}, 60_000);

test('somebody with exactly the operator’s rights and no other user deploys, and adds partitions, where supervisors run the workers', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'downspout-operator-'));
  const file = join(folder, 'topology.yaml');
  const topology = (partitions: number) =>
    writeFileSync(file, `components: { due: { replicas: 1 }, webhook: { replicas: 1, partitions: ${partitions} } }\n`);
  const deploy = () =>
    cli(['deploy', '--yes', '--no-supervisor', '--pause', '0s'], {
      ...stack.operator,
      DATABASE_URL: '',
      WORKER_DATABASE_URL: '',
      DOWNSPOUT_TOPOLOGY: file,
    });
  const OPERATOR_DATABASE_URL = required(operator, 'OPERATOR_DATABASE_URL');
  const host = Host.start(readEnvironment({ ...stack.worker, OPERATOR_DATABASE_URL }, {}));
  try {
    topology(8);
    expect(await deploy()).toMatchObject({
      code: 0,
      stdout: 'Release 1 is live.\n',
      stderr: expect.stringMatching(/^changes: a heartbeat came through; no change was tried/m),
    });
    topology(10);
    expect(await deploy()).toMatchObject({
      code: 0,
      stdout: 'Release 2 is live.\n',
      stderr: expect.stringMatching(/^due\.webhook: 10 partitions; sends of webhook paused/m),
    });
  } finally {
    expect(await host.end()).toBe(0);
    host.remove();
    rmSync(folder, { recursive: true });
  }
}, 240_000);

test('of all this nothing was refused', () => {
  expect(stack.denied()).toEqual([]);
});

test('the administrator’s printed rights are enough to make the users too', async () => {
  expect(await cli(['migrate', '--users'], stack.admin)).toMatchObject({ code: 0, stderr: '' });
}, 60_000);

test('Kafka knows somebody by the certificate alone', async () => {
  const topic = { resource: 'topic', name: 'due.webhook', operations: ['DESCRIBE'] } as const;
  const status = () => readStatus(readEnvironment(stack.certified, {}), systemClock);
  const kafkaOf = async () => (await status()).parts.find(({ part }) => part === 'Kafka');
  expect((await kafkaOf())?.detail).toContain('DESCRIBE');
  await stack.allow('User:CN=client', [
    topic,
    { ...topic, name: 'schedule-changes' },
    ...['due', 'webhook'].map((name): Acl => ({ ...topic, resource: 'group', name: `downspout.${name}` })),
  ]);
  await until('the certificate’s owner is let in', async () => (await kafkaOf())?.ok === true);
}, 60_000);

test('MySQL takes a user who must have a certificate, and nobody in the clear', async () => {
  const url = stack.databaseByCertificate('DATABASE_URL');
  const user = new URL(url).username;
  await stack.sql(`ALTER USER '${user}'@'%' REQUIRE X509`);
  expect(await ping(url)).toEqual([[1]]);
  await expect(ping(required(operator, 'DATABASE_URL'))).rejects.toThrow('Access denied');
  await stack.sql(`ALTER USER '${user}'@'%' REQUIRE NONE`);
  const clear = Object.assign(new URL(url), { search: '' }).href;
  await expect(ping(clear)).rejects.toThrow('add ssl-mode=REQUIRED');
}, 30_000);

test('Connect shows no password of MySQL', async () => {
  const rest = new ConnectRest(connectConnectionOf(operator) as ConnectConnection);
  const { text } = await rest.request('GET', `/connectors/${captureNames('').connector}/config`);
  expect(text).toContain('"database.user":"downspout_cdc"');
  expect(text).not.toContain(decodeURIComponent(new URL(required(operator, 'CDC_DATABASE_URL')).password));
}, 30_000);

test('every right that is missing is named at once, with what gives it', async () => {
  const { user } = rightsOf('worker').mysql ?? { user: '' };
  await stack.sql(`REVOKE UPDATE ON downspout.scheduled_messages FROM '${user}'@'%'`);
  // Of a deployment beside this one nobody has made a topic, and this user may not.
  const { code, stderr } = await cli(['provision'], { ...stack.operator, DOWNSPOUT_NAMESPACE: 'beside' });
  await stack.sql(`GRANT UPDATE ON downspout.scheduled_messages TO '${user}'@'%'`);
  expect(code).toBe(1);
  const lines = stderr.split('\n').map((line) => line.trim());
  expect(lines).toContain(
    `MySQL user ${user}@% lacks UPDATE ON downspout.scheduled_messages: GRANT UPDATE ON \`downspout\`.\`scheduled_messages\` TO '${user}'@'%';`,
  );
  for (const topic of ['schedule-changes', 'cdc-heartbeats', 'cdc-schema-history', 'due.webhook']) {
    expect(stderr).toContain(
      `topic beside.${topic} does not exist, and could not be made: this user may not do it: kafka-topics.sh --create --topic beside.${topic} --partitions`,
    );
  }
  const deployed = await cli(['deploy', '--yes', '--no-supervisor'], {
    ...stack.operator,
    DOWNSPOUT_NAMESPACE: 'beside',
  });
  expect(deployed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'topic beside.due.webhook does not exist, and could not be made: this user may not',
    ),
  });
  const { releases } = JSON.parse((await cli(['history', '--json'])).stdout) as { releases: { outcome: string }[] };
  expect(releases.map(({ outcome }) => outcome)).toEqual(['failed', 'live', 'superseded']);
}, 60_000);

test('a worker that lacks a right on a topic says which, and goes on when it has it', async () => {
  const right = { resource: 'topic', name: 'due.webhook', operations: ['READ', 'WRITE'] } as const;
  const principal = `User:${kafkaUsers.worker.username}`;
  await stack.forbid(principal, right);
  const name = 'webhook-without-rights';
  const settings = { ...workerSettings(readEnvironment(stack.worker, {})), LOG_LEVEL: 'info' };
  const worker = localTarget(operator, [{ name, component: 'webhook' }], settings);
  worker.start();
  const log = () => readFileSync(worker.workers()[0]?.logFile as string, 'utf8');
  await until('it names the right', () => /does not allow this user \w+ on the topic due\.webhook/.test(log()));
  await stack.allow(principal, [right]);
  await until('it owns partitions', async () => {
    const [row] = await deployment.sql.rows<[number]>(
      "SELECT COUNT(*) FROM workers WHERE dead = 0 AND JSON_LENGTH(report, '$.partitions.webhook') > 0",
    );
    return row?.[0] === 2;
  });
  expect(await worker.stop(20_000)).toEqual([]);
}, 120_000);

test.each([
  ['without a password', { CONNECT_USERNAME: undefined, CONNECT_PASSWORD: undefined }],
  ['with a wrong one', { CONNECT_PASSWORD: 'wrong' }],
  ['by an authority that nobody knows', { CONNECT_CA_FILE: undefined }],
])(
  'Connect lets nobody in %s',
  async (_how, wrong) => {
    const rest = new ConnectRest(connectConnectionOf({ ...operator, ...wrong }) as ConnectConnection);
    const asked = rest.request('GET', '/connectors');
    await expect(asked).rejects.toThrow(Unavailable);
    await expect(asked).rejects.not.toThrow(connectUser.password);
  },
  30_000,
);

test.each([
  [
    'without TLS',
    { KAFKA_SSL: false, KAFKA_SSL_CA_FILE: undefined, KAFKA_SSL_CERT_FILE: undefined, KAFKA_SSL_KEY_FILE: undefined },
  ],
  ['without a certificate', { KAFKA_SSL_CERT_FILE: undefined, KAFKA_SSL_KEY_FILE: undefined }],
  ['with a wrong password', { KAFKA_SASL_PASSWORD: 'wrong' }],
  ['by another mechanism than the user’s', { KAFKA_SASL_MECHANISM: 'scram-sha-512' as const }],
])(
  'Kafka lets nobody in %s',
  async (_how, wrong) => {
    const { parts } = await readStatus({ ...operator, ...wrong }, systemClock);
    const kafka = parts.find(({ part }) => part === 'Kafka');
    expect(kafka).toMatchObject({ ok: false });
    expect(JSON.stringify(parts)).not.toContain(kafkaUsers.operator.password);
  },
  60_000,
);
