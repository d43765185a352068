import { bluesky } from '../../connectors/channels/bluesky/bluesky';
import { recordKey } from '../../connectors/channels/bluesky/bluesky-post';
import { image, MediaHost, PNG } from '../support/channels/media-host';
import { MemoryKeeping } from '../support/channels/memory-keeping';
import { AnswerCutter } from './servers/answer-cutter';
import { Pds, type PdsPost, type PdsUser } from './servers/pds';
import { DUE, TriedChannel } from './tried-channel';

const HOUR_MS = 3_600_000;
/** An access token lives for two hours, a refresh token for 90 days. */
const AFTER_ACCESS_MS = 3 * HOUR_MS;
const AFTER_REFRESH_MS = 91 * 24 * HOUR_MS;
/** Of an account in an hour. */
const POINTS = 5_000;
/** Sessions of an account in five minutes. */
const LOGINS = 30;
/** Of a file of nothing, which nobody has uploaded. */
const NO_BLOB = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';
const PUT = /^POST \/xrpc\/com\.atproto\.repo\.putRecord /;

let pds: Pds;
let network: AnswerCutter;
let tried: TriedChannel;
let users = 0;

beforeAll(async () => {
  pds = await Pds.start(true);
  network = await AnswerCutter.start(pds.port, /^(?:GET|POST) /);
}, 600_000);

afterAll(async () => {
  await network?.close();
  await pds?.stop();
});

beforeEach(() => {
  tried = new TriedChannel(bluesky);
  network.sent.length = 0;
  network.cuts = 0;
});

afterEach(async () => {
  await pds.goAhead(0);
  await tried.close();
});

const credentialsOf = ({ handle, appPassword }: PdsUser) => ({
  identifier: handle,
  password: appPassword,
  server: pds.url(network.port),
});

/** A new account on the server, whose app password the channel has. */
async function connected(name = `user-${++users}`): Promise<PdsUser> {
  const user = await pds.join(`${name}.test`);
  tried.set(name, credentialsOf(user));
  return user;
}

const nameOf = ({ handle }: PdsUser) => handle.replace('.test', '');
const send = (user: PdsUser, payload: object, attempt: Parameters<TriedChannel['send']>[2] = {}) =>
  tried.send(nameOf(user), payload, attempt);
const keyOf = (uri = '') => uri.slice(uri.lastIndexOf('/') + 1);
/** How often each of the server's methods was called. */
const callsOf = (name: string) => network.sent.filter((line) => line.includes(`.${name} `)).length;

const referenceOf = ({ uri, cid }: PdsPost) => ({ uri, cid });

async function only(user: PdsUser): Promise<PdsPost> {
  const posts = await pds.posts(user);
  expect(posts).toHaveLength(1);
  return posts[0] as PdsPost;
}

