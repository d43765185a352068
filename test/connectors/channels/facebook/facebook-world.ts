import type { ReceiptsOfOthers } from '../../../../connectors/channels/channel-kind';
import { facebook } from '../../../../connectors/channels/facebook/facebook';
import { FakeFacebook, type FakeFacebookOptions } from '../../../../deploy/fakes/facebook';
import { systemClock } from '../../../../topology/core/clock';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld, PlayedChannel } from '../played-channel';

export const TOKEN = 'EAAB-token-of-the-shop';
export const PAGE = '100063511021888';

export type FacebookWorld = PlayedChannel<FakeFacebook>;

export function openFacebook(
  options: Partial<FakeFacebookOptions> = {},
  receiptsOfOthers?: ReceiptsOfOthers,
): Promise<FacebookWorld> {
  const protocol = new FakeFacebook({ clock: systemClock, pages: { [TOKEN]: PAGE }, ...options });
  const credentials = { page: PAGE, token: TOKEN };
  return PlayedChannel.open(facebook, protocol, credentials, systemClock, 800, receiptsOfOthers);
}

/** The world of the battery. What Facebook refuses is a link to itself. */
export async function facebookWorld(): Promise<ChannelWorld> {
  return batteryWorld(await openFacebook(), {
    payload: (text) => ({ text }),
    refused: { text: 'a', link: 'https://www.facebook.com/somebody' },
    bad: [
      ['{', 'payload: not JSON'],
      ['{"text":" "}', 'payload.text'],
      [JSON.stringify({ text: 'a'.repeat(63_207) }), 'payload.text: expected at most 63206'],
      ['{"text":"a","link":"example.com"}', 'payload.link'],
    ],
    secrets: [TOKEN],
  });
}
