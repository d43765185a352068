import { systemClock } from '../../../../topology/core/clock';
import { until } from '../../../support/until';
import { type FacebookWorld, openFacebook, PAGE, TOKEN } from './facebook-world';

const HOUR_MS = 3_600_000;

let world: FacebookWorld;
let opened: FacebookWorld[] = [];
let since: number;

async function start(...given: Parameters<typeof openFacebook>): Promise<void> {
  world = await openFacebook(...given);
  opened.push(world);
  since = systemClock.now() - 60_000;
}

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

const lookUp = (payload: object, notBefore = since, id = 1, account = 'shop') =>
  world.lookUp(payload, { notBefore, id }, account);
const link = 'https://example.com/a?b=c';

/** Posts by hand, as the fake would show them. */
function addMany(count: number, at: number): void {
  for (let n = 0; n < count; n++) world.protocol.add({ page: PAGE, message: `by hand ${n}`, at });
}

/** A post as Facebook shows it. */
function shown(message: string, at: number, n: number) {
  return { id: `${PAGE}_${n}`, message, created_time: new Date(at).toISOString(), from: { id: PAGE } };
}

describe('a post in doubt', () => {
  test('is found by its text and its link', async () => {
    await start();
    world.server.order({ do: 'drop' });
    expect(await world.send({ text: 'a  b\r\nc' })).toMatchObject({ kind: 'unknown' });
    await world.send({ text: 'with', link }, { id: 2 });
    const [first, second] = world.protocol.posts();
    expect(await lookUp({ text: 'a  b\r\nc' })).toEqual({ kind: 'accepted', receipt: first?.id });
    expect(await lookUp({ text: 'with', link }, since, 2)).toEqual({ kind: 'accepted', receipt: second?.id });
    expect(await lookUp({ text: 'other' })).toEqual({ kind: 'absent' });
  });

  test('is not known where a post with the same text has another link or none: Facebook changes links', async () => {
    await start();
    world.protocol.add({ page: PAGE, message: 'with', link: 'https://example.com/canonical' });
    world.protocol.add({ page: PAGE, message: 'without' });
    for (const text of ['with', 'without']) {
      expect(await lookUp({ text, link })).toMatchObject({
        kind: 'unknown',
        reason: expect.stringContaining('another link'),
      });
    }
    expect(await lookUp({ text: 'with' })).toEqual({ kind: 'absent' });
  });

  test('may have a card that Facebook has made of an address in its text', async () => {
    await start();
    const { id } = world.protocol.add({ page: PAGE, message: 'See example.com', link: 'https://www.example.com/' });
    expect(await lookUp({ text: 'See example.com' })).toEqual({ kind: 'accepted', receipt: id });
  });

  test('is not taken for the same text of last week, of a visitor, of a draft', async () => {
    await start();
    world.protocol.add({ page: PAGE, message: 'Good morning', at: since - HOUR_MS });
    world.protocol.add({ page: PAGE, message: 'Good morning', isPublished: false });
    expect(await lookUp({ text: 'Good morning' })).toEqual({ kind: 'absent' });
    for (const from of ['4242', undefined]) {
      world.protocol.add({ page: PAGE, message: 'of a visitor', from });
      expect(await lookUp({ text: 'of a visitor' })).toMatchObject({
        kind: 'unknown',
        reason: expect.stringContaining('of the page itself'),
      });
    }
  });

  test('is found where a moderator has hidden it, and where Facebook leaves out what nobody sees', async () => {
    await start();
    const { id } = world.protocol.add({ page: PAGE, message: 'a b', isHidden: true });
    expect(await lookUp({ text: 'a\u200b \u2060b\u00ad' })).toEqual({ kind: 'accepted', receipt: id });
  });

  test('is not known of where the address in its text may lead to the photo that is shown', async () => {
    await start();
    const photos = [{ id: '7', page: PAGE, bytes: 1, alt: null, isAttached: true }];
    world.protocol.add({ page: PAGE, message: 'See example.com/cup.png', photos });
    expect(await lookUp({ text: 'See example.com/cup.png' })).toMatchObject({ kind: 'unknown' });
  });

  test('is the oldest of several that look the same', async () => {
    await start();
    const first = world.protocol.add({ page: PAGE, message: 'a', at: since + 1_000 });
    world.protocol.add({ page: PAGE, message: 'a', at: since + 3_000 });
    expect(await lookUp({ text: 'a' })).toEqual({ kind: 'accepted', receipt: first.id });
  });

  test('is looked for page by page, back to its first attempt, without the token in an address', async () => {
    await start();
    const { id } = world.protocol.add({ page: PAGE, message: 'wanted', at: since + 1_000 });
    addMany(290, since + 2_000);
    expect(await lookUp({ text: 'wanted' })).toEqual({ kind: 'accepted', receipt: id });
    expect(world.server.calls).toHaveLength(12);
    for (const { query } of world.server.calls) expect(query.toString()).not.toContain(TOKEN);
    addMany(10, since + 2_000);
    expect(await lookUp({ text: 'wanted' }, since, 1)).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('too much'),
    });
  });

  test('is absent when a whole page of the feed is older: one older post may be pinned', async () => {
    await start();
    addMany(60, since - HOUR_MS);
    expect(await lookUp({ text: 'wanted' })).toEqual({ kind: 'absent' });
    expect(world.server.calls).toHaveLength(1);
    const pinned = Array.from({ length: 25 }, (_, n) => shown(`n${n}`, n === 0 ? since - HOUR_MS : since, n));
    const handle = jest.spyOn(world.protocol, 'handle');
    handle.mockResolvedValueOnce({
      status: 200,
      json: { data: pinned, paging: { cursors: { after: 'x' }, next: 'https://a.test' } },
    });
    handle.mockResolvedValueOnce({ status: 200, json: { data: [shown('wanted', since, 99)], paging: {} } });
    expect(await lookUp({ text: 'wanted' })).toEqual({ kind: 'accepted', receipt: `${PAGE}_99` });
  });

  test('is not known of while the feed has nothing in it, or has more that cannot be seen', async () => {
    await start({ areEmpty: true });
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('no posts') });
    const json = { data: [], paging: { next: 'https://a.test' } };
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json });
    expect(await lookUp({ text: 'a' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('how to see'),
    });
  });

  test('that the feed does not show yet is found later, and 506 keeps it from being posted twice', async () => {
    await start({ unseenMs: 300 });
    world.server.order({ do: 'drop' });
    await world.send({ text: 'a' });
    expect(await lookUp({ text: 'a' })).toEqual({ kind: 'absent' });
    expect(await world.send({ text: 'a' }, { inDoubt: true })).toMatchObject({ kind: 'unknown', status: 400 });
    await until('the feed shows it', async () => (await lookUp({ text: 'a' }))?.kind === 'accepted');
    expect(world.protocol.posts()).toHaveLength(1);
  });

  test.each([
    ['away', { kind: 'retry', unreachable: true }],
    ['without credentials', { kind: 'unusable' }],
  ])('is not known of while its server is %s', async (what, answer) => {
    await start();
    expect(await lookUp({ text: 'a' }, since, 1, what === 'away' ? 'lost' : 'nobody')).toMatchObject(answer);
  });

  test('is not known of while Facebook refuses the question, also within an answer of 200', async () => {
    await start();
    const handle = jest.spyOn(world.protocol, 'handle');
    handle.mockResolvedValue({
      status: 200,
      json: { error: { code: 10, message: 'no', type: 'OAuthException' }, data: [] },
    });
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('code 10') });
    handle.mockResolvedValue(world.protocol.throttled(120_000));
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'unknown', afterMs: 120_000 });
    handle.mockResolvedValue({ status: 200, json: { data: [{ id: 'x', created_time: 'yesterday' }] } });
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'unknown' });
    handle.mockResolvedValue({ status: 400, json: { error: { code: 190, message: 'no', type: 'OAuthException' } } });
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'unusable' });
  });
});

