import type { ReceiptsOfOthers } from '../../../../connectors/channels/channel-kind';
import { x } from '../../../../connectors/channels/x/x';
import { FakeX, type FakeXOptions } from '../../../../deploy/fakes/x';
import { systemClock } from '../../../../topology/core/clock';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld, PlayedChannel } from '../played-channel';

export const TOKEN = 'token-of-the-shop';
export const OTHER_TOKEN = 'token-of-another-user';
export const SHOP = { id: '2244994945', username: 'shop' };
/** A post of somebody else. */
export const THEIRS = '1346889436626259968';

type XWorld = PlayedChannel<FakeX>;

export async function openX(
  options: Partial<FakeXOptions> = {},
  clock = systemClock,
  receiptsOfOthers?: ReceiptsOfOthers,
): Promise<XWorld> {
  const tokens = { [TOKEN]: SHOP, [OTHER_TOKEN]: { id: '12', username: 'other' } };
  const protocol = new FakeX({ clock: systemClock, tokens, others: { [THEIRS]: 'ann' }, ...options });
  return PlayedChannel.open(x, protocol, { token: TOKEN }, clock, 800, receiptsOfOthers);
}

/** The world of the battery. */
export async function xWorld(): Promise<ChannelWorld> {
  return batteryWorld(await openX({ duplicateMs: 0 }), {
    payload: (text) => ({ text }),
    refused: { text: 'a', replyTo: '1' },
    bad: [
      ['{', 'payload: not JSON'],
      ['{"text":" "}', 'payload.text'],
      [JSON.stringify({ text: 'a'.repeat(281) }), 'payload.text: expected at most 280'],
      ['{"text":"a","replySettings":"all"}', 'payload.replySettings'],
    ],
    secrets: [TOKEN],
  });
}
