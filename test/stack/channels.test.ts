import { existsSync, readFileSync } from 'node:fs';
import { classOf, keyLifetimeOf } from '../../connectors/channels/channel-kinds';
import type { ChannelName, NewMessage } from '../../connectors/mysql/client/client';
import { SecretKey } from '../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../connectors/mysql/secrets/secret-store';
import { FakeBluesky } from '../../deploy/fakes/bluesky';
import { FakeDiscord } from '../../deploy/fakes/discord';
import { FakeEmail } from '../../deploy/fakes/email';
import { FakeFacebook } from '../../deploy/fakes/facebook';
import { FakeProvider } from '../../deploy/fakes/fake-provider';
import { FakeInstagram } from '../../deploy/fakes/instagram';
import { FakeLinkedin } from '../../deploy/fakes/linkedin';
import { FakeMastodon, type FakePost } from '../../deploy/fakes/mastodon';
import { FakeSlack } from '../../deploy/fakes/slack';
import { FakeTelegram } from '../../deploy/fakes/telegram';
import { FakeThreads } from '../../deploy/fakes/threads';
import { FakeX } from '../../deploy/fakes/x';
import type { FailPointName } from '../../deploy/worker/fail-points';
import { systemClock } from '../../topology/core/clock';
import { MediaHost } from '../support/channels/media-host';
import { runCli, variablesOf } from '../support/stack/cli';
import { Deployment } from '../support/stack/deployment';
import { keepOutput, plantedIn, plantedSecret } from '../support/stack/planted-secrets';
import { testStackFolder } from '../support/stack/shared-stack';
import { Victim } from '../support/stack/victim';
import { until } from '../support/until';

const ACCOUNTS = 24;
/** Messages of each account at the instant at which workers are killed. */
const EACH = 5;
const AHEAD = 3_500;
/** A crowd is sent within this time from its instant, milliseconds. */
const SENT_WITHIN = 4_000;
const CROWDS = 20;
/** Of one test: each verb of the command takes seconds where the processors are busy. Milliseconds. */
const PATIENCE = 300_000;
/** Each channel has a worker for each fail-point, all of which start at one time. */
const CHANNELS_AT_A_TIME = 3;
const DRAIN = 20_000;
/** For workers to come and go, milliseconds. */
const LIMIT = 60_000;
/** A row of a dead worker waits for its lease, and until its request can be accepted no more. */
const RECOVERED = 200_000;

/** One channel with its provider's fake: what a test needs to know of both. */
interface Played {
  readonly channel: ChannelName;
  readonly fake: Pick<FakeProvider, 'order' | 'close'>;
  readonly credentialsOf: (account: string) => object;
  readonly messageOf: (text: string) => NewMessage['payload'];
  /** Texts of what the provider has taken, each as often as it was. */
  readonly taken: () => readonly string[];
  /** How many images each of them has, where the channel takes images. */
  readonly images?: () => readonly number[];
}

const accounts = Array.from({ length: ACCOUNTS }, (_, n) => `account-${n}`);

