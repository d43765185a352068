import { systemClock } from '../../../../topology/core/clock';
import { GIF, image, MediaHost, PNG } from '../../../support/channels/media-host';
import { type FacebookWorld, openFacebook, PAGE, TOKEN } from './facebook-world';

let world: FacebookWorld;
let host: MediaHost;
let since: number;

beforeEach(async () => {
  [world, host] = await Promise.all([openFacebook(), MediaHost.start()]);
  since = systemClock.now() - 60_000;
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all([world.close(), host.close()]);
});

const cup = (alt = 'a "cup", ☕') => ({ text: 'look', media: [{ url: host.url(), alt }] });
const pair = (alt: string) => ({
  text: 'two',
  media: [
    { url: host.url(), alt: 'first' },
    { url: host.url(), alt },
  ],
});
const lookUp = (payload: object, id = 1) => world.lookUp(payload, { notBefore: since, id });
const photosOf = (index = 0) => world.protocol.posts()[index]?.photos;

test('photos go out with the post, each with what it shows, and the post alone asks whether it may start', async () => {
  const mayStart = jest.fn(() => true);
  expect(await world.send(cup(), { mayStart })).toMatchObject({
    kind: 'delivered',
    receipt: `${PAGE}_122000000000000`,
  });
  expect(mayStart).toHaveBeenCalledTimes(1);
  expect(photosOf()).toMatchObject([{ bytes: PNG.length, alt: 'a "cup", ☕' }]);
  expect(await world.send({ text: 'two', media: [{ url: host.url() }, ...cup('b').media] }, { id: 2 })).toMatchObject({
    kind: 'delivered',
  });
  expect(photosOf(1)).toMatchObject([{ alt: null }, { alt: 'b' }]);
});

test('nobody sees a photo of a message that may not start', async () => {
  expect(await world.send(cup(), { mayStart: () => false })).toBe('not_started');
  expect(world.protocol.posts()).toEqual([]);
});

test('half an upload is never seen, and leaves no doubt', async () => {
  for (const [mishap, outcome] of [
    ['drop', { kind: 'retry' }],
    ['error', { kind: 'retry', status: 500 }],
    ['fail', { kind: 'retry', status: 503 }],
    ['throttle', { kind: 'retry', afterMs: 60_000 }],
    ['quote', { kind: 'retry', status: 400 }],
  ] as const) {
    world.server.order({ do: mishap, to: 'upload' });
    const ended = await world.send(cup());
    expect(ended).toMatchObject(outcome);
    expect(JSON.stringify(ended)).not.toContain(TOKEN);
  }
  jest.spyOn(world.protocol.photos, 'upload').mockReturnValue({ status: 200, json: { id: 'none' } });
  expect(await world.send(cup())).toMatchObject({ kind: 'retry', reason: expect.stringContaining('image-1.png') });
  world.protocol.revoked.set(TOKEN, 460);
  expect(await world.send(cup())).toMatchObject({ kind: 'unusable' });
  expect(world.protocol.posts()).toEqual([]);
});

test('a photo that Facebook does not take is named, with what it says', async () => {
  jest.spyOn(world.protocol.photos, 'upload').mockReturnValue({
    status: 400,
    json: { error: { message: "Can't Read Files", type: 'OAuthException', code: 1, error_subcode: 1_366_046 } },
  });
  expect(await world.send(cup())).toEqual({
    kind: 'rejected',
    status: 400,
    reason:
      "image-1.png: Facebook takes photos as JPEG or PNG that are smaller than 4 MB (HTTP 400, code 1/1366046: Can't Read Files)",
  });
});

test('what is no photo for Facebook is not sent to it', async () => {
  host.on('/moving.gif', image(GIF, 'image/gif'));
  const moving = { text: 'a', media: [{ url: host.url('/moving.gif') }] };
  expect(await world.send(moving)).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('image/png') });
  host.on('/large.png', image(Buffer.concat([PNG, Buffer.alloc(4_000_000 - PNG.length)]), 'image/png'));
  const large = { text: 'a', media: [{ url: host.url('/large.png') }] };
  expect(await world.send(large)).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('larger') });
  expect(world.server.calls).toEqual([]);
});

test('photos that Facebook has already may be of an earlier attempt, and in doubt the message is looked for', async () => {
  const json = { error: { message: 'already posted', type: 'OAuthException', code: 1, error_subcode: 1_366_051 } };
  jest.spyOn(world.protocol.photos, 'upload').mockReturnValue({ status: 400, json });
  expect(await world.send(cup())).toMatchObject({ kind: 'retry', reason: expect.stringContaining('image-1.png') });
  expect(await world.send(cup(), { inDoubt: true })).toMatchObject({ kind: 'unknown', status: 400 });
});

test('a post in doubt is found by its text, and by how many photos it has and what they show', async () => {
  world.server.order({ do: 'drop' });
  expect(await world.send(pair('second'))).toMatchObject({ kind: 'unknown' });
  const accepted = { kind: 'accepted', receipt: world.protocol.posts()[0]?.id };
  expect(await lookUp(pair('other'))).toEqual({ kind: 'absent' });
  expect(await lookUp({ text: 'two' })).toEqual({ kind: 'absent' });
  expect(await lookUp({ ...cup('first'), text: 'two' })).toEqual({ kind: 'absent' });
  expect(await lookUp(pair('second'))).toEqual(accepted);
  world.server.order({ do: 'drop' });
  await world.send(cup(), { id: 2 });
  expect(await lookUp(cup(), 2)).toEqual({ kind: 'accepted', receipt: world.protocol.posts()[1]?.id });
});

test('a post whose photos cannot be told apart leaves the message in doubt', async () => {
  world.server.order({ do: 'drop' });
  await world.send(cup());
  expect(await lookUp({ text: 'look', media: [{ url: host.url() }] })).toMatchObject({ kind: 'unknown' });
  world.protocol.photos.hidesAlts = true;
  expect(await lookUp(cup())).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('alt') });
  const show = jest.spyOn(world.protocol.photos, 'show');
  show.mockReturnValue({ status: 400, json: { error: { code: 10, message: 'no', type: 'OAuthException' } } });
  expect(await lookUp(cup())).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('code 10') });
});

test('a post with something below it that Facebook does not name leaves the message in doubt', async () => {
  const post = { id: `${PAGE}_5`, message: 'look', created_time: new Date(since).toISOString(), from: { id: PAGE } };
  const json = { data: [{ ...post, attachments: { data: [{ media_type: 'album' }] } }] };
  jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json });
  expect(await lookUp(cup())).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('does not name') });
});

test('a post that is shown with fewer photos may have all of them nevertheless, and with more it is another one', async () => {
  world.protocol.add({ page: PAGE, message: 'look' });
  expect(await lookUp(cup())).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('not show all') });
  await world.send(cup(), { id: 2 });
  expect(await lookUp(pair('b'))).toEqual({ kind: 'absent' });
  expect(await lookUp({ ...pair('b'), text: 'look' })).toMatchObject({ kind: 'unknown' });
  expect(await lookUp({ text: 'look', link: 'https://example.com' })).toMatchObject({ kind: 'unknown' });
});
