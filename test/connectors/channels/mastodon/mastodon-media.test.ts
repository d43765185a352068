import type { AttemptContext, LookupContext } from '../../../../bolts/channel';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { GIF, image, MediaHost, PNG } from '../../../support/channels/media-host';
import { notingSleeps } from '../../../support/channels/noting-sleeps';
import { MastodonWorld, TOKEN } from './mastodon-world';

let world: MastodonWorld;
let host: MediaHost;
let waited: number[];

beforeEach(async () => {
  waited = [];
  const clock = notingSleeps(waited);
  [world, host] = await Promise.all([MastodonWorld.open({}, clock), MediaHost.start()]);
});
afterEach(() => Promise.all([world.close(), host.close()]));

const now = () => systemClock.now();

const contextOf = (key: string) => ({ id: 1, account: 'shop', dueAt: now(), inDoubt: false, idempotencyKey: key, now });
const prepared = (payload: object) => world.channel.prepare('shop', JSON.stringify({ text: 'look', ...payload }));

function send(payload: object, attempt: Partial<AttemptContext> = {}) {
  return world.channel.send(prepared(payload), { ...contextOf('key-1'), mayStart: () => true, ...attempt });
}

function lookUp(payload: object) {
  const context: LookupContext = { ...contextOf('key-1'), notBefore: now() - 60_000 };
  return world.channel.lookup?.(prepared(payload), context);
}

const seen = () =>
  world.protocol.posts().map(({ images }) => images.map(({ type, bytes, description }) => [type, bytes, description]));

test('images go out with the post, each with what it shows', async () => {
  host.on('/moving.gif', image(GIF, 'image/gif'));
  const media = [{ url: host.url(), alt: 'Eine Tasse – "blau"' }, { url: host.url('/moving.gif') }];
  expect(await send({ media })).toMatchObject({ kind: 'delivered' });
  expect(seen()).toEqual([
    [
      ['image/png', PNG.length, 'Eine Tasse – "blau"'],
      ['image/gif', GIF.length, null],
    ],
  ]);
});

test('the post alone asks whether it may start, and nothing of a post that may not is seen', async () => {
  const mayStart = jest.fn(() => false);
  expect(await send({ media: [{ url: host.url() }] }, { mayStart })).toBe('not_started');
  expect(mayStart).toHaveBeenCalledTimes(1);
  expect(world.protocol.posts()).toEqual([]);
  expect(world.protocol.media.images).toHaveLength(1);
});

test('an image that the server works on is waited for, and the message tried again when that takes long', async () => {
  world.protocol.media.inWork = 3;
  expect(await send({ media: [{ url: host.url() }] })).toMatchObject({ kind: 'delivered' });
  expect(waited).toEqual([500, 1_000, 2_000]);
  world.protocol.media.inWork = 100;
  expect(await send({ media: [{ url: host.url() }] }, { idempotencyKey: 'key-2' })).toEqual({
    kind: 'retry',
    status: 206,
    reason: 'The server has worked on image-1.png for long and has not done with it',
    afterMs: 60_000,
  });
  expect(world.protocol.posts()).toHaveLength(1);
});

test('an image that the server gives up is rejected', async () => {
  world.protocol.media.inWork = 2;
  world.protocol.media.fails = true;
  expect(await send({ media: [{ url: host.url() }] })).toEqual({
    kind: 'rejected',
    status: 422,
    reason: 'The server does not take image-1.png (HTTP 422: Error processing thumbnail for uploaded media)',
  });
});

test.each([
  ['an image that is not there is rejected before anything is uploaded', 404, { kind: 'rejected' }],
  ['one whose server is down is tried again', 503, { kind: 'retry' }],
])('%s', async (_, status, outcome) => {
  host.on('/it', (response) => response.writeHead(status).end());
  const mayStart = jest.fn(() => true);
  const ended = await send({ media: [{ url: host.url() }, { url: host.url('/it') }] }, { mayStart });
  expect(ended).toMatchObject({ ...outcome, reason: expect.stringContaining(`its server answered HTTP ${status}`) });
  expect(world.server.calls).toEqual([]);
  expect(mayStart).not.toHaveBeenCalled();
});

