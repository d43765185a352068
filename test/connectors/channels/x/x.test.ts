import { x } from '../../../../connectors/channels/x/x';
import type { FakeXOptions } from '../../../../deploy/fakes/x';
import { systemClock } from '../../../../topology/core/clock';
import { channelBattery } from '../channel-battery';
import { OTHER_TOKEN, openX, SHOP, THEIRS, TOKEN, xWorld } from './x-world';

channelBattery('x', xWorld);

const FIRST = '1990000000000000000';
const now = () => systemClock.now();
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

type World = Awaited<ReturnType<typeof openX>>;
let world: World;
let opened: World[] = [];

async function start(options: Partial<FakeXOptions> = {}): Promise<void> {
  world = await openX(options);
  opened.push(world);
}

afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

/** What X answers from now on, to everything. */
function answers(status: number, json: unknown, headers: Record<string, string> = {}): void {
  jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status, headers, json });
}

test('a post goes out as it was written, and the receipt is its id', async () => {
  await start();
  expect(await world.send({ text: 'Tea & <cake>: example.com' })).toEqual({
    kind: 'delivered',
    status: 201,
    receipt: FIRST,
  });
  expect(await world.send({ text: 'yes', replyTo: THEIRS, replySettings: 'mentionedUsers' })).toMatchObject({
    kind: 'delivered',
  });
  expect(world.protocol.posts()).toMatchObject([
    { userId: SHOP.id, text: 'Tea & <cake>: example.com', replyTo: undefined, replySettings: undefined },
    { text: 'yes', replyTo: THEIRS, replySettings: 'mentionedUsers' },
  ]);
});

test('the body is a function of the row, so each attempt has the same', async () => {
  await start({ duplicateMs: 0 });
  for (const dueAt of [1, 2]) await world.send({ text: 'a' }, { dueAt });
  const [first, second] = world.server.calls.map(({ body }) => body.toString());
  expect(first).toBe(second);
});

test('the token stands in no address', async () => {
  await start();
  await world.send({ text: 'a' });
  await world.lookUp({ text: 'a' });
  expect(world.server.calls.length).toBeGreaterThan(2);
  for (const { path, query } of world.server.calls) expect(`${path}?${query.toString()}`).not.toContain(TOKEN);
});

