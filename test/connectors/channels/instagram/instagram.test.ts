import { instagram } from '../../../../connectors/channels/instagram/instagram';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { channelBattery } from '../channel-battery';
import { cup, instagramWorld, openInstagram, SHOP, TOKEN } from './instagram-world';

channelBattery('instagram', instagramWorld);

const media = [cup];

async function inWorld<T>(work: (world: Awaited<ReturnType<typeof openInstagram>>) => Promise<T>): Promise<T> {
  const world = await openInstagram();
  try {
    return await work(world);
  } finally {
    await world.close();
  }
}

test('an image needs no caption', async () => {
  await inWorld(async (world) => {
    expect(await world.send({ media }, { kept: new MemoryKeeping() })).toMatchObject({
      kind: 'delivered',
      receipt: expect.stringMatching(/^https:\/\/www\.instagram\.com\/p\//),
    });
  });
});

test.each([
  [36_000, 2_207_004, 'the image is larger than 8 MiB', 'rejected'],
  [36_001, 2_207_005, 'only JPEG', 'rejected'],
  [36_003, 2_207_009, 'aspect ratio', 'rejected'],
  [9_004, 2_207_052, 'the media could not be fetched', 'rejected'],
  [-2, 2_207_003, 'it took too long to fetch the media', 'retry'],
  [-1, 2_207_001, 'server error', 'retry'],
])('code %i/%i when the image is fetched: %s', async (code, subcode, message, kind) => {
  await inWorld(async (world) => {
    world.protocol.unfetchable.set('cup.jpg', { code, subcode, message });
    const outcome = await world.send({ media }, { kept: new MemoryKeeping() });
    expect(outcome).toMatchObject({ kind, reason: expect.stringContaining(`${code}/${subcode}: ${message}`) });
    expect(world.protocol.posts()).toEqual([]);
  });
});

test('credentials can be tried without a post, name a user, and go to no server in clear', async () => {
  await inWorld(async (world) => {
    expect(await world.whoAmI({ user: SHOP, token: TOKEN })).toEqual({
      kind: 'ok',
      name: `@name_of_${SHOP} (${SHOP})`,
    });
    expect(await world.whoAmI({ user: '1', token: TOKEN })).toMatchObject({ kind: 'no' });
    expect(await world.whoAmI({ user: SHOP, token: 'another-token' })).toMatchObject({
      kind: 'no',
      reason: expect.stringContaining('190'),
    });
    expect(world.protocol.containers).toEqual([]);
  });
  const given = { user: SHOP, token: TOKEN };
  expect(instagram.credentials.safeParse(given).success).toBe(true);
  expect(instagram.credentials.safeParse({ ...given, user: 'me' }).success).toBe(false);
  expect(instagram.credentials.safeParse({ ...given, server: 'http://gateway.example' }).success).toBe(false);
});

test('a user whose token it is not is the account that has to be connected again', async () => {
  await inWorld(async (world) => {
    world.set('shop', { user: '1', token: TOKEN });
    expect(await world.send({ media }, { kept: new MemoryKeeping() })).toMatchObject({ kind: 'unusable' });
  });
});
