import addressparser from 'nodemailer/lib/addressparser';
import type { Channel } from '../../../bolts/channel';
import type { StoredAccount } from '../../../connectors/channels/account-secrets';
import { channelKinds } from '../../../connectors/channels/channel-kinds';
import { WebhookChannel } from '../../../connectors/channels/webhook/webhook';
import type { FakeProvider } from '../../../deploy/fakes/fake-provider';
import { systemClock } from '../../../topology/core/clock';
import { BadRecord } from '../../../topology/core/errors';
import type { ChannelName } from '../../../topology/payloads/payloads';
import { MediaHost } from '../../support/channels/media-host';
import { MemoryKeeping } from '../../support/channels/memory-keeping';
import { Receiver } from '../../support/channels/receiver';
import { openBluesky } from './bluesky/bluesky-world';
import { CHANNEL, openDiscord } from './discord/discord-world';
import { EmailWorld } from './email/email-world';
import { openFacebook } from './facebook/facebook-world';
import { cup, openInstagram } from './instagram/instagram-world';
import { LinkedinWorld } from './linkedin/linkedin-world';
import { MastodonWorld } from './mastodon/mastodon-world';
import { CONVERSATION, SlackWorld } from './slack/slack-world';
import { soundAccounts } from './sound-accounts';
import { openTelegram } from './telegram/telegram-world';
import { openThreads } from './threads/threads-world';
import { openX } from './x/x-world';

/** What would begin a header, a part of a form, a member of JSON or another request, if a text could. */
const TEXTS = [
  'a\r\nX-Injected: yes\r\n\r\nb',
  'a\nX-Injected: yes\n\nb',
  'a\rX-Injected: yes',
  'a\0b',
  'a\u0085\u2028\u2029b',
  '"; filename="evil.php',
  'a\r\n--downspout\r\ncontent-disposition: form-data; name="evil"\r\n\r\nb',
  '","evil":"yes',
  '\\",\'\\u0022evil',
  'a&evil=yes#%0d%0aX-Injected: yes',
  '0\r\n\r\nPOST /evil HTTP/1.1\r\nhost: evil\r\n\r\nb',
] as const;

const secretsOf = async () => new Map<string, StoredAccount>();

let closing: (() => unknown)[];
let host: MediaHost;
beforeEach(async () => {
  host = await MediaHost.start();
  closing = [() => host.close()];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
});

/** A channel and its provider's fake. */
interface Played {
  readonly channel: Channel;
  readonly server: FakeProvider;
  readonly payload: (text: string) => object;
  /** Texts of what was taken. */
  readonly taken: () => readonly unknown[];
  /** A payload to which images may be given, where that is another one. */
  readonly bare?: (text: string) => object;
  /** What images show, where the provider keeps that. */
  readonly shown?: () => readonly unknown[];
}

interface World {
  readonly channel: Channel;
  readonly server: FakeProvider;
  close(): Promise<void>;
}

async function opened<W extends World>(opening: Promise<W>, played: (world: W) => Omit<Played, 'channel' | 'server'>) {
  const world = await opening;
  closing.push(() => world.close());
  return { channel: world.channel, server: world.server, ...played(world) };
}

/** Others have tests of their own here. */
type PlayedName = Exclude<ChannelName, 'webhook' | 'email'>;

