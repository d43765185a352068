import twitterText from 'twitter-text';
import type { FakeXOptions } from '../../../../deploy/fakes/x';
import { systemClock } from '../../../../topology/core/clock';
import { OTHER_TOKEN, openX, SHOP, THEIRS, TOKEN } from './x-world';

const FIRST = '1990000000000000000';
const MINUTE_MS = 60_000;

type World = Awaited<ReturnType<typeof openX>>;
let world: World;
let opened: World[] = [];

async function start(
  options: Partial<FakeXOptions> = {},
  receiptsOfOthers?: Parameters<typeof openX>[2],
): Promise<void> {
  world = await openX({ duplicateMs: 0, limit: 10_000, ...options }, systemClock, receiptsOfOthers);
  opened.push(world);
}

afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

const now = () => systemClock.now();
const listings = () =>
  world.server.calls.filter(({ path }) => path.startsWith('/2/users/') && path.endsWith('/tweets'));

test.each([
  ['plain', 'Good morning'],
  ['with a link', 'See https://example.com/a?b=c&d=e#f.'],
  ['with links that X writes in its own way', 'See example.com, http://EXAMPLE.org/ and https://münchen.example/ä'],
  ['with characters that X escapes', 'Tea & <cake> &amp; more'],
  ['that was not composed', 'cafe\u0301  \n au lait '],
  ['of links alone', 'https://example.com/a https://example.com/b'],
  ['with a link out of HTML', 'See https://shop.example/?q=1&amp;y=2'],
])('a post in doubt is found: %s', async (_, text) => {
  await start();
  world.server.order({ do: 'drop' });
  expect(await world.send({ text })).toMatchObject({ kind: 'unknown' });
  expect(await world.lookUp({ text })).toEqual({ kind: 'accepted', receipt: FIRST });
});

test.each([
  ['another text', { text: 'Good evening' }],
  ['another link', { text: 'Good morning https://example.com/b' }],
  ['an answer to another post', { text: 'Good morning https://example.com/a', replyTo: THEIRS }],
])('a post is not taken for %s', async (_, payload) => {
  await start();
  await world.send({ text: 'Good morning https://example.com/a' }, { id: 9 });
  expect(await world.lookUp(payload)).toEqual({ kind: 'absent' });
});

test('a reply is found, although X puts a name before it', async () => {
  await start();
  await world.send({ text: '@bob yes', replyTo: THEIRS });
  expect(await world.lookUp({ text: '@bob yes', replyTo: THEIRS })).toEqual({ kind: 'accepted', receipt: FIRST });
  expect(await world.lookUp({ text: '@bob yes' })).toEqual({ kind: 'absent' });
});

test('a reply to others is not taken for it, nor a post that answers nothing', async () => {
  await start();
  await world.send({ text: '@alice happy birthday', replyTo: THEIRS }, { id: 9 });
  await world.send({ text: '@alice happy birthday' }, { id: 9 });
  expect(await world.lookUp({ text: '@bob happy birthday' })).toEqual({ kind: 'absent' });
  expect(await world.lookUp({ text: '@bob happy birthday', replyTo: THEIRS })).toMatchObject({ kind: 'unknown' });
});

test('the same text of last week is not taken for it', async () => {
  await start();
  await world.send({ text: 'Good morning' });
  expect(await world.lookUp({ text: 'Good morning' }, { notBefore: now() + 10_000 })).toEqual({ kind: 'absent' });
  expect(await world.lookUp({ text: 'Good morning' }, { notBefore: now() - 10_000 })).toMatchObject({
    kind: 'accepted',
  });
});

test("a clock of ours that is ahead of X's hides no post", async () => {
  await start();
  await world.send({ text: 'a' });
  const ahead = now() + 4 * MINUTE_MS;
  expect(await world.lookUp({ text: 'a' }, { notBefore: ahead, now: () => ahead })).toMatchObject({ kind: 'accepted' });
});

