import { request } from 'undici';
import { FakeProvider } from '../../../deploy/fakes/fake-provider';
import { FakeMastodon } from '../../../deploy/fakes/mastodon';
import { systemClock } from '../../../topology/core/clock';

let fake: FakeProvider;

beforeEach(async () => {
  const protocol = new FakeMastodon({ clock: systemClock, tokens: { token: 'acme' }, keyGapMs: 0 });
  fake = await FakeProvider.start(protocol, systemClock);
});
afterEach(() => fake.close());

const headers = { authorization: 'Bearer token', 'content-type': 'application/json', 'user-agent': 'test' };

async function call(method: 'GET' | 'POST', path: string, body?: object, more: Record<string, string> = {}) {
  const { statusCode, body: answer } = await request(`${fake.url}${path}`, {
    method,
    headers: { ...headers, ...more },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: statusCode, json: await answer.json() };
}

const post = (status: string, more?: Record<string, string>) => call('POST', '/api/v1/statuses', { status }, more);
const posts = async () => ((await call('GET', '/fake/posts')).json as { text: string }[]).map(({ text }) => text);

test('it keeps what it takes, and shows it to who looks', async () => {
  expect(await post('one')).toMatchObject({ status: 200, json: { url: expect.stringContaining('@acme') } });
  expect(await posts()).toEqual(['one']);
});

test('an order goes to the messages that it names, so often as it says, and to no question', async () => {
  expect(await call('POST', '/fake/orders', { do: 'fail', match: 'bad', times: 2 })).toMatchObject({ status: 200 });
  expect(await call('GET', '/api/v1/accounts/verify_credentials')).toMatchObject({ status: 200 });
  const statuses = [];
  for (const text of ['good', 'bad 1', 'bad 2', 'bad 3']) statuses.push((await post(text)).status);
  expect(statuses).toEqual([200, 503, 503, 200]);
  expect(await posts()).toEqual(['good', 'bad 3']);
});

test.each([
  ['error', 500, ['one']],
  ['throttle', 429, []],
  ['slow', 200, ['one']],
] as const)('ordered to do "%s" it answers %d', async (order, status, taken) => {
  fake.order({ do: order, afterMs: 10 });
  expect(await post('one')).toMatchObject({ status });
  expect(await posts()).toEqual(taken);
});

test.each([
  ['drop', ['one']],
  ['vanish', []],
  ['babble', []],
] as const)('ordered to do "%s" it gives no answer', async (order, taken) => {
  fake.order({ do: order });
  await expect(post('one')).rejects.toThrow(/closed|reset|HTTP|SSH|Parse|parse|Expected/);
  expect(await posts()).toEqual(taken);
});

test('an order that it does not know is refused', async () => {
  expect(await call('POST', '/fake/orders', { do: 'explode' })).toMatchObject({ status: 400 });
});

test('an order for what its provider does not have is refused, and says so', async () => {
  for (const order of ['expire', 'duplicate']) {
    const refused = { status: 400, json: { error: `mastodon has no "${order}"` } };
    expect(await call('POST', '/fake/orders', { do: order })).toEqual(refused);
  }
  expect(await call('POST', '/fake/orders', { do: 'revoke' })).toMatchObject({ status: 200 });
  expect([(await post('one')).status, (await post('one')).status]).toEqual([401, 200]);
});

const send = (text: string) => post(text, { 'idempotency-key': text });
const forget = (match: string) => call('POST', '/fake/orders', { do: 'forget', match });

test('the keys of messages are forgotten when it is told to, and those of others are not', async () => {
  for (const text of ['one', 'two', 'one', 'two']) await send(text);
  expect(await posts()).toEqual(['one', 'two']);
  expect(await forget('one')).toMatchObject({ status: 200, json: { do: 'forget', match: 'one' } });
  for (const text of ['one', 'two']) await send(text);
  expect(await posts()).toEqual(['one', 'two', 'one']);
});

test.each([
  ['another token', () => post('one', { authorization: 'Bearer other' }), 401],
  ['another content type', () => post('one', { 'content-type': 'text/plain' }), 400],
  ['a field that there is not', () => call('POST', '/api/v1/statuses', { status: 'one', scheduled_at: 'x' }), 400],
  ['an empty text', () => post(' '), 422],
  ['another path', () => call('GET', '/api/v1/nothing'), 404],
])('%s is refused', async (_, ask, status) => {
  expect(await ask()).toMatchObject({ status, json: { error: expect.any(String) } });
  expect(await posts()).toEqual([]);
});
