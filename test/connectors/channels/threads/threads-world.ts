import { threads } from '../../../../connectors/channels/threads/threads';
import type { FakeContainersOptions } from '../../../../deploy/fakes/meta-containers';
import { FakeThreads } from '../../../../deploy/fakes/threads';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld, PlayedChannel } from '../played-channel';

export const TOKEN = 'token-of-the-shop';
export const SHOP = '24000000000000001';

export function openThreads(
  options: Partial<FakeContainersOptions> = {},
  clock: Clock = systemClock,
): Promise<PlayedChannel<FakeThreads>> {
  const protocol = new FakeThreads({ clock: systemClock, tokens: { [TOKEN]: SHOP }, limit: 250, ...options });
  return PlayedChannel.open(threads, protocol, { user: SHOP, token: TOKEN }, clock);
}

/** The world of the battery. */
export async function threadsWorld(): Promise<ChannelWorld> {
  const world = await openThreads();
  return batteryWorld(world, {
    payload: (text) => ({ text }),
    refused: { text: 'a'.repeat(501), limit: 600 },
    bad: [
      ['{', 'payload: not JSON'],
      ['{"text":" "}', 'payload.text'],
      [JSON.stringify({ text: 'a'.repeat(501) }), 'payload.text: expected at most 500'],
      [JSON.stringify({ text: 'a', replyTo: 'https://www.threads.com/@a/post/b' }), 'payload.replyTo'],
    ],
    secrets: [TOKEN],
    message: /^POST \/v1\.0\/\d+\/threads_publish /,
  });
}