test('a failed upload leaves no doubt about the post', async () => {
  for (const [mishap, outcome] of [
    ['drop', { kind: 'retry' }],
    ['error', { kind: 'retry', status: 500, reason: 'The server does not take image-1.png (HTTP 500: went wrong)' }],
    ['throttle', { kind: 'retry', status: 429 }],
  ] as const) {
    world.server.order({ do: mishap, to: 'upload' });
    expect(await send({ media: [{ url: host.url() }] })).toMatchObject(outcome);
  }
  world.protocol.revoked.add(TOKEN);
  expect(await send({ media: [{ url: host.url() }] })).toMatchObject({ kind: 'unusable', status: 401 });
  expect(world.protocol.posts()).toEqual([]);
});

test('a post in doubt is taken once, whatever is at its URL by then', async () => {
  world.server.order({ do: 'drop' });
  const media = [{ url: host.url('/changes') }];
  host.on('/changes', image(PNG, 'image/png'));
  expect(await send({ media })).toMatchObject({ kind: 'unknown' });
  host.on('/changes', image(GIF, 'image/gif'));
  expect(await send({ media }, { inDoubt: true })).toMatchObject({ kind: 'delivered' });
  expect(seen()).toEqual([[['image/png', PNG.length, null]]]);
});

test('a lookup tells posts of the same text apart by their images, and says so where it cannot', async () => {
  const red = { media: [{ url: host.url(), alt: 'a red  shoe' }] };
  const two = { media: [{ url: host.url(), alt: 'a red shoe' }, { url: host.url() }] };
  expect(await send(red)).toMatchObject({ kind: 'delivered' });
  const receipt = expect.stringMatching(/^https:/);
  expect(await lookUp(red)).toEqual({ kind: 'accepted', receipt });
  expect(await lookUp({ media: [{ url: host.url(), alt: 'a blue shoe' }] })).toEqual({ kind: 'absent' });
  expect(await lookUp(two)).toEqual({ kind: 'absent' });
  expect(await lookUp({})).toEqual({ kind: 'absent' });
  expect(await lookUp({ media: [{ url: host.url() }] })).toMatchObject({ kind: 'unknown' });
  expect(await send(two, { idempotencyKey: 'key-2' })).toMatchObject({ kind: 'delivered' });
  expect(await lookUp(two)).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('alt') });
});

test('an image that is gone decides nothing about a post in doubt, until a lookup has not found it', async () => {
  const media = [{ url: host.url('/goes'), alt: 'a cup' }];
  host.on('/goes', image(PNG, 'image/png'));
  world.server.order({ do: 'vanish' });
  const message = prepared({ media });
  const attempt = { ...contextOf('key-1'), mayStart: () => true };
  expect(await world.channel.send(message, attempt)).toMatchObject({ kind: 'unknown' });
  host.on('/goes', (response) => response.writeHead(404).end());
  const again = () => world.channel.send(message, { ...attempt, inDoubt: true });
  expect(await again()).toEqual({ kind: 'retry', reason: expect.stringContaining('HTTP 404') });
  expect(await world.channel.lookup?.(message, { ...attempt, notBefore: now() })).toEqual({ kind: 'absent' });
  expect(await again()).toMatchObject({ kind: 'rejected' });
});

test('a server that works on images for ever keeps a message for a bounded time, and sees no post', async () => {
  let later = 0;
  const clock: Clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + later,
    sleep: async () => void (later += 3_000),
  };
  const slow = await MastodonWorld.open({}, clock);
  slow.protocol.media.inWork = 100;
  const message = slow.channel.prepare('shop', JSON.stringify({ text: 'a', media: [{ url: host.url() }] }));
  const ended = await slow.channel.send(message, { ...contextOf('key-1'), mayStart: () => true });
  expect(ended).toEqual({ kind: 'retry', reason: 'The provider took too long with the media of the message' });
  expect(slow.protocol.posts()).toEqual([]);
  await slow.close();
});
