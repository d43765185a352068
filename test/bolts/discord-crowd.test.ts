import { meaningOf } from '../../connectors/channels/discord/discord-answers';
import { Redaction } from '../../connectors/channels/http/redaction';
import { Reply } from '../../connectors/channels/http/reply';
import { FakeDiscord } from '../../deploy/fakes/discord';
import { World } from './world';

const TOKEN = 'MTE1NTE0OTEwODE4MzY5NTM2.token-of.the_shop';
const CHANNEL = '155101607195836416';
const OTHERS = Array.from({ length: 40 }, (_, n) => String(155101607195840000n + BigInt(n)));
const MESSAGES = 200;
/** Of a bot in a channel, in five seconds. */
const LIMIT = 5;

/** A bolt whose provider answers as Discord does. @param channelOf of a message */
async function open(
  channelOf: (id: number) => string = () => CHANNEL,
): Promise<{ readonly world: World; readonly protocol: FakeDiscord; readonly refused: number[] }> {
  const world = await new World().open();
  const { clock, channel } = world;
  const bots = { [TOKEN]: { id: '155149108183695360', username: 'shop_bot' } };
  const protocol = new FakeDiscord({ clock, bots, channels: [CHANNEL, ...OTHERS], limit: LIMIT });
  const refused: number[] = [];
  channel.send = async (_, { id, mayStart, inDoubt, idempotencyKey }) => {
    if (!mayStart()) return 'not_started';
    await clock.sleep(channel.latency);
    const answer = await protocol.handle({
      method: 'POST',
      path: `/api/v10/channels/${channelOf(id)}/messages`,
      query: new URLSearchParams(),
      headers: {
        authorization: `Bot ${TOKEN}`,
        'user-agent': 'DiscordBot (https://a.example, 1)',
        'content-type': 'application/json',
      },
      body: Buffer.from(JSON.stringify({ content: String(id), nonce: idempotencyKey.slice(-25) })),
    });
    if (answer.status === 429) refused.push(id);
    const headers = Object.entries(answer.headers ?? {}).flatMap((pair) => pair.map((text) => Buffer.from(text)));
    const body = Buffer.from(JSON.stringify(answer.json));
    const reply = new Reply({ kind: 'answered', status: answer.status, headers, body }, new Redaction([]));
    return meaningOf(reply, { inDoubt, now: clock.now() });
  };
  return { world, protocol, refused };
}

test('of a crowd in one channel few messages are refused, and the others leave in their order as fast as Discord takes them', async () => {
  const { world, protocol, refused } = await open();
  const rows = world.rows(MESSAGES, 500, { account: 'shop' });
  const ids = rows.map(({ id }) => id);
  const taken = () => protocol.posts().map(({ content }) => Number(content));
  world.emit(...rows);
  await world.advance(600);
  const first = taken();
  expect(first).toEqual(ids.slice(0, LIMIT));
  // What was claimed when the first of them was refused comes behind what was not: see docs/sending.md.
  const claimed = world.claims.flatMap((claim) => claim.ids);
  const before = refused.slice();
  // As many as were on the way.
  expect(before.length).toBeLessThanOrEqual(8);
  for (let window = 0; window < MESSAGES / LIMIT; window++) {
    await world.advance(5_000);
    world.emit(...rows.filter((row) => world.state(row) === 'scheduled'));
  }
  expect(world.states(rows)).toEqual(['delivered']);
  expect(refused).toEqual(before);
  const others = ids.filter((id) => !first.includes(id) && !before.includes(id));
  const [givenBack, unclaimed] = [true, false].map((was) => others.filter((id) => claimed.includes(id) === was));
  expect(taken()).toEqual([...first, ...(unclaimed ?? []), ...(givenBack ?? []), ...before]);
  await world.close();
  expect(world.bugs).toEqual([]);
});

test('a bot that was refused in one channel writes in all others as before half a minute later', async () => {
  const channels = new Map<number, string>();
  const { world, protocol, refused } = await open((id) => channels.get(id) ?? CHANNEL);
  const crowd = world.rows(LIMIT + 3, 500, { account: 'shop' });
  world.emit(...crowd);
  await world.advance(6_000);
  world.emit(...crowd.filter((row) => world.state(row) === 'scheduled'));
  await world.advance(6_000);
  expect([world.states(crowd), refused.length > 0]).toEqual([['delivered'], true]);
  await world.advance(36_000);
  const others = world.rows(OTHERS.length, 500, { account: 'shop' });
  for (const [n, { id }] of others.entries()) channels.set(id, OTHERS[n] as string);
  world.emit(...others);
  // One after the other they would take as many times the latency.
  await world.advance(500 + 8 * world.channel.latency);
  expect(protocol.posts()).toHaveLength(crowd.length + others.length);
  await world.advance(1_000);
  expect(world.states(others)).toEqual(['delivered']);
  expect(protocol.posts()).toHaveLength(crowd.length + others.length);
  await world.close();
  expect(world.bugs).toEqual([]);
});
