import { GIF, image, MediaHost, PNG } from '../../../support/channels/media-host';
import { notingSleeps } from '../../../support/channels/noting-sleeps';
import { openX, TOKEN } from './x-world';

let world: Awaited<ReturnType<typeof openX>>;
let host: MediaHost;
let waited: number[];

beforeEach(async () => {
  waited = [];
  const clock = notingSleeps(waited);
  [world, host] = await Promise.all([openX({}, clock), MediaHost.start()]);
});
afterEach(() => Promise.all([world.close(), host.close()]));

const cup = () => ({ text: 'look', media: [{ url: host.url(), alt: 'Tasse "blau" & mehr' }] });

function moving(bytes = GIF) {
  host.on('/moving.gif', image(bytes, 'image/gif'));
  return { text: 'it moves', media: [{ url: host.url('/moving.gif'), alt: 'a cat' }] };
}

const paths = () => world.server.calls.map(({ method, path }) => `${method} ${path.replace(/\d{10,}/, 'ID')}`);

test('an image stands below the post, several together, each with what it shows', async () => {
  expect(await world.send(cup())).toMatchObject({ kind: 'delivered' });
  expect(paths()).toEqual(['POST /2/media/upload', 'POST /2/media/metadata', 'POST /2/tweets']);
  const { media } = cup();
  expect(await world.send({ text: 'two', media: [{ url: host.url() }, ...media] })).toMatchObject({
    kind: 'delivered',
  });
  expect(world.protocol.posts().map(({ images }) => images)).toEqual([
    [{ key: expect.stringMatching(/^3_/), bytes: PNG.length, alt: 'Tasse "blau" & mehr' }],
    [
      { key: expect.stringMatching(/^3_/), bytes: PNG.length, alt: null },
      { key: expect.stringMatching(/^3_/), bytes: PNG.length, alt: 'Tasse "blau" & mehr' },
    ],
  ]);
});

test('a GIF goes in parts, and is waited for', async () => {
  world.protocol.media.inWork = 2;
  const large = Buffer.concat([GIF, Buffer.alloc(9 * 1024 ** 2, 7)]);
  expect(await world.send(moving(large))).toMatchObject({ kind: 'delivered' });
  expect(paths()).toEqual([
    'POST /2/media/upload/initialize',
    ...Array.from({ length: 3 }, () => 'POST /2/media/upload/ID/append'),
    'POST /2/media/upload/ID/finalize',
    ...Array.from({ length: 2 }, () => 'GET /2/media/upload'),
    'POST /2/media/metadata',
    'POST /2/tweets',
  ]);
  // As long as X says, where that is longer than half a second.
  expect(waited).toEqual([1_000, 1_000]);
  expect(world.protocol.posts()[0]?.images).toEqual([
    { key: expect.stringMatching(/^16_/), bytes: large.length, alt: 'a cat' },
  ]);
});

test('a message whose GIF takes long is tried again, and one that X cannot use is rejected', async () => {
  world.protocol.media.inWork = 100;
  expect(await world.send(moving())).toEqual({
    kind: 'retry',
    reason: 'X has worked on image-1.gif for long and has not done with it',
    afterMs: 60_000,
  });
  world.protocol.media.fails = true;
  expect(await world.send(moving())).toEqual({ kind: 'rejected', reason: 'X cannot use image-1.gif' });
  expect(world.protocol.posts()).toEqual([]);
});

test('what X would refuse at the end is not uploaded', async () => {
  const both = { text: 'a', media: [...cup().media, ...moving().media] };
  expect(await world.send(both)).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('GIF') });
  host.on('/large.png', image(Buffer.concat([PNG, Buffer.alloc(5 * 1024 ** 2)]), 'image/png'));
  const large = { text: 'a', media: [{ url: host.url('/large.png') }] };
  expect(await world.send(large)).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('5242880 bytes') });
  expect(world.server.calls).toEqual([]);
});

test('the post alone asks whether it may start', async () => {
  const mayStart = jest.fn(() => false);
  expect(await world.send(cup(), { mayStart })).toBe('not_started');
  expect(mayStart).toHaveBeenCalledTimes(1);
  expect(world.protocol.posts()).toEqual([]);
});

test('half an upload is never seen, and leaves no doubt', async () => {
  for (const [mishap, outcome] of [
    ['drop', { kind: 'retry' }],
    ['error', { kind: 'retry', status: 500 }],
    ['throttle', { kind: 'retry', status: 429 }],
    ['quote', { kind: 'retry', status: 400 }],
  ] as const) {
    for (const payload of [cup(), moving()]) {
      world.server.order({ do: mishap, to: 'upload' });
      const ended = await world.send(payload);
      expect(ended).toMatchObject(outcome);
      expect(JSON.stringify(ended)).not.toContain(TOKEN);
    }
  }
  world.protocol.revoked.add(TOKEN);
  expect(await world.send(cup())).toMatchObject({ kind: 'unusable' });
  expect(world.protocol.posts()).toEqual([]);
});

test('an answer without the id of an image is tried again', async () => {
  jest.spyOn(world.protocol.media, 'handle').mockReturnValue({ status: 200, json: { data: {} } });
  expect(await world.send(cup())).toMatchObject({ kind: 'retry', status: 200 });
});

test('posts of the same text are told apart by their images, as far as they can be', async () => {
  world.server.order({ do: 'drop' });
  expect(await world.send(cup())).toMatchObject({ kind: 'unknown' });
  const { media } = cup();
  const other = [{ url: host.url(), alt: 'a red cup' }];
  expect(await world.lookUp({ text: 'look', media: other })).toEqual({ kind: 'absent' });
  expect(await world.lookUp({ text: 'look' })).toEqual({ kind: 'absent' });
  expect(await world.lookUp({ text: 'look', media: [...media, ...other] })).toEqual({ kind: 'absent' });
  expect(await world.lookUp({ text: 'look', media: [{ url: host.url() }] })).toMatchObject({
    kind: 'unknown',
    reason: expect.stringContaining('alt'),
  });
  expect(await world.lookUp(cup())).toEqual({ kind: 'accepted', receipt: world.protocol.posts()[0]?.id });
});

test('a post whose images X does not show may be the one', async () => {
  expect(await world.send({ text: 'look' }, { id: 2 })).toMatchObject({ kind: 'delivered' });
  expect(await world.lookUp(cup())).toEqual({
    kind: 'unknown',
    reason: 'X shows no images of a post that reads like this one',
  });
  expect(await world.lookUp({ ...cup(), text: 'listen' })).toEqual({ kind: 'absent' });
});
