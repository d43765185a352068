import { GIF, image, MediaHost, MP4, PNG } from '../../../support/channels/media-host';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { type BlueskyWorld, openBluesky } from './bluesky-world';

let world: BlueskyWorld;
let host: MediaHost;
let kept: MemoryKeeping;

beforeEach(async () => {
  kept = new MemoryKeeping();
  [world, host] = await Promise.all([openBluesky(), MediaHost.start()]);
  host.on('/moving.gif', image(GIF, 'image/gif'));
});
afterEach(() => Promise.all([world.close(), host.close()]));

const DUE = Date.UTC(2027, 0, 15, 8);
const ALT = 'Eine Tasse – "blau"';
const pictures = () => ({
  text: 'look',
  media: [{ url: host.url(), alt: ALT }, { url: host.url('/moving.gif') }],
});
const send = (attempt: object = {}, payload: object = pictures()) =>
  world.send(payload, { kept, dueAt: DUE, ...attempt });
const callsOf = (name: string) => world.server.calls.filter(({ path }) => path.endsWith(name));
const uploads = () => callsOf('uploadBlob').length;
const embeds = () => world.protocol.posts().map(({ value }) => value.embed);
const blob = (body: Buffer, mimeType: string) => ({
  $type: 'blob',
  ref: { $link: expect.any(String) },
  mimeType,
  size: body.length,
});
const embed = {
  $type: 'app.bsky.embed.images',
  images: [
    { image: blob(PNG, 'image/png'), alt: ALT },
    { image: blob(GIF, 'image/gif'), alt: '' },
  ],
};

test('images stand below the post in their order, each with what it shows', async () => {
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(embeds()).toEqual([embed]);
});

test('images stand below a post that answers another', async () => {
  expect(await world.send({ text: 'first' }, { idempotencyKey: 'first' })).toMatchObject({ kind: 'delivered' });
  const [first] = world.protocol.posts();
  expect(await send({}, { ...pictures(), replyTo: first?.uri })).toMatchObject({ kind: 'delivered' });
  const { value } = world.protocol.posts()[1] ?? {};
  expect(value).toMatchObject({ embed, reply: { parent: { uri: first?.uri }, root: { uri: first?.uri } } });
});

test('the post alone asks whether it may start, and nothing of a post that may not is seen', async () => {
  const mayStart = jest.fn(() => false);
  expect(await send({ mayStart })).toBe('not_started');
  expect(mayStart).toHaveBeenCalledTimes(1);
  expect([uploads(), embeds()]).toEqual([2, []]);
});

test('images that were uploaded are neither fetched nor uploaded again, and each attempt has the same record', async () => {
  world.server.order({ do: 'throttle' });
  expect(await send()).toMatchObject({ kind: 'retry', status: 429 });
  host.on('/cup.png', image(GIF, 'image/gif'));
  host.on('/moving.gif', (response) => response.writeHead(404).end());
  world.server.order({ do: 'drop' });
  expect(await send()).toMatchObject({ kind: 'unknown' });
  expect(await send({ inDoubt: true })).toMatchObject({ kind: 'delivered' });
  expect([uploads(), host.asked, embeds()]).toEqual([2, ['/cup.png', '/moving.gif'], [embed]]);
  expect(new Set(callsOf('putRecord').map(({ body }) => body.toString())).size).toBe(1);
});

test('a post in doubt is there once, also when what was kept is lost and another image is at its URL', async () => {
  world.server.order({ do: 'drop' });
  expect(await send()).toMatchObject({ kind: 'unknown' });
  host.on('/cup.png', image(GIF, 'image/gif'));
  const [post] = world.protocol.posts();
  const again = await send({ inDoubt: true, kept: new MemoryKeeping() });
  expect(again).toEqual({ kind: 'delivered', status: 200, receipt: post?.uri });
  expect(embeds()).toEqual([embed]);
});

