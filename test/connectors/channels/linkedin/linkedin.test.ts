import type { AttemptContext, LookupContext } from '../../../../bolts/channel';
import { linkedin } from '../../../../connectors/channels/linkedin/linkedin';
import type { FakeLinkedinOptions } from '../../../../deploy/fakes/linkedin';
import { systemClock } from '../../../../topology/core/clock';
import { channelBattery } from '../channel-battery';
import { LinkedinWorld, linkedinWorld, PERSON, PERSON_TOKEN, SHOP, TOKEN } from './linkedin-world';

channelBattery('linkedin', linkedinWorld);

const FIRST = 'urn:li:share:7141000000000000000';
const HOUR_MS = 3_600_000;

let world: LinkedinWorld;
let opened: LinkedinWorld[] = [];

async function start(options: Partial<FakeLinkedinOptions> = {}, apiVersion?: string): Promise<void> {
  world = await LinkedinWorld.open(options, apiVersion);
  opened.push(world);
}

afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

const now = () => systemClock.now();
/** A time of some day, UTC. */
const at = (hour: number, minute = 0) => ({ now: () => Date.UTC(2026, 10, 26, hour, minute) });

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

function lookUp(payload: object, notBefore = now(), account = 'shop', id = 1) {
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

test('a post goes out as it was written, and the receipt is its URN', async () => {
  await start();
  const text = 'All of it (really) is #new_ish: C# *and* <more> @home, by @[Acme](urn:li:organization:12)';
  expect(await send({ text })).toEqual({ kind: 'delivered', status: 201, receipt: FIRST });
  const link = { link: 'https://example.com/a', title: 'A page', description: 'of ours' };
  expect(await send({ text: 'b', ...link, visibility: 'connections' }, {}, 'person')).toMatchObject({
    kind: 'delivered',
  });
  expect(world.protocol.posts()).toEqual([
    expect.objectContaining({ author: SHOP, shown: text, visibility: 'PUBLIC', link: undefined }),
    expect.objectContaining({ author: PERSON, shown: 'b', visibility: 'CONNECTIONS', link: link.link }),
  ]);
});

test('a mention of a name with reserved characters is read to its end, and found again', async () => {
  await start();
  const since = now();
  const text = 'Thanks to @[Acme | R&D_1 (EU) \\[new\\]](urn:li:organization:12), all of it';
  expect(await send({ text })).toMatchObject({ kind: 'delivered' });
  expect(world.protocol.posts()).toMatchObject([{ shown: text.replaceAll('\\', '') }]);
  expect(await lookUp({ text }, since)).toMatchObject({ kind: 'accepted' });
});

test('the body is a function of the row, so each attempt has the same', async () => {
  await start({ duplicateMs: 0 });
  for (const dueAt of [1, 2]) await send({ text: 'a (b)' }, { dueAt });
  const [first, second] = world.server.calls.map(({ body }) => body.toString());
  expect(first).toBe(second);
});

test.each([
  ['before (and after)', 'before '],
  ['by @[Acme_1](urn:li:organization:12)', 'by '],
])('the fake cuts %j at a reserved character that has no backslash, and answers 201', async (commentary, shown) => {
  await start();
  await send({ text: 'a' });
  const call = world.server.calls[0] as (typeof world.server.calls)[0];
  const body = Buffer.from(JSON.stringify({ ...JSON.parse(String(call.body)), commentary }));
  expect(await world.protocol.handle({ ...call, body })).toMatchObject({ status: 201 });
  expect(world.protocol.posts()[1]).toMatchObject({ shown });
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
        "LinkedIn does not take the account's access token any more (HTTP 401: The token used in the request has been revoked by the user). Connect the account again",
    });
  });

  test('an account without credentials sends nothing, and the reason says what to do', async () => {
    await start();
    expect(await send({ text: 'a' }, {}, 'nobody')).toMatchObject({
      kind: 'unusable',
      reason: expect.stringContaining('downspout accounts set'),
    });
    expect(world.server.calls).toEqual([]);
  });

  test('too many posts wait for an hour, and no longer than until some time after midnight UTC', async () => {
    await start({ perDay: 1 });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
    expect(await send({ text: 'b' }, at(12))).toMatchObject({ kind: 'retry', status: 429, afterMs: HOUR_MS });
    expect(await send({ text: 'b' }, at(23, 30))).toMatchObject({ kind: 'retry', afterMs: HOUR_MS / 2 + 1_000 });
    expect(await send({ text: 'b' }, { ...at(23, 30), id: 59 })).toMatchObject({ afterMs: HOUR_MS / 2 + 59_000 });
  });

  test('another author than that of the token is rejected', async () => {
    await start();
    expect(await send({ text: 'a' }, {}, 'other')).toEqual({
      kind: 'rejected',
      status: 403,
      reason:
        'LinkedIn does not let the account post for this author (HTTP 403: Not enough permissions to access: posts.CREATE)',
    });
  });

  test('a post that is too long for LinkedIn is rejected', async () => {
    await start();
    expect(await send({ text: 'a'.repeat(3_001), limit: 6_000 })).toMatchObject({ kind: 'rejected', status: 422 });
  });

  test('the same post is rejected, and in doubt it is the one that was delivered', async () => {
    await start();
    await send({ text: 'a' });
    expect(await send({ text: 'a' })).toEqual({
      kind: 'rejected',
      status: 422,
      reason: `The account has posted the same a short time ago (HTTP 422: Content is a duplicate of ${FIRST})`,
    });
    const doubted = { inDoubt: true, dueAt: now() - 60_000 };
    expect(await send({ text: 'a' }, doubted)).toEqual({ kind: 'delivered', status: 422, receipt: FIRST });
    expect(world.protocol.posts()).toHaveLength(1);
    const json = { message: 'duplicate', errorDetails: { inputErrors: [{ code: 'DUPLICATE_POST' }] } };
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 422, json });
    expect(await send({ text: 'a' }, doubted)).toMatchObject({ kind: 'unknown', status: 422 });
  });

  test("a duplicate is not the post in doubt where it is another message's, or older, or is not shown", async () => {
    await start();
    await send({ text: 'a' });
    expect(await send({ text: 'a' }, { id: 2, inDoubt: true, dueAt: now() - 60_000 })).toMatchObject({
      kind: 'unknown',
      status: 422,
      reason: expect.stringContaining('of another message'),
    });
    expect(await send({ text: 'a' }, { inDoubt: true, dueAt: now() + 60_000 })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('older'),
    });
    await send({ text: 'a' }, {}, 'person');
    expect(await send({ text: 'a' }, { inDoubt: true, dueAt: now() - 60_000 }, 'person')).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('HTTP 403'),
    });
    expect(world.protocol.posts()).toHaveLength(2);
  });

  test('a duplicate is known by the receipt of its post, by whatever URN the refusal names it', async () => {
    await start();
    await send({ text: 'a' });
    const handle = world.protocol.handle.bind(world.protocol);
    jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
      const activity = encodeURIComponent('urn:li:activity:9');
      const answer = await handle({ ...request, path: request.path.replace(activity, encodeURIComponent(FIRST)) });
      const json = JSON.parse(JSON.stringify(answer.json).replace(`of ${FIRST}`, 'of urn:li:activity:9'));
      return { ...answer, json };
    });
    const doubted = { inDoubt: true, dueAt: now() - 60_000 };
    expect(await send({ text: 'a' }, { ...doubted, id: 2 })).toMatchObject({ kind: 'unknown', status: 422 });
    expect(await send({ text: 'a' }, doubted)).toEqual({ kind: 'delivered', status: 422, receipt: FIRST });
  });

  test("a version that LinkedIn has given up costs no message, because the topology's setting is to blame", async () => {
    await start({}, '202401');
    expect(await send({ text: 'a' })).toEqual({
      kind: 'postponed',
      reason:
        'LinkedIn has given up this version of its API (HTTP 426: Requested version 20240101 is not active). Set a newer apiVersion in topology.yaml',
    });
    await start({ versions: ['202611'] }, '202611');
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'accepted' });
    await start({}, '202401');
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'postponed' });
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

  test('an answer without the URN of a post is no delivery', async () => {
    await start();
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 201, json: undefined });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unknown', status: 201 });
  });
});

