import { bluesky } from '../../../../connectors/channels/bluesky/bluesky';
import { FakeBluesky, type FakeBlueskyOptions } from '../../../../deploy/fakes/bluesky';
import { systemClock } from '../../../../topology/core/clock';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld, PlayedChannel } from '../played-channel';

export const PASSWORD = 'abcd-efgh-ijkl-mnop';
export const HANDLE = 'shop.test';

export type BlueskyWorld = PlayedChannel<FakeBluesky>;

export function openBluesky(options: Partial<FakeBlueskyOptions> = {}, clock = systemClock): Promise<BlueskyWorld> {
  const passwords = { [HANDLE]: PASSWORD, 'ann.test': 'password-of-ann' };
  const protocol = new FakeBluesky({ clock: systemClock, passwords, ...options });
  // A post is several requests: one that is answered late is one of ours on a busy machine.
  return PlayedChannel.open(bluesky, protocol, { identifier: HANDLE, password: PASSWORD }, clock, 800);
}

/** The world of the battery. Keys are those of attempts whose posts were written; logins are none. */
export async function blueskyWorld(): Promise<ChannelWorld> {
  const world = await openBluesky();
  const battery = batteryWorld(world, {
    payload: (text) => ({ text }),
    refused: { text: 'a', replyTo: `at://${HANDLE}/app.bsky.feed.post/2222222222222` },
    bad: [
      ['{', 'payload: not JSON'],
      ['{"text":" "}', 'payload.text'],
      [JSON.stringify({ text: 'a'.repeat(301) }), 'payload.text: expected at most 300'],
      ['{"text":"a","replyTo":"https://bsky.app/profile/a/post/b"}', 'payload.replyTo'],
    ],
    secrets: [PASSWORD, 'access-token-1', 'refresh-token-1'],
  });
  // So that the one request of an attempt is the post. A connection keeps the way to write that it was opened with.
  await world.send({ text: 'the first' });
  return battery;
}
