import type { Channel } from '../../../../bolts/channel';
import type { ChannelKind } from '../../../../connectors/channels/channel-kind';
import { instagram } from '../../../../connectors/channels/instagram/instagram';
import { linkedin } from '../../../../connectors/channels/linkedin/linkedin';
import { threads } from '../../../../connectors/channels/threads/threads';
import { type FakeProtocol, FakeProvider } from '../../../../deploy/fakes/fake-provider';
import { FakeInstagram } from '../../../../deploy/fakes/instagram';
import { FakeLinkedin } from '../../../../deploy/fakes/linkedin';
import { FakeThreads } from '../../../../deploy/fakes/threads';
import { systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';

const TOKEN = 'token-of-the-shop';
const REFRESH = 'refresh-token-of-the-shop';
const APP_SECRET = 'secret-of-the-app';
const ENDS = '2030-01-31T00:00:00.000Z';
const DAY_MS = 86_400_000;
const now = () => systemClock.now();

let server: FakeProvider;
let channel: Channel | undefined;

afterEach(async () => {
  await channel?.close();
  await server.close();
});

/** @returns what asks with these credentials */
async function start(kind: ChannelKind, protocol: FakeProtocol) {
  server = await FakeProvider.start(protocol, systemClock);
  const settings = topologySchema.parse({ components: { [kind.name]: { timeout: 1_000 } } });
  channel = kind.build(settings.bolts[kind.name] as never, {
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: async () => new Map(),
  });
  const { refresh } = channel;
  if (refresh === undefined) throw new Error(`${kind.name} has no refresh`);
  return async (credentials: object) => {
    const text = JSON.stringify({ ...credentials, server: server.url });
    const answer = await refresh.ask('shop', text, () => true, now);
    const kept = answer.kind === 'refreshed' ? (JSON.parse(answer.credentials) as Record<string, string>) : {};
    return { answer, kept };
  };
}

const USER = '17841400000000001';
const metaOptions = { clock: systemClock, tokens: { [TOKEN]: USER } };

describe.each([
  { kind: instagram as ChannelKind, make: () => new FakeInstagram(metaOptions), grant: 'ig_refresh_token' },
  { kind: threads as ChannelKind, make: () => new FakeThreads(metaOptions), grant: 'th_refresh_token' },
])('a refresh of $kind.name', ({ kind, make, grant }) => {
  const credentials = { user: USER, token: TOKEN, expiresAt: ENDS };

  test('gives a token for sixty days, which is refreshed two weeks before, and the token stands in no address', async () => {
    const protocol = make();
    const ask = await start(kind, protocol);
    const before = now();
    const { answer, kept } = await ask(credentials);
    const { expiresAt, refreshAt } = answer as { expiresAt: number; refreshAt: number };
    expect(expiresAt).toBeGreaterThanOrEqual(before + 60 * DAY_MS);
    expect(refreshAt).toBe(expiresAt - 14 * DAY_MS);
    const end = new Date(expiresAt).toISOString();
    expect(kept).toEqual({ user: USER, token: `${TOKEN}-token-1`, expiresAt: end, server: server.url });
    const [call] = server.calls;
    expect(`${call?.path}?${call?.query.toString()}`).toBe(`/refresh_access_token?grant_type=${grant}`);
    // The token of before lives on, so that an answer that is lost costs nothing.
    expect((await ask(credentials)).answer.kind).toBe('refreshed');
  });

  test('of a token that has ended or was revoked is refused for good, and one that is too young later', async () => {
    const protocol = make();
    const ask = await start(kind, protocol);
    const { kept } = await ask(credentials);
    const young = await ask(kept);
    expect(young.answer).toMatchObject({ kind: 'later', reason: expect.stringContaining('not 24 hours old') });
    protocol.expired.add(TOKEN);
    expect((await ask(credentials)).answer).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(/Session has expired.*Connect the account again/),
    });
    protocol.expired.clear();
    protocol.revoked.add(TOKEN);
    expect((await ask(credentials)).answer.kind).toBe('refused');
  });

  test('that Meta throttles or fails is put off, and nothing quotes the token', async () => {
    const ask = await start(kind, make());
    server.order({ do: 'throttle', to: 'refresh', afterMs: 120_000 });
    expect((await ask(credentials)).answer).toMatchObject({ kind: 'later', afterMs: 120_000 });
    for (const order of ['fail', 'quote', 'drop'] as const) {
      server.order({ do: order, to: 'refresh' });
      const { answer } = await ask(credentials);
      expect(answer.kind).toBe('later');
      expect(JSON.stringify(answer)).not.toContain(TOKEN);
    }
  });

  test('is not asked for where nobody has said when the token ends', async () => {
    const ask = await start(kind, make());
    expect((await ask({ user: USER, token: TOKEN })).answer.kind).toBe('refused');
    expect(server.calls).toEqual([]);
    const text = JSON.stringify({ user: USER, token: TOKEN });
    expect(kind.lifetimeOf?.(text)).toEqual({ expiresAt: null, refreshAt: null });
    const at = Date.parse(ENDS);
    expect(kind.lifetimeOf?.(JSON.stringify(credentials))).toEqual({ expiresAt: at, refreshAt: at - 14 * DAY_MS });
    const ofFacebook = JSON.stringify({ ...credentials, server: 'https://graph.facebook.com' });
    expect(kind.lifetimeOf?.(ofFacebook)).toEqual({ expiresAt: at, refreshAt: null });
  });
});

