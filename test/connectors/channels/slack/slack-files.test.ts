import type { AttemptContext, LookupContext } from '../../../../bolts/channel';
import { systemClock } from '../../../../topology/core/clock';
import { GIF, image, MediaHost, MP4, PNG } from '../../../support/channels/media-host';
import { CONVERSATION, SlackWorld } from './slack-world';

let world: SlackWorld;
let host: MediaHost;

beforeEach(async () => {
  [world, host] = await Promise.all([SlackWorld.open(), MediaHost.start()]);
});
afterEach(() => Promise.all([world.close(), host.close()]));

const now = () => systemClock.now();
const contextOf = (key: string) => ({ id: 1, account: 'shop', dueAt: now(), inDoubt: false, idempotencyKey: key, now });
const prepared = (payload: object) =>
  world.channel.prepare('shop', JSON.stringify({ conversation: CONVERSATION, text: 'look', ...payload }));

function send(payload: object, attempt: Partial<AttemptContext> = {}) {
  return world.channel.send(prepared(payload), { ...contextOf('key-1'), mayStart: () => true, ...attempt });
}

function lookUp(payload: object, attempt: Partial<LookupContext> = {}) {
  return world.channel.lookup?.(prepared(payload), { ...contextOf('key-1'), notBefore: now(), ...attempt });
}

const cup = () => ({ media: [{ url: host.url(), alt: 'a cup' }] });

test('images become a message with its text, and their names say whose they are', async () => {
  host.on('/moving.gif', image(GIF, 'image/gif'));
  const media = [{ url: host.url(), alt: 'Tasse "blau" & mehr' }, { url: host.url('/moving.gif') }];
  const mayStart = jest.fn(() => true);
  expect(await send({ media }, { mayStart })).toMatchObject({
    kind: 'delivered',
    receipt: `${CONVERSATION}:F000000000,F000000001`,
  });
  expect(mayStart).toHaveBeenCalledTimes(1);
  const [posted] = world.protocol.posts();
  expect(posted).toMatchObject({
    text: 'look',
    files: [
      { alt: 'Tasse "blau" & mehr', title: 'Tasse "blau" & mehr', bytes: PNG.length },
      { alt: undefined, title: 'image-2.gif', bytes: GIF.length },
    ],
  });
  const prefix = /^downspout-[0-9a-f]{32}-/.exec(posted?.files[0]?.name ?? '')?.[0];
  expect(posted?.files.map(({ name }) => name)).toEqual([`${prefix}image-1.png`, `${prefix}image-2.gif`]);
});

test('a video becomes a message as images do, and is found again by its name', async () => {
  host.on('/film', image(MP4, 'video/mp4'));
  const film = { media: [{ url: host.url('/film'), alt: 'a cup falls' }] };
  world.server.order({ do: 'drop' });
  expect(await send(film)).toMatchObject({ kind: 'unknown' });
  expect(world.protocol.posts()).toMatchObject([{ files: [{ title: 'a cup falls', bytes: MP4.length }] }]);
  expect(world.protocol.posts()[0]?.files[0]?.name).toMatch(/-video-1\.mp4$/);
  expect(await lookUp(film)).toMatchObject({ kind: 'accepted' });
});

test('nobody sees an image of a message that may not start', async () => {
  expect(await send(cup(), { mayStart: () => false })).toBe('not_started');
  expect(world.protocol.posts()).toEqual([]);
});

test('images go into a thread', async () => {
  await send({ text: 'first' });
  const [first] = world.protocol.posts();
  expect(await send({ ...cup(), replyTo: first?.ts }, { idempotencyKey: 'key-2' })).toMatchObject({
    kind: 'delivered',
  });
  expect(world.protocol.posts()[1]).toMatchObject({ thread: first?.ts });
  const found = await lookUp({ ...cup(), replyTo: first?.ts }, { idempotencyKey: 'key-2' });
  expect(found).toEqual({ kind: 'accepted', receipt: `${CONVERSATION}:${world.protocol.posts()[1]?.ts}` });
});

test('a message with images in doubt is found by their names, and only if it is there', async () => {
  world.server.order({ do: 'drop' });
  expect(await send(cup())).toMatchObject({ kind: 'unknown' });
  const ts = world.protocol.posts()[0]?.ts;
  expect(await lookUp(cup())).toEqual({ kind: 'accepted', receipt: `${CONVERSATION}:${ts}` });
  expect(await lookUp(cup(), { idempotencyKey: 'key-2' })).toEqual({ kind: 'absent' });
  world.protocol.hidesFiles = true;
  expect(await lookUp(cup())).toMatchObject({ kind: 'unknown' });
});

test("a message without files is absent although others' files have no names, as deleted ones have none", async () => {
  expect(await send(cup())).toMatchObject({ kind: 'delivered' });
  world.protocol.hidesFiles = true;
  expect(await lookUp({ text: 'a' }, { idempotencyKey: 'key-2' })).toEqual({ kind: 'absent' });
  expect(await lookUp(cup(), { idempotencyKey: 'key-2' })).toMatchObject({ kind: 'unknown' });
});

test('half an upload is never seen, and leaves no doubt', async () => {
  for (const [mishap, outcome] of [
    ['drop', { kind: 'retry' }],
    ['error', { kind: 'retry', status: 500 }],
    ['quote', { kind: 'rejected', status: 400 }],
  ] as const) {
    world.server.order({ do: mishap, to: 'upload' });
    expect(await send(cup())).toMatchObject(outcome);
  }
  world.protocol.revoked.set('xoxb-token-of-the-shop', 'token_revoked');
  expect(await send(cup())).toMatchObject({ kind: 'unusable' });
  expect(world.protocol.posts()).toEqual([]);
});

test.each([
  [403, 'retry'],
  [404, 'retry'],
  [408, 'retry'],
  [409, 'retry'],
  [410, 'retry'],
  [425, 'retry'],
  [429, 'retry'],
  [413, 'rejected'],
])('HTTP %s to an image: %s', async (status, kind) => {
  const handle = world.protocol.handle.bind(world.protocol);
  jest
    .spyOn(world.protocol, 'handle')
    .mockImplementation((request) =>
      world.protocol.uploads(request) ? Promise.resolve({ status, json: 'no' }) : handle(request),
    );
  expect(await send(cup())).toMatchObject({ kind, status });
});

test('what Slack answers to a message with images means what it means to others', async () => {
  world.protocol.closed.set(CONVERSATION, 'not_in_channel');
  expect(await send(cup())).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('invite it') });
  world.protocol.closed.clear();
  world.server.order({ do: 'throttle', afterMs: 3_000 });
  expect(await send(cup())).toMatchObject({ kind: 'retry', afterMs: 3_000 });
  world.server.order({ do: 'error' });
  expect(await send(cup())).toMatchObject({ kind: 'unknown', status: 500 });
});
