import type { FakeTelegram } from '../../../../deploy/fakes/telegram';
import { image, MediaHost, MOV, MP4, PNG } from '../../../support/channels/media-host';
import type { PlayedChannel } from '../played-channel';
import { GROUP, openTelegram, SUPERGROUP } from './telegram-world';

let world: PlayedChannel<FakeTelegram>;
let host: MediaHost;

beforeEach(async () => {
  [world, host] = await Promise.all([openTelegram(), MediaHost.start()]);
  host.on('/film', image(MP4, 'video/mp4'));
});
afterEach(() => Promise.all([world.close(), host.close()]));

const chat = '@shop_news';
const film = () => ({ url: host.url('/film'), alt: 'a cup falls' });
const video = { type: 'video/mp4', bytes: MP4.length };
const methods = () => world.server.calls.map(({ path }) => path.split('/').at(-1));

test('one video stands above the text, in one request', async () => {
  expect(await world.send({ chat, text: '<b>look</b>', parseMode: 'HTML', media: [film()] })).toMatchObject({
    kind: 'delivered',
    receipt: 'https://t.me/shop_news/1',
  });
  expect(world.protocol.posts()).toMatchObject([{ text: '<b>look</b>', parseMode: 'HTML', photos: [video] }]);
  expect(methods()).toEqual(['sendVideo']);
});

test('videos stand beside images in an album', async () => {
  const media = [{ url: host.url() }, film()];
  expect(await world.send({ chat: String(GROUP), text: 'a', media })).toMatchObject({ kind: 'delivered' });
  const photos = [{ type: 'image/png', bytes: PNG.length }, video];
  expect(world.protocol.posts()).toMatchObject([{ chat: SUPERGROUP, text: 'a', photos }]);
  expect(methods()).toEqual(['sendMediaGroup', 'sendMediaGroup']);
});

test('an answer that was lost leaves a message with a video in doubt, because nothing of it can be asked for', async () => {
  world.server.order({ do: 'drop' });
  expect(await world.send({ chat, text: 'a', media: [film()] })).toMatchObject({ kind: 'unknown' });
  expect(world.protocol.posts()).toHaveLength(1);
});

test('a video is an MP4 of 50 MB at most, and its text as short as below images', async () => {
  host.on('/film', image(MOV, 'video/quicktime'));
  expect(await world.send({ chat, text: 'a', media: [film()] })).toMatchObject({ kind: 'rejected' });
  host.on('/film', image(MP4, 'video/mp4', { 'content-length': '50000001' }));
  expect(await world.send({ chat, text: 'a', media: [film()] })).toMatchObject({
    kind: 'rejected',
    reason: expect.stringContaining('50000000 bytes'),
  });
  expect(world.server.calls).toEqual([]);
});
