import type { Channel } from '../../../bolts/channel';
import { channelKinds } from '../../../connectors/channels/channel-kinds';
import type { ChannelName } from '../../../connectors/mysql/client/client';
import type { FakeOrder } from '../../../deploy/fakes/fake-provider';
import { systemClock } from '../../../topology/core/clock';
import type { Outcome } from '../../../topology/message';
import { topologySchema } from '../../../topology/settings/topology-schema';
import { MemoryKeeping } from '../../support/channels/memory-keeping';
import { StoredAccounts } from '../../support/channels/stored-accounts';
import { accounts, type Played, playAll } from '../../support/played/played-providers';
import { until } from '../../support/until';

const TIMEOUT_MS = 1_000;
const LATE_MS = 30;
/** As often as a channel could ask. */
const ALWAYS = 1_000;

let all: readonly Played[];
let built: readonly (readonly [Played, Channel])[];

beforeAll(async () => {
  all = await playAll();
  built = all.map((played) => [played, build(played)] as const);
});

afterAll(async () => {
  await Promise.all(built.map(([, channel]) => channel.close()));
  await Promise.all(all.map(({ fake }) => fake.close()));
});

function build({ channel: name, credentialsOf }: Played): Channel {
  const stored = new StoredAccounts();
  for (const account of accounts) stored.set(account, credentialsOf(account));
  const settings = topologySchema.parse({ components: { [name]: { timeout: TIMEOUT_MS } } });
  return channelKinds[name].build(settings.bolts[name] as never, {
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: stored.of,
  });
}

type Ended = Outcome['kind'] | 'not_started';

interface Expected {
  readonly order: FakeOrder;
  /** What comes of the message, on each channel or on most. */
  readonly ends: Ended | readonly Ended[];
  readonly taken: 0 | 1;
  readonly but?: { readonly [Name in ChannelName]?: Ended | readonly Ended[] };
  /** Whose provider has no such thing. */
  readonly lacking?: readonly ChannelName[];
}

const unlessTokensEnd: readonly ChannelName[] = ['mastodon', 'telegram', 'discord', 'email'];
const unlessItKnowsThem: readonly ChannelName[] = ['mastodon', 'telegram', 'discord', 'slack', 'email'];

/** An account for each, because what a provider says of one message may count for the next ones of its account. */
const table: readonly Expected[] = [
  { order: { do: 'vanish' }, ends: 'unknown', taken: 0 },
  { order: { do: 'babble' }, ends: 'unknown', taken: 0 },
  { order: { do: 'fail' }, ends: ['unknown', 'retry'], taken: 0 },
  { order: { do: 'throttle' }, ends: 'retry', taken: 0 },
  { order: { do: 'drop' }, ends: 'unknown', taken: 1 },
  // What became of a container can be asked for at once.
  { order: { do: 'error' }, ends: 'unknown', taken: 1, but: { instagram: 'delivered', threads: 'delivered' } },
  { order: { do: 'hang' }, ends: 'unknown', taken: 1 },
  { order: { do: 'slow', afterMs: LATE_MS }, ends: 'delivered', taken: 1 },
  { order: { do: 'late', afterMs: LATE_MS }, ends: 'unknown', taken: 1 },
  { order: { do: 'expire', times: ALWAYS }, ends: 'unusable', taken: 0, lacking: unlessTokensEnd },
  { order: { do: 'revoke', times: ALWAYS }, ends: 'unusable', taken: 0 },
  {
    order: { do: 'duplicate' },
    ends: 'rejected',
    taken: 0,
    // It is asked what it has under the key, and it is not there.
    but: { bluesky: ['retry', 'unknown'] },
    lacking: unlessItKnowsThem,
  },
];

describe.each(table.map((one, n) => ({ ...one, name: one.order.do, n })))(
  'a provider that is ordered to "$name"',
  ({ order, ends, taken: times, but = {}, lacking = [], n }) => {
    const account = accounts[n] as string;
    const text = `a message that is to ${order.do}`;

    test('ends each of its channels’ messages as that is to end, and has taken it so often', async () => {
      const outcomes = new Map<ChannelName, Ended>();
      for (const [played, channel] of built) {
        if (lacking.includes(played.channel)) continue;
        played.fake.order({
          ...order,
          ...(played.channel === 'email' && order.do === 'revoke' ? {} : { match: text }),
        });
        const outcome = await send(played, channel, account, text);
        const ended = outcome === 'not_started' ? outcome : outcome.kind;
        const expected = but[played.channel] ?? ends;
        if (![expected].flat().includes(ended)) outcomes.set(played.channel, ended);
        const taken = () => played.taken().filter((one) => one === text).length;
        await until(`${played.channel} has it`, () => taken() === times, TIMEOUT_MS).catch(() => undefined);
        expect([played.channel, taken()]).toEqual([played.channel, times]);
      }
      expect([...outcomes]).toEqual([]);
    });

    test('is refused that by those that have no such thing', () => {
      const refusing = all.filter(({ fake }) => {
        try {
          fake.order({ ...order, match: 'nothing' });
          return false;
        } catch {
          return true;
        }
      });
      expect(refusing.map(({ channel }) => channel).toSorted()).toEqual(lacking.toSorted());
    });
  },
);

function send({ messageOf }: Played, channel: Channel, account: string, text: string) {
  return channel.send(channel.prepare(account, JSON.stringify(messageOf(text, account))), {
    id: 1,
    account,
    dueAt: systemClock.now(),
    inDoubt: false,
    idempotencyKey: `downspout-0123456789abcdef-${text.length}-1`,
    mayStart: () => true,
    now: () => systemClock.now(),
    kept: new MemoryKeeping(),
  });
}
