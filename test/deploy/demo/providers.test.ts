import { kindOf } from '../../../connectors/channels/channel-kinds';
import { providedAccounts, providedChannels, providedNames } from '../../../deploy/demo/provided-channels';
import { DemoProviders } from '../../../deploy/demo/providers';
import { noteOf, WatchedProvider } from '../../../deploy/demo/watched-provider';
import { systemClock } from '../../../topology/core/clock';
import { parsePayload } from '../../../topology/payloads/payloads';
import { type BoltSettings, parseTopologySettings } from '../../../topology/settings/topology-settings';
import { ManualClock } from '../../support/manual-clock';

const settings = parseTopologySettings('components: { mastodon: {}, bluesky: {}, slack: {} }', 'topology.yaml');
const [account] = providedAccounts as [string];
const attempt = (key: string) => ({
  id: 1,
  account,
  dueAt: 1_800_000_000_000,
  inDoubt: false,
  idempotencyKey: key,
  mayStart: () => true,
  now: () => 1_800_000_000_000,
});

const accepted = ({ requests }: WatchedProvider) => requests.map((one) => one.accepted);

let providers: DemoProviders;
/** As the table would have them, by channel and account. */
let kept: Map<string, string>;

beforeEach(async () => {
  kept = new Map();
  providers = await DemoProviders.start(systemClock, 'demo');
  await providers.connect({
    set: async (owner, channel, text) => {
      kept.set(`${channel} ${owner}`, text);
      return 1;
    },
  });
});
afterEach(() => providers.close());

/** The channel as a worker has it. */
function channelOf(name: (typeof providedNames)[number]) {
  const kind = kindOf(name);
  if (kind === undefined) throw new Error(`no channel ${name}`);
  return kind.build(settings.bolts[name] as BoltSettings, {
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: async (_, owners) =>
      new Map(
        owners.map((owner) => {
          const secrets = [kept.get(`${name} ${owner}`) as string];
          return [owner, { secrets, generation: 0, blocked: undefined }] as const;
        }),
      ),
  });
}

test.each(providedNames)('%s: a message is seen with its revision, its due time and the moment', async (name) => {
  const channel = channelOf(name);
  await channel.warm([account]);
  const payload = providedChannels[name].payload(account, noteOf('demo-1', 2, 1_800_000_000_000));
  expect(parsePayload(name, payload)).toMatchObject({ ok: true });
  const prepared = channel.prepare(account, JSON.stringify(payload));
  const before = systemClock.now();
  expect(await channel.send(prepared, attempt('00000000-0000-4000-8000-000000000001'))).toMatchObject({
    kind: 'delivered',
  });
  await channel.close();
  expect(providers.received.get(name)).toEqual([
    { key: 'demo-1', tag: 'demo-1#2', dueAt: 1_800_000_000_000, at: expect.any(Number), accepted: true },
  ]);
  expect(providers.received.get(name)?.[0]?.at).toBeGreaterThanOrEqual(before);
});

test('every account of every channel gets credentials, and they are forgotten in the end', async () => {
  expect(kept.size).toBe(providedNames.length * providedAccounts.length);
  await providers.disconnect({ remove: async (owner, channel) => kept.delete(`${channel} ${owner}`) });
  expect([...kept]).toEqual([]);
});

const request = (text: string) => ({
  method: 'POST',
  path: '/posts',
  query: new URLSearchParams(),
  headers: {},
  body: Buffer.from(JSON.stringify({ text })),
});

describe('a watched provider', () => {
  const clock = new ManualClock();
  /** Takes what `takes` says, and answers alike. */
  function watched(takes: (posts: readonly string[]) => boolean) {
    const posts: string[] = [];
    const answer = { status: 200, json: {} };
    return new WatchedProvider(
      {
        name: 'mastodon',
        publishes: ({ method }) => method === 'POST',
        throttled: () => answer,
        posts: () => posts,
        handle: async ({ method, body: text }) => {
          if (method === 'POST' && takes(posts)) posts.push(JSON.parse(text.toString()).text);
          return answer;
        },
      },
      clock,
      'a',
    );
  }

  test('tells a request that it knows from one that it takes twice', async () => {
    const [once, always] = [watched((posts) => posts.length === 0), watched(() => true)];
    for (const one of [once, always]) {
      await one.handle(request(noteOf('a-1', 1, 5)));
      await one.handle(request(noteOf('a-1', 1, 5)));
    }
    expect(accepted(once)).toEqual([true, false]);
    expect(accepted(always)).toEqual([true, true]);
  });

  test('takes no message for another whose key begins alike, and names what nobody wrote', async () => {
    const provider = watched(() => true);
    await provider.handle(request(noteOf('a-1', 1, 5)));
    await provider.handle(request(noteOf('a-11', 1, 5)));
    await provider.handle(request('from somebody else'));
    await provider.handle({ ...request(''), method: 'GET' });
    expect(provider.requests.map(({ key, dueAt }) => [key, dueAt])).toEqual([
      ['a-1', 5],
      ['a-11', 5],
      ['', null],
    ]);
    expect(accepted(provider)).toEqual([true, true, false]);
  });

  test('leaves out what a demo that was killed has left', async () => {
    const provider = watched(() => true);
    await provider.handle(request(noteOf('b-1', 1, 5)));
    await provider.handle(request(noteOf('a-1', 1, 5)));
    expect(provider.requests.map(({ key }) => key)).toEqual(['a-1']);
  });
});
