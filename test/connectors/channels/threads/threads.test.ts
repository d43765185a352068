import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { channelBattery } from '../channel-battery';
import { openThreads, SHOP, TOKEN, threadsWorld } from './threads-world';

channelBattery('threads', threadsWorld);

async function inWorld<T>(work: (world: Awaited<ReturnType<typeof openThreads>>) => Promise<T>): Promise<T> {
  const world = await openThreads();
  try {
    return await work(world);
  } finally {
    await world.close();
  }
}

test('a text goes out by itself, with what it answers, a link and who may answer it', async () => {
  await inWorld(async (world) => {
    const send = (payload: object) => world.send(payload, { kept: new MemoryKeeping() });
    expect(await send({ text: 'hello 👍' })).toMatchObject({
      kind: 'delivered',
      receipt: expect.stringMatching(/^https:\/\/www\.threads\.com\//),
    });
    await send({ text: 'yes', replyTo: '18012345678901234', link: 'https://example.com/a', replies: 'followed' });
    expect(world.protocol.posts().map(({ fields }) => fields)).toEqual([
      { media_type: 'TEXT', text: 'hello 👍' },
      {
        media_type: 'TEXT',
        text: 'yes',
        reply_to_id: '18012345678901234',
        reply_control: 'accounts_you_follow',
        link_attachment: 'https://example.com/a',
      },
    ]);
  });
});

test('an image needs no text', async () => {
  await inWorld(async (world) => {
    const media = [{ url: 'https://images.example/cup.png' }];
    expect(await world.send({ media }, { kept: new MemoryKeeping() })).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.posts()).toMatchObject([{ text: '', images: [{ media_type: 'IMAGE' }] }]);
  });
});

test('media that Threads cannot fetch is rejected, with what Threads says', async () => {
  await inWorld(async (world) => {
    const message = 'The media could not be fetched from this URI';
    world.protocol.unfetchable.set('cup.png', { code: 100, subcode: 0, message });
    const media = [{ url: 'https://images.example/cup.png' }];
    expect(await world.send({ media }, { kept: new MemoryKeeping() })).toMatchObject({
      kind: 'rejected',
      reason: `Threads does not take the post (HTTP 400, code 100: ${message})`,
    });
  });
});

test('credentials can be tried without a post', async () => {
  await inWorld(async (world) => {
    expect(await world.whoAmI({ user: SHOP, token: TOKEN })).toEqual({
      kind: 'ok',
      name: `@name_of_${SHOP} (${SHOP})`,
    });
    expect(await world.whoAmI({ user: SHOP, token: 'another-token' })).toMatchObject({ kind: 'no' });
  });
});
