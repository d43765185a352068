import type { FakeDiscord, FakeDiscordOptions } from '../../../../deploy/fakes/discord';
import { systemClock } from '../../../../topology/core/clock';
import type { Outcome } from '../../../../topology/message';
import { channelBattery } from '../channel-battery';
import type { PlayedChannel } from '../played-channel';
import { CHANNEL, discordWorld, OTHER_TOKEN, openDiscord, TOKEN } from './discord-world';

channelBattery('discord', discordWorld);

let world: PlayedChannel<FakeDiscord>;

async function start(options: Partial<FakeDiscordOptions> = {}): Promise<void> {
  world = await openDiscord(options);
}

afterEach(() => world?.close());

const a = { channelId: CHANNEL, text: 'a' };
const since = () => systemClock.now();
const foundAs = (id = '') => ({ kind: 'accepted', receipt: `${CHANNEL}/${id}` });
const firstId = () => world.protocol.posts()[0]?.id ?? '';

test('a message goes out as it was written, and notifies nobody unless it says whom', async () => {
  await start();
  const text = '<@155149108183695361> *look* @everyone';
  expect(await world.send({ channelId: CHANNEL, text })).toEqual({
    kind: 'delivered',
    status: 200,
    receipt: `${CHANNEL}/${firstId()}`,
  });
  const more = { replyTo: firstId(), mentions: ['users'], linkPreview: false, silent: true };
  expect(await world.send({ ...a, ...more }, { idempotencyKey: 'key-2' })).toMatchObject({ kind: 'delivered' });
  const plain = { bot: '155149108183695360', channel: CHANNEL, nonce: expect.stringMatching(/^[\w-]{24}$/) };
  expect(world.protocol.posts()).toEqual([
    expect.objectContaining({ ...plain, content: text, replyTo: null, notifies: [], flags: 0 }),
    expect.objectContaining({ ...plain, content: 'a', replyTo: firstId(), notifies: ['users'], flags: 4 + 4_096 }),
  ]);
});

test('the body is a function of the row, so each attempt has the same', async () => {
  await start();
  for (const dueAt of [1, 2]) await world.send(a, { dueAt });
  const [first, second] = world.server.calls.map(({ body }) => body.toString());
  expect(first).toBe(second);
});

