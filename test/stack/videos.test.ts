import type { ChannelName } from '../../connectors/mysql/client/client';
import { SecretKey } from '../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../connectors/mysql/secrets/secret-store';
import { FakeBluesky } from '../../deploy/fakes/bluesky';
import { FakeProvider } from '../../deploy/fakes/fake-provider';
import { FakeMastodon } from '../../deploy/fakes/mastodon';
import { FakeX } from '../../deploy/fakes/x';
import type { FailPointName } from '../../deploy/worker/fail-points';
import { systemClock } from '../../topology/core/clock';
import { image, MediaHost, MP4 } from '../support/channels/media-host';
import { Deployment } from '../support/stack/deployment';
import { plantedSecret } from '../support/stack/planted-secrets';
import { Victim } from '../support/stack/victim';
import { shareOfToday } from '../support/trials';
import { until } from '../support/until';

const ACCOUNTS = 16;
/** Before messages are due, milliseconds. */
const AHEAD = 3_500;
/** A crowd is sent within this time from its instant, milliseconds. */
const SENT_WITHIN = 6_000;
const CROWDS = 15;
/** For workers to come and go, milliseconds. */
const LIMIT = 60_000;
const DRAIN = 20_000;
/** A row of a dead worker waits for its lease. */
const RECOVERED = 120_000;
/** Within so many days the workers of each channel are killed at each fail-point. */
const DAYS = 3;
/** Without limits, because the fakes take more than their providers. */
const SETTINGS = '{ timeout: 3s, backOff: 200ms, backOffMax: 1s, limits: { perAccount: {}, perApp: {} } }';
/** Once the video is with the provider; when its post is requested; when that is answered. */
const FAIL_POINTS: readonly FailPointName[] = ['ids-kept', 'request-sent', 'answer-received'];

interface Played {
  readonly channel: ChannelName;
  readonly fake: FakeProvider;
  readonly isUpload: (path: string) => boolean;
  readonly credentialsOf: (account: string) => object;
  /** Texts of what the provider has taken with a video, each as often as it was. */
  readonly taken: () => readonly string[];
  /** Posts without one. */
  readonly bare: () => number;
}

const accounts = Array.from({ length: ACCOUNTS }, (_, n) => `account-${n}`);

const has = ({ images }: { readonly images: readonly unknown[] }) => images.length === 1;