const plays: { readonly [Name in PlayedName]: () => Promise<Played> } = {
  mastodon: () =>
    opened(MastodonWorld.open(), ({ protocol }) => ({
      payload: (text) => ({ text, spoiler: text, limit: 1_000 }),
      taken: () => protocol.posts().flatMap(({ text, spoiler }) => [text, spoiler]),
      shown: () => protocol.posts().flatMap(({ images }) => images.map(({ description }) => description)),
    })),
  telegram: () =>
    opened(openTelegram(), ({ protocol }) => ({
      payload: (text) => ({ chat: '@shop_news', text }),
      taken: () => protocol.posts().map(({ text }) => text),
    })),
  discord: () =>
    opened(openDiscord(), ({ protocol }) => ({
      payload: (text) => ({ channelId: CHANNEL, text }),
      taken: () => protocol.posts().map(({ content }) => content),
      shown: () => protocol.posts().flatMap(({ attachments }) => attachments.map(({ description }) => description)),
    })),
  slack: () =>
    opened(SlackWorld.open({ burst: 1_000 }), ({ protocol }) => ({
      payload: (text) => ({ conversation: CONVERSATION, text }),
      taken: () => protocol.posts().map(({ text }) => text),
      shown: () => protocol.posts().flatMap(({ files }) => files.map(({ alt }) => alt)),
    })),
  linkedin: () =>
    opened(LinkedinWorld.open(), ({ protocol }) => ({
      payload: (text) => ({ text }),
      taken: () => protocol.posts().map(({ shown }) => shown),
      shown: () => protocol.posts().flatMap(({ images }) => images.map(({ alt }) => alt)),
    })),
  bluesky: () =>
    opened(openBluesky(), ({ protocol }) => ({
      payload: (text) => ({ text, link: 'https://example.com/', title: text, description: text }),
      bare: (text) => ({ text }),
      shown: () =>
        protocol
          .posts()
          .flatMap(({ value: { embed } }) =>
            embed?.$type === 'app.bsky.embed.images' ? embed.images.map(({ alt }) => alt) : [],
          ),
      taken: () =>
        protocol.posts().flatMap(({ value }) => {
          const { external } = value.embed as { external: { title: string; description: string } };
          return [value.text, external.title, external.description];
        }),
    })),
  x: () =>
    opened(openX(), ({ protocol }) => ({
      payload: (text) => ({ text }),
      taken: () => protocol.posts().map(({ text }) => text),
      shown: () => protocol.posts().flatMap(({ images }) => images.map(({ alt }) => alt)),
    })),
  facebook: () =>
    opened(openFacebook(), ({ protocol }) => ({
      payload: (text) => ({ text }),
      taken: () => protocol.posts().map(({ message }) => message),
      shown: () => protocol.posts().flatMap(({ photos }) => photos.map(({ alt }) => alt)),
    })),
  instagram: () =>
    opened(openInstagram(), ({ protocol }) => ({
      payload: (text) => ({ text, media: [cup] }),
      taken: () => protocol.posts().map(({ text }) => text),
      shown: () => protocol.posts().flatMap(({ images }) => images.map(({ alt_text }) => alt_text)),
    })),
  threads: () =>
    opened(openThreads(), ({ protocol }) => ({
      payload: (text) => ({ text }),
      taken: () => protocol.posts().map(({ text }) => text),
      shown: () => protocol.posts().flatMap(({ images }) => images.map(({ alt_text }) => alt_text)),
    })),
};

function send(channel: Channel, payload: object, key: string) {
  return channel.send(channel.prepare('shop', JSON.stringify(payload)), {
    id: 1,
    account: 'shop',
    dueAt: systemClock.now(),
    inDoubt: false,
    idempotencyKey: key,
    kept: new MemoryKeeping(),
    mayStart: () => true,
    now: () => systemClock.now(),
  });
}

describe.each(Object.entries(plays))('a message of %s', (_, play) => {
  test.each(TEXTS)('has the text %j as it was written, and nothing besides', async (text) => {
    const { channel, server, payload, taken } = await play();
    expect(await send(channel, payload(text), 'key-1')).toMatchObject({ kind: 'delivered' });
    expect(new Set(taken())).toEqual(new Set([text]));
    expect(server.calls.flatMap(({ headers }) => Object.keys(headers))).not.toContain('x-injected');
    expect(server.calls.map(({ path }) => path)).not.toContain('/evil');
  });
});

