import { parseRequest } from '../../../connectors/channels/webhook/webhook-request';
import { type Client, createClient } from '../../../connectors/mysql/client/client';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { MySqlSendRows } from '../../../connectors/mysql/workers/send-rows';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { freshDatabase, type World } from '../../support/stack/stack';

/** Bodies from the way in to the bytes that leave, through MySQL's own JSON. */
let world: World;
let app: Pool;
let worker: Pool;
let client: Client;

beforeAll(async () => {
  world = await freshDatabase();
  app = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 1 });
  worker = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 1 });
  client = createClient(required(world.environment, 'DATABASE_URL'));
});
afterAll(async () => {
  await Promise.all([app.close(), worker.close(), client.close()]);
  await world.close();
});

const url = 'https://example.com/hook';
const due = systemClock.now() + 3_600_000;

/** What leaves for a message. */
async function sent(id: number) {
  const [row] = await new MySqlSendRows(worker).read([id], Number.POSITIVE_INFINITY);
  const { body, headers } = parseRequest('shop', row?.payload ?? '');
  return { body: body.toString(), type: headers[headers.indexOf('content-type') + 1] };
}

/** @param payload an expression of SQL */
async function inserted(payload: string): Promise<number> {
  const { insertId } = await app.run(
    `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('shop', 'webhook', ${payload}, ${due})`,
  );
  return insertId;
}

test('JSON that SQL gives leaves with its numbers exactly', async () => {
  const body =
    '{"id":1524831183200260097,"order":12345678901234567890,"least":-9223372036854775808,"price":10.0,"pi":3.141592653589793}';
  const { body: left, type } = await sent(await inserted(`'{"url":"${url}","body":${body}}'`));
  expect(type).toBe('application/json');
  expect(left.split(/[{},]/).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
    body.split(/[{},]/).toSorted((a, b) => (a < b ? -1 : 1)),
  );
});

test('a text that SQL gives leaves byte for byte', async () => {
  const text = '{"user_points": 70, "id": 5, "max": 1.0, "tags": ["é", "\\u00e9"]}';
  const hex = Buffer.from(text).toString('hex');
  const id = await inserted(
    `JSON_OBJECT('url', '${url}', 'body', CONVERT(X'${hex}' USING utf8mb4), ` +
      "'headers', JSON_OBJECT('Content-Type', 'application/json'))",
  );
  expect(await sent(id)).toEqual({ body: text, type: 'application/json' });
});

test('bigints and doubles of the client leave exactly, and are what it shows', async () => {
  const body = { id: 2n ** 63n, price: 0.1, large: 1e300, list: [1_524_831_183_200_260_097n, -1.5] };
  const { id } = await client.schedule({ account: 'shop', channel: 'webhook', payload: { url, body }, dueAt: due });
  const { body: left } = await sent(id);
  for (const digits of ['9223372036854775808', '0.1', '1e300', '1524831183200260097', '-1.5']) {
    expect(left).toContain(digits);
  }
  expect((await client.get({ id }))?.payload).toEqual({ url, body });
});

function schedule(tweet: bigint) {
  const payload = { url, body: { tweet } };
  return client.schedule({ account: 'shop', channel: 'webhook', payload, dueAt: due, dedupeKey: 'd' });
}

test('messages that differ in a digit beyond 2^53 are two under one key', async () => {
  const first = await schedule(1_524_831_183_200_260_097n);
  expect(await schedule(1_524_831_183_200_260_097n)).toMatchObject({
    result: 'scheduled',
    id: first.id,
    created: false,
  });
  expect(await schedule(1_524_831_183_200_260_096n)).toMatchObject({ result: 'conflict', id: first.id });
});

test('the largest payload that the client takes can be sent, as long as MySQL makes it', async () => {
  const body = Array.from({ length: 524_260 }, () => 1);
  const { id } = await client.schedule({ account: 'shop', channel: 'webhook', payload: { url, body }, dueAt: due });
  expect((await sent(id)).body).toBe(JSON.stringify(body));
}, 30_000);
