import type { AttemptContext, LookupContext } from '../../../../bolts/channel';
import { mastodon } from '../../../../connectors/channels/mastodon/mastodon';
import type { FakeMastodonOptions } from '../../../../deploy/fakes/mastodon';
import { systemClock } from '../../../../topology/core/clock';
import { channelBattery } from '../channel-battery';
import { MastodonWorld, mastodonWorld, OTHER_TOKEN, TOKEN } from './mastodon-world';

channelBattery('mastodon', mastodonWorld);

const urlOf = (id = '') => `https://mastodon.test/@shop/${id}`;

let world: MastodonWorld;
let opened: MastodonWorld[] = [];

async function start(options: Partial<FakeMastodonOptions> = {}, clock = systemClock): Promise<void> {
  world = await MastodonWorld.open(options, clock);
  opened.push(world);
}

afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

const now = () => systemClock.now();

function send(payload: object, attempt: Partial<AttemptContext> = {}, account = 'shop') {
  const { channel } = world;
  return channel.send(channel.prepare(account, JSON.stringify(payload)), {
    id: 1,
    account,
    dueAt: now(),
    inDoubt: false,
    idempotencyKey: 'key-1',
    mayStart: () => true,
    now,
    ...attempt,
  });
}

function lookUp(payload: object, notBefore: number, account = 'shop', id = 1) {
  const { channel } = world;
  const asked: LookupContext = {
    id,
    account,
    dueAt: notBefore,
    inDoubt: true,
    idempotencyKey: 'key-1',
    now,
    notBefore,
  };
  return channel.lookup?.(channel.prepare(account, JSON.stringify(payload)), asked);
}

/** As servers show a post that has no page of its own. */
function withoutUrl(shown: unknown): unknown {
  const post = shown as object;
  return 'uri' in post ? { ...post, url: null } : post;
}

test('a post goes out as it was written, and the receipt is its address', async () => {
  await start();
  const first = await send({ text: 'Hello' });
  expect(first).toMatchObject({
    kind: 'delivered',
    status: 200,
    receipt: 'https://mastodon.test/@shop/109000000000000000',
  });
  const replyTo = world.protocol.posts()[0]?.id;
  const reply = { text: 'yes', replyTo, visibility: 'unlisted', spoiler: 'careful', language: 'pt-BR' };
  expect(await send(reply, { idempotencyKey: 'key-2' })).toMatchObject({ kind: 'delivered' });
  const plain = { account: 'shop', key: 'key-1', text: 'Hello', spoiler: '', visibility: 'public', language: null };
  expect(world.protocol.posts()).toEqual([
    expect.objectContaining({ ...plain, replyTo: null }),
    expect.objectContaining({ ...reply, account: 'shop', key: 'key-2', text: 'yes' }),
  ]);
});

test('the body is a function of the row, so each attempt has the same', async () => {
  await start();
  for (const dueAt of [1, 2]) await send({ text: 'a', spoiler: 'b' }, { dueAt });
  const [first, second] = world.server.calls.map(({ body }) => body.toString());
  expect(first).toBe(second);
});