describe.each(Object.entries(plays))('a message of %s', (_, play) => {
  test.each(TEXTS)('has an image of which %j is said, and the name of no file but its own', async (alt) => {
    const { channel, server, payload, bare = payload, shown } = await play();
    const path = `/${encodeURIComponent(alt)}"; filename="evil.php`;
    host.on(new URL(path, host.url()).pathname, (response) => response.writeHead(302, { location: '/cup.png' }).end());
    const media = [{ url: host.url(path), alt }];
    expect(await send(channel, { ...bare('a'), media }, 'key-1')).toMatchObject({ kind: 'delivered' });
    expect(shown?.() ?? [alt]).toEqual([alt]);
    const { calls } = server;
    expect(calls.flatMap(({ headers }) => Object.keys(headers))).not.toContain('x-injected');
    expect(calls.map((call) => call.path)).not.toContain('/evil');
    const names = calls.flatMap(({ body }) => [...body.toString('latin1').matchAll(/; filename="([^"]*)"\r\n/g)]);
    for (const [, name] of names) expect(name).toMatch(/^(downspout-[0-9a-f]{32}-)?image-1\.png$/);
  });
});

test('every channel is in the tests of this file', () => {
  expect([...Object.keys(plays), 'webhook', 'email'].toSorted()).toEqual(Object.keys(channelKinds).toSorted());
});

describe.each(Object.values(channelKinds))('credentials of $name', (kind) => {
  const sound = soundAccounts[kind.name].credentials('https://a.test');

  test.each(Object.keys(kind.credentials.shape))('take no line more in %s', (field) => {
    expect(kind.credentials.safeParse(sound)).toMatchObject({ success: true });
    expect(sound).toHaveProperty(field);
    for (const more of ['\r\nX-Injected: yes', '\nb', '\rb', '\0b', '\0', '\r\n', '\n', '\u0085b']) {
      for (const value of [`${sound[field]}${more}`, `${more}${sound[field]}`]) {
        const result = kind.credentials.safeParse({ ...sound, [field]: value });
        // Of a URL the parser leaves line ends out.
        const kept = result.success ? String(result.data[field as never]) : '';
        expect(kept).not.toMatch(/\p{Cc}/u);
      }
    }
  });
});

describe('a webhook', () => {
  let receiver: Receiver;
  let channel: WebhookChannel;
  beforeEach(async () => {
    receiver = await Receiver.start();
    const network = { allowPrivateAddresses: true };
    channel = new WebhookChannel({ timeoutMs: 2_000, perOrigin: 1, clock: systemClock, network, secretsOf });
    closing.push(
      () => receiver.close(),
      () => channel.close(),
    );
  });

  test.each([
    'X-A: b',
    'X-A\r\nX-B',
    'X-A\n',
    'X A',
    ' X-A',
    'X-A ',
    '',
    'X-A\0',
    'Ｘ-A',
    'X-Ü',
    'X(A)',
    'Host',
    'Content-Length',
    'TRANSFER-ENCODING',
    'Connection',
    'Expect',
    'Webhook-Id',
    'webhook-signature',
    'Idempotency-Key',
    'Proxy-Authorization',
  ])('has no header of the name %j', (name) => {
    const payload = JSON.stringify({ url: receiver.url, headers: { [name]: 'a' } });
    expect(() => channel.prepare('shop', payload)).toThrow(BadRecord);
    expect(() => channel.prepare('shop', payload)).toThrow('payload.headers');
  });

  test.each([
    'a\r\nX-Injected: yes',
    'a\nX-Injected: yes',
    'a\rX-Injected: yes',
    'a\n b',
    'a\0',
    'a\u007f',
    'a\u001b[2J',
    'a\u2028X-Injected: yes',
    'a\u010aX-Injected: yes',
    'a\u560d\u560aX-Injected: yes',
    '🎈',
  ])('has no header of the value %j', (value) => {
    const payload = JSON.stringify({ url: receiver.url, headers: { 'X-A': value } });
    expect(() => channel.prepare('shop', payload)).toThrow('payload.headers.X-A');
  });

  test('has the body and the path that were given, and no second request', async () => {
    for (const [n, text] of TEXTS.entries()) {
      // Of controls a URL may have those alone that its parser leaves out.
      const url = `${receiver.url}/hook/${text.replace(/[\0\u0085]/g, '')}`;
      const outcome = await send(channel as Channel, { url, body: text }, `key-${n}`);
      expect(outcome).toMatchObject({ kind: 'delivered' });
      const { body, path, headers } = receiver.journal[n] ?? {};
      expect(body).toBe(text);
      expect(path).toMatch(/^\/hook\/[\x21-\x7e]+$/);
      expect(headers).not.toHaveProperty('x-injected');
    }
    expect(receiver.journal).toHaveLength(TEXTS.length);
  });
});

describe('a mail', () => {
  let world: EmailWorld;
  beforeEach(async () => {
    world = await EmailWorld.open();
    closing.push(() => world.close());
  });

  test.each([
    'Ann, eve@example.org',
    '"Ann, eve@example.org"',
    'Ann (eve@example.org)',
    'eve@example.org',
    'Ann; Eve',
    'friends: Ann',
    'Ann =? Eve ?=',
    '@example.org,eve@example.org:ann',
    'Ünn, eve@example.org',
    "Ann' OR 1=1",
  ])('to somebody who is called %j goes to nobody else', async (name) => {
    const to = `${name} <ann@example.com>`;
    const cc = `${name} <bob@example.com>`;
    expect(await world.send({ to, cc, replyTo: to, text: 'a' })).toMatchObject({ kind: 'delivered' });
    const [mail] = world.server.posts();
    expect(mail?.to).toEqual(['ann@example.com', 'bob@example.com']);
    for (const [header, address] of [
      ['to', 'ann@example.com'],
      ['cc', 'bob@example.com'],
      ['reply-to', 'ann@example.com'],
    ] as const) {
      expect(addressparser(mail?.headers[header] ?? '')).toMatchObject([{ address }]);
    }
  });

  test('has the bodies that were given, and there is no second mail in them', async () => {
    const bodies = [
      ...TEXTS.filter((text) => !text.includes('\0')),
      'a\r\n.\r\nMAIL FROM:<eve@example.org>\r\nb',
      'a\n.\nMAIL FROM:<eve@example.org>\nb',
      'a\r.\rMAIL FROM:<eve@example.org>\rb',
      'a\n.\r\nRSET\r\nb',
      'a\r\n.\nRSET\nb',
      '.\r\n.\r\n..',
      '--=_downspout\r\nContent-Type: text/html\r\n\r\n<b>',
    ];
    for (const [n, text] of bodies.entries()) {
      const idempotencyKey = `downspout-0123456789abcdef-${n}-1`;
      expect(await world.send({ text, html: text }, { idempotencyKey })).toMatchObject({ kind: 'delivered' });
      const written = text.replace(/\r\n?|\n/g, '\r\n');
      expect(world.server.posts()[n]).toMatchObject({
        to: ['ann@example.org'],
        bodies: { 'text/plain': written, 'text/html': written },
      });
    }
    expect(world.server.posts()).toHaveLength(bodies.length);
  });
});
