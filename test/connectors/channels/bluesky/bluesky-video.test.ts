import { parsePayload } from '../../../../topology/payloads/payloads';
import { image, MediaHost, MP4 } from '../../../support/channels/media-host';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { type BlueskyWorld, openBluesky } from './bluesky-world';

let world: BlueskyWorld;
let host: MediaHost;
let kept: MemoryKeeping;

beforeEach(async () => {
  kept = new MemoryKeeping();
  [world, host] = await Promise.all([openBluesky(), MediaHost.start()]);
  host.on('/film', image(MP4, 'video/mp4'));
});
afterEach(() => Promise.all([world.close(), host.close()]));

const film = () => ({ text: 'look', media: [{ url: host.url('/film'), alt: 'a cup falls' }] });
const DUE = Date.UTC(2027, 0, 15, 8);
const send = (attempt: object = {}) => world.send(film(), { kept, dueAt: DUE, ...attempt });
const uploads = () => world.server.calls.filter(({ path }) => path.endsWith('uploadBlob')).length;
const embeds = () => world.protocol.posts().map(({ value }) => value.embed);
const embed = {
  $type: 'app.bsky.embed.video',
  video: { $type: 'blob', ref: { $link: expect.any(String) }, mimeType: 'video/mp4', size: MP4.length },
  alt: 'a cup falls',
};

test('a video stands below the post, with what it shows', async () => {
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(embeds()).toEqual([embed]);
});

test('What was uploaded whole is not uploaded again, nor fetched', async () => {
  world.server.order({ do: 'throttle' });
  expect(await send()).toMatchObject({ kind: 'retry', status: 429 });
  world.server.order({ do: 'drop' });
  expect(await send()).toMatchObject({ kind: 'unknown' });
  expect(await send({ inDoubt: true })).toMatchObject({ kind: 'delivered' });
  expect([uploads(), host.asked, embeds()]).toEqual([1, ['/film'], [embed]]);
});

test('half an upload is never seen, and leaves no doubt', async () => {
  for (const mishap of ['drop', 'error', 'throttle', 'vanish'] as const) {
    world.server.order({ do: mishap, to: 'upload' });
    expect(await send()).toMatchObject({ kind: 'retry' });
  }
  expect(embeds()).toEqual([]);
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

test('a video that the server has thrown away is uploaded again', async () => {
  world.server.order({ do: 'throttle' });
  expect(await send()).toMatchObject({ kind: 'retry' });
  world.protocol.forgetBlobs();
  expect(await send()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('any more') });
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(uploads()).toBe(2);
});

test('a video that the server throws away again and again is not uploaded for ever', async () => {
  const outcomes: unknown[] = [];
  for (let round = 0; round < 3; round++) {
    world.server.order({ do: 'throttle' });
    expect(await send()).toMatchObject({ kind: 'retry', status: 429 });
    world.protocol.forgetBlobs();
    outcomes.push(await send());
  }
  expect(outcomes).toMatchObject([{ kind: 'retry' }, { kind: 'retry' }, { kind: 'rejected' }]);
  expect([uploads(), embeds()]).toEqual([3, []]);
});

test('a session that ends while the video is uploaded is renewed', async () => {
  expect(await world.send({ text: 'first' }, { idempotencyKey: 'first' })).toMatchObject({ kind: 'delivered' });
  world.protocol.expire();
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

test('a card does not stand beside a video', () => {
  const both = { ...film(), link: 'https://example.com', title: 'Example' };
  expect(parsePayload('bluesky', both)).toMatchObject({ ok: false, reason: expect.stringContaining('either media') });
});

test('a video is uploaded before the instant in a session that is open, and at it without one', async () => {
  host.on('/film.mp4', image(MP4, 'video/mp4'));
  const named = { text: 'look', media: [{ url: host.url('/film.mp4'), alt: 'a cup falls' }] };
  expect(await world.makeReady(named, { kept })).toBe('not_started');
  expect(await world.send({ text: 'opens the session' }, { dueAt: DUE })).toMatchObject({ kind: 'delivered' });
  expect(await world.makeReady(named, { kept })).toBe('ready');
  expect([uploads(), embeds()]).toEqual([1, [undefined]]);
  const idempotencyKey = 'downspout-0123456789abcdef-2-1';
  expect(await world.send(named, { kept, dueAt: DUE, idempotencyKey })).toMatchObject({ kind: 'delivered' });
  expect([uploads(), host.asked, embeds()]).toEqual([1, ['/film.mp4'], [undefined, embed]]);
});