async function playX(): Promise<Played> {
  const users = accounts.map(
    (account, n) => [plantedSecret('x', account), { id: String(n + 1), username: account }] as const,
  );
  const protocol = new FakeX({ clock: systemClock, tokens: Object.fromEntries(users), limit: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'x',
    fake,
    isUpload: (path) => path.startsWith('/2/media/'),
    // Without it each message asks whose the token is.
    credentialsOf: (account) => ({
      server: fake.url,
      token: plantedSecret('x', account),
      userId: String(accounts.indexOf(account) + 1),
    }),
    taken: () => protocol.posts().flatMap((post) => (has(post) ? [post.text] : [])),
    bare: () => protocol.posts().filter((post) => !has(post)).length,
  };
}

async function playMastodon(): Promise<Played> {
  const tokens = Object.fromEntries(accounts.map((account) => [plantedSecret('mastodon', account), account]));
  const protocol = new FakeMastodon({ clock: systemClock, tokens, limit: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'mastodon',
    fake,
    isUpload: (path) => path === '/api/v2/media',
    credentialsOf: (account) => ({ instance: fake.url, token: plantedSecret('mastodon', account) }),
    taken: () => protocol.posts().flatMap((post) => (has(post) ? [post.text] : [])),
    bare: () => protocol.posts().filter((post) => !has(post)).length,
  };
}

async function playBluesky(): Promise<Played> {
  const passwords = Object.fromEntries(
    accounts.map((account) => [`${account}.test`, plantedSecret('bluesky', account)]),
  );
  const protocol = new FakeBluesky({ clock: systemClock, passwords });
  const fake = await FakeProvider.start(protocol, systemClock);
  const values = () => protocol.posts().map(({ value }) => value);
  return {
    channel: 'bluesky',
    fake,
    isUpload: (path) => path.endsWith('uploadBlob'),
    credentialsOf: (account) => ({
      identifier: `${account}.test`,
      password: plantedSecret('bluesky', account),
      server: fake.url,
    }),
    taken: () => values().flatMap(({ text, embed }) => (embed?.$type === 'app.bsky.embed.video' ? [text] : [])),
    bare: () => values().filter(({ embed }) => embed === undefined).length,
  };
}

let deployment: Deployment;
let host: MediaHost;
let all: readonly Played[];
let victims: Victim[] = [];

beforeAll(async () => {
  host = await MediaHost.start();
  host.on('/film', image(MP4, 'video/mp4'));
  all = await Promise.all([playX(), playMastodon(), playBluesky()]);
  const names = all.map(({ channel }) => channel);
  deployment = await Deployment.start(
    ['due', ...names],
    `{ ${names.map((name) => `${name}: ${SETTINGS}`).join(', ')} }`,
  );
  const store = new SecretStore(deployment.sql, SecretKey.from(deployment.world.environment));
  for (const { channel, credentialsOf } of all) {
    for (const account of accounts) {
      await store.set(account, channel, JSON.stringify(credentialsOf(account)), { replace: true });
    }
  }
}, 300_000);

afterAll(async () => {
  await deployment.close();
  await Promise.all([host.close(), ...all.map(({ fake }) => fake.close())]);
}, 60_000);

afterEach(async () => {
  await Promise.all(victims.splice(0).map((victim) => victim.stop(DRAIN)));
}, 60_000);

async function schedule({ channel }: Played, texts: readonly string[], dueAt = systemClock.now()): Promise<number[]> {
  const answers = await deployment.client.schedule(
    texts.map((text, n) => ({
      account: accounts[n % ACCOUNTS] as string,
      channel,
      dueAt,
      payload: { text, media: [{ url: host.url('/film'), alt: 'a cup falls' }] },
    })),
  );
  return answers.map(({ id }) => id);
}

const messagesOf = (ids: readonly number[]) => deployment.client.get(ids.map((id) => ({ id })));
const timesOf = ({ taken }: Played, text: string) => taken().filter((one) => one === text).length;

/** Which texts are not with the provider exactly once, though their messages have ended. */
async function wrongOf(played: Played, sent: ReadonlyMap<number, string>): Promise<string[]> {
  const messages = await messagesOf([...sent.keys()]);
  const texts = [...sent.values()];
  return texts.filter((text, n) => messages[n]?.state !== 'delivered' || timesOf(played, text) !== 1);
}

test('a video reaches its provider below the post, with one attempt', async () => {
  const text = 'a film through the whole stack';
  for (const played of all) {
    const ids = await schedule(played, [text]);
    await deployment.settled();
    expect(await messagesOf(ids)).toMatchObject([{ state: 'delivered', attempts: 1 }]);
    expect([played.channel, timesOf(played, text), played.bare()]).toEqual([played.channel, 1, 0]);
  }
}, 200_000);

test('a worker that is killed while a video is on its way to the provider leaves one post, with the video', async () => {
  const text = 'a film whose worker dies amid its upload';
  const sent = new Map<Played, ReadonlyMap<number, string>>();
  for (const [n, played] of all.entries()) {
    const before = played.fake.calls.length;
    played.fake.order({ do: 'hang', to: 'upload' });
    const [id] = (await schedule(played, [text])) as [number];
    await until(`${played.channel} has some of it`, () =>
      played.fake.calls.slice(before).some(({ path }) => played.isUpload(path)),
    );
    // The first process is the spout.
    deployment.kill(n + 1);
    sent.set(played, new Map([[id, text]]));
  }
  await deployment.settledAtOnce(RECOVERED);
  for (const [played, those] of sent)
    expect([played.channel, await wrongOf(played, those)]).toEqual([played.channel, []]);
  expect(all.map(({ bare }) => bare())).toEqual([0, 0, 0]);
}, 400_000);

test('wherever a worker is killed between the upload and the answer to the post, the post is there once, with its video', async () => {
  const killed = shareOfToday(all, DAYS);
  const sent = new Map(killed.map((played) => [played, new Map<number, string>()]));
  victims = killed.flatMap(({ channel }) =>
    FAIL_POINTS.map((name) => Victim.start(deployment, channel, { name, action: 'kill', nth: 1 })),
  );
  await until(
    'they are at work',
    async () => (await Promise.all(victims.map((victim) => victim.isAtWork()))).every(Boolean),
    LIMIT,
  );
  // A crowd that was emitted before partitions were handed over may pass a victim by: the next does not.
  for (let crowd = 1; victims.some(({ end }) => end === undefined); crowd += 1) {
    const alive = victims.filter(({ end }) => end === undefined);
    const names = alive.map(({ component, point }) => `${component}: ${point.name}`);
    expect(crowd > CROWDS ? names : []).toEqual([]);
    const dueAt = systemClock.now() + AHEAD;
    const texts = Array.from({ length: ACCOUNTS }, (_, n) => `film ${n} of crowd ${crowd}`);
    for (const played of killed.filter(({ channel }) => alive.some(({ component }) => component === channel))) {
      const ids = await schedule(played, texts, dueAt);
      for (const [n, id] of ids.entries()) sent.get(played)?.set(id, texts[n] as string);
    }
    const isOver = () => systemClock.now() > dueAt + SENT_WITHIN;
    await until('they are dead', () => victims.every(({ end }) => end !== undefined) || isOver(), LIMIT);
  }
  await deployment.settledAtOnce(RECOVERED);
  for (const [played, those] of sent)
    expect([played.channel, await wrongOf(played, those)]).toEqual([played.channel, []]);
  expect(all.map(({ bare }) => bare())).toEqual([0, 0, 0]);
}, 900_000);
