import { discord } from '../../../../connectors/channels/discord/discord';
import { FakeDiscord, type FakeDiscordOptions } from '../../../../deploy/fakes/discord';
import { systemClock } from '../../../../topology/core/clock';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld, PlayedChannel } from '../played-channel';

export const TOKEN = 'MTE1NTE0OTEwODE4MzY5NTM2.token-of.the_shop';
export const OTHER_TOKEN = 'MTE1NTE0OTEwODE4MzY5NTM2.token-of.another_shop';
export const CHANNEL = '155101607195836416';

export function openDiscord(options: Partial<FakeDiscordOptions> = {}): Promise<PlayedChannel<FakeDiscord>> {
  const bots = {
    [TOKEN]: { id: '155149108183695360', username: 'shop_bot' },
    [OTHER_TOKEN]: { id: '155149108183695361', username: 'other_bot' },
  };
  const protocol = new FakeDiscord({ clock: systemClock, bots, channels: [CHANNEL], limit: 10_000, ...options });
  return PlayedChannel.open(discord, protocol, { token: TOKEN });
}

/** The world of the battery. */
export async function discordWorld(): Promise<ChannelWorld> {
  return batteryWorld(await openDiscord(), {
    payload: (text) => ({ channelId: CHANNEL, text }),
    refused: { channelId: '155101607195836417', text: 'a' },
    bad: [
      ['{', 'payload: not JSON'],
      [JSON.stringify({ channelId: CHANNEL, text: ' ' }), 'payload.text'],
      [JSON.stringify({ channelId: CHANNEL, text: 'a'.repeat(2_001) }), 'payload.text: expected at most 2000'],
      ['{"channelId":"#news","text":"a"}', 'payload.channelId'],
    ],
    secrets: [TOKEN],
  });
}
