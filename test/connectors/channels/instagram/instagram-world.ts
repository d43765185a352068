import { instagram } from '../../../../connectors/channels/instagram/instagram';
import { FakeInstagram } from '../../../../deploy/fakes/instagram';
import type { FakeContainersOptions } from '../../../../deploy/fakes/meta-containers';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld, PlayedChannel } from '../played-channel';

export const TOKEN = 'token-of-the-shop';
export const SHOP = '17841400000000001';

/** An image that Meta can fetch. */
export const cup = { url: 'https://images.example/cup.jpg', alt: 'a blue cup' };

export function openInstagram(
  options: Partial<FakeContainersOptions> = {},
  clock: Clock = systemClock,
): Promise<PlayedChannel<FakeInstagram>> {
  const protocol = new FakeInstagram({ clock: systemClock, tokens: { [TOKEN]: SHOP }, ...options });
  return PlayedChannel.open(instagram, protocol, { user: SHOP, token: TOKEN }, clock);
}

/** The world of the battery. */
export async function instagramWorld(): Promise<ChannelWorld> {
  const world = await openInstagram();
  const media = [cup];
  return batteryWorld(world, {
    payload: (text) => ({ text, media }),
    refused: { text: '#a '.repeat(31), hashtags: 40, media },
    bad: [
      ['{', 'payload: not JSON'],
      ['{"text":"a"}', 'payload.media'],
      [JSON.stringify({ text: 'a'.repeat(2_201), media }), 'payload.text: expected at most 2200'],
      [JSON.stringify({ media: [{ file: 'shop/cup.jpg' }] }), 'payload.media.0.url'],
    ],
    secrets: [TOKEN],
    message: /^POST \/v25\.0\/\d+\/media_publish /,
  });
}
