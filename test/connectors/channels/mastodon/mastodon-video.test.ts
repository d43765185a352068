import type { AttemptContext, LookupContext } from '../../../../bolts/channel';
import { systemClock } from '../../../../topology/core/clock';
import { image, MediaHost, MP4 } from '../../../support/channels/media-host';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { notingSleeps } from '../../../support/channels/noting-sleeps';
import { MastodonWorld, OTHER_TOKEN, TOKEN } from './mastodon-world';

let world: MastodonWorld;
let host: MediaHost;
let waited: number[];
let kept: MemoryKeeping;

beforeEach(async () => {
  waited = [];
  kept = new MemoryKeeping();
  const clock = notingSleeps(waited);
  [world, host] = await Promise.all([MastodonWorld.open({ keyGapMs: 0 }, clock), MediaHost.start()]);
  host.on('/film', image(MP4, 'video/mp4'));
});
afterEach(() => Promise.all([world.close(), host.close()]));

const now = () => systemClock.now();
const contextOf = (key = 'key-1') => ({
  id: 1,
  account: 'shop',
  dueAt: now(),
  inDoubt: false,
  idempotencyKey: key,
  now,
});
const film = (alt: object = { alt: 'a cup falls' }) => ({ text: 'look', media: [{ url: host.url('/film'), ...alt }] });
const prepared = (payload: object) => world.channel.prepare('shop', JSON.stringify(payload));

function send(payload: object = film(), attempt: Partial<AttemptContext> = {}) {
  return world.channel.send(prepared(payload), { ...contextOf(), mayStart: () => true, kept, ...attempt });
}

function lookUp(payload: object, own = kept) {
  const context: LookupContext = { ...contextOf(), notBefore: now() - 60_000, kept: own };
  return world.channel.lookup?.(prepared(payload), context);
}

const seen = () =>
  world.protocol.posts().map(({ images }) => images.map(({ type, bytes, description }) => [type, bytes, description]));
const uploads = () => world.server.calls.filter(({ path }) => path === '/api/v2/media').length;

test('a video goes out with the post, with what it shows, once the server has done with it', async () => {
  world.protocol.media.inWork = 1;
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(waited).toEqual([500]);
  expect(seen()).toEqual([[['video/mp4', MP4.length, 'a cup falls']]]);
});

test('What was uploaded whole is not uploaded again, nor fetched', async () => {
  world.protocol.media.inWork = 4;
  const later = { kind: 'retry', status: 206, reason: expect.stringContaining('still works'), afterMs: 15_000 };
  expect(await send()).toEqual(later);
  host.on('/film', (response) => response.writeHead(404).end());
  expect(await send()).toEqual(later);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect([uploads(), host.asked, seen()]).toEqual([1, ['/film'], [[['video/mp4', MP4.length, 'a cup falls']]]]);
});

test('a lost answer to the upload, or to the post, makes no second post', async () => {
  world.server.order({ do: 'drop', to: 'upload' });
  expect(await send()).toMatchObject({ kind: 'retry' });
  world.server.order({ do: 'drop' });
  expect(await send()).toMatchObject({ kind: 'unknown' });
  expect(await send(film(), { inDoubt: true })).toMatchObject({ kind: 'delivered' });
  // The first upload is nobody's; the second one is in the post.
  expect([uploads(), seen()]).toEqual([2, [[['video/mp4', MP4.length, 'a cup falls']]]]);
});

test('a post in doubt is sent again with the video that it may have, and nothing of it is forgotten', async () => {
  world.server.order({ do: 'drop' });
  expect(await send()).toMatchObject({ kind: 'unknown' });
  const { ids } = kept;
  host.on('/film', (response) => response.writeHead(404).end());
  expect(await send(film(), { inDoubt: true })).toMatchObject({ kind: 'delivered' });
  expect([uploads(), kept.ids, seen()]).toEqual([1, ids, [[['video/mp4', MP4.length, 'a cup falls']]]]);
});

test('a video that the server cannot use is rejected, and one that it has thrown away uploaded again', async () => {
  world.protocol.media.inWork = 9;
  expect(await send()).toMatchObject({ kind: 'retry' });
  world.protocol.media.fails = true;
  expect(await send()).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('Error processing') });
  world.protocol.media.fails = false;
  world.protocol.media.expire();
  world.protocol.media.inWork = 0;
  expect(await send()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('does not know') });
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(uploads()).toBe(2);
});

test('an account that was connected again uploads it again, and its token stands nowhere', async () => {
  world.protocol.media.inWork = 9;
  expect(await send()).toMatchObject({ kind: 'retry' });
  expect(JSON.stringify(kept.ids)).not.toContain(TOKEN);
  world.protocol.media.inWork = 0;
  await world.channel.close();
  const again = await MastodonWorld.open({ keyGapMs: 0 });
  again.set('shop', OTHER_TOKEN);
  const message = again.channel.prepare('shop', JSON.stringify(film()));
  const sent = await again.channel.send(message, { ...contextOf(), mayStart: () => true, kept });
  expect(sent).toMatchObject({ kind: 'delivered' });
  await again.close();
});

test('a lookup knows the post by its video, also where that has no words', async () => {
  const wordless = film({});
  world.server.order({ do: 'drop' });
  expect(await send(wordless)).toMatchObject({ kind: 'unknown' });
  expect(await lookUp(wordless)).toEqual({ kind: 'accepted', receipt: expect.stringContaining('mastodon.test') });
  expect(await lookUp(wordless, new MemoryKeeping())).toMatchObject({ kind: 'unknown' });
});

test('a video is uploaded before the instant, and only the post is left for it', async () => {
  host.on('/film.mp4', image(MP4, 'video/mp4'));
  const named = { text: 'look', media: [{ url: host.url('/film.mp4'), alt: 'a cup falls' }] };
  const { inDoubt: _, ...context } = contextOf();
  expect(world.channel.readying?.isFor(prepared(film()))).toBe(false);
  const made = await world.channel.readying?.make(prepared(named), { ...context, mayStart: () => true, kept });
  expect([made, uploads(), seen()]).toEqual(['ready', 1, []]);
  world.server.calls.length = 0;
  expect(await send(named)).toMatchObject({ kind: 'delivered' });
  expect(world.server.calls.map(({ path }) => path)).toEqual(['/api/v1/statuses']);
  expect(seen()).toHaveLength(1);
});

test('a video that was made ready and that the server has thrown away since is uploaded again', async () => {
  host.on('/film.mp4', image(MP4, 'video/mp4'));
  const named = { text: 'look', media: [{ url: host.url('/film.mp4'), alt: 'a cup falls' }] };
  const { inDoubt: _, ...context } = contextOf();
  await world.channel.readying?.make(prepared(named), { ...context, mayStart: () => true, kept });
  world.protocol.media.expire();
  expect(await send(named)).toMatchObject({
    kind: 'retry',
    status: 422,
    reason: expect.stringContaining('does not know'),
  });
  expect(await send(named)).toMatchObject({ kind: 'delivered' });
  expect([uploads(), seen()]).toEqual([2, [[['video/mp4', MP4.length, 'a cup falls']]]]);
});
