import { telegram } from '../../../../connectors/channels/telegram/telegram';
import type { FakeTelegram, FakeTelegramOptions } from '../../../../deploy/fakes/telegram';
import { channelBattery } from '../channel-battery';
import type { PlayedChannel } from '../played-channel';
import { GROUP, HALVES, openTelegram, SUPERGROUP, TOKEN, telegramWorld } from './telegram-world';

channelBattery('telegram', telegramWorld);

let world: PlayedChannel<FakeTelegram>;

async function start(options: Partial<FakeTelegramOptions> = {}): Promise<void> {
  world = await openTelegram(options);
}

afterEach(() => world?.close());

test('a message goes out as it was written, and the receipt is its address', async () => {
  await start();
  const text = ' <b>not bold</b> & *nor this*\n';
  expect(await world.send({ chat: '@shop_news', text })).toEqual({
    kind: 'delivered',
    status: 200,
    receipt: 'https://t.me/shop_news/1',
  });
  const reply = { chat: '@shop_news', text: '<b>yes</b>', replyTo: '1', topic: '7', parseMode: 'HTML' };
  expect(await world.send({ ...reply, linkPreview: false, silent: true })).toMatchObject({ kind: 'delivered' });
  const plain = { bot: 'shop_bot', chat: -1_001_000_000_001, photos: [] };
  expect(world.protocol.posts()).toEqual([
    { id: 1, ...plain, text, parseMode: null, replyTo: null, topic: null, preview: true, silent: false },
    { id: 2, ...plain, text: '<b>yes</b>', parseMode: 'HTML', replyTo: 1, topic: 7, preview: false, silent: true },
  ]);
});

test.each([
  ['4242', 'a chat of two has no address', '4242/1'],
  [String(SUPERGROUP), 'a chat without a name has one for its members', 'https://t.me/c/1234567890/1'],
])('the receipt of chat %s: %s', async (chat, _, receipt) => {
  await start();
  expect(await world.send({ chat, text: 'a' })).toMatchObject({ kind: 'delivered', receipt });
});

describe('a group that became a supergroup', () => {
  const payload = { chat: String(GROUP), text: 'a' };

  test('gets its message under its new number, and each request asks whether it may start', async () => {
    await start();
    const mayStart = jest.fn(() => true);
    expect(await world.send(payload, { mayStart })).toMatchObject({
      kind: 'delivered',
      receipt: 'https://t.me/c/1234567890/1',
    });
    expect(mayStart).toHaveBeenCalledTimes(2);
    expect(world.protocol.posts()).toMatchObject([{ chat: SUPERGROUP }]);
  });

  test('gets nothing when the lease ends between the two requests', async () => {
    await start();
    const mayStart = jest.fn(() => false).mockReturnValueOnce(true);
    expect(await world.send(payload, { mayStart })).toBe('not_started');
    expect(world.protocol.posts()).toEqual([]);
  });

  test('is not followed twice', async () => {
    const chats = [
      { id: GROUP, type: 'group', movedTo: -5 },
      { id: -5, type: 'group', movedTo: GROUP },
    ] as const;
    await start({ chats });
    expect(await world.send(payload)).toMatchObject({ kind: 'rejected', status: 400 });
    expect(world.server.calls).toHaveLength(2);
  });

  test('may have the message when the second request is not answered', async () => {
    await start();
    world.server.order({ do: 'drop', match: String(SUPERGROUP) });
    expect(await world.send(payload)).toMatchObject({ kind: 'unknown' });
  });
});

