import type { MessageState } from '../../connectors/mysql/client/client';
import { systemClock } from '../../topology/core/clock';
import { Provider } from '../support/channels/provider';
import { runCli, variablesOf } from '../support/stack/cli';
import { Deployment } from '../support/stack/deployment';
import { until } from '../support/until';

/** A provider may take a request this long after it was begun. Milliseconds. */
const TIMEOUT = 3_000;
const COUNT = 25;
const BOLTS = [1, 2];

const channels = ['webhook', 'ask', 'blind'] as const;
type Channel = (typeof channels)[number];

/** What was scheduled, and how it should end when the worker lives. */
interface Scheduled {
  readonly channel: Channel;
  readonly ids: readonly number[];
}

let deployment: Deployment;
/** Each way to behave has its own, because a host that fails is tried sparingly. */
const providers: Provider[] = [];

beforeAll(async () => {
  const bolt = `{ timeout: ${TIMEOUT}, backOff: 200, backOffMax: 1000 }`;
  const components = channels.map((channel) => `${channel}: ${bolt}`).join(', ');
  deployment = await Deployment.start(['due', channels.join(','), channels.join(',')], `{ ${components} }`);
}, 60_000);

afterAll(async () => {
  await deployment.close();
  await Promise.all(providers.map((provider) => provider.close()));
}, 60_000);

async function newProvider(): Promise<Provider> {
  const provider = await Provider.start();
  providers.push(provider);
  return provider;
}

/** Plain SQL, because no client knows the channels of tests. The provider de-duplicates for idempotent channels alone. */
async function schedule(
  provider: Provider,
  channel: Channel,
  behaviour: string,
  dueAt: number,
  count = COUNT,
): Promise<Scheduled> {
  const dedupe = channel === 'webhook' ? '&dedupe=yes' : '';
  const payload = JSON.stringify({ url: `${provider.url}/messages?${behaviour}${dedupe}`, body: 1 });
  const rows = Array.from({ length: count }, (_, n) => `('account-${n}','${channel}','${payload}',${dueAt})`);
  const { insertId } = await deployment.sql.run(
    `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ${rows.join(',')}`,
  );
  const ids = await deployment.sql.rows<[number]>(
    `SELECT id FROM scheduled_messages WHERE id >= ${insertId} ORDER BY id LIMIT ${count}`,
  );
  return { channel, ids: ids.map(([id]) => id) };
}

async function statesOf(ids: readonly number[]): Promise<Map<number, MessageState>> {
  const messages = await deployment.client.get(ids.map((id) => ({ id })));
  return new Map(messages.flatMap((message) => (message === null ? [] : [[message.id, message.state]])));
}

function callsOf(id: number) {
  return providers.flatMap((provider) => provider.callsOf(deployment.keyOf(id)));
}

function requestsOf(id: number) {
  return callsOf(id).filter(({ kind }) => kind === 'message');
}

/** What breaks the promise of the message's class, one line for each. */
function violationOf(channel: Channel, id: number, state: MessageState | undefined): string | undefined {
  const requests = requestsOf(id);
  const accepted = requests.filter(({ acceptedAt }) => acceptedAt !== null).length;
  if (channel === 'blind') {
    if (requests.length > 1) return `${requests.length} requests`;
    return state === 'uncertain' || (state === 'delivered' && accepted === 1)
      ? undefined
      : `${state}, ${accepted} taken`;
  }
  if (state !== 'delivered' || accepted !== 1) return `${state}, taken ${accepted} times`;
  return channel === 'ask' ? notAsked(id) : undefined;
}

/** A lookup channel asks before it sends again, and not while an earlier request may still be taken. */
function notAsked(id: number): string | undefined {
  let sentAt: number | undefined;
  let mayBeSent = true;
  for (const { kind, at, found } of callsOf(id)) {
    if (kind === 'question') {
      mayBeSent = !found;
      const waited = at - (sentAt ?? Number.NEGATIVE_INFINITY);
      if (waited < TIMEOUT) return `asked ${waited} ms after a request`;
    } else {
      if (!mayBeSent) return 'sent again without a question that was answered no';
      sentAt = at;
      mayBeSent = false;
    }
  }
  return undefined;
}

async function violations(scheduled: readonly Scheduled[]): Promise<string[]> {
  const states = await statesOf(scheduled.flatMap(({ ids }) => ids));
  return scheduled.flatMap(({ channel, ids }) =>
    ids.flatMap((id) => {
      const violation = violationOf(channel, id, states.get(id));
      return violation === undefined ? [] : [`${channel} ${id}: ${violation}`];
    }),
  );
}

