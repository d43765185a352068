import type { AttemptContext, LookupContext } from '../../../../bolts/channel';
import { systemClock } from '../../../../topology/core/clock';
import { parsePayload } from '../../../../topology/payloads/payloads';
import { GIF, image, MediaHost, PNG } from '../../../support/channels/media-host';
import { notingSleeps } from '../../../support/channels/noting-sleeps';
import { LinkedinWorld, PERSON, SHOP, TOKEN } from './linkedin-world';

let world: LinkedinWorld;
let host: MediaHost;
let waited: number[];

beforeEach(async () => {
  waited = [];
  const clock = notingSleeps(waited);
  [world, host] = await Promise.all([LinkedinWorld.open({}, undefined, clock), MediaHost.start()]);
});
afterEach(() => Promise.all([world.close(), host.close()]));

const now = () => systemClock.now();
const contextOf = (account: string) => ({ id: 1, account, dueAt: now(), inDoubt: false, idempotencyKey: 'key-1', now });
const prepared = (payload: object, account: string) =>
  world.channel.prepare(account, JSON.stringify({ text: 'look', ...payload }));

function send(payload: object, attempt: Partial<AttemptContext> = {}, account = 'shop') {
  return world.channel.send(prepared(payload, account), { ...contextOf(account), mayStart: () => true, ...attempt });
}

function lookUp(payload: object) {
  const context: LookupContext = { ...contextOf('shop'), notBefore: now() };
  return world.channel.lookup?.(prepared(payload, 'shop'), context);
}

const cup = () => ({ media: [{ url: host.url(), alt: 'Tasse "blau"' }] });

test('an image stands below the post, several together, each with what it shows', async () => {
  host.on('/moving.gif', image(GIF, 'image/gif'));
  expect(await send(cup())).toMatchObject({ kind: 'delivered' });
  const two = { text: 'two', media: [{ url: host.url() }, { url: host.url('/moving.gif'), alt: 'it moves' }] };
  expect(await send(two, {}, 'person')).toMatchObject({ kind: 'delivered' });
  expect(world.protocol.posts()).toMatchObject([
    { author: SHOP, shown: 'look', images: [{ bytes: PNG.length, alt: 'Tasse "blau"' }] },
    {
      author: PERSON,
      shown: 'two',
      images: [
        { bytes: PNG.length, alt: null },
        { bytes: GIF.length, alt: 'it moves' },
      ],
    },
  ]);
});

test('the post alone asks whether it may start', async () => {
  const mayStart = jest.fn(() => false);
  expect(await send(cup(), { mayStart })).toBe('not_started');
  expect(mayStart).toHaveBeenCalledTimes(1);
  expect(world.protocol.posts()).toEqual([]);
});

test('an image that LinkedIn works on is waited for, and the message tried again when that takes long', async () => {
  world.protocol.images.inWork = 3;
  expect(await send(cup())).toMatchObject({ kind: 'delivered' });
  expect(waited).toEqual([500, 1_000, 2_000]);
  world.protocol.images.inWork = 100;
  expect(await send({ ...cup(), text: 'other' })).toEqual({
    kind: 'retry',
    reason: 'LinkedIn has worked on image-1.png for long and has not done with it',
    afterMs: 60_000,
  });
  world.protocol.images.fails = true;
  expect(await send({ ...cup(), text: 'third' })).toMatchObject({
    kind: 'rejected',
    reason: 'LinkedIn cannot use image-1.png (PROCESSING_FAILED)',
  });
});

test('a token that may not ask how an image is posts it all the same', async () => {
  world.protocol.images.isSecretive = true;
  expect(await send(cup())).toMatchObject({ kind: 'delivered' });
  world.protocol.images.inWork = 1;
  expect(await send({ ...cup(), text: 'other' })).toMatchObject({
    kind: 'rejected',
    reason: expect.stringContaining('still in work'),
  });
});

test('half an upload is never seen, and leaves no doubt', async () => {
  for (const [mishap, outcome] of [
    ['drop', { kind: 'retry' }],
    ['error', { kind: 'retry', status: 500 }],
    ['quote', { kind: 'rejected', status: 400 }],
  ] as const) {
    world.server.order({ do: mishap, to: 'upload' });
    const ended = await send(cup());
    expect(ended).toMatchObject(outcome);
    expect(JSON.stringify(ended)).not.toContain(TOKEN);
  }
  world.protocol.revoked.add(TOKEN);
  expect(await send(cup())).toMatchObject({ kind: 'unusable' });
  expect(world.protocol.posts()).toEqual([]);
});

test("the token goes to no address but the account's server and LinkedIn's own", async () => {
  jest.spyOn(world.protocol.images, 'handle').mockReturnValue({
    status: 200,
    json: { value: { uploadUrl: host.url('/steals'), image: 'urn:li:image:A' } },
  });
  expect(await send(cup())).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('not its own') });
  expect(host.asked).toEqual(['/cup.png']);
});

test('a post with images in doubt is found by its text', async () => {
  world.server.order({ do: 'drop' });
  expect(await send(cup())).toMatchObject({ kind: 'unknown' });
  expect(await lookUp(cup())).toEqual({ kind: 'accepted', receipt: world.protocol.posts()[0]?.id });
});

test('a lookup tells posts of the same text apart by their images, and says so where it cannot', async () => {
  await send(cup());
  expect(await lookUp({ media: [{ url: host.url(), alt: 'a red cup' }] })).toEqual({ kind: 'absent' });
  expect(await lookUp({ media: [{ url: host.url() }] })).toMatchObject({ kind: 'unknown' });
  expect(await lookUp({})).toEqual({ kind: 'absent' });
  const [one] = cup().media;
  await send({ text: 'two', media: [one, { url: host.url(), alt: 'a saucer' }] });
  const two = (alt: string) => lookUp({ text: 'two', media: [one, { url: host.url(), alt }] });
  expect(await two('a saucer')).toEqual({ kind: 'accepted', receipt: world.protocol.posts()[1]?.id });
  expect(await two('a spoon')).toEqual({ kind: 'absent' });
});

test('a duplicate does not say that a post in doubt with other images was taken', async () => {
  await send(cup());
  const other = { media: [{ url: host.url(), alt: 'a red cup' }] };
  expect(await send(other, { inDoubt: true })).toMatchObject({ kind: 'unknown', status: 422 });
  expect(await send(other)).toMatchObject({ kind: 'rejected', status: 422 });
});

test('a post has images or a link', () => {
  const media = [{ url: 'https://a.test/' }];
  const parsed = parsePayload('linkedin', { text: 'a', link: 'https://a.test/', title: 'a', media });
  expect(parsed).toMatchObject({ ok: false, reason: expect.stringContaining('payload.media: expected either media') });
});
