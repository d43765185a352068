import { SecretKey } from '../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../connectors/mysql/secrets/secret-store';
import { FakeProvider } from '../../deploy/fakes/fake-provider';
import { FakeMastodon } from '../../deploy/fakes/mastodon';
import { FakeTelegram } from '../../deploy/fakes/telegram';
import { systemClock } from '../../topology/core/clock';
import { runCli } from '../support/stack/cli';
import { Deployment } from '../support/stack/deployment';
import { until } from '../support/until';

/** What the server takes of an account, and in which time, milliseconds. */
const LIMIT = 10;
const WINDOW_MS = 6_000;
const MESSAGES = 35;
const OTHERS = 30;
/** Before the messages are due, milliseconds. */
const AHEAD = 3_000;
/** How late another account's message may be, milliseconds. */
const ON_TIME = 1_500;
const HELD_MS = 8_000;

let deployment: Deployment;
let server: FakeMastodon;
let fake: FakeProvider;
let telegram: FakeTelegram;
let bots: FakeProvider;

const [SHOP, GOOD] = ['token-of-the-shop', 'token-of-another-account'];
const BOT = '1000:token-of-the-bot-of-the-shop';
const chats = [{ id: -1_001_000_000_000, type: 'channel', username: 'shop_news' }] as const;

beforeAll(async () => {
  const tokens = { [SHOP]: 'shop', [GOOD]: 'good' };
  server = new FakeMastodon({ clock: systemClock, tokens, limit: LIMIT, windowMs: WINDOW_MS });
  fake = await FakeProvider.start(server, systemClock);
  telegram = new FakeTelegram({ clock: systemClock, bots: { [BOT]: 'shop' }, chats, limit: 10_000 });
  bots = await FakeProvider.start(telegram, systemClock);
  const settings = 'timeout: 3s, backOff: 200ms, backOffMax: 1s, perAccount: 1';
  const limits = `perAccount: { rate: ${LIMIT}/${WINDOW_MS / 1_000}s }`;
  deployment = await Deployment.start(
    ['due', 'mastodon', 'mastodon', 'telegram', 'telegram'],
    `{ mastodon: { ${settings}, limits: { ${limits} } }, telegram: { ${settings}, limits: { perAccount: {} } } }`,
  );
  const store = new SecretStore(deployment.sql, SecretKey.from(deployment.world.environment));
  for (const [account, token] of [
    ['shop', SHOP],
    ['good', GOOD],
  ] as const) {
    await store.set(account, 'mastodon', JSON.stringify({ instance: fake.url, token }), { replace: true });
  }
  await store.set('shop', 'telegram', JSON.stringify({ token: BOT, server: bots.url }), { replace: true });
}, 120_000);

afterAll(async () => {
  await deployment.close();
  await Promise.all([fake.close(), bots.close()]);
}, 60_000);

const statesOf = async (ids: readonly number[]) => {
  const messages = await deployment.client.get(ids.map((id) => ({ id })));
  return [...new Set(messages.map((message) => message?.state ?? 'gone'))].toSorted().join();
};
const cli = (...args: readonly string[]) => runCli(args, { environment: deployment.settings });

test('an account with more messages than its limit is never refused, keeps its order, and keeps nobody waiting', async () => {
  const start = systemClock.now() + AHEAD;
  const texts = Array.from({ length: MESSAGES }, (_, n) => `of the shop ${n}`);
  const scheduled = async (account: string, own: readonly string[], dueAt: (n: number) => number) => {
    const answers = await deployment.client.schedule(
      own.map((text, n) => ({ account, channel: 'mastodon' as const, dueAt: dueAt(n), payload: { text } })),
    );
    return answers.map(({ id }) => id);
  };
  const ids = await scheduled('shop', texts, (n) => start + n);
  const good = await scheduled(
    'good',
    // Fewer in its window than its limit.
    Array.from({ length: OTHERS }, (_, n) => `of another ${n}`),
    (n) => start + n * WINDOW_MS * 0.15,
  );
  await until(
    'the shop is at its limit',
    async () => (await cli('status')).stdout.includes('One account of mastodon has sent'),
    60_000,
  );
  const last = ids.at(-1) as number;
  expect((await cli('messages', 'show', String(last))).stdout).toMatch(/account shop has sent as much as limits/);
  const canceled = await deployment.client.cancel({ id: last });
  expect(canceled).toMatchObject({ result: 'canceled' });
  await until(
    'all are delivered',
    async () => (await statesOf([...ids.slice(0, -1), ...good])) === 'delivered',
    90_000,
  );
  expect(server.refused).toBe(0);
  const posts = server.posts().filter(({ text }) => text.startsWith('of the shop'));
  expect(posts.map(({ text }) => text)).toEqual(texts.slice(0, -1));
  for (const [index, { at }] of posts.entries()) {
    expect(posts.filter((post, n) => n >= index && post.at < at + WINDOW_MS).length).toBeLessThanOrEqual(LIMIT);
  }
  for (const message of await deployment.client.get(good.map((id) => ({ id })))) {
    expect((message?.deliveredAt ?? Number.POSITIVE_INFINITY) - (message?.dueAt ?? 0)).toBeLessThan(ON_TIME);
  }
  const attempts = await deployment.client.get(ids.slice(0, -1).map((id) => ({ id })));
  expect([...new Set(attempts.map((message) => message?.attempts))]).toEqual([1]);
}, 180_000);

test('one refusal holds an account until the time that the provider names, for all of its messages', async () => {
  bots.order({ do: 'throttle', afterMs: HELD_MS });
  const start = systemClock.now() + AHEAD;
  const answers = await deployment.client.schedule(
    Array.from({ length: 12 }, (_, n) => ({
      account: 'shop',
      channel: 'telegram' as const,
      dueAt: start + n * 10,
      payload: { chat: '@shop_news', text: `number ${n}` },
    })),
  );
  const ids = answers.map(({ id }) => id);
  await until('all are delivered', async () => (await statesOf(ids)) === 'delivered', 60_000);
  // The one that was refused, and each of the others once.
  expect(bots.calls.filter((call) => telegram.publishes(call))).toHaveLength(13);
  const messages = await deployment.client.get(ids.map((id) => ({ id })));
  for (const message of messages) expect(message?.deliveredAt).toBeGreaterThan(start + HELD_MS - 1_000);
}, 120_000);
