import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { FakeTelegram } from '../../../../deploy/fakes/telegram';
import { parsePayload } from '../../../../topology/payloads/payloads';
import { GIF, image, MediaHost, PNG } from '../../../support/channels/media-host';
import type { PlayedChannel } from '../played-channel';
import { GROUP, openTelegram, SUPERGROUP, TOKEN } from './telegram-world';

let world: PlayedChannel<FakeTelegram>;
let host: MediaHost;

beforeEach(async () => {
  [world, host] = await Promise.all([openTelegram(), MediaHost.start()]);
});
afterEach(() => Promise.all([world.close(), host.close()]));

const chat = '@shop_news';
const photo = { type: 'image/png', bytes: PNG.length };

function reason(text: string, media?: object[]): string {
  const parsed = parsePayload('telegram', { chat, text, media });
  return parsed.ok ? 'ok' : parsed.reason;
}

test('one image is a photo with the text below it', async () => {
  const text = '<b>a cup</b> "ü"\r\n';
  const media = [{ url: host.url(), alt: 'a cup' }];
  const payload = { chat, text, media, parseMode: 'HTML', silent: true, linkPreview: false };
  expect(await world.send(payload)).toMatchObject({ kind: 'delivered', receipt: 'https://t.me/shop_news/1' });
  expect(world.protocol.posts()).toMatchObject([{ text, parseMode: 'HTML', silent: true, photos: [photo] }]);
  expect(world.server.calls.map(({ path }) => path.split('/').at(-1))).toEqual(['sendPhoto']);
});

test('several images are an album, whose first one has the text', async () => {
  const media = [{ url: host.url() }, { url: host.url() }, { url: host.url() }];
  const payload = { chat, text: '<b>cups</b>', parseMode: 'HTML', media, topic: '7' };
  expect(await world.send(payload)).toMatchObject({ kind: 'delivered', receipt: 'https://t.me/shop_news/1' });
  expect(world.protocol.posts()).toMatchObject([{ text: '<b>cups</b>', topic: 7, photos: [photo, photo, photo] }]);
  expect(world.server.calls.map(({ path }) => path.split('/').at(-1))).toEqual(['sendMediaGroup']);
});

test('a group that became a supergroup gets the images under its new number', async () => {
  const mayStart = jest.fn(() => true);
  const media = [{ url: host.url() }, { url: host.url() }];
  expect(await world.send({ chat: String(GROUP), text: 'a', media }, { mayStart })).toMatchObject({
    kind: 'delivered',
  });
  expect(world.protocol.posts()).toMatchObject([{ chat: SUPERGROUP, photos: [photo, photo] }]);
  expect(mayStart).toHaveBeenCalledTimes(2);
  expect(host.asked).toHaveLength(2);
});

test('images are written in the tick in which the message may start, or not at all', async () => {
  const media = [{ url: host.url() }];
  expect(await world.send({ chat, text: 'a', media }, { mayStart: () => false })).toBe('not_started');
  expect(world.server.calls).toEqual([]);
});

test('an answer that was lost leaves a message with images in doubt, too', async () => {
  world.server.order({ do: 'drop', match: 'lost' });
  expect(await world.send({ chat, text: 'lost', media: [{ url: host.url() }] })).toMatchObject({ kind: 'unknown' });
  expect(world.protocol.posts()).toHaveLength(1);
});

test('a request that was cut before all of it was written leaves no doubt', async () => {
  // More than the buffers of the two sockets take, so the server can end it in the middle.
  host.on('/large', image(Buffer.concat([PNG, Buffer.alloc(9_900_000)]), 'image/png'));
  const cutting = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
  cutting.listen(0, '127.0.0.1');
  await once(cutting, 'listening');
  const { port } = cutting.address() as AddressInfo;
  const moved = jest.spyOn(world.server, 'url', 'get').mockReturnValue(`http://127.0.0.1:${port}`);
  world.set('cut', { token: TOKEN });
  moved.mockRestore();
  const ended = await world.send({ chat, text: 'a', media: [{ url: host.url('/large') }] }, {}, 'cut');
  expect(ended).toMatchObject({ kind: 'retry', reason: expect.stringContaining('before all of it was written') });
  cutting.close();
});

test('what Telegram does not take is rejected', async () => {
  host.on('/moving.gif', image(GIF, 'image/gif'));
  expect(await world.send({ chat, text: 'a', media: [{ url: host.url('/moving.gif') }] })).toMatchObject({
    kind: 'rejected',
    reason: expect.stringContaining('it is image/gif, and the provider takes image/jpeg, image/png, image/webp'),
  });
  const unclosed = { chat, text: '<b>', parseMode: 'HTML', media: [{ url: host.url() }] };
  expect(await world.send(unclosed)).toMatchObject({ kind: 'rejected', status: 400 });
});

test('a text below images is shorter', () => {
  const media = [{ url: 'https://a.test/' }];
  expect(reason('a'.repeat(1_024), media)).toBe('ok');
  expect(reason('a'.repeat(1_025))).toBe('ok');
  expect(reason('a'.repeat(1_025), media)).toBe(
    'payload.text: expected at most 1024 characters as Telegram, below media, counts them, got 1025',
  );
  expect(
    reason(
      'a',
      Array.from({ length: 11 }, () => ({ url: 'https://a.test/' })),
    ),
  ).toContain('payload.media');
});