describe('a post', () => {
  test('is on the server as it was written, with its links, mentions and tags, and the receipt is its address', async () => {
    const user = await connected();
    const ann = await pds.join('ann-of-links.test');
    const text = `Grüße 👨‍👩‍👧‍👦 @${ann.handle} und @nobody-at-all.test: https://example.com/ü?b#c. #spring #1 (http://a.example/#x)`;
    const outcome = await send(user, { text, language: 'de' });
    const { uri, value } = await only(user);
    expect(outcome).toEqual({ kind: 'delivered', status: 200, receipt: uri });
    expect(uri).toBe(`at://${user.did}/app.bsky.feed.post/${recordKey('downspout-0123456789abcdef-1-1', DUE)}`);
    expect(value).toMatchObject({ text, createdAt: '2027-01-15T08:00:00.000Z', langs: ['de'] });
    const bytes = Buffer.from(text);
    const linked = (value.facets ?? []).map(({ index, features }) => [
      bytes.subarray(index.byteStart, index.byteEnd).toString(),
      features,
    ]);
    expect(linked).toEqual([
      [`@${ann.handle}`, [{ $type: 'app.bsky.richtext.facet#mention', did: ann.did }]],
      ['https://example.com/ü?b#c', [{ $type: 'app.bsky.richtext.facet#link', uri: 'https://example.com/ü?b#c' }]],
      ['#spring', [{ $type: 'app.bsky.richtext.facet#tag', tag: 'spring' }]],
      ['http://a.example/#x', [{ $type: 'app.bsky.richtext.facet#link', uri: 'http://a.example/#x' }]],
    ]);
  });

  test('has its card', async () => {
    const user = await connected();
    const card = { link: 'https://example.com/a', title: 'Ein Titel – 你好', description: 'More of it' };
    expect(await send(user, { text: 'a card', ...card })).toMatchObject({ kind: 'delivered' });
    expect((await only(user)).value['embed']).toEqual({
      $type: 'app.bsky.embed.external',
      external: { uri: card.link, title: card.title, description: card.description },
    });
  });

  describe('with images', () => {
    let host: MediaHost;
    beforeEach(async () => {
      host = await MediaHost.start();
    });
    afterEach(() => host.close());

    const pictures = () => ({
      text: 'look',
      media: [{ url: host.url(), alt: 'Eine Tasse – "blau"' }, { url: host.url('/other.png') }],
    });
    /** One pixel too, and another file. */
    const OTHER = Buffer.concat([PNG, Buffer.from('another')]);

    test('has them on the server, each with what it shows', async () => {
      const user = await connected();
      host.on('/other.png', image(OTHER, 'image/png'));
      const kept = new MemoryKeeping();
      expect(await send(user, pictures(), { kept })).toMatchObject({ kind: 'delivered' });
      const { embed } = (await only(user)).value as unknown as {
        embed: { $type: string; images: { alt: string; image: { ref: { $link: string } } }[] };
      };
      expect(embed).toMatchObject({
        $type: 'app.bsky.embed.images',
        images: [
          { alt: 'Eine Tasse – "blau"', image: { $type: 'blob', mimeType: 'image/png', size: PNG.length } },
          { alt: '', image: { $type: 'blob', mimeType: 'image/png', size: OTHER.length } },
        ],
      });
      const links = embed.images.map(({ image: { ref } }) => ref.$link);
      expect(await Promise.all(links.map((link) => pds.blob(user, link)))).toEqual([PNG, OTHER]);
    });

    test('is there once, with the same images, when its answer was lost, and changes nothing', async () => {
      const user = await connected();
      host.on('/other.png', image(OTHER, 'image/png'));
      const kept = new MemoryKeeping();
      network.cutAnswerTo(/POST \/xrpc\/com\.atproto\.repo\.putRecord /);
      expect(await send(user, pictures(), { kept })).toMatchObject({ kind: 'unknown' });
      const revision = await pds.revision(user);
      const { uri } = await only(user);
      host.on('/other.png', image(PNG, 'image/png'));
      expect(await send(user, pictures(), { kept, inDoubt: true })).toMatchObject({ kind: 'delivered', receipt: uri });
      // What was kept is lost, and there is another image by now.
      const again = await send(user, pictures(), { kept: new MemoryKeeping(), inDoubt: true });
      expect(again).toMatchObject({ kind: 'delivered', receipt: uri });
      expect(await pds.revision(user)).toBe(revision);
      await only(user);
    });

    test('that the server has not got, or not any more, is tried again, and then rejected', async () => {
      const user = await connected();
      const kept = new MemoryKeeping();
      const gone = { $type: 'blob', ref: { $link: NO_BLOB }, mimeType: 'image/png', size: 1 };
      kept.onKept = (ids) => {
        if (ids['video'] !== undefined) kept.ids = { ...ids, video: JSON.stringify([gone]) };
      };
      const one = { text: 'look', media: [{ url: host.url(), alt: 'a cup' }] };
      network.cutAnswerTo(/POST \/xrpc\/com\.atproto\.repo\.uploadBlob /);
      expect(await send(user, one, { kept })).toMatchObject({ kind: 'retry' });
      const outcomes: unknown[] = [];
      for (let round = 0; round < 3; round++) {
        expect(await send(user, one, { kept, mayStart: () => false })).toBe('not_started');
        outcomes.push(await send(user, one, { kept }));
      }
      expect(outcomes).toMatchObject([{ kind: 'retry', status: 400 }, { kind: 'retry' }, { kind: 'rejected' }]);
      expect(await pds.posts(user)).toEqual([]);
    });
  });

  test('that answers another names it and the first of the thread, by its handle too', async () => {
    const user = await connected();
    const ann = await connected();
    await send(ann, { text: 'first' });
    const first = await only(ann);
    await send(user, { text: 'second', replyTo: first.uri }, { idempotencyKey: 'second' });
    const second = await only(user);
    expect(second.value['reply']).toEqual({ root: referenceOf(first), parent: referenceOf(first) });
    const byHandle = second.uri.replace(user.did, user.handle);
    await send(ann, { text: 'third', replyTo: byHandle }, { idempotencyKey: 'third' });
    const third = (await pds.posts(ann)).find(({ value }) => value.text === 'third');
    expect(third?.value['reply']).toEqual({ root: referenceOf(first), parent: referenceOf(second) });
  });

  test('that answers what is not there is rejected, unless it is there itself', async () => {
    const user = await connected();
    const ann = await connected();
    await send(ann, { text: 'first' });
    const { uri } = await only(ann);
    const answer = { text: 'an answer', replyTo: uri };
    expect(await send(user, answer)).toMatchObject({ kind: 'delivered' });
    await pds.remove(ann, keyOf(uri));
    expect(await send(user, answer, { inDoubt: true })).toMatchObject({ kind: 'delivered' });
    expect(await send(user, answer, { inDoubt: true, idempotencyKey: 'another' })).toMatchObject({
      kind: 'rejected',
      status: 400,
    });
    await only(user);
  });

  test.each([
    ['letters', 'a'.repeat(300)],
    ['letters with marks', 'e\u0301\u0323'.repeat(300)],
    ['flags', '🇩🇪'.repeat(300)],
    ['emoji with skin', '👋🏽'.repeat(300)],
    ['Hangul by its parts', '\u1112\u1161\u11ab'.repeat(300)],
    ['Devanagari', 'क्षि'.repeat(150)],
    ['line ends', `${'a\n'.repeat(149)}ab`],
  ])('is as long as the server allows, of %s', async (_, text) => {
    const user = await connected();
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(3_000);
    expect(await send(user, { text })).toMatchObject({ kind: 'delivered' });
    expect((await only(user)).value.text).toBe(text);
  });

  test.each([
    ['characters', `${'👋🏽'.repeat(300)}!`],
    ['bytes', '👨‍👩‍👧‍👦'.repeat(121)],
  ])(
    'of one more of what the server counts, %s, is refused when it is scheduled, and by the server',
    async (_, text) => {
      const user = await connected();
      expect(() => tried.channel.prepare(nameOf(user), JSON.stringify({ text }))).toThrow(
        'payload.text: expected at most',
      );
      const record = { $type: 'app.bsky.feed.post', text, createdAt: new Date(DUE).toISOString() };
      expect(await pds.write(user, recordKey('a', DUE), record)).toMatchObject({ status: 400 });
    },
  );
});

