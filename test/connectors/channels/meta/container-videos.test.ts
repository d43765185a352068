import type { FakeContainers } from '../../../../deploy/fakes/meta-containers';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { parsePayload } from '../../../../topology/payloads/payloads';
import { MemoryKeeping } from '../../../support/channels/memory-keeping';
import { cup, openInstagram } from '../instagram/instagram-world';
import type { PlayedChannel } from '../played-channel';
import { openThreads } from '../threads/threads-world';

const url = 'https://films.example/cup.mp4';
const film = { url, alt: 'a cup falls', type: 'video' };
const clock: Clock = { ...systemClock, sleep: async () => undefined };

const alone = [
  ['instagram', () => openInstagram({}, clock), { media_type: 'REELS', video_url: url, caption: 'look' }],
  ['threads', () => openThreads({}, clock), { media_type: 'VIDEO', video_url: url, alt_text: film.alt, text: 'look' }],
] as const;
const items = {
  instagram: [
    { image_url: cup.url, alt_text: cup.alt, is_carousel_item: 'true' },
    { media_type: 'VIDEO', video_url: url, is_carousel_item: 'true' },
  ],
  threads: [
    { media_type: 'IMAGE', image_url: cup.url, alt_text: cup.alt, is_carousel_item: 'true' },
    { media_type: 'VIDEO', video_url: url, alt_text: film.alt, is_carousel_item: 'true' },
  ],
};

describe.each(alone)('videos on %s', (name, open, fields) => {
  let world: PlayedChannel<FakeContainers>;
  let kept: MemoryKeeping;

  beforeEach(async () => {
    kept = new MemoryKeeping();
    world = await open();
  });
  afterEach(() => world.close());

  const send = (media: object[] = [film]) => world.send({ text: 'look', media }, { kept });

  it('are posts by themselves, and stand beside images', async () => {
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.posts()).toMatchObject([{ fields, images: [fields] }]);
    kept = new MemoryKeeping();
    expect(await send([cup, film])).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.posts()[1]?.images).toEqual(items[name]);
  });

  it('that are made ready for long are made ready once, and published once', async () => {
    world.protocol.inWork = 14;
    expect(await send()).toMatchObject({ kind: 'retry', afterMs: 15_000 });
    expect(await send()).toMatchObject({ kind: 'retry', afterMs: 15_000 });
    world.server.order({ do: 'drop' });
    expect(await send()).toMatchObject({ kind: 'unknown' });
    expect(await world.lookUp({ text: 'look', media: [film] }, { kept })).toMatchObject({ kind: 'accepted' });
    expect([world.protocol.containers.length, world.protocol.posts().length]).toEqual([1, 1]);
  });

  it('that cannot be used are rejected, and nothing of them is seen', async () => {
    world.protocol.works({ do: 'spoil', times: 1 });
    expect(await send()).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('cannot use') });
    expect(world.protocol.posts()).toEqual([]);
  });

  it('whose upload was cut are made ready again', async () => {
    world.server.order({ do: 'drop', to: 'upload' });
    expect(await send()).toMatchObject({ kind: 'retry' });
    expect(kept.ids).toBeUndefined();
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.posts()).toHaveLength(1);
  });

  it('say that they are, because nobody here sees them', () => {
    expect(parsePayload(name, { media: [{ ...film, type: 'film' }] })).toMatchObject({ ok: false });
    expect(parsePayload('x', { text: 'a', media: [film] })).toMatchObject({
      ok: false,
      reason: expect.stringContaining('type'),
    });
  });
});