async function playMastodon(): Promise<Played> {
  const tokens = Object.fromEntries(accounts.map((account) => [plantedSecret('mastodon', account), account]));
  const protocol = new FakeMastodon({ clock: systemClock, tokens, limit: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'mastodon',
    fake,
    credentialsOf: (account) => ({ instance: fake.url, token: plantedSecret('mastodon', account) }),
    messageOf: (text) => ({ text }),
    taken: () => protocol.posts().map((post: FakePost) => post.text),
    images: () => protocol.posts().map(({ images }) => images.length),
  };
}

const tokenOf = (account: string) => `1000:${plantedSecret('telegram', account)}`;

async function playTelegram(): Promise<Played> {
  const bots = Object.fromEntries(accounts.map((account) => [tokenOf(account), account]));
  const chats = [{ id: -1_001_000_000_000, type: 'channel', username: 'shop_news' }] as const;
  const protocol = new FakeTelegram({ clock: systemClock, bots, chats, limit: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'telegram',
    fake,
    credentialsOf: (account) => ({ token: tokenOf(account), server: fake.url }),
    messageOf: (text) => ({ chat: '@shop_news', text }),
    taken: () => protocol.posts().map(({ text }) => text),
    images: () => protocol.posts().map(({ photos }) => photos.length),
  };
}

async function playDiscord(): Promise<Played> {
  const bots = Object.fromEntries(
    accounts.map((account, n) => [
      plantedSecret('discord', account),
      { id: `15514910818369536${n}`, username: account },
    ]),
  );
  const channelId = '155101607195836416';
  const protocol = new FakeDiscord({ clock: systemClock, bots, channels: [channelId], limit: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'discord',
    fake,
    credentialsOf: (account) => ({ token: plantedSecret('discord', account), server: fake.url }),
    messageOf: (text) => ({ channelId, text }),
    taken: () => protocol.posts().map(({ content }) => content),
    images: () => protocol.posts().map(({ attachments }) => attachments.length),
  };
}

async function playSlack(): Promise<Played> {
  const tokens = Object.fromEntries(accounts.map((account) => [`xoxb-${plantedSecret('slack', account)}`, account]));
  const protocol = new FakeSlack({ clock: systemClock, tokens, burst: 10_000, questions: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'slack',
    fake,
    credentialsOf: (account) => ({ server: fake.url, token: `xoxb-${plantedSecret('slack', account)}` }),
    messageOf: (text) => ({ conversation: 'C0123456789', text }),
    taken: () => protocol.posts().map(({ text }) => text),
    images: () => protocol.posts().map(({ files }) => files.length),
  };
}

const organizationOf = (account: string) => `urn:li:organization:${account}`;

/** Of organizations: what a person has posted cannot be looked for. */
async function playLinkedin(): Promise<Played> {
  const tokens = Object.fromEntries(
    accounts.map((account) => [plantedSecret('linkedin', account), organizationOf(account)]),
  );
  const protocol = new FakeLinkedin({ clock: systemClock, tokens, perDay: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'linkedin',
    fake,
    credentialsOf: (account) => ({
      author: organizationOf(account),
      server: fake.url,
      token: plantedSecret('linkedin', account),
    }),
    messageOf: (text) => ({ text }),
    taken: () => protocol.posts().map(({ shown }) => shown),
    images: () => protocol.posts().map(({ images }) => images.length),
  };
}

/** The texts have quotes, by which orders match. */
async function playEmail(): Promise<Played> {
  const users = Object.fromEntries(accounts.map((account) => [account, plantedSecret('email', account)]));
  const fake = await FakeEmail.start({ clock: systemClock, users });
  return {
    channel: 'email',
    fake,
    credentialsOf: (account) => ({
      host: '127.0.0.1',
      port: String(fake.port),
      security: 'plain',
      user: account,
      password: plantedSecret('email', account),
      from: `${account}@example.com`,
    }),
    messageOf: (text) => ({ to: 'ann@example.org', subject: text, text: `"${text}"` }),
    taken: () => fake.posts().map(({ headers }) => String(headers['subject'])),
    images: () => fake.posts().map(({ attachments }) => attachments.length),
  };
}

async function playBluesky(): Promise<Played> {
  const passwords = Object.fromEntries(
    accounts.map((account) => [`${account}.test`, plantedSecret('bluesky', account)]),
  );
  const protocol = new FakeBluesky({ clock: systemClock, passwords });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'bluesky',
    fake,
    credentialsOf: (account) => ({
      identifier: `${account}.test`,
      password: plantedSecret('bluesky', account),
      server: fake.url,
    }),
    messageOf: (text) => ({ text }),
    taken: () => protocol.posts().map(({ value }) => value.text),
    images: () =>
      protocol
        .posts()
        .map(({ value: { embed } }) => (embed?.$type === 'app.bsky.embed.images' ? embed.images.length : 0)),
  };
}

async function playX(): Promise<Played> {
  const users = accounts.map(
    (account, n) => [plantedSecret('x', account), { id: String(n + 1), username: account }] as const,
  );
  const protocol = new FakeX({ clock: systemClock, tokens: Object.fromEntries(users), limit: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'x',
    fake,
    credentialsOf: (account) => ({ server: fake.url, token: plantedSecret('x', account) }),
    messageOf: (text) => ({ text }),
    taken: () => protocol.posts().map(({ text }) => text),
    images: () => protocol.posts().map(({ images }) => images.length),
  };
}

const pageOf = (account: string) => String(100_063_511_021_000 + accounts.indexOf(account));

async function playFacebook(): Promise<Played> {
  const pages = Object.fromEntries(accounts.map((account) => [plantedSecret('facebook', account), pageOf(account)]));
  const protocol = new FakeFacebook({ clock: systemClock, pages });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'facebook',
    fake,
    credentialsOf: (account) => ({
      page: pageOf(account),
      token: plantedSecret('facebook', account),
      server: fake.url,
    }),
    messageOf: (text) => ({ text }),
    taken: () => protocol.posts().map(({ message }) => message),
    images: () => protocol.posts().map(({ photos }) => photos.length),
  };
}

/** A user by its account's token. */
const users = Object.fromEntries(
  accounts.map((account, n) => [plantedSecret('threads', account), `178414000000000${n}`]),
);
const userOf = (account: string) => {
  const token = plantedSecret('threads', account);
  return { user: users[token], token };
};

/** Every message has an image: Instagram has no others. */
async function playInstagram(): Promise<Played> {
  const protocol = new FakeInstagram({ clock: systemClock, tokens: users, limit: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  const media = [{ url: 'https://images.example/cup.jpg', alt: 'a cup' }];
  return {
    channel: 'instagram',
    fake,
    credentialsOf: (account) => ({ ...userOf(account), server: fake.url }),
    messageOf: (text) => ({ text, media }),
    taken: () => protocol.posts().map(({ text }) => text),
  };
}

async function playThreads(): Promise<Played> {
  const protocol = new FakeThreads({ clock: systemClock, tokens: users, limit: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'threads',
    fake,
    credentialsOf: (account) => ({ ...userOf(account), server: fake.url }),
    messageOf: (text) => ({ text }),
    taken: () => protocol.posts().map(({ text }) => text),
    images: () => protocol.posts().map(({ images }) => images.length),
  };
}

/** Every provider's channel stands here. */
const plays = [
  playMastodon,
  playTelegram,
  playDiscord,
  playSlack,
  playLinkedin,
  playEmail,
  playBluesky,
  playX,
  playFacebook,
  playInstagram,
  playThreads,
];

/** Those at which the channel has something on the way; the others are the bolt's alone. */
const FAIL_POINTS: readonly FailPointName[] = ['request-sent', 'answer-received'];
/** Of channels that keep ids between attempts, besides. */
const KEEPING: ReadonlySet<ChannelName> = new Set(['instagram', 'threads']);
const failPointsOf = (channel: ChannelName): readonly FailPointName[] =>
  KEEPING.has(channel) ? ['ids-kept', ...FAIL_POINTS] : FAIL_POINTS;

/**
 * Without limits, because the fakes take more than their providers. Nothing is made ready before the instant, so each attempt passes all
 * fail-points; ready-ahead.test.ts has the others.
 */
const SETTINGS =
  '{ timeout: 3s, readyAhead: 0s, backOff: 200ms, backOffMax: 1s, limits: { perAccount: {}, perApp: {} } }';

/** Of those of them that are in doubt, and will be tried again. */
const inDoubt = (ids: readonly number[]) => `in_doubt=1 AND state='scheduled' AND id IN (${ids.join(',')})`;

const isBlind = ({ channel }: Played) => classOf(channel) === 'blind';

const hasLastingKey = ({ channel }: Played) =>
  classOf(channel) === 'idempotent' && keyLifetimeOf(channel) === undefined;

/** All channels at once, because their rows wait for a long time until a request can be accepted no more. */
describe('every channel, through the whole stack', () => {
  let deployment: Deployment;
  let all: readonly Played[];
  let host: MediaHost;
  let victims: Victim[] = [];

  beforeAll(async () => {
    host = await MediaHost.start();
    all = await Promise.all(plays.map((play) => play()));
    const names = all.map(({ channel }) => channel);
    const components = [...names, 'webhook'].map((name) => `${name}: ${SETTINGS}`).join(', ');
    deployment = await Deployment.start(['due', ...names, 'webhook'], `{ ${components} }`);
    const store = new SecretStore(deployment.sql, SecretKey.from(deployment.world.environment));
    for (const { channel, credentialsOf } of all) {
      for (const account of accounts.slice(1)) {
        await store.set(account, channel, JSON.stringify(credentialsOf(account)), { replace: true });
      }
    }
  }, PATIENCE);

  afterAll(async () => {
    await deployment.close();
    await Promise.all([host.close(), ...all.map(({ fake }) => fake.close())]);
  }, 60_000);

  afterEach(async () => {
    await Promise.all(victims.splice(0).map((victim) => victim.stop(DRAIN)));
  }, 60_000);

  /** What comes of something for each channel, by its name. */
  async function each<T>(of: (played: Played) => Promise<T>): Promise<Record<string, T>> {
    return Object.fromEntries(
      await Promise.all(all.map(async (played) => [played.channel, await of(played)] as const)),
    );
  }

  const cli = (args: readonly string[], input?: string) =>
    runCli(args, { environment: variablesOf(deployment.world.environment), ...(input === undefined ? {} : { input }) });

  async function schedule(
    { channel, messageOf }: Played,
    texts: readonly string[],
    dueAt = systemClock.now(),
  ): Promise<number[]> {
    const messages = texts.map((text, n) => ({
      account: accounts[n % ACCOUNTS] as string,
      channel,
      dueAt,
      payload: messageOf(text),
    }));
    const answers = await deployment.client.schedule(messages);
    return answers.map(({ id }) => id);
  }

  /** How often the provider took each of these texts. */
  const timesOf = ({ taken }: Played, texts: readonly string[]) =>
    texts.map((text) => taken().filter((one) => one === text).length);

  const messagesOf = (ids: readonly number[]) => deployment.client.get(ids.map((id) => ({ id })));

  /** With an image, where the channel takes some. */
  function scheduleWithImage(played: Played, text: string): Promise<number[]> {
    if (played.images === undefined) return Promise.resolve([]);
    const media = [{ url: host.url(), ...(played.channel === 'email' ? { name: 'cup.png' } : { alt: 'a cup' }) }];
    const messageOf = (one: string) => ({ ...played.messageOf(one), media }) as NewMessage['payload'];
    return schedule({ ...played, messageOf }, [text]);
  }

  it(
    'an account is set up from the command line, and its messages reach the provider, with an image too',
    async () => {
      const [account] = accounts as [string];
      const text = 'through the whole stack';
      const pictured = 'with an image';
      const ids = await each(async (played) => {
        const { channel, credentialsOf } = played;
        const set = await cli(
          ['accounts', 'set', account, '--channel', channel],
          JSON.stringify(credentialsOf(account)),
        );
        expect(set).toMatchObject({ code: 0, stdout: 'The secret is set.\n' });
        const tried = await runCli(['accounts', 'test', account, '--channel', channel], {
          environment: deployment.settings,
        });
        expect(tried).toMatchObject({ code: 0, stdout: expect.stringContaining('The credentials are those of ') });
        const { stdout } = await cli(['accounts', 'show', account, '--channel', channel, '--json']);
        expect(stdout).toContain(account);
        expect(stdout).not.toContain(plantedSecret(channel, account));
        return [...(await schedule(played, [text])), ...(await scheduleWithImage(played, pictured))];
      });
      const { stdout } = await cli(['accounts', 'list', '--json']);
      expect(stdout).toContain(account);
      for (const { channel } of all) expect(stdout).not.toContain(plantedSecret(channel, account));
      await deployment.settled();
      const ended = await each(async (played) => ({
        messages: await messagesOf(ids[played.channel] as number[]),
        times: timesOf(played, [text, pictured]),
        images: played.images?.().toSorted(),
      }));
      const delivered = expect.objectContaining({
        state: 'delivered',
        receipt: expect.stringMatching(/./),
        attempts: 1,
      });
      const right = ({ images }: Played) =>
        images === undefined
          ? { messages: [delivered], times: [1, 0], images }
          : { messages: [delivered, delivered], times: [1, 1], images: [0, 1] };
      expect(ended).toEqual(await each(async (played) => right(played)));
    },
    PATIENCE,
  );

  it(
    'no secret of an account comes out, also where a provider quotes what it was sent',
    async () => {
      const [account] = accounts as [string];
      const signing = `whsec_${Buffer.from(plantedSecret('webhook', account)).toString('base64')}`;
      expect(await cli(['accounts', 'set', account, '--channel', 'webhook'], signing)).toMatchObject({ code: 0 });
      const text = 'quoted back';
      const ids = await each(async (played) => {
        played.fake.order({ do: 'quote', match: `"${text}"` });
        return schedule(played, [text]);
      });
      const payload = { url: `${deployment.receiver.url}/?status=400`, body: { n: 1 } };
      await deployment.client.schedule([{ account, channel: 'webhook', dueAt: systemClock.now(), payload }]);
      await until('a webhook is signed', () =>
        deployment.receiver.journal.some(({ headers }) => headers['webhook-signature'] !== undefined),
      );
      await each(async ({ channel }) => {
        const [id] = ids[channel] as [number];
        // Where such an answer is not the provider's own, the message is tried again, and taken then.
        await until(`${channel} has answered`, async () => {
          const [message] = await messagesOf([id]);
          return message?.state === 'failed' || message?.state === 'delivered';
        });
        expect(await cli(['messages', 'show', String(id), '--json', '--verbose'])).toMatchObject({ code: 0 });
      });
      for (const verb of [['status'], ['accounts', 'list'], ['messages', 'list', '--limit', '1000'], ['lag']]) {
        await cli([...verb, '--json']);
      }
      const urls = await deployment.sql.rows<[string]>('SELECT status_url FROM workers WHERE dead = 0');
      for (const [url] of urls) keepOutput(testStackFolder, url, await (await fetch(new URL('/metrics', url))).text());
      for (const { pid } of deployment.processes) {
        const file = `/proc/${pid}/cmdline`;
        if (existsSync(file)) keepOutput(testStackFolder, file, readFileSync(file, 'utf8'));
      }
      expect(plantedIn(testStackFolder)).toEqual([]);
    },
    PATIENCE,
  );

  async function scheduleInDoubt(played: Played, texts: readonly [string, string]): Promise<number[]> {
    played.fake.order({ do: 'drop', match: `"${texts[0]}"` });
    played.fake.order({ do: 'vanish', match: `"${texts[1]}"` });
    return schedule(played, texts);
  }

  it(
    'a message in doubt is uncertain, or looked up once its key has ended and sent anew when it is not there',
    async () => {
      const texts = ['taken, and the connection cut', 'not taken, and the connection cut'] as const;
      const ids = await each((played) => scheduleInDoubt(played, texts));
      await each(async (played) => {
        // Nobody waits for the end of a key that does not end: the message is sent again under it.
        if (isBlind(played) || hasLastingKey(played)) return;
        const those = inDoubt(ids[played.channel] as number[]);
        await until(`both of ${played.channel} are in doubt`, async () => {
          const rows = await deployment.sql.rows(`SELECT id FROM scheduled_messages WHERE ${those}`);
          return rows.length === texts.length;
        });
        // As if they had been in doubt for two hours. They would wait before the same key is sent again.
        await deployment.sql.run(
          `UPDATE scheduled_messages SET doubt_since=doubt_since-7200000, retry_at=NULL, version=version+1 WHERE ${those}`,
        );
      });
      await deployment.settled();
      const ended = await each(async (played) => ({
        states: (await messagesOf(ids[played.channel] as number[])).map((message) => message?.state),
        times: timesOf(played, texts),
      }));
      expect(ended).toEqual(
        await each(async (played) =>
          isBlind(played)
            ? { states: ['uncertain', 'uncertain'], times: [1, 0] }
            : { states: ['delivered', 'delivered'], times: [1, 1] },
        ),
      );
    },
    PATIENCE,
  );

  /** Starts workers that end at their fail-points, and sends crowds until each has. @param sent gets what was scheduled */
  async function killEach(some: readonly Played[], sent: Record<string, Map<number, string>>): Promise<void> {
    const those = some.flatMap(({ channel }) =>
      failPointsOf(channel).map((name) => Victim.start(deployment, channel, { name, action: 'kill', nth: 1 })),
    );
    victims.push(...those);
    await until(
      'they are at work',
      async () => (await Promise.all(those.map((victim) => victim.isAtWork()))).every(Boolean),
      LIMIT,
    );
    const areAlive = (channel: ChannelName) =>
      those.some(({ component, end }) => component === channel && end === undefined);
    // A crowd that was emitted before partitions were handed over may pass a victim by: the next does not.
    for (let crowd = 1; those.some(({ end }) => end === undefined); crowd += 1) {
      const alive = those
        .filter(({ end }) => end === undefined)
        .map(({ component, point }) => `${component}: ${point.name}`);
      expect(crowd > CROWDS ? alive : []).toEqual([]);
      const texts = Array.from({ length: ACCOUNTS * EACH }, (_, n) => `number ${n} of crowd ${crowd}`);
      const dueAt = systemClock.now() + AHEAD;
      for (const played of some) {
        if (!areAlive(played.channel)) continue;
        const ids = await schedule(played, texts, dueAt);
        for (const [n, id] of ids.entries()) sent[played.channel]?.set(id, texts[n] as string);
      }
      const isOver = () => systemClock.now() > dueAt + SENT_WITHIN;
      await until('they are dead', () => those.every(({ end }) => end !== undefined) || isOver(), LIMIT);
    }
    await Promise.all(those.map((victim) => victim.stop(DRAIN)));
    victims = victims.filter((victim) => !those.includes(victim));
  }

  it('every message is taken once, or is uncertain where nobody can know, wherever a worker is killed', async () => {
    const sent = Object.fromEntries(all.map(({ channel }) => [channel, new Map<number, string>()]));
    const some = (n: number) => all.slice(n, n + CHANNELS_AT_A_TIME);
    for (let n = 0; n < all.length; n += CHANNELS_AT_A_TIME) await killEach(some(n), sent);
    await deployment.settled(RECOVERED);
    const wrong = await each(async (played) => {
      const texts = [...(sent[played.channel] as Map<number, string>).values()];
      const messages = await messagesOf([...(sent[played.channel] as Map<number, string>).keys()]);
      const times = timesOf(played, texts);
      return texts.filter((_, n) => {
        const state = messages[n]?.state;
        if (state === 'delivered') return times[n] !== 1;
        return !isBlind(played) || state !== 'uncertain' || (times[n] as number) > 1;
      });
    });
    expect(wrong).toEqual(await each(async () => []));
    const doubted = await deployment.sql.rows<[string]>(
      'SELECT DISTINCT channel FROM scheduled_messages WHERE in_doubt=1 ORDER BY channel',
    );
    expect(doubted.flat()).toEqual(all.map(({ channel }) => channel).toSorted());
  }, 900_000);
});
