import { telegram } from '../../../../connectors/channels/telegram/telegram';
import { FakeTelegram, type FakeTelegramOptions } from '../../../../deploy/fakes/telegram';
import { systemClock } from '../../../../topology/core/clock';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld, PlayedChannel } from '../played-channel';

/** The two halves of a token: a server may quote them apart. */
export const HALVES = ['7000000001', 'AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw'] as const;
export const TOKEN = HALVES.join(':');
/** The number of a group that became a supergroup. */
export const GROUP = -4_100_200;
export const SUPERGROUP = -1_001_234_567_890;

export function openTelegram(options: Partial<FakeTelegramOptions> = {}): Promise<PlayedChannel<FakeTelegram>> {
  const chats = [
    { id: -1_001_000_000_001, type: 'channel', username: 'shop_news' },
    { id: 4_242, type: 'private', username: 'someone' },
    { id: 4_243, type: 'private', forbids: 'bot was blocked by the user' },
    { id: 4_244, type: 'private', forbids: 'user is deactivated' },
    { id: -4_245, type: 'group', forbids: 'bot was kicked from the group chat' },
    { id: GROUP, type: 'group', movedTo: SUPERGROUP },
    { id: SUPERGROUP, type: 'supergroup' },
  ] as const;
  const protocol = new FakeTelegram({ clock: systemClock, bots: { [TOKEN]: 'shop_bot' }, chats, ...options });
  return PlayedChannel.open(telegram, protocol, { token: TOKEN });
}

/** The world of the battery. */
export async function telegramWorld(): Promise<ChannelWorld> {
  const chat = '@shop_news';
  return batteryWorld(await openTelegram(), {
    payload: (text) => ({ chat, text }),
    refused: { chat: '@nobody', text: 'a' },
    bad: [
      ['{', 'payload: not JSON'],
      [JSON.stringify({ chat, text: ' ' }), 'payload.text'],
      [JSON.stringify({ chat, text: 'a'.repeat(4_097) }), 'payload.text: expected at most 4096'],
      ['{"chat":"shop","text":"a"}', 'payload.chat'],
    ],
    secrets: HALVES,
  });
}
