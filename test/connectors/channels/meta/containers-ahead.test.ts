import type { Channel } from '../../../../bolts/channel';
import type { FakeContainers } from '../../../../deploy/fakes/meta-containers';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { cup, openInstagram } from '../instagram/instagram-world';
import type { PlayedChannel } from '../played-channel';
import { openThreads } from '../threads/threads-world';

/** Longer than what was made ready is believed. */
const LONG_MS = 900_000;
const DAY_MS = 86_400_000;

let passed: number;

/** Waits for nothing, and time can pass. */
const quick = (): Clock => ({ ...systemClock, now: () => systemClock.now() + passed, sleep: async () => undefined });

const now = () => systemClock.now() + passed;

const hosts: readonly [string, () => Promise<PlayedChannel<FakeContainers>>, string, string][] = [
  ['instagram', () => openInstagram({ clock: quick() }, quick()), 'media', 'media_publish'],
  ['threads', () => openThreads({ clock: quick() }, quick()), 'threads', 'threads_publish'],
];

describe.each(hosts)('a post on %s that is made ready before its instant', (_name, open, create, publish) => {
  let world: PlayedChannel<FakeContainers>;
  let kept: MemoryKeeping;
  let channel: Channel;

  beforeEach(async () => {
    passed = 0;
    world = await open();
    ({ channel } = world);
    kept = new MemoryKeeping();
  });
  afterEach(() => world.close());

  const payload = { text: 'a cup', media: [cup] };
  const carousel = { text: 'cups', media: [cup, { url: 'https://images.example/red.jpg' }] };
  const makeReady = (attempt: object = {}, what: object = payload) => world.makeReady(what, { kept, now, ...attempt });
  const send = (attempt: object = {}, what: object = payload) => world.send(what, { kept, now, ...attempt });
  const posts = () => world.protocol.posts().length;
  /** Edges and fields that were asked for since the last call. */
  function calls(): string[] {
    const paths = world.server.calls.map(
      ({ method, path }) => `${method} ${path.split('/').at(-1)?.replace(/^\d+$/, 'ID')}`,
    );
    world.server.calls.length = 0;
    return paths;
  }

  test.each([
    ['one image', payload],
    ['a carousel', carousel],
  ])('only the publication is left for it: %s', async (_what, what) => {
    world.protocol.inWork = 1;
    expect(await makeReady({}, what)).toBe('ready');
    expect([posts(), kept.ids]).toEqual([
      0,
      {
        container: expect.stringMatching(/^\d+$/),
        madeAt: expect.stringMatching(/^\d{13}$/),
        user: expect.stringMatching(/^\d+$/),
        ready: expect.stringMatching(/^\d{13}$/),
      },
    ]);
    expect(calls().filter((call) => call.endsWith(publish))).toEqual([]);
    expect(await send({}, what)).toMatchObject({ kind: 'delivered' });
    // The last one asks for the address of the post.
    expect(calls()).toEqual([`POST ${publish}`, 'GET ID']);
    expect(posts()).toBe(1);
  });

  test('No second container is made while the first may be published, whatever was made ready of it', async () => {
    world.server.order({ do: 'vanish' });
    expect(await makeReady()).toBe('ready');
    expect(await send()).toMatchObject({ kind: 'unknown' });
    expect(await world.lookUp(payload, { kept })).toEqual({ kind: 'absent' });
    calls();
    expect(await send({ inDoubt: true })).toMatchObject({ kind: 'delivered' });
    // In doubt its state is asked for first.
    expect(calls()).toEqual(['GET ID', `POST ${publish}`, 'GET ID']);
    expect(world.protocol.containers).toHaveLength(1);
  });

  test('is asked for before it is published when that is long ago, and made anew when it has ended', async () => {
    await makeReady();
    passed = LONG_MS;
    calls();
    world.server.order({ do: 'throttle' });
    expect(await send()).toMatchObject({ kind: 'retry' });
    expect(calls()[0]).toBe('GET ID');
    passed = DAY_MS + 1;
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect([posts(), world.protocol.containers.length]).toEqual([1, 2]);
  });

  test('is asked for by the next attempt when its publication was refused', async () => {
    await makeReady();
    world.server.order({ do: 'throttle' });
    expect(await send()).toMatchObject({ kind: 'retry' });
    calls();
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(calls()[0]).toBe('GET ID');
  });

  test('is made anew, and leaves no doubt, when Meta does not know it any more at its instant', async () => {
    await makeReady();
    for (const one of world.protocol.containers) Object.assign(one, { user: 'nobody' });
    calls();
    expect(await send()).toMatchObject({ kind: 'retry' });
    expect(calls()).toEqual([`POST ${publish}`, 'GET ID']);
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect([posts(), calls()[0]]).toEqual([1, 'GET ID']);
  });

  test('goes on where it was left, and what the provider still works on is asked for later', async () => {
    world.protocol.inWork = 8;
    expect(await makeReady()).toMatchObject({ kind: 'retry', afterMs: 15_000 });
    expect(await makeReady()).toBe('ready');
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.containers).toHaveLength(1);
  });

  test('makes no request once it may not, and publishes nothing of a message that another worker has', async () => {
    expect(await makeReady({ mayStart: () => false })).toBe('not_started');
    expect(calls()).toEqual([]);
    kept.isLost = true;
    expect(await makeReady()).toBe('not_started');
    expect([posts(), kept.ids]).toEqual([0, undefined]);
  });

  test('leaves what is wrong with credentials to the attempt', async () => {
    expect(await world.makeReady(payload, { kept, now }, 'unknown')).toMatchObject({ kind: 'unusable' });
    world.protocol.revoked.add('token-of-the-shop');
    expect(await makeReady()).toMatchObject({ kind: 'unusable' });
    world.protocol.revoked.clear();
    expect(await send()).toMatchObject({ kind: 'delivered' });
  });

  test('is nothing where the topology leaves all of it to the instant', async () => {
    expect(channel.readying).toBeDefined();
    const without = topologySchema.parse({ components: { [channel.name]: { readyAhead: '0s' } } });
    const network = { allowPrivateAddresses: true };
    const built = world.kind.build(without.bolts[channel.name] as never, {
      clock: quick(),
      network,
      secretsOf: world.accounts.of,
    });
    expect(built.readying).toBeUndefined();
    await built.close();
  });

  test(`makes its containers by ${create}`, async () => {
    await makeReady();
    expect(calls()[0]).toBe(`POST ${create}`);
  });
});