describe('what the answers mean:', () => {
  test('a token that is revoked makes the account unusable, and the reason says what to do', async () => {
    await start();
    world.protocol.revoked.add(TOKEN);
    expect(await world.send(a)).toEqual({
      kind: 'unusable',
      status: 401,
      afterMs: 60_000,
      reason: expect.stringContaining(
        "Discord does not take the bot's token any more (HTTP 401, code 0: 401: Unauthorized). Connect the account again",
      ),
    });
  });

  test('too many messages wait for the seconds that Discord names, with their fraction', async () => {
    await start();
    world.server.order({ do: 'throttle', afterMs: 1_250 });
    expect(await world.send(a)).toMatchObject({ kind: 'retry', status: 429, afterMs: 1_250 });
  });

  test('the fifth message of five seconds says that it was the last, and the sixth holds its bot', async () => {
    await start({ limit: 5 });
    const outcomes: Outcome[] = [];
    for (let n = 0; n < 6; n++) outcomes.push((await world.send(a, { idempotencyKey: `key-${n}` })) as Outcome);
    const holds = outcomes.map((one) => ('hold' in one ? one.hold : undefined));
    const held = { of: 'account', ms: expect.any(Number), aloneMs: 30_000 };
    expect(holds).toEqual([undefined, undefined, undefined, undefined, held, held]);
    expect(outcomes.map(({ kind }) => kind)).toEqual([...Array(5).fill('delivered'), 'retry']);
    for (const hold of holds) expect(hold?.ms ?? 0).toBeLessThanOrEqual(5_000);
  });

  test.each([
    [50_013, 'Missing Permissions', /^The bot may not write in the channel \(HTTP 403, code 50013: Missing Perm/],
    [50_083, 'Thread is archived', /^The thread is archived/],
    [200_000, 'Message blocked', /^The rules of the server \(AutoMod\) forbid the message/],
    [99_999, 'Something new', /^Discord does not take the message .*Something new/],
  ])('an error %i is a rejection', async (code, message, reason) => {
    await start();
    world.protocol.forbids.set(CHANNEL, { code, message });
    const outcome = await world.send(a);
    expect(outcome).toEqual({ kind: 'rejected', status: 403, reason: expect.stringMatching(reason) });
  });

  test.each([
    ['a channel that is not there', { channelId: '155101607195836417' }, 404, /^There is no such channel/],
    ['a reply to what is not there', { replyTo: '155101607195836417' }, 400, /Unknown message/],
  ])('%s is rejected', async (_, payload, status, reason) => {
    await start();
    const outcome = await world.send({ ...a, ...payload });
    expect(outcome).toEqual({ kind: 'rejected', status, reason: expect.stringMatching(reason) });
  });

  test('slow mode is tried again, and holds no other channel of its bot', async () => {
    await start();
    world.protocol.forbids.set(CHANNEL, { code: 20_016, message: 'slowmode' });
    expect(await world.send(a)).toMatchObject({ kind: 'retry', status: 403 });
    const json = { message: 'slowmode', code: 20_016, retry_after: 3_600, global: false };
    const headers = { 'x-ratelimit-remaining': '3' };
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 429, headers, json });
    const outcome = await world.send(a);
    expect(outcome).toMatchObject({ kind: 'retry', status: 429, afterMs: 3_600_000 });
    expect(outcome).not.toHaveProperty('hold');
  });

  test.each([
    [408, 'retry'],
    [425, 'retry'],
    [409, 'unknown'],
  ])('an answer %i of any server is no rejection', async (status, kind) => {
    await start();
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status, json: {} });
    expect(await world.send(a)).toMatchObject({ kind, status });
  });

  test.each(['fail', 'error', 'drop', 'vanish', 'hang'] as const)(
    'a server that does "%s" may have the message',
    async (order) => {
      await start();
      world.server.order({ do: order });
      expect(await world.send(a)).toMatchObject({ kind: 'unknown' });
    },
  );

  test('an answer that is no message is no delivery', async () => {
    await start();
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json: {} });
    expect(await world.send(a)).toMatchObject({ kind: 'unknown', status: 200 });
  });
});

