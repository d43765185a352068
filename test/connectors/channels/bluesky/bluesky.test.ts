import { EventEmitter, once } from 'node:events';
import type { FakeBlueskyOptions, FakeBlueskyPost } from '../../../../deploy/fakes/bluesky';
import { systemClock } from '../../../../topology/core/clock';
import { channelBattery } from '../channel-battery';
import { type BlueskyWorld, blueskyWorld, HANDLE, openBluesky, PASSWORD } from './bluesky-world';

channelBattery('bluesky', blueskyWorld);

let world: BlueskyWorld;
let opened: BlueskyWorld[] = [];

async function start(options: Partial<FakeBlueskyOptions> = {}, clock = systemClock): Promise<void> {
  world = await openBluesky(options, clock);
  opened.push(world);
}

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

const DUE = Date.UTC(2027, 0, 15, 8);
const puts = () => world.server.calls.filter(({ path }) => path.endsWith('putRecord'));

/** Parts of a post's text, and what they are links to. */
function linkedIn(post: FakeBlueskyPost | undefined): unknown[] {
  const { text = '', facets = [] } = post?.value ?? {};
  const bytes = Buffer.from(text);
  return facets.map(({ index, features }) => [
    bytes.subarray(index.byteStart, index.byteEnd).toString(),
    Object.values(features[0] ?? {})[1],
  ]);
}

describe('a post', () => {
  test('goes out as it was written, with what is a link in it, and the receipt is its address', async () => {
    await start();
    const text = 'Grüße 👋🏽 @ann.test und @nobody.test: https://example.com/a?b#c. #spring #1 (http://a.example/#x)';
    const outcome = await world.send({ text, language: 'de' }, { dueAt: DUE });
    const [post] = world.protocol.posts();
    expect(outcome).toEqual({ kind: 'delivered', status: 200, receipt: post?.uri });
    expect(post?.uri).toMatch(/^at:\/\/did:plc:shoptest\/app\.bsky\.feed\.post\/[2-7a-z]{13}$/);
    expect(post?.value).toMatchObject({ text, createdAt: '2027-01-15T08:00:00.000Z', langs: ['de'] });
    expect(linkedIn(post)).toEqual([
      ['@ann.test', 'did:plc:anntest'],
      ['https://example.com/a?b#c', 'https://example.com/a?b#c'],
      ['#spring', 'spring'],
      ['http://a.example/#x', 'http://a.example/#x'],
    ]);
  });

  test('links to an address with the brackets that are its own, and to none that is no address', async () => {
    await start();
    const page = 'https://en.wikipedia.org/wiki/Mercury_(planet)';
    await world.send({ text: `(see ${page}), http://a.test:99999/#one and https://..` });
    expect(linkedIn(world.protocol.posts()[0])).toEqual([[page, page]]);
  });

  test('has a card below it where it has a link with a title', async () => {
    await start();
    await world.send({ text: 'a', link: 'https://example.com', title: 'Example' });
    expect(world.protocol.posts()[0]?.value.embed).toEqual({
      $type: 'app.bsky.embed.external',
      external: { uri: 'https://example.com', title: 'Example', description: '' },
    });
  });

  test('that answers another names it and the first of the thread', async () => {
    await start();
    await world.send({ text: 'first' }, { idempotencyKey: 'first' });
    const [first] = world.protocol.posts();
    await world.send({ text: 'second', replyTo: first?.uri }, { idempotencyKey: 'second' });
    const second = world.protocol.posts()[1];
    const byHandle = second?.uri.replace('did:plc:shoptest', HANDLE);
    await world.send({ text: 'third', replyTo: byHandle }, { idempotencyKey: 'third' });
    const reference = (post: typeof first) => ({ uri: post?.uri, cid: post?.cid });
    expect(world.protocol.posts()[2]?.value.reply).toEqual({ root: reference(first), parent: reference(second) });
  });

  test('has the same body in each attempt, and no two messages have the same key', async () => {
    await start();
    for (const inDoubt of [false, true]) await world.send({ text: 'a #b' }, { dueAt: DUE, inDoubt });
    const [first, second] = puts().map(({ body }) => body.toString());
    expect(first).toBe(second);
    expect(world.protocol.posts()).toHaveLength(1);
    for (let n = 0; n < 200; n++) await world.send({ text: 'a' }, { dueAt: DUE, idempotencyKey: `key-${n}` });
    expect(world.protocol.posts()).toHaveLength(201);
  });
});

