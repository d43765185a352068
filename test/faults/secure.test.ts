import { ConnectRest } from '../../connectors/debezium/connect-rest';
import { captureNames } from '../../connectors/debezium/settings';
import { Pool } from '../../connectors/mysql/sql/pool';
import { readStatus } from '../../deploy/inspect/status-report';
import { provision } from '../../deploy/provision';
import { systemClock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import { requiredConnect } from '../../topology/settings/connections';
import { type Environment, readEnvironment, required } from '../../topology/settings/environment';
import { Deployment } from '../support/stack/deployment';
import { testSettings, type World } from '../support/stack/stack';
import { connectUser, kafkaUser, SecureStack } from './world/secure-stack';

let stack: SecureStack;
let environment: Environment;
let deployment: Deployment;

beforeAll(async () => {
  stack = await SecureStack.start();
  environment = readEnvironment(stack.settings, {});
  const settings = testSettings();
  const makeWorld = async (): Promise<World> => {
    await provision(environment, settings, systemClock, () => undefined);
    return { environment, settings, close: () => stack.stop() };
  };
  deployment = await Deployment.start(['due,webhook'], undefined, makeWorld);
}, 180_000);

afterAll(() => deployment.close(), 60_000);

test('a message is delivered where Kafka, Connect and Debezium speak over TLS and say who they are', async () => {
  await deployment.client.schedule({
    account: 'a',
    channel: 'webhook',
    dueAt: systemClock.now() + 3_000,
    payload: { url: deployment.receiver.url, body: 'sealed' },
  });
  await deployment.settled();
  expect(deployment.receiver.journal.map(({ body }) => body)).toEqual(['sealed']);
  const sql = Pool.open(required(environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  const connections = await sql.rows<[string]>(
    "SELECT DISTINCT connection_type FROM performance_schema.threads WHERE processlist_user = 'downspout_cdc'",
  );
  await sql.close();
  expect(connections).toEqual([['SSL/TLS']]);
}, 60_000);

test('status reaches every part', async () => {
  const { parts } = await readStatus(environment, systemClock);
  expect(parts.filter(({ needed, ok }) => needed && !ok)).toEqual([]);
}, 30_000);

test('Connect shows no password of MySQL', async () => {
  const rest = new ConnectRest(requiredConnect(environment));
  const { text } = await rest.request('GET', `/connectors/${captureNames('').connector}/config`);
  expect(text).toContain('"database.user":"downspout_cdc"');
  expect(text).not.toContain(decodeURIComponent(new URL(required(environment, 'CDC_DATABASE_URL')).password));
}, 30_000);

test.each([
  ['without a password', { CONNECT_USERNAME: undefined, CONNECT_PASSWORD: undefined }],
  ['with a wrong one', { CONNECT_PASSWORD: 'wrong' }],
  ['by an authority that nobody knows', { CONNECT_CA_FILE: undefined }],
])(
  'Connect lets nobody in %s',
  async (_how, wrong) => {
    const rest = new ConnectRest(requiredConnect({ ...environment, ...wrong }));
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
  ['with a wrong password', { KAFKA_SASL_PASSWORD: 'wrong' }],
])(
  'Kafka lets nobody in %s',
  async (_how, wrong) => {
    const { parts } = await readStatus({ ...environment, ...wrong }, systemClock);
    const kafka = parts.find(({ part }) => part === 'Kafka');
    expect(kafka).toMatchObject({ ok: false });
    expect(JSON.stringify(parts)).not.toContain(kafkaUser.password);
  },
  60_000,
);
