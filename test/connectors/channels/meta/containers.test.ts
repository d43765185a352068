import type { Channel } from '../../../../bolts/channel';
import type { FakeContainers } from '../../../../deploy/fakes/meta-containers';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { cup, openInstagram } from '../instagram/instagram-world';
import type { PlayedChannel } from '../played-channel';
import { openThreads } from '../threads/threads-world';

const HOUR_MS = 3_600_000;
const TOKEN = 'token-of-the-shop';

let waited: number[];
let passed: number;

/** Waits for nothing, and a day can be over. */
const quick = (): Clock => ({
  ...systemClock,
  now: () => systemClock.now() + passed,
  sleep: async (ms) => {
    waited.push(ms);
  },
});

const hosts: readonly [string, () => Promise<PlayedChannel<FakeContainers>>, string, string][] = [
  ['instagram', () => openInstagram({ clock: quick(), limit: 3 }, quick()), 'media', 'media_publish'],
  ['threads', () => openThreads({ clock: quick(), limit: 3 }, quick()), 'threads', 'threads_publish'],
];

describe.each(hosts)('a post on %s', (_name, open, create, publish) => {
  let world: PlayedChannel<FakeContainers>;
  let kept: MemoryKeeping;
  const opened: Channel[] = [];

  beforeEach(async () => {
    waited = [];
    passed = 0;
    world = await open();
    kept = new MemoryKeeping();
  });
  afterEach(async () => {
    await Promise.all([world.close(), ...opened.splice(0).map((channel) => channel.close())]);
  });

  const payload = { text: 'a cup', media: [cup] };
  const carousel = { text: 'cups', media: [cup, { url: 'https://images.example/red.jpg' }] };
  const send = (what: object = payload, attempt: object = {}) => world.send(what, { kept, ...attempt });
  const lookUp = () => world.lookUp(payload, { kept });
  const posts = () => world.protocol.posts();
  const callsOf = (edge: string) => world.server.calls.filter(({ path }) => path.endsWith(`/${edge}`));

  test('is made ready, kept, and shown; the receipt is its address', async () => {
    const order: string[] = [];
    kept.onKept = (ids) => order.push(`kept ${Object.keys(ids).join()}`);
    const mayStart = () => {
      order.push(`asked with ${posts().length} posts`);
      return true;
    };
    const outcome = await send(payload, { mayStart });
    expect(outcome).toMatchObject({ kind: 'delivered', status: 200 });
    expect(outcome).toHaveProperty('receipt', expect.stringMatching(/^https:\/\/www\./));
    expect(order).toEqual(['kept container,madeAt,user', 'asked with 0 posts']);
    expect(posts()).toMatchObject([{ text: 'a cup', images: [{ image_url: cup.url, alt_text: cup.alt }] }]);
    expect(world.server.calls.every(({ query }) => !query.has('access_token'))).toBe(true);
  });

  test('of several images is one carousel in their order', async () => {
    expect(await send(carousel)).toMatchObject({ kind: 'delivered' });
    expect(posts()).toMatchObject([
      { text: 'cups', images: [{ image_url: cup.url }, { image_url: 'https://images.example/red.jpg' }] },
    ]);
  });

  describe('One container becomes one post at most:', () => {
    test('after an error its state is asked at once', async () => {
      world.server.order({ do: 'error' });
      expect(await send()).toMatchObject({ kind: 'delivered', status: 500 });
      expect(posts()).toHaveLength(1);
    });

    test.each(['drop', 'hang'] as const)('after "%s" its state says that it was taken', async (mishap) => {
      world.server.order({ do: mishap });
      expect(await send()).toMatchObject({ kind: 'unknown' });
      expect(await lookUp()).toEqual({ kind: 'accepted', receipt: `container ${kept.ids?.['container']}` });
      expect(posts()).toHaveLength(1);
    });

    test.each(['vanish', 'fail'] as const)(
      'after "%s" the same container is published, and no other is made',
      async (mishap) => {
        world.server.order({ do: mishap });
        expect(await send()).toMatchObject({ kind: 'unknown' });
        expect(await lookUp()).toEqual({ kind: 'absent' });
        expect(await send()).toMatchObject({ kind: 'delivered' });
        expect(posts()).toHaveLength(1);
        expect(callsOf(create)).toHaveLength(1);
      },
    );

    test('a publication that comes late, after the same container was published again, shows nothing a second time', async () => {
      world.server.order({ do: 'late', afterMs: 100 });
      expect(await send()).toMatchObject({ kind: 'unknown' });
      expect(await Promise.all([send(), send()])).toMatchObject([{ kind: 'delivered' }, { kind: 'delivered' }]);
      expect(posts()).toHaveLength(1);
    });

    test('a worker that dies before its ids are kept leaves a container that nobody sees', async () => {
      kept.isLost = true;
      expect(await send()).toBe('not_started');
      kept.isLost = false;
      expect(await lookUp()).toEqual({ kind: 'absent' });
      expect(await send()).toMatchObject({ kind: 'delivered' });
      expect(posts()).toHaveLength(1);
      expect(callsOf(publish)).toHaveLength(1);
    });

    test('one that dies after it leaves a container that its successor publishes', async () => {
      expect(await send(payload, { mayStart: () => false })).toBe('not_started');
      expect(await lookUp()).toEqual({ kind: 'absent' });
      expect(await send()).toMatchObject({ kind: 'delivered' });
      expect(callsOf(create)).toHaveLength(1);
      expect(posts()).toHaveLength(1);
    });

    test('messages of the same text are told apart', async () => {
      const other = new MemoryKeeping();
      await send();
      world.server.order({ do: 'vanish' });
      expect(await world.send(payload, { kept: other })).toMatchObject({ kind: 'unknown' });
      expect(await world.lookUp(payload, { kept: other })).toEqual({ kind: 'absent' });
    });

    test('a container that was published is delivered, also where no attempt knew it', async () => {
      await send();
      expect(await send()).toEqual({ kind: 'delivered', receipt: `container ${kept.ids?.['container']}` });
      expect(posts()).toHaveLength(1);
    });

    test('a refusal of what was published meanwhile is no refusal', async () => {
      const handle = world.protocol.handle.bind(world.protocol);
      jest.spyOn(world.protocol, 'handle').mockImplementation(async (request) => {
        const answer = await handle(request);
        return world.protocol.publishes(request) ? handle(request) : answer;
      });
      expect(await send()).toMatchObject({ kind: 'delivered', receipt: expect.stringContaining('container') });
    });
  });

  test('a container that has ended after a day is absent, and another one is made', async () => {
    world.server.order({ do: 'vanish' });
    await send();
    passed = 24 * HOUR_MS;
    expect(await lookUp()).toEqual({ kind: 'absent' });
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(callsOf(create)).toHaveLength(2);
    expect(posts()).toHaveLength(1);
  });

  test('a container that Meta does not know any more leaves the message in doubt', async () => {
    await send();
    world.protocol.containers.length = 0;
    expect(await lookUp()).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('not known any more') });
  });

  test('what is in work is waited for, and gives its place to others when that takes long; nothing is made twice', async () => {
    world.protocol.inWork = 3;
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(waited).toEqual([500, 1_000, 2_000]);
    kept = new MemoryKeeping();
    world.protocol.inWork = 9;
    const reason = expect.stringContaining('is kept');
    expect(await send()).toEqual({ kind: 'retry', status: 200, reason, afterMs: 15_000 });
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(callsOf(create)).toHaveLength(2);
  });

  test('the images of a carousel that are in work are kept too', async () => {
    world.protocol.inWork = 7;
    expect(await send(carousel)).toMatchObject({ kind: 'retry' });
    expect(kept.ids).toMatchObject({ children: expect.stringMatching(/^\d+,\d+$/) });
    world.protocol.inWork = 0;
    expect(await send(carousel)).toMatchObject({ kind: 'retry' });
    expect(await send(carousel)).toMatchObject({ kind: 'delivered' });
    expect(callsOf(create)).toHaveLength(3);
    expect(posts()).toHaveLength(1);
  });

  test('the images of a carousel that were made before another one failed are not made again', async () => {
    world.server.order({ do: 'fail', to: 'upload', match: 'red.jpg' });
    expect(await send(carousel)).toMatchObject({ kind: 'retry' });
    expect(kept.ids).toMatchObject({ children: expect.stringMatching(/^\d+$/) });
    expect(await send(carousel)).toMatchObject({ kind: 'delivered' });
    expect(callsOf(create)).toHaveLength(4);
    expect(posts()[0]?.images).toHaveLength(2);
  });

  test('a carousel whose image cannot be made is made anew', async () => {
    world.protocol.failsWith = 'FAILED_DOWNLOADING 2207003';
    expect(await send(carousel)).toMatchObject({ kind: 'retry', reason: expect.stringContaining('gave up an image') });
    expect(kept.ids).not.toHaveProperty('children');
    world.protocol.failsWith = undefined;
    expect(await send(carousel)).toMatchObject({ kind: 'delivered' });
  });

  test('what Meta fails to make ready is made anew once it may come out', async () => {
    world.protocol.failsWith = 'FAILED_DOWNLOADING 2207003';
    expect(await send()).toMatchObject({ kind: 'retry' });
    expect(await lookUp()).toEqual({ kind: 'absent' });
    world.protocol.failsWith = undefined;
    expect(await send()).toMatchObject({ kind: 'delivered' });
    kept = new MemoryKeeping();
    world.protocol.failsWith = 'ERROR';
    expect(await send()).toMatchObject({ kind: 'retry' });
    kept = new MemoryKeeping();
    world.protocol.failsWith = 'INVALID_ASPEC_RATIO 2207009';
    expect(await send()).toEqual({ kind: 'rejected', reason: expect.stringContaining('INVALID_ASPEC_RATIO') });
  });

  test('half a preparation is never seen, and leaves no doubt', async () => {
    for (const mishap of ['drop', 'error', 'vanish', 'hang', 'babble'] as const) {
      world.server.order({ do: mishap, to: 'upload' });
      expect(await send()).toMatchObject({ kind: 'retry' });
    }
    world.server.order({ do: 'quote', to: 'upload' });
    const outcome = await send();
    expect(outcome).toMatchObject({ kind: 'rejected', status: 400 });
    expect(JSON.stringify(outcome)).not.toContain(TOKEN);
    expect(posts()).toEqual([]);
    expect(kept.ids).toBeUndefined();
  });

  test('the limit of a day is read when it is met', async () => {
    for (let n = 0; n < 3; n++) await world.send(payload, { kept: new MemoryKeeping() });
    expect(await send()).toEqual({
      kind: 'retry',
      status: 400,
      afterMs: HOUR_MS,
      hold: { of: 'account', ms: HOUR_MS },
      reason: expect.stringMatching(/as often as \w+ allows in a day \(.*\); 3 of 3 posts are used$/),
    });
    passed = 25 * HOUR_MS;
    expect(await send()).toMatchObject({ kind: 'delivered' });
  });

  test('too many calls wait for as long as Meta says', async () => {
    world.server.order({ do: 'throttle', afterMs: 7 * 60_000 });
    expect(await send()).toMatchObject({ kind: 'retry', afterMs: 7 * 60_000 });
  });

  test('a token that is not taken makes the account unusable', async () => {
    world.protocol.revoked.add(TOKEN);
    expect(await send()).toMatchObject({
      kind: 'unusable',
      isFinal: true,
      reason: expect.stringContaining('Connect the account again'),
    });
    expect(await lookUp()).toMatchObject({ kind: 'unusable' });
  });

  test('in doubt is not decided while Meta does not say how its container is', async () => {
    world.server.order({ do: 'drop' });
    await send();
    world.protocol.revoked.add(TOKEN);
    expect(await lookUp()).toMatchObject({ kind: 'unusable' });
    expect(await world.lookUp(payload, { kept }, 'lost')).toMatchObject({ kind: 'retry' });
    jest.spyOn(world.protocol, 'handle').mockResolvedValue({ status: 200, json: 'a login page' });
    expect(await world.lookUp(payload, { kept })).toMatchObject({ kind: 'unusable' });
  });

  test.each([
    [{ error: { code: 1, message: 'unknown' } }, 400, 'unknown'],
    [{ error: { code: 2, message: 'down' } }, 200, 'unknown'],
    [{ error: { code: -1, error_subcode: 2_207_032, message: 'failed' } }, 400, 'unknown'],
    [{ error: { code: -2, message: 'it took too long' } }, 400, 'unknown'],
    [{ error: { code: 999, is_transient: true, message: 'once more' } }, 400, 'unknown'],
    [{ error: { code: 4, error_subcode: 2_207_051, message: 'blocked' } }, 403, 'retry'],
    [{ error: { code: 24, error_subcode: 4_279_009, message: 'not there yet' } }, 400, 'retry'],
    [{ error: { code: 10, message: 'no permission' } }, 403, 'rejected'],
    [{ error: { code: 25, error_subcode: 2_207_050, message: 'restricted' } }, 400, 'rejected'],
    [{ id: 'not an id!' }, 200, 'unknown'],
    ['a page', 200, 'unknown'],
    ['a page', 502, 'unknown'],
    ['a page', 409, 'unknown'],
    ['a page', 408, 'retry'],
    ['a page', 302, 'rejected'],
  ])('an answer %j with status %i to its publication is %s', async (json, status, kind) => {
    const handle = world.protocol.handle.bind(world.protocol);
    jest
      .spyOn(world.protocol, 'handle')
      .mockImplementation(async (request) => (world.protocol.publishes(request) ? { status, json } : handle(request)));
    expect(await send()).toMatchObject({ kind, status });
  });

  const preparing = (url: string) => {
    const settings = { timeoutMs: 800, perOrigin: 1, concurrency: 4 } as never;
    const network = { allowPrivateAddresses: false };
    const channel = world.kind.build(settings, { clock: systemClock, network, secretsOf: async () => new Map() });
    opened.push(channel);
    return () => channel.prepare('shop', JSON.stringify({ text: 'a', media: [{ url }] }));
  };

  test.each([
    'http://10.0.0.1/cup.jpg',
    'http://[::1]/cup.jpg',
    'http://0x7f.1/cup.jpg',
    'http://localhost/cup.jpg',
    'http://intranet/cup.jpg',
    'http://metadata.google.internal/cup.jpg',
  ])('with an image at %s is refused, because Meta cannot fetch it', (url) => {
    expect(preparing(url)).toThrow('payload.media.0.url: expected a URL on the Internet');
  });

  test.each(['https://images.example/cup.jpg', 'https://93.184.216.34/cup.jpg'])(
    'with an image at %s is taken',
    (url) => {
      expect(preparing(url)).not.toThrow();
    },
  );

  test('throws where it is given nowhere to keep its ids, and publishes nothing', async () => {
    await expect(world.send(payload)).rejects.toThrow(TypeError);
    expect(world.server.calls).toEqual([]);
  });
});