describe('a session', () => {
  test('is opened once for all, and refreshed once when it has ended', async () => {
    await start();
    const many = Array.from({ length: 10 }, (_, n) => `key-${n}`);
    const send = (prefix: string) =>
      Promise.all(many.map((key) => world.send({ text: 'a' }, { idempotencyKey: `${prefix}${key}` })));
    for (const outcome of await send('a')) expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.counts).toEqual({ opened: 1, refreshed: 0 });
    world.protocol.expire();
    for (const outcome of await send('b')) expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.counts).toEqual({ opened: 1, refreshed: 1 });
    world.protocol.expire(true);
    for (const outcome of await send('c')) expect(outcome).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.counts).toEqual({ opened: 2, refreshed: 1 });
    expect(world.protocol.posts()).toHaveLength(30);
  });

  test('that cannot be opened makes the account unusable, and the reason says what to do', async () => {
    await start();
    world.protocol.revoked.add(HANDLE);
    const mayStart = jest.fn(() => true);
    expect(await world.send({ text: 'a' }, { mayStart })).toEqual({
      kind: 'unusable',
      status: 401,
      afterMs: 60_000,
      reason: expect.stringMatching(/app password .*Invalid identifier or password.*Connect the account again/),
    });
    expect(mayStart).not.toHaveBeenCalled();
  });

  test('is not asked for more often than the server allows', async () => {
    await start({ logins: 0 });
    const outcome = await world.send({ text: 'a' });
    expect(outcome).toMatchObject({ kind: 'retry', status: 429 });
    expect((outcome as { afterMs: number }).afterMs).toBeGreaterThan(200_000);
  });
});

describe('what the answers mean:', () => {
  test('too many points wait for the time that the server names', async () => {
    await start({ points: 2 });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
    const outcome = await world.send({ text: 'b' }, { idempotencyKey: 'key-2' });
    expect(outcome).toMatchObject({ kind: 'retry', status: 429 });
    expect((outcome as { afterMs: number }).afterMs).toBeGreaterThan(3_000_000);
  });

  test('a reply to a post that is not there is rejected', async () => {
    await start();
    const replyTo = 'at://did:plc:shoptest/app.bsky.feed.post/3k43tv4rft22g';
    expect(await world.send({ text: 'a', replyTo })).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('is not there'),
    });
  });

  test.each(['AccountTakedown', 'AccountDeactivated'])('%s makes the account unusable', async (error) => {
    await start();
    await world.send({ text: 'a' });
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 401, json: { error, message: 'no' } });
    expect(await world.send({ text: 'b' })).toMatchObject({ kind: 'unusable', status: 401, isFinal: true });
  });

  test.each(['fail', 'error', 'drop', 'vanish', 'hang'] as const)(
    'a server that does "%s" may have the post',
    async (order) => {
      await start();
      world.server.order({ do: order });
      expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'unknown' });
    },
  );

  test.each([
    ['createSession', { status: 503, json: {} }],
    ['resolveHandle', { status: 502, json: { error: 'UpstreamFailure' } }],
  ])('a failure of %s is none of the post', async (name, answer) => {
    await start();
    const handle = world.protocol.handle.bind(world.protocol);
    jest
      .spyOn(world.protocol, 'handle')
      .mockImplementation((request) => (request.path.endsWith(name) ? Promise.resolve(answer) : handle(request)));
    expect(await world.send({ text: '@ann.test' })).toEqual({
      kind: 'retry',
      status: answer.status,
      reason: expect.any(String),
    });
    expect(puts()).toHaveLength(0);
  });

  test('a 400 of a gateway ends no session', async () => {
    await start();
    await world.send({ text: 'a' });
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 400, json: '<html>Bad Request</html>' });
    expect(await world.send({ text: 'b' })).toMatchObject({ kind: 'rejected', status: 400 });
    jest.restoreAllMocks();
    expect(await world.send({ text: 'b' }, { idempotencyKey: 'key-2' })).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.counts).toEqual({ opened: 1, refreshed: 0 });
  });

  test('what a post needs is asked for at once, so that a slow server holds it for one time-out', async () => {
    await start();
    await world.send({ text: 'first' }, { idempotencyKey: 'first' });
    const handle = world.protocol.handle.bind(world.protocol);
    const both = new Set<string>();
    const asked = new EventEmitter();
    jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
      if (world.protocol.publishes(request)) return handle(request);
      if (both.add(request.path).size < 2) await once(asked, 'both');
      else asked.emit('both');
      return handle(request);
    });
    const payload = { text: '@ann.test', replyTo: world.protocol.posts()[0]?.uri };
    expect(await world.send(payload, { idempotencyKey: 'second' })).toMatchObject({ kind: 'delivered' });
  });

  test('an answer that is no post is no delivery', async () => {
    await start();
    await world.send({ text: 'a' });
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json: {} });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'unknown', status: 200 });
  });
});