describe('of two messages that look the same', () => {
  test('each has a post of its own: the one that was delivered is not taken for the other', async () => {
    await start();
    world.server.order({ do: 'vanish' });
    expect(await world.send({ text: 'a' }, { id: 1 })).toMatchObject({ kind: 'unknown' });
    expect(await world.send({ text: 'a' }, { id: 2 })).toMatchObject({ kind: 'delivered' });
    expect(await lookUp({ text: 'a' }, since, 1)).toEqual({ kind: 'absent' });
    expect(await lookUp({ text: 'a' }, since, 2)).toMatchObject({ kind: 'accepted' });
  });

  test('the one that another worker has delivered is not taken for the other', async () => {
    const receipts = new Set<string>();
    await start({}, async () => receipts);
    const { id } = world.protocol.add({ page: PAGE, message: 'a' });
    receipts.add(id);
    expect(await lookUp({ text: 'a' })).toEqual({ kind: 'absent' });
    receipts.clear();
    expect(await lookUp({ text: 'a' })).toEqual({ kind: 'accepted', receipt: id });
  });

  test('both in doubt, one is given the post, also when they are looked up at once', async () => {
    await start();
    const { id } = world.protocol.add({ page: PAGE, message: 'a' });
    const answers = await Promise.all([1, 2].map(async (message) => lookUp({ text: 'a' }, since, message)));
    expect(answers).toContainEqual({ kind: 'accepted', receipt: id });
    expect(answers).toContainEqual({ kind: 'absent' });
    const other = world.protocol.add({ page: PAGE, message: 'a' });
    const again = await Promise.all([1, 2].map(async (message) => lookUp({ text: 'a' }, since, message)));
    expect(again.map((answer) => answer?.kind)).toEqual(['accepted', 'accepted']);
    expect(new Set(again.map((answer) => (answer as { receipt?: string }).receipt))).toEqual(new Set([id, other.id]));
  });

  test('neither is given a post while the other is on its way', async () => {
    await start();
    const { id } = world.protocol.add({ page: PAGE, message: 'a' });
    world.server.order({ do: 'hang' });
    const sending = world.send({ text: 'b' }, { id: 2 });
    await until('it is taken', () => world.protocol.posts().length === 2);
    expect(await lookUp({ text: 'a' })).toMatchObject({ kind: 'postponed' });
    expect(await sending).toMatchObject({ kind: 'unknown' });
    expect(await lookUp({ text: 'a' })).toEqual({ kind: 'accepted', receipt: id });
  });
});