describe('one post', () => {
  test('comes of the same attempt twice, and the second changes nothing', async () => {
    const user = await connected();
    const first = await send(user, { text: 'once #only' });
    const revision = await pds.revision(user);
    const mayStart = jest.fn(() => true);
    expect(await send(user, { text: 'once #only' }, { inDoubt: true, mayStart })).toEqual(first);
    expect(mayStart).toHaveBeenCalledTimes(1);
    expect(callsOf('putRecord')).toBe(2);
    expect(await pds.revision(user)).toBe(revision);
    await only(user);
  });

  test('comes of the same attempt eight times at once', async () => {
    const user = await connected();
    const all = await Promise.all(Array.from({ length: 8 }, () => send(user, { text: 'eight at once' })));
    const { uri } = await only(user);
    expect(all).toEqual(all.map(() => ({ kind: 'delivered', status: 200, receipt: uri })));
    expect(callsOf('createSession')).toBe(1);
  });

  test('comes of an attempt whose answer was lost and of the next one', async () => {
    const user = await connected();
    network.cutAnswerTo(/POST \/xrpc\/com\.atproto\.repo\.putRecord /);
    expect(await send(user, { text: 'answer lost' })).toMatchObject({ kind: 'unknown' });
    expect(network.cuts).toBe(1);
    const { uri } = await only(user);
    expect(await send(user, { text: 'answer lost' }, { inDoubt: true })).toMatchObject({
      kind: 'delivered',
      receipt: uri,
    });
    await only(user);
  });

  test('comes of each message, and none of another', async () => {
    const user = await connected();
    const keys = Array.from({ length: 50 }, (_, n) => `key-${n}`);
    await Promise.all(keys.map((idempotencyKey) => send(user, { text: idempotencyKey }, { idempotencyKey })));
    const texts = (await pds.posts(user)).map(({ value }) => value.text);
    expect(texts.toSorted()).toEqual(keys.toSorted());
  });

  test('that its owner has edited meanwhile is delivered, and stays as it is', async () => {
    const user = await connected();
    await send(user, { text: 'as scheduled' });
    const { uri, value } = await only(user);
    await pds.write(user, keyOf(uri), { ...value, text: 'as edited' });
    expect(await send(user, { text: 'as scheduled' }, { inDoubt: true })).toEqual({
      kind: 'delivered',
      status: 200,
      receipt: uri,
    });
    expect((await only(user)).value.text).toBe('as edited');
  });

  test('is not written over another record that has its key', async () => {
    const user = await connected();
    const others = { $type: 'app.bsky.feed.post', text: 'of another', createdAt: '2020-01-01T00:00:00Z' };
    await pds.write(user, recordKey('downspout-0123456789abcdef-1-1', DUE), others);
    expect(await send(user, { text: 'ours' })).toMatchObject({ kind: 'rejected' });
    expect((await only(user)).value.text).toBe('of another');
  });

  test('that its owner has deleted meanwhile is there again when it is sent again', async () => {
    const user = await connected();
    await send(user, { text: 'deleted' });
    const { uri } = await only(user);
    await pds.remove(user, keyOf(uri));
    expect(await send(user, { text: 'deleted' }, { inDoubt: true })).toMatchObject({ kind: 'delivered', receipt: uri });
    await only(user);
  });
});