describe('a post in doubt', () => {
  test('is sent again under the same key, and taken once', async () => {
    await start();
    world.server.order({ do: 'drop' });
    expect(await world.send({ text: 'a' }, { dueAt: DUE })).toMatchObject({ kind: 'unknown' });
    const again = await Promise.all([1, 2, 3].map(() => world.send({ text: 'a' }, { dueAt: DUE, inDoubt: true })));
    expect(again).toMatchObject(again.map(() => ({ kind: 'delivered', receipt: world.protocol.posts()[0]?.uri })));
    expect(world.protocol.posts()).toHaveLength(1);
    // For ever: no time is waited, and nothing is looked up.
    expect(world.channel.keyLifetimeMs).toBeUndefined();
    expect(world.channel.lookup).toBeUndefined();
  });

  test('that its owner has edited since counts as delivered', async () => {
    await start();
    await world.send({ text: 'a' }, { dueAt: DUE });
    world.protocol.edit(world.protocol.posts()[0]?.uri as string, 'edited');
    expect(await world.send({ text: 'a' }, { dueAt: DUE, inDoubt: true })).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.posts()[0]?.value.text).toBe('edited');
  });

  test('is found although the post that it answers has gone', async () => {
    await start();
    await world.send({ text: 'first' }, { idempotencyKey: 'first' });
    const replyTo = world.protocol.posts()[0]?.uri as string;
    world.server.order({ do: 'drop' });
    expect(await world.send({ text: 'a', replyTo }, { dueAt: DUE })).toMatchObject({ kind: 'unknown' });
    world.protocol.remove(replyTo);
    const again = () => world.send({ text: 'a', replyTo }, { dueAt: DUE, inDoubt: true });
    const receipt = world.protocol.posts()[0]?.uri as string;
    expect(await again()).toMatchObject({ kind: 'delivered', receipt });
    world.protocol.remove(receipt);
    expect(await again()).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('is not there') });
  });

  test.each([
    ['refuses', 401, { error: 'ExpiredToken' }],
    ['does not know', 400, { error: 'RecordNotFound' }],
    ['babbles', 200, {}],
  ])('stays in doubt when the server says that it is there and then %s', async (_, status, json) => {
    await start();
    await world.send({ text: 'a' }, { dueAt: DUE });
    world.protocol.edit(world.protocol.posts()[0]?.uri as string, 'edited');
    const handle = world.protocol.handle.bind(world.protocol);
    jest
      .spyOn(world.protocol, 'handle')
      .mockImplementation((request) =>
        request.path.endsWith('getRecord') ? Promise.resolve({ status, json }) : handle(request),
      );
    expect(await world.send({ text: 'a' }, { dueAt: DUE, inDoubt: true })).toMatchObject({ kind: 'unknown' });
    expect(world.server.calls.at(-1)?.headers).not.toHaveProperty('authorization');
  });

  test('whose key another record has is rejected', async () => {
    await start();
    await world.send({ text: 'a' }, { dueAt: DUE });
    expect(await world.send({ text: 'b' }, { dueAt: DUE + 1 })).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('another record'),
    });
  });
});

test('credentials can be tried without a post', async () => {
  await start();
  expect(await world.whoAmI({ identifier: HANDLE, password: PASSWORD })).toEqual({ kind: 'ok', name: `@${HANDLE}` });
  expect(await world.whoAmI({ identifier: HANDLE, password: 'another-password' })).toMatchObject({ kind: 'no' });
  expect(world.protocol.posts()).toEqual([]);
});