describe('what the answers mean:', () => {
  test('a token that is revoked makes the account unusable, and the reason says what to do', async () => {
    await start();
    world.protocol.revoked.add(TOKEN);
    expect(await world.send({ chat: '@shop_news', text: 'a' })).toEqual({
      kind: 'unusable',
      status: 401,
      afterMs: 60_000,
      reason: expect.stringContaining(
        "Telegram does not take the bot's token any more (HTTP 401: Unauthorized). Connect the account again",
      ),
    });
  });

  test('too many messages wait for the seconds that Telegram names', async () => {
    await start({ limit: 1 });
    expect(await world.send({ chat: '4242', text: 'a' })).toMatchObject({ kind: 'delivered' });
    const outcome = await world.send({ chat: '4242', text: 'b' });
    expect(outcome).toMatchObject({ kind: 'retry', status: 429 });
    const { afterMs } = outcome as { afterMs: number };
    expect(afterMs).toBeGreaterThan(40_000);
    expect(afterMs).toBeLessThanOrEqual(60_000);
    expect(await world.send({ chat: '@shop_news', text: 'b' })).toMatchObject({ kind: 'delivered' });
  });

  test.each([
    ['a chat that is not there', { chat: '@nobody' }, 400, /^There is no such chat.*chat not found/],
    ['a receiver who blocked the bot', { chat: '4243' }, 403, /^The receiver has blocked the bot .*HTTP 403/],
    ['a receiver who left Telegram', { chat: '4244' }, 403, /^The receiver's account does not exist any more/],
    ['a group that threw the bot out', { chat: '-4245' }, 403, /^The bot is not in the chat; add it again/],
    ['a reply to what is not there', { chat: '4242', replyTo: '9' }, 400, /^The message that it answers is not/],
    ['a tag that is not closed', { chat: '4242', text: '<b>a', parseMode: 'HTML' }, 400, /^The markup of the text/],
  ])('%s is rejected', async (_, payload, status, reason) => {
    await start();
    const outcome = await world.send({ text: 'a', ...payload });
    expect(outcome).toEqual({ kind: 'rejected', status, reason: expect.stringMatching(reason) });
    expect(world.protocol.posts()).toEqual([]);
  });

  test.each([
    [408, 'retry'],
    [425, 'retry'],
    [409, 'unknown'],
  ])('an answer %i of any server is no rejection', async (status, kind) => {
    await start();
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status, json: {} });
    expect(await world.send({ chat: '4242', text: 'a' })).toMatchObject({ kind, status });
  });

  test.each(['fail', 'error', 'drop', 'vanish', 'hang'] as const)(
    'a server that does "%s" may have the message',
    async (order) => {
      await start();
      world.server.order({ do: order });
      expect(await world.send({ chat: '4242', text: 'a' })).toMatchObject({ kind: 'unknown' });
    },
  );

  test.each([{}, { ok: true, result: {} }, { ok: false, parameters: 7, description: 8 }])(
    'the answer %j is no delivery',
    async (json) => {
      await start();
      jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json });
      expect(await world.send({ chat: '4242', text: 'a' })).toMatchObject({ kind: 'unknown', status: 200 });
    },
  );

  test('the token is left out of what a server quotes, also when its colon is escaped', async () => {
    await start();
    const description = `no route for /bot${HALVES.join('%3A')}/sendMessage`;
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 400, json: { ok: false, description } });
    expect(await world.send({ chat: '4242', text: 'a' })).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('/bot…/sendMessage'),
    });
  });
});

test('what is sent twice is there twice: Telegram knows no keys, so the channel is blind', async () => {
  await start();
  world.server.order({ do: 'drop' });
  await world.send({ chat: '4242', text: 'a' });
  await world.send({ chat: '4242', text: 'a' }, { inDoubt: true });
  expect(world.protocol.posts()).toHaveLength(2);
  expect(world.channel.class).toBe('blind');
  expect(world.channel.lookup).toBeUndefined();
});

describe('credentials', () => {
  test('can be tried without a message', async () => {
    await start();
    expect(await world.whoAmI({ token: TOKEN })).toEqual({ kind: 'ok', name: '@shop_bot' });
    const other = TOKEN.replace('7', '8');
    expect(await world.whoAmI({ token: other })).toEqual({ kind: 'no', reason: 'HTTP 401: Unauthorized' });
    expect(world.protocol.posts()).toEqual([]);
  });

  test.each([
    ['a token is enough', { token: TOKEN }, true],
    ['a server of its own', { token: TOKEN, server: 'https://bots.example.com:8081' }, true],
    ['a server in clear', { token: TOKEN, server: 'http://bots.example.com' }, false],
    ['a path', { token: TOKEN, server: 'https://bots.example.com/bot' }, false],
    ['no bot', { token: 'AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw' }, false],
    ['a path in the token', { token: `${TOKEN}/../x` }, false],
  ])('%s: %j', async (_, given, isGood) => {
    await start();
    expect(telegram.credentials.safeParse(given).success).toBe(isGood);
  });
});