describe('two messages with the same text', () => {
  test('never count one post for both, whoever asks first', async () => {
    await start();
    world.server.order({ do: 'drop' });
    expect(await world.send({ text: 'a' }, { id: 1 })).toMatchObject({ kind: 'unknown' });
    const answers = await Promise.all([world.lookUp({ text: 'a' }, { id: 1 }), world.lookUp({ text: 'a' }, { id: 2 })]);
    expect(answers.map((answer) => String(answer?.kind)).toSorted((a, b) => a.localeCompare(b))).toEqual([
      'absent',
      'accepted',
    ]);
  });

  test('find each its own, the oldest first', async () => {
    await start();
    world.server.order({ do: 'drop', times: 2 });
    await world.send({ text: 'a' }, { id: 1 });
    await world.send({ text: 'a' }, { id: 2 });
    const [first, second] = world.protocol.posts();
    expect(await world.lookUp({ text: 'a' }, { id: 1 })).toEqual({ kind: 'accepted', receipt: first?.id });
    expect(await world.lookUp({ text: 'a' }, { id: 2 })).toEqual({ kind: 'accepted', receipt: second?.id });
    expect(await world.lookUp({ text: 'a' }, { id: 1 })).toEqual({ kind: 'accepted', receipt: first?.id });
    expect(await world.lookUp({ text: 'a' }, { id: 3 })).toEqual({ kind: 'absent' });
  });

  test('do not share the post that the table has for another one', async () => {
    const table = jest.fn(async () => new Set([FIRST]));
    await start({}, table);
    world.server.order({ do: 'drop' });
    await world.send({ text: 'a' });
    const notBefore = now() - MINUTE_MS;
    expect(await world.lookUp({ text: 'a' }, { id: 7, notBefore })).toEqual({ kind: 'absent' });
    expect(table).toHaveBeenCalledWith({ channel: 'x', account: 'shop', id: 7, receipts: [FIRST], notBefore });
  });

  test('wait while the table cannot be read', async () => {
    await start({}, () => Promise.reject(new Error('MySQL is away')));
    world.server.order({ do: 'drop' });
    await world.send({ text: 'a' });
    expect(await world.lookUp({ text: 'a' })).toEqual({
      kind: 'postponed',
      reason: 'the receipts of other messages could not be read: MySQL is away',
    });
  });
});

const post = {
  id: FIRST,
  text: 'a https://t.co/abc',
  created_at: new Date(systemClock.now() + MINUTE_MS).toISOString(),
};

async function lookUpAmong(posts: readonly object[], payload: object, more: object = {}) {
  await start();
  const json = { data: posts, meta: { result_count: posts.length }, ...more };
  const handle = world.protocol.handle.bind(world.protocol);
  jest
    .spyOn(world.protocol, 'handle')
    .mockImplementation((request) =>
      request.path.endsWith('/tweets') ? Promise.resolve({ status: 200, json }) : handle(request),
    );
  return world.lookUp(payload);
}

describe('a post is found', () => {
  test("with a link of X's own that the user wrote", async () => {
    const entities = { urls: [{ url: 'https://t.co/abc', expanded_url: 'https://example.com/target' }] };
    expect(await lookUpAmong([{ ...post, entities }], { text: 'a https://t.co/abc' })).toMatchObject({
      kind: 'accepted',
    });
    expect(await lookUpAmong([post], { text: 'a https://t.co/abc' })).toMatchObject({ kind: 'accepted' });
  });

  test('without the characters that nobody sees', async () => {
    const text = 'a\u200bb \u2060 c\u00ad\u0007';
    expect(await lookUpAmong([{ ...post, text: 'ab c' }], { text })).toMatchObject({ kind: 'accepted' });
  });
});

test('links of the message are looked for once, and others have their turn meanwhile', async () => {
  const linksIn = jest.spyOn(twitterText, 'extractUrlsWithIndices');
  let turns = 0;
  const posts = Array.from({ length: 100 }, (_, n) => ({ ...post, id: String(n), text: `n${n}` }));
  const looking = lookUpAmong(posts, { text: 'a' });
  let isLooking = true;
  const judged = jest.spyOn(JSON, 'parse');
  const turn = () => {
    if (judged.mock.calls.some(([text]) => text.includes('n99'))) turns += 1;
    if (isLooking) setImmediate(turn);
  };
  turn();
  expect(await looking).toEqual({ kind: 'absent' });
  isLooking = false;
  judged.mockRestore();
  expect(linksIn).toHaveBeenCalledTimes(1);
  linksIn.mockRestore();
  expect(turns).toBeGreaterThanOrEqual(9);
});