describe('a post in doubt', () => {
  test('of an organization is found by its text and its link, however LinkedIn shows its hashtags', async () => {
    await start();
    const since = now();
    const text = 'It is #new (yes)';
    world.server.order({ do: 'drop' });
    expect(await send({ text })).toMatchObject({ kind: 'unknown' });
    const link = { link: 'https://example.com/a', title: 'A page' };
    await send({ text, ...link });
    const [first, second] = world.protocol.posts();
    expect(await lookUp({ text }, since)).toEqual({ kind: 'accepted', receipt: first?.id });
    expect(await lookUp({ text, ...link }, since)).toEqual({ kind: 'accepted', receipt: second?.id });
    expect(await lookUp({ text: 'other' }, since)).toEqual({ kind: 'absent' });
    const shown = {
      id: FIRST,
      commentary: 'It is {hashtag|\\#|new} \\(yes\\)',
      createdAt: now(),
      lastModifiedAt: now(),
    };
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json: { elements: [shown] } });
    expect(await lookUp({ text }, since)).toEqual({ kind: 'accepted', receipt: FIRST });
  });

  test('is no other message of the same text', async () => {
    await start();
    const since = now() - 60_000;
    await send({ text: 'a' });
    expect(await lookUp({ text: 'a' }, since, 'shop', 2)).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'a' }, since)).toEqual({ kind: 'accepted', receipt: FIRST });
  });

  test('of a person cannot be looked for, and nobody is asked', async () => {
    await start();
    await send({ text: 'a' }, {}, 'person');
    expect(await lookUp({ text: 'a' }, now(), 'person')).toEqual({
      kind: 'unknown',
      reason: 'LinkedIn does not let apps read what a person has posted',
    });
    expect(world.server.calls).toHaveLength(1);
  });

  test('is not taken for the same text of last week', async () => {
    await start();
    await send({ text: 'Good morning' });
    expect(await lookUp({ text: 'Good morning' }, now() + 10_000)).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'Good morning' }, now() - 10_000)).toMatchObject({ kind: 'accepted' });
  });

  test('is looked for among a hundred posts, and beyond them nothing is certain', async () => {
    await start({ perDay: 1_000 });
    const since = now();
    for (let n = 0; n < 100; n++) await send({ text: `n${n}` });
    expect(await lookUp({ text: 'n0' }, since)).toMatchObject({ kind: 'accepted' });
    expect(await lookUp({ text: 'other' }, since)).toMatchObject({ kind: 'unknown' });
    expect(await lookUp({ text: 'other' }, now() + 10_000)).toEqual({ kind: 'absent' });
    await send({ text: 'one more' });
    expect(await lookUp({ text: 'n0' }, since)).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('too much'),
    });
  });

  test('is not known of while LinkedIn does not answer, or does not show the posts', async () => {
    await start();
    expect(await lookUp({ text: 'a' }, now(), 'lost')).toMatchObject({ kind: 'retry', unreachable: true });
    expect(await lookUp({ text: 'a' }, now(), 'nobody')).toMatchObject({ kind: 'unusable' });
    expect(await lookUp({ text: 'a' }, now(), 'other')).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('403'),
    });
  });
});

