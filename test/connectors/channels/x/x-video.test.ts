import { systemClock } from '../../../../topology/core/clock';
import { image, MediaHost, MOV, MP4, PNG } from '../../../support/channels/media-host';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { notingSleeps } from '../../../support/channels/noting-sleeps';
import { OTHER_TOKEN, openX } from './x-world';

const MIB = 1024 ** 2;

let world: Awaited<ReturnType<typeof openX>>;
let host: MediaHost;
let waited: number[];
let kept: MemoryKeeping;

beforeEach(async () => {
  waited = [];
  kept = new MemoryKeeping();
  const clock = notingSleeps(waited);
  [world, host] = await Promise.all([openX({}, clock), MediaHost.start()]);
  host.on('/film.mp4', image(MP4, 'video/mp4'));
});
afterEach(() => Promise.all([world.close(), host.close()]));

const film = () => ({ text: 'a film', media: [{ url: host.url('/film.mp4'), alt: 'a cup falls' }] });
const send = (payload: object = film(), attempt: object = {}) => world.send(payload, { kept, ...attempt });
const makeReady = (payload: object = film(), attempt: object = {}) => world.makeReady(payload, { kept, ...attempt });
const paths = () => world.server.calls.map(({ method, path }) => `${method} ${path.replace(/\d{10,}/, 'ID')}`);
const begun = () => world.server.calls.filter(({ path }) => path.endsWith('/initialize')).length;
const order = (body: object) =>
  fetch(`${world.server.url}/fake/orders`, { method: 'POST', body: JSON.stringify(body) });
const posts = () => world.protocol.posts().map(({ images }) => images);

test('a video goes in parts, and stands below the post', async () => {
  host.on('/film.mp4', image(Buffer.concat([MP4, Buffer.alloc(9 * MIB, 7)]), 'video/mp4'));
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(paths()).toEqual([
    'POST /2/media/upload/initialize',
    ...Array.from({ length: 3 }, () => 'POST /2/media/upload/ID/append'),
    'POST /2/media/upload/ID/finalize',
    'POST /2/tweets',
  ]);
  expect(posts()).toEqual([[{ key: expect.stringMatching(/^7_/), bytes: MP4.length + 9 * MIB, alt: null }]]);
});

test('a video of QuickTime is taken as what it is, whatever its name', async () => {
  host.on('/film.mp4', image(MOV, 'application/octet-stream'));
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(JSON.parse(String(world.server.calls[0]?.body))).toEqual({
    media_type: 'video/quicktime',
    total_bytes: MOV.length,
    media_category: 'tweet_video',
  });
});

test('What was uploaded whole is not uploaded again, nor fetched', async () => {
  world.protocol.media.inWork = 3;
  // X wants to be asked after a second, which is longer than a request may take.
  const later = { kind: 'retry', status: 200, reason: expect.stringContaining('still works'), afterMs: 15_000 };
  expect(await send()).toEqual(later);
  expect(waited).toEqual([]);
  expect(await send()).toEqual(later);
  expect(await send()).toEqual(later);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect([begun(), host.asked]).toEqual([1, ['/film.mp4']]);
  expect(posts()).toHaveLength(1);
});

test('half an upload is never seen, leaves no doubt, and is made anew', async () => {
  for (const [mishap, outcome] of [
    ['drop', { kind: 'retry' }],
    ['error', { kind: 'retry', status: 500 }],
    ['throttle', { kind: 'retry', status: 429 }],
  ] as const) {
    world.server.order({ do: mishap, to: 'upload' });
    expect(await send()).toMatchObject(outcome);
    expect(kept.ids).toBeUndefined();
  }
  expect(posts()).toEqual([]);
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

test('a video that X gives up while it works on it is rejected', async () => {
  world.protocol.media.inWork = 1;
  expect(await send()).toMatchObject({ kind: 'retry' });
  world.protocol.media.fails = true;
  expect(await send()).toEqual({ kind: 'rejected', reason: 'X cannot use the video' });
  expect(posts()).toEqual([]);
});

test('an order makes the fake slow with videos, or unable to use them', async () => {
  expect((await order({ do: 'stall', times: 1 })).status).toBe(200);
  expect(await send()).toMatchObject({ kind: 'retry' });
  await order({ do: 'spoil' });
  expect(await send()).toMatchObject({ kind: 'rejected' });
  await order({ do: 'spoil', times: 0 });
  await order({ do: 'stall', times: 0 });
  expect(await send(film(), { kept: new MemoryKeeping() })).toMatchObject({ kind: 'delivered' });
});

test('a video that X does not know any more is uploaded again, and not for ever', async () => {
  for (const outcome of ['retry', 'retry', 'rejected']) {
    world.protocol.media.inWork = 1;
    expect(await send()).toMatchObject({ kind: 'retry', reason: expect.stringContaining('still works') });
    world.protocol.media.expire();
    expect(await send()).toMatchObject({ kind: outcome, reason: expect.stringContaining('does not know') });
  }
  expect(begun()).toBe(3);
});

test('another user, whom the account has since, uploads it again', async () => {
  world.protocol.media.inWork = 1;
  expect(await send()).toMatchObject({ kind: 'retry' });
  world.set('other', { token: OTHER_TOKEN, userId: '12' });
  world.protocol.media.inWork = 0;
  expect(await world.send(film(), { kept }, 'other')).toMatchObject({ kind: 'delivered' });
  expect(begun()).toBe(2);
});

test('nothing is posted once another session has the message', async () => {
  kept.isLost = true;
  expect(await send()).toBe('not_started');
  expect(posts()).toEqual([]);
});

test('a video stands alone, and is no larger than X takes', async () => {
  host.on('/cup.png', image(PNG, 'image/png'));
  const both = { text: 'a', media: [...film().media, { url: host.url() }] };
  expect(await send(both)).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('a video alone') });
  host.on('/film.mp4', (response) =>
    response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': String(512 * MIB + 1) }).write(MP4),
  );
  expect(await send()).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('536870912 bytes') });
  expect(world.server.calls).toEqual([]);
});

