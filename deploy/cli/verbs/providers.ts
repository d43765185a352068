import { Argument, type Command } from 'commander';
import { systemClock } from '../../../topology/core/clock';
import { parsePort } from '../../console/durations';
import { Output, type OutputOptions } from '../../console/output';
import { FakeBluesky } from '../../fakes/bluesky';
import { FakeDiscord } from '../../fakes/discord';
import { FakeEmail } from '../../fakes/email';
import { FakeFacebook } from '../../fakes/facebook';
import { FakeProvider } from '../../fakes/fake-provider';
import { FakeInstagram } from '../../fakes/instagram';
import { FakeLinkedin } from '../../fakes/linkedin';
import { FakeMastodon } from '../../fakes/mastodon';
import { FakeSlack } from '../../fakes/slack';
import { FakeTelegram } from '../../fakes/telegram';
import { FakeThreads } from '../../fakes/threads';
import { FakeX } from '../../fakes/x';
import { interruptible } from '../interrupt';
import { dataVerb, verbGroup } from '../verb';

interface FakeOptions extends OutputOptions {
  readonly port: number;
}

/** What refreshes a token, where its protocol has that. */
const refreshedBy = (token: string) => ({
  clients: { rehearsal: 'rehearsal-secret' },
  refreshTokens: { 'rehearsal-refresh-token': token },
});

/** The protocols that there are fakes of, and the token that each takes. It is no secret, because they keep nothing. */
const fakes = {
  mastodon: {
    token: 'rehearsal-token',
    play: (token: string) => new FakeMastodon({ clock: systemClock, tokens: { [token]: 'rehearsal' } }),
  },
  telegram: {
    token: '1000:rehearsal-token-of-a-bot',
    play: (token: string) => {
      const chats = [{ id: -1_001_000_000_000, type: 'channel', username: 'rehearsal' } as const];
      return new FakeTelegram({ clock: systemClock, bots: { [token]: 'rehearsal_bot' }, chats });
    },
  },
  discord: {
    token: 'rehearsal-token-of-a-bot',
    play: (token: string) => {
      const bots = { [token]: { id: '155149108183695360', username: 'rehearsal' } };
      return new FakeDiscord({ clock: systemClock, bots, channels: ['155101607195836416'] });
    },
  },
  slack: {
    token: 'rehearsal-token',
    play: (token: string) => new FakeSlack({ clock: systemClock, tokens: { [token]: 'rehearsal' } }),
  },
  linkedin: {
    token: 'rehearsal-token',
    play: (token: string) => {
      const tokens = { [token]: 'urn:li:organization:1' };
      return new FakeLinkedin({ clock: systemClock, tokens, oauth: refreshedBy(token) });
    },
  },
  facebook: {
    token: 'rehearsal-token',
    play: (token: string) => new FakeFacebook({ clock: systemClock, pages: { [token]: '100000000000001' } }),
  },
  /** The token is the app password of the handle `rehearsal.test`. */
  bluesky: {
    token: 'rehearsal-password',
    play: (token: string) => new FakeBluesky({ clock: systemClock, passwords: { 'rehearsal.test': token } }),
  },
  x: {
    token: 'rehearsal-token',
    play: (token: string) => {
      const user = { id: '2244994945', username: 'rehearsal' };
      return new FakeX({ clock: systemClock, tokens: { [token]: user }, oauth: refreshedBy(token) });
    },
  },
  /** Of both the token is of the user 1. */
  instagram: {
    token: 'rehearsal-token',
    play: (token: string) => new FakeInstagram({ clock: systemClock, tokens: { [token]: '1' } }),
  },
  threads: {
    token: 'rehearsal-token',
    play: (token: string) => new FakeThreads({ clock: systemClock, tokens: { [token]: '1' } }),
  },
};

/** Of the mail server, whose protocol is not HTTP. It is no secret either. */
const MAIL_LOGIN = { user: 'rehearsal', password: 'rehearsal-password' };

interface Fake {
  readonly data: object;
  readonly line: string;
  readonly close: () => Promise<void>;
}

async function startFake(provider: keyof typeof fakes, port: number): Promise<Fake> {
  const { token, play } = fakes[provider];
  const fake = await FakeProvider.start(play(token), systemClock, port);
  const line = `${provider} is played at ${fake.url}, for the token ${token}.`;
  return { data: { provider, url: fake.url, token }, line, close: () => fake.close() };
}

async function startMail(port: number): Promise<Fake> {
  const { user, password } = MAIL_LOGIN;
  const fake = await FakeEmail.start({ clock: systemClock, users: { [user]: password } }, port);
  const data = { provider: 'email', host: '127.0.0.1', port: fake.port, ...MAIL_LOGIN, url: fake.url };
  const line =
    `email is played at 127.0.0.1, port ${fake.port}, security plain, for ${user} with ${password}; ` +
    `orders and mails are at ${fake.url}.`;
  return { data, line, close: () => fake.close() };
}

/** `downspout providers` */
export function providersCommand(): Command {
  return verbGroup('providers', 'stand-ins for the providers of messages, for rehearsals', {
    example: 'downspout providers fake mastodon',
  }).addCommand(fakeCommand());
}

function fakeCommand(): Command {
  return dataVerb('fake', "run a server on this machine that speaks a provider's protocol, until a signal ends it", {
    example: 'downspout providers fake mastodon --port 4000',
  })
    .addArgument(new Argument('<provider>').choices([...Object.keys(fakes), 'email']))
    .option('--port <n>', '0 for any free one', parsePort, 0)
    .addHelpText(
      'after',
      '\nIt validates requests strictly and keeps what it takes: GET /fake/posts shows it. POST /fake/orders makes it misbehave:' +
        '\n{"do":"drop","times":3} takes the next three messages and cuts the connection; also vanish, fail, error, hang, slow,' +
        '\nlate and throttle, with "afterMs" and "match" (a text in the message), and expire, revoke and duplicate, where the' +
        '\nprovider has such. docs/channels.md says more.',
    )
    .action(async (provider: keyof typeof fakes | 'email', options: FakeOptions) => {
      const output = new Output(options);
      await interruptible(output, async ({ signal }) => {
        const fake = provider === 'email' ? await startMail(options.port) : await startFake(provider, options.port);
        output.data(fake.data, () => fake.line);
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        await fake.close();
      });
    });
}