describe('a message in doubt', () => {
  test('is sent again under the same nonce, and taken once', async () => {
    await start();
    world.server.order({ do: 'drop' });
    expect(await world.send(a)).toMatchObject({ kind: 'unknown' });
    expect(await world.send(a, { inDoubt: true })).toMatchObject({
      kind: 'delivered',
      receipt: `${CHANNEL}/${firstId()}`,
    });
    expect(world.protocol.posts()).toHaveLength(1);
  });

  test('that was deleted meanwhile was delivered; the same answer to one that is not in doubt is a rejection', async () => {
    await start();
    await world.send(a);
    world.protocol.delete(firstId());
    expect(await world.send(a, { inDoubt: true })).toEqual({ kind: 'delivered', status: 404 });
    expect(await world.send(a)).toMatchObject({ kind: 'rejected', status: 404 });
  });

  test('is taken twice when its nonce is forgotten, so the channel stops relying on it earlier', async () => {
    await start({ nonceLifetimeMs: 0 });
    await world.send(a);
    await world.send(a, { inDoubt: true });
    expect(world.protocol.posts()).toHaveLength(2);
    expect(world.channel.keyLifetimeMs).toBeLessThan(120_000);
    expect(world.channel.acceptedWithin).toBeLessThan(world.channel.keyLifetimeMs as number);
  });

  test("is found among the bot's own messages, by its text and what it answers", async () => {
    await start();
    const notBefore = since();
    await world.send({ ...a, text: ' same\n' });
    await world.send({ ...a, text: 'same', replyTo: firstId() }, { idempotencyKey: 'key-2' });
    const second = world.protocol.posts()[1]?.id;
    expect(await world.lookUp({ ...a, text: 'same' }, { notBefore })).toEqual(foundAs(firstId()));
    expect(await world.lookUp({ ...a, text: 'same', replyTo: firstId() }, { notBefore })).toEqual(foundAs(second));
    expect(await world.lookUp({ ...a, text: 'other' }, { notBefore })).toEqual({ kind: 'absent' });
    world.set('shop', { token: OTHER_TOKEN });
    world.set('rival', { token: OTHER_TOKEN });
    expect(await world.lookUp({ ...a, text: 'same' }, { notBefore }, 'rival')).toEqual({ kind: 'absent' });
  });

  test('is no other message of the same text, where no nonce is shown', async () => {
    await start();
    const notBefore = since();
    await world.send(a);
    await world.send(a, { id: 2, idempotencyKey: 'key-2' });
    const [first, second] = world.protocol.posts();
    expect(await world.lookUp(a, { notBefore, id: 3 })).toEqual({ kind: 'absent' });
    expect(await world.lookUp(a, { notBefore, id: 2 })).toEqual(foundAs(second?.id));
    expect(await world.lookUp(a, { notBefore })).toEqual(foundAs(first?.id));
  });

  test('is known by its nonce where Discord shows one', async () => {
    await start();
    const notBefore = since();
    await world.send(a);
    const { nonce } = world.protocol.posts()[0] ?? {};
    const handle = world.protocol.handle.bind(world.protocol);
    jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
      const answer = await handle(request);
      const { json } = answer;
      return Array.isArray(json) ? { ...answer, json: json.map((one: object) => ({ ...one, nonce })) } : answer;
    });
    expect(await world.lookUp(a, { notBefore })).toMatchObject({ kind: 'accepted' });
    expect(await world.lookUp(a, { notBefore, idempotencyKey: 'of another message' })).toEqual({ kind: 'absent' });
  });

  test('is not taken for the same text of last week', async () => {
    await start();
    await world.send(a);
    expect(await world.lookUp(a, { notBefore: since() + 10_000 })).toEqual({ kind: 'absent' });
    expect(await world.lookUp(a, { notBefore: since() - 10_000 })).toMatchObject({ kind: 'accepted' });
  });

  test('is absent from a channel without messages, and unknown in one whose history is hidden', async () => {
    await start();
    const notBefore = since();
    expect(await world.lookUp(a, { notBefore })).toEqual({ kind: 'absent' });
    await world.send(a);
    world.protocol.unreadable.add(CHANNEL);
    expect(await world.lookUp(a, { notBefore })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('let it read their history'),
    });
    expect(await world.lookUp(a, { notBefore: since() + 10_000 })).toEqual({ kind: 'absent' });
  });

  test('is not known of in a channel that does not say what was last in it', async () => {
    await start();
    const handle = world.protocol.handle.bind(world.protocol);
    jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
      const answer = await handle(request);
      return request.path.endsWith(CHANNEL) ? { ...answer, json: { id: CHANNEL, type: 0 } } : answer;
    });
    expect(await world.lookUp(a, { notBefore: since() })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('does not say'),
    });
  });

  test('is looked for among newer messages, and beyond too many of them nothing is certain', async () => {
    await start();
    const notBefore = since();
    for (let n = 0; n < 150; n++) await world.send({ ...a, text: `n${n}` }, { idempotencyKey: `n${n}` });
    expect(await world.lookUp({ ...a, text: 'n149' }, { notBefore })).toMatchObject({ kind: 'accepted' });
    const page = Array.from({ length: 100 }, (_, n) => ({ id: String(n + 1), content: '', author: { id: '1' } }));
    const json = { id: '155149108183695360' };
    jest
      .spyOn(world.protocol, 'handle')
      .mockImplementation(async ({ path }) => ({ status: 200, json: path.endsWith('@me') ? json : page }));
    expect(await world.lookUp(a, { notBefore })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('too much'),
    });
  });

  test('is not known of while Discord does not answer, or does not take the token', async () => {
    await start();
    expect(await world.lookUp(a, {}, 'lost')).toMatchObject({ kind: 'retry', unreachable: true });
    expect(await world.lookUp(a, {}, 'nobody')).toMatchObject({ kind: 'unusable' });
    world.protocol.revoked.add(TOKEN);
    expect(await world.lookUp(a)).toMatchObject({ kind: 'unusable', reason: expect.stringContaining('401') });
  });
});

test('credentials can be tried without a message', async () => {
  await start();
  expect(await world.whoAmI({ token: TOKEN })).toEqual({ kind: 'ok', name: '@shop_bot' });
  expect(await world.whoAmI({ token: `${TOKEN}x` })).toEqual({ kind: 'no', reason: 'HTTP 401: 401: Unauthorized' });
  expect(world.protocol.posts()).toEqual([]);
});
