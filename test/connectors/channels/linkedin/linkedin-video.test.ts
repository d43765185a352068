import type { AttemptContext, LookupContext } from '../../../../bolts/channel';
import { systemClock } from '../../../../topology/core/clock';
import { image, MediaHost, MOV, MP4 } from '../../../support/channels/media-host';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { notingSleeps } from '../../../support/channels/noting-sleeps';
import { LinkedinWorld, SHOP } from './linkedin-world';

const MIB = 1024 ** 2;

let world: LinkedinWorld;
let host: MediaHost;
let waited: number[];
let kept: MemoryKeeping;

beforeEach(async () => {
  waited = [];
  kept = new MemoryKeeping();
  const clock = notingSleeps(waited);
  [world, host] = await Promise.all([LinkedinWorld.open({}, undefined, clock), MediaHost.start()]);
  host.on('/film', image(MP4, 'video/mp4'));
});
afterEach(() => Promise.all([world.close(), host.close()]));

const now = () => systemClock.now();
const contextOf = () => ({ id: 1, account: 'shop', dueAt: now(), inDoubt: false, idempotencyKey: 'key-1', now });
const film = () => ({ text: 'look', media: [{ url: host.url('/film'), alt: 'a cup falls' }] });
const prepared = () => world.channel.prepare('shop', JSON.stringify(film()));
const send = (attempt: Partial<AttemptContext> = {}) =>
  world.channel.send(prepared(), { ...contextOf(), mayStart: () => true, kept, ...attempt });

function lookUp(own = kept) {
  const context: LookupContext = { ...contextOf(), notBefore: now() - 60_000, kept: own };
  return world.channel.lookup?.(prepared(), context);
}

const paths = () =>
  world.server.calls.map(
    ({ method, path, query }) => `${method} ${path.replace(/D4D10AQ\d+/, 'ID')} ${query.toString()}`,
  );
const begun = () => world.server.calls.filter(({ query }) => query.get('action') === 'initializeUpload').length;

test('a video goes in the parts that LinkedIn wants, and stands below the post', async () => {
  const large = Buffer.concat([MP4, Buffer.alloc(5 * MIB, 7)]);
  host.on('/film', image(large, 'video/mp4'));
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(paths()).toEqual([
    'POST /rest/videos action=initializeUpload',
    'PUT /dms-uploads/ID/0 ',
    'PUT /dms-uploads/ID/1 ',
    'POST /rest/videos action=finalizeUpload',
    'GET /rest/videos/urn%3Ali%3Avideo%3AID ',
    'POST /rest/posts ',
  ]);
  expect(world.protocol.posts()).toMatchObject([{ author: SHOP, images: [{ bytes: large.length, alt: null }] }]);
});

test('What was uploaded whole is not uploaded again, nor fetched', async () => {
  world.protocol.videos.inWork = 4;
  const later = { kind: 'retry', status: 200, reason: expect.stringContaining('still works'), afterMs: 15_000 };
  expect(await send()).toEqual(later);
  expect(await send()).toEqual(later);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect([begun(), host.asked, waited]).toEqual([1, ['/film'], [500, 500]]);
});

test('half an upload is never seen, leaves no doubt, and is made anew', async () => {
  for (const mishap of ['drop', 'error', 'throttle', 'vanish'] as const) {
    world.server.order({ do: mishap, to: 'upload' });
    expect(await send()).toMatchObject({ kind: 'retry' });
    expect(kept.ids).toBeUndefined();
  }
  expect(world.protocol.posts()).toEqual([]);
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

test('a video that LinkedIn cannot use is rejected, and one that it has lost uploaded again', async () => {
  world.protocol.videos.inWork = 9;
  expect(await send()).toMatchObject({ kind: 'retry' });
  world.protocol.videos.expire();
  expect(await send()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('does not know') });
  world.protocol.videos.fails = true;
  expect(await send()).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('PROCESSING_FAILED') });
  expect(begun()).toBe(2);
  host.on('/film', image(MOV, 'video/quicktime'));
  expect(await send({ kept: new MemoryKeeping() })).toMatchObject({
    kind: 'rejected',
    reason: expect.stringContaining('video/mp4'),
  });
});

test('a token that may not ask posts at once, and again where LinkedIn may still work on the video', async () => {
  world.protocol.videos.isSecretive = true;
  expect(await send()).toMatchObject({ kind: 'retry', reason: expect.stringMatching(/still in work.*may still work/) });
  world.protocol.videos.isSecretive = false;
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(begun()).toBe(1);
});

test('parts that leave something out are not uploaded', async () => {
  const value = {
    video: 'urn:li:video:1',
    uploadInstructions: [{ uploadUrl: `${world.server.url}/a`, firstByte: 0, lastByte: MP4.length }],
  };
  jest.spyOn(world.protocol.videos, 'handle').mockReturnValue({ status: 200, json: { value } });
  expect(await send()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('does not want all') });
  expect(paths()).toHaveLength(1);
});

test('a lookup knows the post by its video', async () => {
  world.server.order({ do: 'drop' });
  expect(await send()).toMatchObject({ kind: 'unknown' });
  expect(await lookUp()).toMatchObject({ kind: 'accepted' });
  expect(await lookUp(new MemoryKeeping())).toMatchObject({ kind: 'unknown' });
});

test('a video is uploaded before the instant, and only the post is left for it', async () => {
  host.on('/film.mp4', image(MP4, 'video/mp4'));
  const named = { text: 'look', media: [{ url: host.url('/film.mp4') }] };
  const message = world.channel.prepare('shop', JSON.stringify(named));
  const { inDoubt: _, ...context } = contextOf();
  expect(world.channel.readying?.isFor(message)).toBe(true);
  expect(world.channel.readying?.isFor(prepared())).toBe(false);
  expect(await world.channel.readying?.make(message, { ...context, mayStart: () => true, kept })).toBe('ready');
  expect([kept.ids?.['ready'], world.protocol.posts()]).toEqual([expect.stringMatching(/^\d{13}$/), []]);
  world.server.calls.length = 0;
  const attempt = { ...contextOf(), mayStart: () => true, kept };
  expect(await world.channel.send(message, attempt)).toMatchObject({ kind: 'delivered' });
  expect(paths()).toEqual(['POST /rest/posts ']);
});

test('a video that was made ready and that LinkedIn has lost since is uploaded again', async () => {
  host.on('/film.mp4', image(MP4, 'video/mp4'));
  const named = { text: 'look', media: [{ url: host.url('/film.mp4') }] };
  const message = world.channel.prepare('shop', JSON.stringify(named));
  const attempt = { ...contextOf(), mayStart: () => true, kept };
  await world.channel.readying?.make(message, attempt);
  world.protocol.videos.expire();
  const lost = { kind: 'retry', reason: expect.stringContaining('does not know') };
  expect(await world.channel.send(message, attempt)).toMatchObject(lost);
  expect(await world.channel.send(message, attempt)).toMatchObject({ kind: 'delivered' });
  expect(begun()).toBe(2);
});
