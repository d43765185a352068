import type { ChannelName, NewMessage } from '../../../connectors/mysql/client/client';
import { FakeBluesky } from '../../../deploy/fakes/bluesky';
import { FakeDiscord } from '../../../deploy/fakes/discord';
import { FakeEmail } from '../../../deploy/fakes/email';
import { FakeFacebook } from '../../../deploy/fakes/facebook';
import { FakeProvider } from '../../../deploy/fakes/fake-provider';
import { FakeInstagram } from '../../../deploy/fakes/instagram';
import { FakeLinkedin } from '../../../deploy/fakes/linkedin';
import { FakeMastodon, type FakePost } from '../../../deploy/fakes/mastodon';
import { FakeSlack } from '../../../deploy/fakes/slack';
import { FakeTelegram } from '../../../deploy/fakes/telegram';
import { FakeThreads } from '../../../deploy/fakes/threads';
import { FakeX } from '../../../deploy/fakes/x';
import { systemClock } from '../../../topology/core/clock';
import { plantedSecret } from '../stack/planted-secrets';

const ACCOUNTS = 24;

type NewPayload = NewMessage['payload'];

/** One channel with its provider's fake: what a test needs to know of both. */
export interface Played {
  readonly channel: ChannelName;
  readonly fake: Pick<FakeProvider, 'order' | 'close'>;
  readonly credentialsOf: (account: string) => object;
  /** @param account has a place of its own where many may write in one, so that looking through it does not take long */
  readonly messageOf: (text: string, account: string) => NewPayload;
  /** Texts of what the provider has taken, each as often as it was. */
  readonly taken: () => readonly string[];
  /** How many images each of them has, where the channel takes images. */
  readonly images?: () => readonly number[];
  /** Of media whose upload is kept between attempts: which it is given then. Where it is not given, nothing of messages is kept. */
  readonly keeps?: 'text' | 'image' | 'video';
  /** Where keys end: that of the post with this text has. */
  readonly forget?: (text: string) => void;
}

/** Accounts that every fake knows. */
export const accounts = Array.from({ length: ACCOUNTS }, (_, n) => `account-${n}`);

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
    keeps: 'video',
    forget: (text) => protocol.forgets(text),
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
  const channelOf = (account: string) => String(155_101_607_195_000_000n + BigInt(accounts.indexOf(account)));
  const protocol = new FakeDiscord({ clock: systemClock, bots, channels: accounts.map(channelOf), limit: 10_000 });
  const fake = await FakeProvider.start(protocol, systemClock);
  return {
    channel: 'discord',
    fake,
    credentialsOf: (account) => ({ token: plantedSecret('discord', account), server: fake.url }),
    messageOf: (text, account) => ({ channelId: channelOf(account), text }),
    taken: () => protocol.posts().map(({ content }) => content),
    images: () => protocol.posts().map(({ attachments }) => attachments.length),
    forget: (text) => protocol.forgets(text),
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
    messageOf: (text, account) => ({ conversation: `C01234567${10 + accounts.indexOf(account)}`, text }),
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
    keeps: 'video',
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
    keeps: 'image',
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
    keeps: 'video',
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
    keeps: 'text',
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
    keeps: 'text',
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

/** Fakes of all providers, on this machine. */
export async function playAll(): Promise<readonly Played[]> {
  return Promise.all(plays.map((play) => play()));
}