describe('what the answers mean:', () => {
  test('a token that is revoked makes the account unusable, and the reason says what to do', async () => {
    await start();
    world.protocol.revoked.add(TOKEN);
    expect(await world.send({ text: 'a' })).toEqual({
      kind: 'unusable',
      status: 401,
      afterMs: 60_000,
      reason: expect.stringContaining(
        "X does not take the account's access token any more (HTTP 401: Unauthorized). Connect the account again",
      ),
    });
  });

  test('a token of an app alone makes the account unusable too', async () => {
    await start();
    answers(403, { type: 'https://api.x.com/2/problems/unsupported-authentication', detail: 'Application-Only' });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'unusable', status: 403, isFinal: true });
  });

  test('an account without credentials sends nothing, and the reason says what to do', async () => {
    await start();
    expect(await world.send({ text: 'a' }, {}, 'nobody')).toMatchObject({
      kind: 'unusable',
      reason: expect.stringContaining('downspout accounts set'),
    });
    expect(world.server.calls).toEqual([]);
  });

  test('credits that are used up are waited for, for an hour', async () => {
    await start();
    world.protocol.isOutOfCredits = true;
    expect(await world.send({ text: 'a' })).toEqual({
      kind: 'retry',
      status: 402,
      reason: expect.stringContaining('Buy credits'),
      afterMs: HOUR_MS,
    });
  });

  test('too many posts wait until the window ends', async () => {
    await start({ limit: 1 });
    await world.send({ text: 'a' });
    const limited = await world.send({ text: 'b' });
    expect(limited).toMatchObject({ kind: 'retry', status: 429 });
    const { afterMs } = limited as { afterMs: number };
    expect(afterMs).toBeGreaterThan(14 * MINUTE_MS);
    // The header has whole seconds.
    expect(afterMs).toBeLessThanOrEqual(15 * MINUTE_MS + 1_000);
  });

  test('a limit of the day that is used up counts more than a window that ends sooner', async () => {
    await start({ perDay: 1 });
    await world.send({ text: 'a' });
    const { afterMs } = (await world.send({ text: 'b' })) as { afterMs: number };
    expect(afterMs).toBeGreaterThan(23 * HOUR_MS);
  });

  test.each([
    [
      'the cap on an app',
      { type: 'https://api.x.com/2/problems/usage-capped' },
      { 'x-rate-limit-reset': '1' },
      HOUR_MS,
    ],
    ['a limit that says when it ends only', {}, { 'retry-after': '7' }, 7_000],
    ['a limit that says nothing', {}, {}, 15 * MINUTE_MS],
  ])('%s is waited for', async (_, json, headers, afterMs) => {
    await start();
    answers(429, json, headers);
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'retry', status: 429, afterMs });
  });

  test('a post that X does not let the account write is rejected with what X says', async () => {
    await start();
    expect(await world.send({ text: 'a', replyTo: '1' })).toEqual({
      kind: 'rejected',
      status: 403,
      reason:
        'X does not let the account do this (HTTP 403: You attempted to reply to a Tweet that is deleted or not visible to you.)',
    });
    answers(400, { title: 'Invalid Request', errors: [{ message: 'the text has a bad URL' }] });
    expect(await world.send({ text: 'a' })).toEqual({
      kind: 'rejected',
      status: 400,
      reason: 'X does not take the post (HTTP 400: Invalid Request: the text has a bad URL)',
    });
  });

  test.each([
    [403, 'blocked'],
    [404, {}],
    [400, { message: 'no route' }],
  ])('a refusal %i that is not of X says nothing of the post', async (status, json) => {
    await start();
    answers(status, json);
    expect(await world.send({ text: 'a' })).toMatchObject({
      kind: 'retry',
      status,
      reason: expect.stringContaining("A server before X's"),
    });
  });

  test('a redirect is not followed, and the reason says what is wrong', async () => {
    await start();
    answers(308, {}, { location: 'https://example.com/2/tweets' });
    expect(await world.send({ text: 'a' })).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining("correct the account's server"),
    });
  });

  test.each([
    [408, 'retry'],
    [425, 'retry'],
    [409, 'unknown'],
  ])('an answer %i of any server is no rejection', async (status, kind) => {
    await start();
    answers(status, {});
    expect(await world.send({ text: 'a' })).toMatchObject({ kind, status });
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
    ['that says nothing', undefined],
    ['that has an error in a 201', { errors: [{ title: 'went wrong' }] }],
    ['that has no id', { data: { text: 'a' } }],
    ['whose id is none', { data: { id: '../1' } }],
  ])('an answer %s is no delivery', async (_, json) => {
    await start();
    answers(201, json);
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'unknown', status: 201 });
  });
});

