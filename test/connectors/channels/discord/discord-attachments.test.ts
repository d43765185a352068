import type { FakeDiscord } from '../../../../deploy/fakes/discord';
import { GIF, image, MediaHost, MP4, PNG } from '../../../support/channels/media-host';
import type { PlayedChannel } from '../played-channel';
import { CHANNEL, openDiscord } from './discord-world';

let world: PlayedChannel<FakeDiscord>;
let host: MediaHost;

beforeEach(async () => {
  [world, host] = await Promise.all([openDiscord(), MediaHost.start()]);
});
afterEach(() => Promise.all([world.close(), host.close()]));

const message = (text: string, media: object[]) => ({ channelId: CHANNEL, text, media });
const nameOf = (name: string) => expect.stringMatching(new RegExp(`^downspout-[0-9a-f]{32}-${name}$`));
const cup = { filename: nameOf('image-1.png'), type: 'image/png', bytes: PNG.length, description: 'Tasse "blau"' };

test('images go out in the request of the message, each with what it shows', async () => {
  host.on('/moving.gif', image(GIF, 'image/gif'));
  const media = [{ url: host.url(), alt: 'Tasse "blau"' }, { url: host.url('/moving.gif') }];
  expect(await world.send({ ...message('look', media), silent: true })).toMatchObject({ kind: 'delivered' });
  const gif = { filename: nameOf('image-2.gif'), type: 'image/gif', bytes: GIF.length, description: null };
  expect(world.protocol.posts()).toMatchObject([
    { content: 'look', flags: 4_096, notifies: [], nonce: expect.stringMatching(/^.{24}$/), attachments: [cup, gif] },
  ]);
  expect(world.server.calls).toHaveLength(1);
});

test('videos stand beside images, each with what it shows', async () => {
  host.on('/film', image(MP4, 'video/mp4'));
  const media = [
    { url: host.url(), alt: 'Tasse "blau"' },
    { url: host.url('/film'), alt: 'a cup falls' },
  ];
  expect(await world.send(message('look', media))).toMatchObject({ kind: 'delivered' });
  const film = { filename: nameOf('video-2.mp4'), type: 'video/mp4', bytes: MP4.length, description: 'a cup falls' };
  expect(world.protocol.posts()).toMatchObject([{ attachments: [cup, film] }]);
});

test('a message in doubt is taken once, whatever is at its URL by then', async () => {
  const payload = message('lost', [{ url: host.url('/changes'), alt: 'Tasse "blau"' }]);
  host.on('/changes', image(PNG, 'image/png'));
  world.server.order({ do: 'drop' });
  expect(await world.send(payload)).toMatchObject({ kind: 'unknown' });
  host.on('/changes', image(GIF, 'image/gif'));
  expect(await world.send(payload, { inDoubt: true })).toMatchObject({ kind: 'delivered' });
  expect(world.protocol.posts()).toMatchObject([{ attachments: [cup] }]);
  expect(await world.lookUp(payload)).toMatchObject({ kind: 'accepted' });
});

test('a message without its images is none', async () => {
  const mayStart = jest.fn(() => true);
  const ended = await world.send(message('a', [{ url: host.url() }, { url: host.url('/gone') }]), { mayStart });
  expect(ended).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('HTTP 404') });
  expect(mayStart).not.toHaveBeenCalled();
  expect(world.server.calls).toEqual([]);
});

test('images that are too large together are rejected before they are uploaded', async () => {
  const large = Buffer.concat([PNG, Buffer.alloc(9 * 1024 ** 2)]);
  host.on('/large', image(large, 'image/png'));
  expect(
    await world.send(
      message(
        'three',
        Array.from({ length: 3 }, () => ({ url: host.url('/large') })),
      ),
    ),
  ).toEqual({
    kind: 'rejected',
    reason: `The media of the message are larger than ${24 * 1024 ** 2} bytes together`,
  });
  expect(world.server.calls).toEqual([]);
});

test('a lookup tells messages of the same text apart by the names of their images', async () => {
  const red = message('new', [{ url: host.url(), alt: 'a red shoe' }]);
  expect(await world.send(red, { idempotencyKey: 'key-red' })).toMatchObject({ kind: 'delivered' });
  expect(await world.lookUp(red, { idempotencyKey: 'key-red' })).toMatchObject({ kind: 'accepted' });
  expect(await world.lookUp(red, { idempotencyKey: 'key-blue' })).toEqual({ kind: 'absent' });
  expect(await world.lookUp({ channelId: CHANNEL, text: 'new' }, { idempotencyKey: 'key-red' })).toEqual({
    kind: 'absent',
  });
  const kept = world.protocol.posts()[0]?.attachments[0] as { filename: string };
  kept.filename = 'image-1.png';
  expect(await world.lookUp(red, { idempotencyKey: 'key-red' })).toMatchObject({ kind: 'unknown' });
});