describe('what the answers mean:', () => {
  test('a token that is revoked makes the account unusable, and the reason says what to do', async () => {
    await start();
    world.protocol.revoked.add(TOKEN);
    expect(await send({ text: 'a' })).toEqual({
      kind: 'unusable',
      generation: 1,
      status: 401,
      isFinal: true,
      reason:
        "The server does not take the account's access token any more (HTTP 401: The access token was revoked). Connect the account again",
    });
  });

  test('a token that is only called invalid may be so by mistake: messages wait, and it is tried again', async () => {
    let passed = 0;
    await start({}, { ...systemClock, monotonic: () => systemClock.monotonic() + passed });
    world.set('shop', 'another-token');
    expect(await send({ text: 'a' })).toEqual({
      kind: 'unusable',
      status: 401,
      afterMs: 60_000,
      reason: expect.stringContaining('The access token is invalid'),
    });
    expect(await send({ text: 'b' })).toMatchObject({ kind: 'unusable', afterMs: expect.any(Number) });
    expect(world.server.calls).toHaveLength(1);
    passed = 60_000;
    expect(await send({ text: 'a' })).toMatchObject({ afterMs: 60_000 });
    passed = 300_000;
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unusable', status: 401, generation: 2 });
    expect(world.server.calls).toHaveLength(3);
  });

  test('Credentials that the provider refused are not tried again: for a minute, unless others are set', async () => {
    let passed = 0;
    await start({}, { ...systemClock, monotonic: () => systemClock.monotonic() + passed });
    world.protocol.revoked.add(TOKEN);
    const first = await send({ text: 'a' });
    const mayStart = jest.fn(() => true);
    expect(await send({ text: 'b' }, { mayStart })).toEqual({
      kind: 'unusable',
      generation: 1,
      reason: (first as { reason: string }).reason,
    });
    expect(mayStart).not.toHaveBeenCalled();
    expect(world.server.calls).toHaveLength(1);
    passed = 31_000;
    world.set('shop', OTHER_TOKEN);
    await world.channel.warm(['shop']);
    expect(await send({ text: 'c' })).toMatchObject({ kind: 'delivered' });
    world.set('shop', TOKEN);
    passed = 62_000;
    await world.channel.warm(['shop']);
    expect(await send({ text: 'd' }, { idempotencyKey: 'key-2' })).toMatchObject({ kind: 'unusable' });
    world.protocol.revoked.clear();
    passed = 120_000;
    expect(await send({ text: 'd' }, { idempotencyKey: 'key-2' })).toMatchObject({ kind: 'unusable' });
    passed = 123_000;
    expect(await send({ text: 'd' }, { idempotencyKey: 'key-2' })).toMatchObject({ kind: 'delivered' });
  });

  test('Credentials that the provider refused are not tried again, by no worker, once the database says so', async () => {
    let passed = 0;
    await start({}, { ...systemClock, monotonic: () => systemClock.monotonic() + passed });
    await world.channel.warm(['shop']);
    world.accounts.block('shop', 'refused by another worker');
    passed = 31_000;
    await world.channel.warm(['shop']);
    const blocked = { kind: 'unusable', reason: 'refused by another worker', generation: 1 };
    expect(await send({ text: 'a' })).toEqual(blocked);
    passed = 3_600_000;
    expect(await send({ text: 'a' })).toEqual(blocked);
    expect(world.server.calls).toEqual([]);
    // The same credentials, which a person has set again, are tried within a second or two.
    world.set('shop', TOKEN);
    passed += 1_001;
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
  });

  test('others are used within a second or two, also where the refused ones were read once more before they were set', async () => {
    let passed = 0;
    await start({}, { ...systemClock, monotonic: () => systemClock.monotonic() + passed });
    world.protocol.revoked.add(TOKEN);
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unusable', generation: 1 });
    // The database does not have the mark yet, so the same credentials are read again.
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unusable', generation: 1 });
    world.set('shop', OTHER_TOKEN);
    passed = 1_001;
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
  });

  test('What was refused is said with its generation, and others that were set meanwhile are used at once', async () => {
    await start();
    await world.channel.warm(['shop']);
    world.set('shop', OTHER_TOKEN);
    world.protocol.revoked.add(TOKEN);
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unusable', generation: 1 });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
  });

  test('An account without credentials sends nothing, and the reason says what to do', async () => {
    await start();
    const mayStart = jest.fn(() => true);
    const outcome = await send({ text: 'a' }, { mayStart }, 'nobody');
    expect(outcome).toMatchObject({ kind: 'unusable', reason: expect.stringContaining('downspout accounts set') });
    expect(mayStart).not.toHaveBeenCalled();
    expect(world.server.calls).toEqual([]);
  });

  test('too many posts wait for the time that the server names', async () => {
    await start({ limit: 1 });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
    const outcome = await send({ text: 'b' }, { idempotencyKey: 'key-2' });
    expect(outcome).toMatchObject({ kind: 'retry', status: 429 });
    const { afterMs } = outcome as { afterMs: number };
    expect(afterMs).toBeGreaterThan(200_000);
    expect(afterMs).toBeLessThanOrEqual(300_000);
  });

  test.each([
    ['a reply to a post that is not there', { text: 'a', replyTo: '1' }, 404, /not there, .*does not appear to exist/],
    ['a text that is too long for this server', { text: 'a'.repeat(300), limit: 400 }, 422, /limit of 250 exceeded/],
  ])('%s is rejected', async (_, payload, status, reason) => {
    await start({ maxCharacters: 250 });
    expect(await send(payload)).toEqual({ kind: 'rejected', status, reason: expect.stringMatching(reason) });
  });

  test.each([
    [408, 'retry'],
    [425, 'retry'],
    [409, 'unknown'],
  ])('an answer %i of any server is no rejection', async (status, kind) => {
    await start();
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status, json: {} });
    expect(await send({ text: 'a' })).toMatchObject({ kind, status });
  });

  test.each(['fail', 'error', 'drop', 'vanish', 'hang'] as const)(
    'a server that does "%s" may have the post',
    async (order) => {
      await start();
      world.server.order({ do: order });
      expect(await send({ text: 'a' })).toMatchObject({ kind: 'unknown' });
    },
  );

  test('a receipt quotes no token, also where it is looked up', async () => {
    await start();
    const since = now();
    const handle = world.protocol.handle.bind(world.protocol);
    jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
      const answer = await handle(request);
      return JSON.parse(JSON.stringify(answer).replaceAll('mastodon.test', `mastodon.test/${TOKEN}`));
    });
    const outcome = await send({ text: 'a' });
    expect(outcome).toMatchObject({
      kind: 'delivered',
      receipt: expect.stringMatching(/^https:.*109000000000000000$/),
    });
    const found = await lookUp({ text: 'a' }, since);
    expect(found).toMatchObject({ kind: 'accepted', receipt: expect.stringMatching(/^https:/) });
    expect(JSON.stringify([outcome, found])).not.toContain(TOKEN);
  });

  test('of an answer to a post no more than a megabyte is read', async () => {
    await start();
    const json = { url: 'https://mastodon.test/1', content: 'a'.repeat(1_100_000) };
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unknown', status: 200 });
  });

  test('an answer that is no post is no delivery', async () => {
    await start();
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json: {} });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unknown', status: 200 });
  });
});