describe('what X does not show', () => {
  test('is looked for on further pages, and beyond five nothing is certain', async () => {
    await start();
    const since = now() - 1_000;
    for (let n = 0; n < 201; n++) await world.send({ text: `n${n}` });
    expect(await world.lookUp({ text: 'n0' }, { notBefore: since })).toMatchObject({ kind: 'accepted' });
    expect(listings()).toHaveLength(3);
    expect(await world.lookUp({ text: 'other' }, { notBefore: since })).toEqual({ kind: 'absent' });
    const posts = world.protocol.posts() as object[];
    for (let n = 0; n < 300; n++)
      posts.push({ ...posts[0], id: String(BigInt(FIRST) + 1_000n + BigInt(n)), text: 'more' });
    expect(await world.lookUp({ text: 'other' }, { notBefore: since })).toEqual({
      kind: 'unknown',
      reason: 'the account has posted too much since to find this post among it',
    });
  });

  test('leaves a message in doubt: a link of which X does not say where it leads', async () => {
    expect(await lookUpAmong([post], { text: 'a https://example.com/' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('links'),
    });
    expect(await lookUpAmong([post], { text: 'b https://example.com/' })).toEqual({ kind: 'absent' });
  });

  test('leaves a message in doubt: the end of a long text', async () => {
    const text = 'word '.repeat(100).trim();
    const cut = { ...post, text: `${text.slice(0, 274)}…` };
    expect(await lookUpAmong([cut], { text, limit: 1_000 })).toMatchObject({ kind: 'unknown' });
    expect(await lookUpAmong([cut], { text: 'word' })).toEqual({ kind: 'absent' });
    for (const name of ['note_tweet', 'note_post']) {
      expect(await lookUpAmong([{ ...cut, [name]: { text } }], { text, limit: 1_000 })).toMatchObject({
        kind: 'accepted',
      });
    }
  });

  test('leaves a message in doubt: the end of a long text, with a link to it', async () => {
    const text = 'word '.repeat(100).trim();
    const cut = { ...post, text: `${text.slice(0, 250)}… https://t.co/z` };
    const urls = [{ url: 'https://t.co/z', expanded_url: 'https://x.com/i/web/status/12' }];
    for (const one of [cut, { ...cut, entities: { urls } }]) {
      expect(await lookUpAmong([one], { text, limit: 1_000 })).toMatchObject({ kind: 'unknown' });
    }
  });

  test('leaves a message in doubt: what X may have taken for a link', async () => {
    const urls = [{ url: 'https://t.co/z', expanded_url: 'http://shop.newtld/' }];
    const shown = { ...post, text: 'at https://t.co/z now', entities: { urls } };
    expect(await lookUpAmong([shown], { text: 'at Shop.newtld now' })).toMatchObject({ kind: 'unknown' });
  });

  test('leaves a message in doubt: posts that X leaves out', async () => {
    const errors = [{ title: 'Not Found Error', resource_type: 'tweet' }];
    expect(await lookUpAmong([], { text: 'a' }, { errors })).toMatchObject({ kind: 'unknown' });
    expect(await lookUpAmong([{ ...post, text: 'a' }], { text: 'a' }, { errors })).toMatchObject({ kind: 'accepted' });
  });

  test('is not known of while X does not answer, or does not show the posts', async () => {
    await start();
    world.set('other', { token: OTHER_TOKEN, userId: SHOP.id });
    expect(await world.lookUp({ text: 'a' }, {}, 'lost')).toMatchObject({ kind: 'retry', unreachable: true });
    expect(await world.lookUp({ text: 'a' }, {}, 'nobody')).toMatchObject({ kind: 'unusable' });
    expect(await world.lookUp({ text: 'a' }, {}, 'other')).toEqual({
      kind: 'unknown',
      reason: `the access token is of user 12, not of ${SHOP.id}`,
    });
    await world.lookUp({ text: 'a' });
    const spy = jest.spyOn(world.protocol, 'handle');
    spy.mockResolvedValue({ status: 403, json: { detail: 'Forbidden' } });
    expect(await world.lookUp({ text: 'a' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('403'),
    });
    spy.mockResolvedValue({ status: 200, json: {} });
    expect(await world.lookUp({ text: 'a' })).toMatchObject({ kind: 'unknown' });
    spy.mockResolvedValue(world.protocol.throttled(60_000));
    expect(await world.lookUp({ text: 'a' })).toMatchObject({ kind: 'unknown', afterMs: expect.any(Number) });
    spy.mockRestore();
    world.protocol.revoked.add(TOKEN);
    expect(await world.lookUp({ text: 'a' })).toMatchObject({ kind: 'unusable' });
  });
});

test('whose the token is, X is asked once', async () => {
  await start();
  await Promise.all([world.lookUp({ text: 'a' }), world.lookUp({ text: 'b' })]);
  await world.lookUp({ text: 'c' });
  expect(world.server.calls.filter(({ path }) => path === '/2/users/me')).toHaveLength(1);
  expect(listings()).toHaveLength(3);
});