test('a lookup knows the post by its video, whatever it reads like', async () => {
  world.server.order({ do: 'drop' });
  expect(await send()).toMatchObject({ kind: 'unknown' });
  expect(await world.lookUp(film(), { kept })).toEqual({ kind: 'accepted', receipt: world.protocol.posts()[0]?.id });
  // Without its id a video that has no words is like any other.
  expect(await world.lookUp(film(), { kept: new MemoryKeeping() })).toMatchObject({ kind: 'unknown' });
});

describe('before the instant', () => {
  test('a video is uploaded, and only the post is left', async () => {
    expect(await makeReady()).toBe('ready');
    expect([posts(), kept.ids?.['ready']]).toEqual([[], expect.stringMatching(/^\d{13}$/)]);
    world.server.calls.length = 0;
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect([paths(), host.asked]).toEqual([['POST /2/tweets'], ['/film.mp4']]);
    expect(posts()).toEqual([[expect.objectContaining({ bytes: MP4.length })]]);
  });

  test('what X works on is asked for later, and not uploaded again', async () => {
    world.protocol.media.inWork = 1;
    expect(await makeReady()).toMatchObject({ kind: 'retry', afterMs: 15_000 });
    expect(await makeReady()).toBe('ready');
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(begun()).toBe(1);
  });

  test('a video that was made ready long ago, or for a message in doubt, is asked for before its post', async () => {
    await makeReady();
    const asked = expect.stringMatching(/^GET \/2\/media\/upload/);
    for (const attempt of [{ inDoubt: true }, { now: () => systemClock.now() + 900_000 }]) {
      world.server.calls.length = 0;
      world.server.order({ do: 'throttle' });
      expect(await send(film(), attempt)).toMatchObject({ kind: 'retry' });
      expect(paths()[0]).toEqual(asked);
    }
  });

  test('a post that is refused is one of a video that X has lost since, which is uploaded again', async () => {
    await makeReady();
    world.protocol.media.expire();
    expect(await send()).toEqual({ kind: 'retry', status: 400, reason: expect.stringContaining('does not know') });
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect([begun(), posts()]).toEqual([2, [[expect.objectContaining({ bytes: MP4.length })]]]);
  });

  test('a post that is refused is tried again where X does not say whether it has the video, and else is not', async () => {
    const refused = { ...film(), replyTo: '1' };
    await makeReady(refused);
    jest.spyOn(world.protocol.media, 'handle').mockReturnValueOnce({ status: 503, json: {} });
    expect(await send(refused)).toMatchObject({ kind: 'retry', reason: expect.stringContaining('for its video') });
    expect(await send(refused)).toMatchObject({ kind: 'rejected', reason: expect.not.stringContaining('its video') });
    expect([begun(), posts()]).toEqual([1, []]);
  });

  test('nothing is done of a post without a video that its name shows', async () => {
    const named = (path: string) => ({ text: 'a', media: [{ url: host.url(path) }] });
    for (const payload of [{ text: 'a' }, named('/cup.png'), named('/film')])
      expect(makeReady(payload)).toBeUndefined();
    host.on('/film.MP4', image(MP4, 'video/mp4'));
    expect(await makeReady(named('/film.MP4'))).toBe('ready');
  });

  test('no request is made once it may not, and a name that deceives leaves all to the attempt', async () => {
    expect(await makeReady(film(), { mayStart: () => false })).toBe('not_started');
    expect(world.server.calls).toEqual([]);
    host.on('/film.mp4', image(PNG, 'image/png'));
    expect(await makeReady()).toBe('ready');
    expect([world.server.calls, kept.ids]).toEqual([[], undefined]);
  });
});