describe('a post in doubt', () => {
  test('is sent again under the same key, and taken once', async () => {
    await start();
    world.server.order({ do: 'drop' });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unknown' });
    expect(await send({ text: 'a' }, { inDoubt: true })).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.posts()).toHaveLength(1);
  });

  test('whose requests overlap is taken twice, because the server writes its key afterwards', async () => {
    await start({ keyGapMs: 100 });
    const both = await Promise.all([send({ text: 'a' }), send({ text: 'a' })]);
    expect(both).toMatchObject([{ kind: 'delivered' }, { kind: 'delivered' }]);
    expect(world.protocol.posts()).toHaveLength(2);
    // So the channel asks for the time in which a request may still be worked on.
    expect(world.channel.acceptedWithin).toBeGreaterThanOrEqual(45_000);
    expect(world.channel.keyLifetimeMs).toBeLessThan(3_600_000);
  });

  test('is found by its text, its spoiler, its visibility and what it answers', async () => {
    await start();
    const since = now();
    await send({ text: 'same', visibility: 'private' }, { idempotencyKey: '1' });
    await send({ text: 'same', spoiler: 'x' }, { idempotencyKey: '2' });
    await send({ text: ' <same> & more\n', visibility: 'public' }, { idempotencyKey: '3' });
    const [first, , third] = world.protocol.posts();
    expect(await lookUp({ text: 'same' }, since)).toEqual({ kind: 'accepted', receipt: urlOf(first?.id) });
    expect(await lookUp({ text: '<same> & more' }, since)).toEqual({ kind: 'accepted', receipt: urlOf(third?.id) });
    expect(await lookUp({ text: 'same', visibility: 'unlisted' }, since)).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'same', replyTo: first?.id }, since)).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'other' }, since)).toEqual({ kind: 'absent' });
  });

  test('of an account that its server has limited is found, although it is kept as unlisted', async () => {
    await start();
    const since = now();
    world.protocol.silenced.add('shop');
    await send({ text: 'same', visibility: 'public' });
    const [post] = world.protocol.posts();
    expect(post).toMatchObject({ visibility: 'unlisted' });
    expect(await lookUp({ text: 'same', visibility: 'private' }, since)).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'same', visibility: 'public' }, since)).toEqual({
      kind: 'accepted',
      receipt: urlOf(post?.id),
    });
  });

  test('takes the post of its own visibility where there is an unlisted one too', async () => {
    await start();
    const since = now();
    world.server.order({ do: 'drop', times: 2 });
    await send({ text: 'same', visibility: 'unlisted' }, { idempotencyKey: '1' });
    await send({ text: 'same', visibility: 'public' }, { id: 2, idempotencyKey: '2' });
    const [unlisted, shown] = world.protocol.posts().map(({ id }) => ({ kind: 'accepted', receipt: urlOf(id) }));
    expect(await lookUp({ text: 'same', visibility: 'public' }, since, 'shop', 2)).toEqual(shown);
    expect(await lookUp({ text: 'same', visibility: 'unlisted' }, since)).toEqual(unlisted);
  });

  test('whose answered post was deleted is neither found nor absent', async () => {
    await start();
    const since = now();
    await send({ text: 'question' }, { idempotencyKey: '1' });
    const replyTo = world.protocol.posts()[0]?.id ?? '';
    await send({ text: 'yes', replyTo }, { idempotencyKey: '2' });
    expect(await lookUp({ text: 'yes', replyTo: '7' }, since)).toEqual({ kind: 'absent' });
    world.protocol.delete(replyTo);
    expect(await lookUp({ text: 'yes', replyTo }, since)).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('deleted'),
    });
    expect(await lookUp({ text: 'no', replyTo }, since)).toEqual({ kind: 'absent' });
    const asUsual = world.protocol.handle.bind(world.protocol);
    jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
      const isOfAnswered = request.path.endsWith(replyTo);
      return isOfAnswered ? { status: 429, json: {} } : asUsual(request);
    });
    expect(await lookUp({ text: 'yes', replyTo }, since)).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('HTTP 429'),
    });
  });

  test('is not taken for the same text of last week', async () => {
    await start();
    await send({ text: 'Good morning' });
    expect(await lookUp({ text: 'Good morning' }, now() + 10_000)).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'Good morning' }, now() - 10_000)).toMatchObject({ kind: 'accepted' });
  });

  test('is no other message of the same text, whatever receipt its post has', async () => {
    await start();
    const since = now() - 10_000;
    const handle = world.protocol.handle.bind(world.protocol);
    for (const url of [undefined, null]) {
      const text = `Good morning ${url}`;
      jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
        const answer = await handle(request);
        if (url === undefined) return answer;
        return { ...answer, json: Array.isArray(answer.json) ? answer.json.map(withoutUrl) : withoutUrl(answer.json) };
      });
      const sent = await send({ text }, { idempotencyKey: text });
      const { receipt } = sent as { receipt?: string };
      expect(receipt).toMatch(url === null ? /\/statuses\// : /\/@shop\//);
      expect(await lookUp({ text }, since, 'shop', 2)).toEqual({ kind: 'absent' });
      expect(await lookUp({ text }, since)).toEqual({ kind: 'accepted', receipt });
    }
  });

  test('is looked for behind newer posts, and beyond too many of them nothing is certain', async () => {
    await start({ limit: 10_000, keyGapMs: 0 });
    const since = now();
    for (let n = 0; n < 90; n++) await send({ text: `n${n}` }, { idempotencyKey: `n${n}` });
    expect(await lookUp({ text: 'n0' }, since)).toMatchObject({ kind: 'accepted' });
    for (let n = 90; n < 410; n++) await send({ text: `n${n}` }, { idempotencyKey: `n${n}` });
    expect(await lookUp({ text: 'n0' }, since)).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('too much'),
    });
  });

  test.each([
    ['of open brackets is looked through once', 199_999, { kind: 'absent' }],
    ['that is longer than any is not read', 200_001, { kind: 'unknown' }],
  ])('a post %s', async (_, length, found) => {
    await start();
    const since = now();
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
    const handle = world.protocol.handle.bind(world.protocol);
    jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
      const answer = await handle(request);
      if (!request.path.endsWith('/statuses')) return answer;
      return { ...answer, json: (answer.json as object[]).map((one) => ({ ...one, content: '<'.repeat(length) })) };
    });
    expect(await lookUp({ text: 'a' }, since)).toMatchObject(found);
  });

  test('is not known of while the server does not answer, or does not take the token', async () => {
    await start();
    expect(await lookUp({ text: 'a' }, now(), 'lost')).toMatchObject({ kind: 'retry', unreachable: true });
    expect(await lookUp({ text: 'a' }, now(), 'nobody')).toMatchObject({ kind: 'unusable' });
    world.protocol.revoked.add(TOKEN);
    const looked = await lookUp({ text: 'a' }, now());
    expect(looked).toMatchObject({ kind: 'unusable', status: 401, reason: expect.stringContaining('401') });
    const calls = world.server.calls.length;
    expect(await lookUp({ text: 'a' }, now())).toEqual({
      kind: 'unusable',
      generation: 1,
      reason: (looked as { reason: string }).reason,
    });
    expect(world.server.calls).toHaveLength(calls);
  });
});

describe('credentials', () => {
  const options = { timeoutMs: 1_000, perOrigin: 1, clock: systemClock, network: { allowPrivateAddresses: true } };

  test('can be tried without a post', async () => {
    await start();
    const ask = (token: string) => mastodon.whoAmI?.(JSON.stringify({ instance: world.server.url, token }), options);
    const { host } = new URL(world.server.url);
    expect(await ask(TOKEN)).toEqual({ kind: 'ok', name: `@shop@${host}` });
    expect(await ask('another-token')).toEqual({ kind: 'no', reason: 'HTTP 401: The access token is invalid' });
    expect(world.protocol.posts()).toEqual([]);
  });

  test.each([
    'http://mastodon.social',
    'https://mastodon.social/path',
    'https://user:password@mastodon.social',
    'ftp://mastodon.social',
    'mastodon.social',
  ])('of the server %s are refused', async (instance) => {
    await start();
    expect(mastodon.credentials.safeParse({ instance, token: 'a-long-token' }).success).toBe(false);
    expect(mastodon.credentials.safeParse({ instance: 'https://mastodon.social', token: 'a-long-token' }).success).toBe(
      true,
    );
  });
});