describe('a duplicate', () => {
  test('is rejected where nothing was in doubt', async () => {
    await start();
    await world.send({ text: 'a' });
    expect(await world.send({ text: 'a' }, { id: 2 })).toEqual({
      kind: 'rejected',
      status: 403,
      reason:
        'The account has posted the same a short time ago (HTTP 403: You are not allowed to create a Tweet with duplicate content.)',
    });
  });

  test('is known by the code of the older version of the API too', async () => {
    await start();
    answers(403, { errors: [{ code: 187, message: 'Status is a duplicate.' }] });
    expect(await world.send({ text: 'a' })).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('posted the same'),
    });
  });

  test('of a message in doubt is the message, once X lists it', async () => {
    await start();
    const dueAt = systemClock.now();
    world.server.order({ do: 'drop' });
    expect(await world.send({ text: 'a' }, { dueAt })).toMatchObject({ kind: 'unknown' });
    expect(await world.send({ text: 'a' }, { dueAt, inDoubt: true })).toEqual({ kind: 'delivered', receipt: FIRST });
    expect(world.protocol.posts()).toHaveLength(1);
  });

  test('is looked for since the first attempt, as the lookup before was', async () => {
    await start();
    world.server.order({ do: 'drop' });
    await world.send({ text: 'a' });
    const { channel } = world;
    const message = channel.prepare('shop', '{"text":"a"}');
    const late = { id: 1, account: 'shop', dueAt: systemClock.now() + HOUR_MS, inDoubt: true, idempotencyKey: 'key' };
    const asked = { ...late, now, notBefore: systemClock.now() - MINUTE_MS };
    const handle = world.protocol.handle.bind(world.protocol);
    // X does not list the post at first.
    const spy = jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
      const answer = await handle(request);
      return request.path.endsWith('/tweets') && request.method === 'GET'
        ? { status: 200, json: { meta: { result_count: 0 } } }
        : answer;
    });
    expect(await channel.lookup?.(message, asked)).toEqual({ kind: 'absent' });
    spy.mockRestore();
    expect(await channel.send(message, { ...late, now, mayStart: () => true })).toEqual({
      kind: 'delivered',
      receipt: FIRST,
    });
  });

  test('that X does not list leaves a message in doubt', async () => {
    await start({ listedAfterMs: MINUTE_MS });
    world.server.order({ do: 'drop' });
    await world.send({ text: 'a' });
    expect(await world.send({ text: 'a' }, { inDoubt: true })).toEqual({
      kind: 'unknown',
      status: 403,
      reason: 'X says that the account has this post already, and does not list it',
    });
  });

  test('that cannot be looked for leaves a message in doubt, and waits as X wants', async () => {
    await start();
    await world.send({ text: 'a' });
    const handle = world.protocol.handle.bind(world.protocol);
    jest
      .spyOn(world.protocol, 'handle')
      .mockImplementation(async (request) =>
        request.method === 'GET' ? world.protocol.throttled(60_000) : handle(request),
      );
    const outcome = await world.send({ text: 'a' }, { inDoubt: true });
    expect(outcome).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('cannot be looked for') });
    expect((outcome as { afterMs: number }).afterMs).toBeGreaterThan(50_000);
  });

  test('is rejected, in doubt too, where another message has the post', async () => {
    await start();
    const dueAt = systemClock.now();
    await world.send({ text: 'a' }, { id: 1, dueAt });
    expect(await world.send({ text: 'a' }, { id: 2, dueAt, inDoubt: true })).toMatchObject({ kind: 'rejected' });
  });
});

describe('credentials', () => {
  test('can be tried without a post', async () => {
    await start();
    expect(await world.whoAmI({ token: TOKEN })).toEqual({ kind: 'ok', name: `@shop (${SHOP.id})` });
    expect(await world.whoAmI({ token: TOKEN, userId: SHOP.id })).toMatchObject({ kind: 'ok' });
    expect(await world.whoAmI({ token: OTHER_TOKEN, userId: SHOP.id })).toEqual({
      kind: 'no',
      reason: `the access token is of user 12, not of ${SHOP.id}`,
    });
    expect(await world.whoAmI({ token: 'another-token' })).toMatchObject({
      kind: 'no',
      reason: expect.stringContaining('HTTP 401: Unauthorized'),
    });
    expect(world.protocol.posts()).toEqual([]);
  });

  test('go to no server in clear', () => {
    expect(x.credentials.safeParse({ token: TOKEN }).success).toBe(true);
    expect(x.credentials.safeParse({ token: TOKEN, userId: '@shop' }).success).toBe(false);
    expect(x.credentials.safeParse({ token: TOKEN, server: 'http://gateway.example' }).success).toBe(false);
  });
});

test('a message in doubt is asked for when its request has ended for certain, and X lists what is new', () => {
  const kind = x.build({ timeoutMs: 10_000, perOrigin: 1, concurrency: 1 } as never, {
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: async () => new Map(),
  });
  expect(kind.acceptedWithin).toBe(10_000 + 45_000 + 30_000);
  return kind.close();
});