describe('a refresh of linkedin', () => {
  const author = 'urn:li:person:abc';
  const app = { clientId: 'app', clientSecret: APP_SECRET };
  const credentials = { author, token: TOKEN, refreshToken: REFRESH, ...app };

  function fake(): FakeLinkedin {
    const oauth = { clients: { app: APP_SECRET }, refreshTokens: { [REFRESH]: TOKEN } };
    return new FakeLinkedin({ clock: systemClock, tokens: { [TOKEN]: author }, oauth });
  }

  test('gives an access token for sixty days, and the refresh token stays', async () => {
    const ask = await start(linkedin, fake());
    const { answer, kept } = await ask(credentials);
    expect(kept).toMatchObject({ author, token: `${TOKEN}-access-1`, refreshToken: REFRESH, ...app });
    const { expiresAt, refreshAt } = answer as { expiresAt: number; refreshAt: number };
    expect(refreshAt).toBe(expiresAt - 7 * DAY_MS);
    expect((await ask(credentials)).answer.kind).toBe('refreshed');
  });

  test('that LinkedIn refuses says what to do, and quotes no secret', async () => {
    const protocol = fake();
    const ask = await start(linkedin, protocol);
    protocol.oauth.spent.add(REFRESH);
    expect((await ask(credentials)).answer).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(/LinkedIn does not take the refresh token.*Connect the account again/),
    });
    server.order({ do: 'quote', to: 'refresh' });
    const { answer } = await ask(credentials);
    for (const secret of [REFRESH, APP_SECRET]) expect(JSON.stringify(answer)).not.toContain(secret);
  });

  test('is not there for an account whose app was given none: it says when it ends all the same', () => {
    const at = Date.parse(ENDS);
    const text = JSON.stringify({ author, token: TOKEN, expiresAt: ENDS });
    expect(linkedin.lifetimeOf?.(text)).toEqual({ expiresAt: at, refreshAt: null });
  });
});

test('what lives shorter than it is refreshed ahead is refreshed at half of its life', async () => {
  const oauth = { clients: { app: APP_SECRET }, refreshTokens: { [REFRESH]: TOKEN }, lifetimeMs: DAY_MS };
  const author = 'urn:li:person:abc';
  const ask = await start(linkedin, new FakeLinkedin({ clock: systemClock, tokens: { [TOKEN]: author }, oauth }));
  const { answer } = await ask({
    author,
    token: TOKEN,
    refreshToken: REFRESH,
    clientId: 'app',
    clientSecret: APP_SECRET,
  });
  const { expiresAt, refreshAt } = answer as { expiresAt: number; refreshAt: number };
  expect(expiresAt - refreshAt).toBeCloseTo(DAY_MS / 2, -3);
});