describe('credentials', () => {
  const options = { timeoutMs: 1_000, perOrigin: 1, clock: systemClock, network: { allowPrivateAddresses: true } };
  const ask = (author: string, token: string) =>
    linkedin.whoAmI?.(JSON.stringify({ author, token, server: world.server.url }), options);

  test('can be tried without a post', async () => {
    await start();
    expect(await ask(SHOP, TOKEN)).toEqual({ kind: 'ok', name: SHOP });
    expect(await ask(PERSON, PERSON_TOKEN)).toEqual({ kind: 'ok', name: `Name of ${PERSON}` });
    expect(await ask(SHOP, 'another-token')).toEqual({ kind: 'no', reason: 'HTTP 401: Invalid access token' });
    expect(await ask('urn:li:organization:7', TOKEN)).toMatchObject({ kind: 'no' });
    expect(await ask('urn:li:person:somebody', PERSON_TOKEN)).toEqual({
      kind: 'no',
      reason: `the token is of ${PERSON}, not of urn:li:person:somebody`,
    });
    expect(world.protocol.posts()).toEqual([]);
  });

  test('name who posts, and go to no server in clear', () => {
    const given = { author: SHOP, token: TOKEN };
    expect(linkedin.credentials.safeParse(given).success).toBe(true);
    expect(linkedin.credentials.safeParse({ ...given, author: '2414183' }).success).toBe(false);
    expect(linkedin.credentials.safeParse({ ...given, server: 'http://gateway.example' }).success).toBe(false);
  });
});