test('images that were uploaded half are never seen, and leave no doubt', async () => {
  for (const mishap of ['drop', 'error', 'throttle', 'vanish'] as const) {
    world.server.order({ do: mishap, to: 'upload', match: 'GIF89a' });
    expect(await send()).toMatchObject({ kind: 'retry' });
  }
  expect([kept.ids, embeds()]).toEqual([undefined, []]);
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

test('images that the server has thrown away are uploaded again, and those that it throws away again and again are not', async () => {
  const outcomes: unknown[] = [];
  for (let round = 0; round < 3; round++) {
    world.server.order({ do: 'throttle' });
    expect(await send()).toMatchObject({ kind: 'retry', status: 429 });
    world.protocol.forgetBlobs();
    outcomes.push(await send());
  }
  expect(outcomes).toMatchObject([{ kind: 'retry', status: 400 }, { kind: 'retry' }, { kind: 'rejected' }]);
  expect([uploads(), embeds()]).toEqual([6, []]);
});

test('images of a user whom the account had before are uploaded again', async () => {
  world.server.order({ do: 'throttle' });
  expect(await send()).toMatchObject({ kind: 'retry', status: 429 });
  world.set('other', { identifier: 'ann.test', password: 'password-of-ann' });
  const attempt = { kept, dueAt: DUE, account: 'other' };
  expect(await world.send(pictures(), attempt, 'other')).toMatchObject({ kind: 'delivered' });
  expect([uploads(), world.protocol.posts().map(({ handle }) => handle)]).toEqual([4, ['ann.test']]);
});

test('a session that ends while the images are uploaded is renewed', async () => {
  expect(await world.send({ text: 'first' }, { idempotencyKey: 'first' })).toMatchObject({ kind: 'delivered' });
  world.protocol.expire();
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(embeds()).toEqual([undefined, embed]);
});

test('what Bluesky does not take of images is rejected before it is asked for anything', async () => {
  host.on('/large.png', image(Buffer.concat([PNG, Buffer.alloc(2_000_000)]), 'image/png'));
  host.on('/film', image(MP4, 'video/mp4'));
  const media = (path: string) => ({ text: 'look', media: [{ url: host.url(path) }, { url: host.url() }] });
  expect(await send({}, media('/large.png'))).toMatchObject({
    kind: 'rejected',
    reason: expect.stringContaining('2000000'),
  });
  expect(await send({}, media('/film'))).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('alone') });
  expect(world.server.calls).toEqual([]);
});

test('images are uploaded before the instant in a session that is open, whatever they are called', async () => {
  host.on('/cup', image(PNG, 'image/png'));
  const payload = { text: 'look', media: [{ url: host.url('/cup'), alt: 'a' }, { url: host.url('/moving.gif') }] };
  expect(await world.makeReady(payload, { kept })).toBe('not_started');
  expect(await world.send({ text: 'opens the session' }, { dueAt: DUE })).toMatchObject({ kind: 'delivered' });
  expect(world.makeReady({ text: 'look' }, { kept })).toBeUndefined();
  expect(await world.makeReady(payload, { kept })).toBe('ready');
  expect([uploads(), embeds()]).toEqual([2, [undefined]]);
  const before = host.asked.length;
  const idempotencyKey = 'downspout-0123456789abcdef-2-1';
  expect(await send({ idempotencyKey }, payload)).toMatchObject({ kind: 'delivered' });
  expect([uploads(), host.asked.length]).toEqual([2, before]);
  expect(embeds()[1]).toMatchObject({ images: [{ alt: 'a' }, { alt: '' }] });
});

test.each([
  ['a content that reads like none', { mimeType: 'image/"\\"' }],
  ['a long name', { mimeType: `image/${'x'.repeat(100)}` }],
  ['a link that is none', { ref: { $link: '"'.repeat(100) } }],
])('an upload that is answered with %s is tried again, and nothing of it is kept', async (_, others) => {
  const handle = world.protocol.handle.bind(world.protocol);
  jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
    const answered = await handle(request);
    const { blob: own } = answered.json as { blob?: object };
    return own === undefined ? answered : { ...answered, json: { blob: { ...own, ...others } } };
  });
  expect(await send()).toMatchObject({ kind: 'retry', status: 200 });
  expect([kept.ids, embeds()]).toEqual([undefined, []]);
});