describe('a session', () => {
  test('that has ended is refreshed, once for all', async () => {
    const user = await connected();
    await send(user, { text: 'before' }, { idempotencyKey: 'before' });
    await pds.goAhead(AFTER_ACCESS_MS);
    const keys = ['a', 'b', 'c'];
    const after = await Promise.all(
      keys.map((idempotencyKey) => send(user, { text: idempotencyKey }, { idempotencyKey })),
    );
    for (const outcome of after) expect(outcome).toMatchObject({ kind: 'delivered' });
    expect([callsOf('createSession'), callsOf('refreshSession')]).toEqual([1, 1]);
    expect(await pds.posts(user)).toHaveLength(4);
  });

  test('that cannot be refreshed any more is opened again with the app password', async () => {
    const user = await connected();
    await send(user, { text: 'before' }, { idempotencyKey: 'before' });
    await pds.goAhead(AFTER_REFRESH_MS);
    expect(await send(user, { text: 'after' }, { idempotencyKey: 'after' })).toMatchObject({ kind: 'delivered' });
    expect([callsOf('createSession'), callsOf('refreshSession')]).toEqual([2, 1]);
    expect(await pds.posts(user)).toHaveLength(2);
  });

  test('of an app password that was revoked ends, and then the account is unusable', async () => {
    const user = await connected();
    await send(user, { text: 'before' }, { idempotencyKey: 'before' });
    await pds.revokeAppPassword(user);
    await pds.goAhead(AFTER_ACCESS_MS);
    const mayStart = jest.fn(() => true);
    const outcome = await send(user, { text: 'after' }, { idempotencyKey: 'after', mayStart });
    expect(outcome).toMatchObject({
      kind: 'unusable',
      status: 401,
      reason: expect.stringMatching(/app password .*Connect the account again/),
    });
    expect(JSON.stringify(outcome)).not.toContain(user.appPassword);
    await only(user);
  });

  test('is not given for a wrong password, and nothing is posted', async () => {
    const user = await connected();
    tried.set(nameOf(user), { ...credentialsOf(user), password: 'wrong-password' });
    const mayStart = jest.fn(() => true);
    expect(await send(user, { text: 'a' }, { mayStart })).toMatchObject({ kind: 'unusable', status: 401 });
    expect(mayStart).not.toHaveBeenCalled();
    expect(await pds.posts(user)).toEqual([]);
  });

  test('tells whose the account is', async () => {
    const user = await connected();
    expect(await tried.whoAmI(credentialsOf(user))).toEqual({ kind: 'ok', name: `@${user.handle}` });
    expect(await tried.whoAmI({ ...credentialsOf(user), password: 'wrong-password' })).toMatchObject({ kind: 'no' });
  });

  test.each([
    ['was deactivated by its owner', (user: PdsUser) => pds.deactivate(user)],
    ['was taken down', (user: PdsUser) => pds.takeDown(user)],
  ])('of an account that %s posts nothing: the account is unusable', async (_, end) => {
    const user = await connected();
    await send(user, { text: 'before' }, { idempotencyKey: 'before' });
    await end(user);
    expect(await send(user, { text: 'after' }, { idempotencyKey: 'after' })).toMatchObject({ kind: 'unusable' });
    expect(network.sent.filter((line) => PUT.test(line)).length).toBeLessThanOrEqual(3);
  });
});

describe('as often as the server allows', () => {
  test('an account posts, and then waits until the time that the server names', async () => {
    const user = await connected();
    await send(user, { text: 'before' }, { idempotencyKey: 'before' });
    await pds.spend(user, POINTS - 2);
    const outcome = await send(user, { text: 'after' }, { idempotencyKey: 'after' });
    expect(outcome).toMatchObject({ kind: 'retry', status: 429, afterMs: expect.any(Number) });
    const { afterMs } = outcome as { afterMs: number };
    expect(afterMs).toBeGreaterThan(HOUR_MS / 2);
    expect(afterMs).toBeLessThanOrEqual(HOUR_MS);
    expect((await pds.posts(user)).filter(({ value }) => value.text === 'after')).toEqual([]);
  });

  test('sessions are opened, and then the message waits until the time that the server names', async () => {
    const user = await connected();
    for (let n = 0; n < LOGINS; n++) await tried.whoAmI(credentialsOf(user));
    const outcome = await send(user, { text: 'a' });
    expect(outcome).toMatchObject({ kind: 'retry', status: 429, afterMs: expect.any(Number) });
    expect((outcome as { afterMs: number }).afterMs).toBeGreaterThan(200_000);
  });
});