describe('a provider that leaves it open whether it took a message', () => {
  /** What it does, how often a message is sent then, and how a blind one ends. */
  const ways = [
    { what: 'takes it and drops the connection', behaviour: 'first=drop', webhook: 2, ask: 1, blind: 'uncertain' },
    {
      what: 'takes it some time after it dropped the connection',
      behaviour: 'first=drop&take=900',
      webhook: 2,
      ask: 1,
      blind: 'uncertain',
    },
    {
      what: 'drops the connection and takes nothing',
      behaviour: 'first=drop&take=never',
      webhook: 2,
      ask: 2,
      blind: 'uncertain',
    },
    { what: 'takes it and answers 500', behaviour: 'first=error', webhook: 2, ask: 1, blind: 'uncertain' },
    { what: 'takes it and never answers', behaviour: 'first=hang', webhook: 2, ask: 1, blind: 'uncertain' },
    { what: 'takes it and never ends its answer', behaviour: 'first=endless', webhook: 1, ask: 1, blind: 'delivered' },
  ] as const;

  it('gets every message once, or the message waits for a person', async () => {
    const dueAt = systemClock.now() + 3_000;
    const all: (Scheduled & { readonly what: string; readonly sent: number; readonly state: MessageState })[] = [];
    for (const way of ways) {
      const provider = await newProvider();
      for (const channel of channels) {
        const sent = channel === 'blind' ? 1 : way[channel];
        const state = channel === 'blind' ? way.blind : 'delivered';
        all.push({ ...(await schedule(provider, channel, way.behaviour, dueAt)), what: way.what, sent, state });
      }
    }
    await deployment.settled();
    expect(await violations(all)).toEqual([]);
    const states = await statesOf(all.flatMap(({ ids }) => ids));
    for (const { what, channel, ids, sent, state } of all) {
      const ends = ids.map((id) => `${requestsOf(id).length} requests, ${states.get(id)}`);
      expect({ what, channel, ends: [...new Set(ends)] }).toEqual({
        what,
        channel,
        ends: [`${sent} requests, ${state}`],
      });
    }
  }, 120_000);
});

describe('workers that are killed while requests are under way', () => {
  it('lose no message, and send none twice where that is not allowed', async () => {
    const dueAt = systemClock.now() + 3_000;
    const all: Scheduled[] = [];
    const provider = await newProvider();
    // Nobody answers before the workers are gone.
    for (const behaviour of ['first=slow&delay=1200', 'first=slow&delay=1200&take=900', 'first=hang&take=never']) {
      for (const channel of channels) all.push(await schedule(provider, channel, behaviour, dueAt, 40));
    }
    const underWay = (channel: Channel) =>
      all.filter((one) => one.channel === channel).flatMap(({ ids }) => ids.filter((id) => requestsOf(id).length > 0));
    await until('requests of every class are under way', () => channels.every((one) => underWay(one).length >= 40));
    for (const index of BOLTS) deployment.kill(index);
    const orphans = Object.fromEntries(channels.map((channel) => [channel, underWay(channel)]));
    await deployment.settled();
    expect(await violations(all)).toEqual([]);

    // The deaths were felt: what was under way was sent again, asked for, or left to a person.
    const states = await statesOf(all.flatMap(({ ids }) => ids));
    expect(orphans['webhook']?.filter((id) => requestsOf(id).length < 2)).toEqual([]);
    expect(orphans['ask']?.filter((id) => callsOf(id)[1]?.kind !== 'question')).toEqual([]);
    expect(orphans['blind']?.filter((id) => states.get(id) !== 'uncertain')).toEqual([]);
  }, 120_000);
});

const cli = (args: readonly string[]) => runCli(args, { environment: variablesOf(deployment.world.environment) });

const resolve = (ids: readonly number[], ...args: string[]) =>
  cli(['messages', 'resolve', ...ids.map(String), ...args]);

describe('a message that is uncertain', () => {
  it('is settled by a person: as delivered, or sent again', async () => {
    const { ids } = await schedule(await newProvider(), 'blind', 'first=drop', systemClock.now(), 4);
    await until('all are uncertain', async () =>
      [...(await statesOf(ids)).values()].every((one) => one === 'uncertain'),
    );
    const [a, b, c, d] = ids as [number, number, number, number];

    const settled = await resolve(
      [a, b],
      '--delivered',
      '--receipt',
      'seen in the outbox',
      '--at',
      '2026-05-06T07:08:09Z',
    );
    expect(settled).toMatchObject({ code: 0, stdout: `Message ${a} is delivered.\nMessage ${b} is delivered.\n` });
    expect(await deployment.client.get({ id: a })).toMatchObject({
      state: 'delivered',
      deliveredAt: Date.UTC(2026, 4, 6, 7, 8, 9),
      receipt: 'seen in the outbox',
    });

    expect(await resolve([c, d], '--retry')).toMatchObject({
      code: 0,
      stdout: `Message ${c} is sent again; its plan has version 2 now.\nMessage ${d} is sent again; its plan has version 2 now.\n`,
    });
    await deployment.settled();
    expect(await statesOf(ids)).toEqual(new Map(ids.map((id) => [id, 'delivered'])));
    expect(ids.map((id) => requestsOf(id).length)).toEqual([1, 1, 2, 2]);

    const refused = await resolve([a, 999_999_999], '--retry');
    expect(refused).toMatchObject({
      code: 1,
      stdout: `Message ${a} is not uncertain: delivered.\nMessage 999999999 does not exist.\n`,
    });
    const shown = await cli(['messages', 'show', String(c)]);
    expect(shown.stdout).toMatch(/a person .*a person wants it sent again/);
  }, 60_000);
});
