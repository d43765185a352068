import type { ClaimedRefresh } from '../../../../bolts/account-refreshes';
import type { Channel } from '../../../../bolts/channel';
import { RefreshWatch } from '../../../../bolts/refresh-watch';
import { x } from '../../../../connectors/channels/x/x';
import { FakeProvider } from '../../../../deploy/fakes/fake-provider';
import { FakeX } from '../../../../deploy/fakes/x';
import { systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { MemoryAccounts } from '../../../support/mysql/memory-accounts';
import { MemoryRefreshes } from '../../../support/mysql/memory-refreshes';
import { until } from '../../../support/until';

const TOKEN = 'token-of-the-shop';
const REFRESH = 'refresh-token-of-the-shop';
const APP_SECRET = 'secret-of-the-app';
const SHOP = { account: 'shop', channel: 'x' };
const HOUR_MS = 3_600_000;
const now = () => systemClock.now();
const always = () => true;

let protocol: FakeX;
let server: FakeProvider;
let accounts: MemoryAccounts;
let refreshes: MemoryRefreshes;
let opened: Channel[];
let watches: RefreshWatch[];
let errors: string[];

beforeEach(async () => {
  const tokens = { [TOKEN]: { id: '2244994945', username: 'shop' } };
  const clients = { confidential: APP_SECRET, open: null };
  const oauth = { clients, refreshTokens: { [REFRESH]: TOKEN } };
  protocol = new FakeX({ clock: systemClock, tokens, duplicateMs: 0, oauth });
  server = await FakeProvider.start(protocol, systemClock);
  accounts = new MemoryAccounts();
  refreshes = new MemoryRefreshes(accounts, now);
  accounts.say(SHOP, 'usable', [credentials()]);
  [opened, watches, errors] = [[], [], []];
});

afterEach(async () => {
  for (const one of watches) one.close();
  await Promise.all(opened.map((channel) => channel.close()));
  await server.close();
});

function credentials(more: object = {}): string {
  const app = { clientId: 'confidential', clientSecret: APP_SECRET };
  return JSON.stringify({ token: TOKEN, refreshToken: REFRESH, ...app, server: server.url, ...more });
}

/** The channel of a worker. */
function worker(): Channel {
  const settings = topologySchema.parse({ components: { x: { timeout: 1_000 } } });
  const channel = x.build(settings.bolts['x'] as never, {
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: async (channelName, names) => accounts.stored(channelName, names),
    askRefresh: (channelName, account, generation) => refreshes.ask(channelName, account, generation),
  });
  opened.push(channel);
  return channel;
}

function ask(text = credentials(), channel = worker()) {
  if (channel.refresh === undefined) throw new Error('x has no refresh');
  return channel.refresh.ask('shop', text, always, now);
}

function send(channel: Channel, text: string) {
  const attempt = {
    id: 1,
    account: 'shop',
    dueAt: now(),
    inDoubt: false,
    idempotencyKey: 'key',
    now,
    mayStart: always,
  };
  return channel.send(channel.prepare('shop', JSON.stringify({ text })), attempt);
}

function watch(channel: Channel): RefreshWatch {
  if (channel.refresh === undefined) throw new Error('x has no refresh');
  const started = new RefreshWatch({
    channel,
    refresh: channel.refresh,
    refreshes,
    session: `session-${watches.length}`,
    clock: systemClock,
    databaseClock: { earliest: now, latest: now },
    random: () => 0,
    onError: (what, error) => {
      if (!String(error).includes('other credentials by now')) throw new Error(what, { cause: error });
      errors.push(`${what}: ${String(error)}`);
    },
  });
  watches.push(started);
  started.open();
  return started;
}

const stored = () => JSON.parse(accounts.newest(SHOP) ?? '{}') as Record<string, string>;

describe('a refresh', () => {
  test('gives both tokens and when they end; everything else stays', async () => {
    const before = now();
    const answer = await ask();
    if (answer.kind !== 'refreshed') throw new Error(answer.reason);
    const kept = JSON.parse(answer.credentials) as Record<string, string>;
    expect(kept).toEqual({
      token: `${TOKEN}-access-1`,
      refreshToken: `${REFRESH}-refresh-1`,
      clientId: 'confidential',
      clientSecret: APP_SECRET,
      expiresAt: new Date(answer.expiresAt ?? 0).toISOString(),
      server: server.url,
    });
    expect(answer.expiresAt).toBeGreaterThanOrEqual(before + 2 * HOUR_MS);
    expect(answer.refreshAt).toBe((answer.expiresAt ?? 0) - 600_000);
    expect(server.calls.at(-1)?.headers.authorization).toMatch(/^Basic /);
  });

  test.each([
    ['a number in a text', { expires_in: '7200' }, 2 * HOUR_MS],
    ['nothing', {}, undefined],
    ['null', { expires_in: null }, undefined],
    ['nought', { expires_in: 0 }, undefined],
    ['words', { expires_in: 'soon' }, undefined],
    ['more than there are instants', { expires_in: 1e12 }, 3_650 * 24 * HOUR_MS],
    ['the greatest number', { expires_in: Number.MAX_VALUE }, 3_650 * 24 * HOUR_MS],
  ])('whose token is said to live for %s costs no token', async (_, more, livesMs) => {
    const json = { access_token: 'next-token', refresh_token: 'next-refresh-token', ...more };
    jest.spyOn(protocol, 'handle').mockResolvedValueOnce({ status: 200, json });
    const before = now();
    const answer = await ask();
    if (answer.kind !== 'refreshed') throw new Error(answer.reason);
    const kept = JSON.parse(answer.credentials) as Record<string, string>;
    expect(kept).toMatchObject({ token: 'next-token', refreshToken: 'next-refresh-token' });
    expect(Math.round(((answer.expiresAt ?? before) - before) / HOUR_MS)).toBe((livesMs ?? 0) / HOUR_MS);
    expect(answer.expiresAt === null).toBe(livesMs === undefined);
  });

  test.each([null, ''])('that gives %j as the next refresh token keeps the one before', async (next) => {
    const json = { access_token: 'next-token', refresh_token: next, expires_in: 7_200 };
    jest.spyOn(protocol, 'handle').mockResolvedValueOnce({ status: 200, json });
    const answer = await ask();
    if (answer.kind !== 'refreshed') throw new Error(answer.reason);
    expect(JSON.parse(answer.credentials)).toMatchObject({ token: 'next-token', refreshToken: REFRESH });
  });

  test('of an app without a secret names it in the body', async () => {
    expect(await ask(credentials({ clientId: 'open', clientSecret: undefined }))).toMatchObject({ kind: 'refreshed' });
    expect(String(server.calls.at(-1)?.body)).toContain('client_id=open');
    expect(server.calls.at(-1)?.headers.authorization).toBeUndefined();
  });

  test.each([
    [
      'a refresh token that was used',
      async () => ask(),
      {},
      'X does not take the refresh token of the account (HTTP 400',
    ],
    ['another refresh token', async () => undefined, { refreshToken: 'of-somebody-else' }, 'the refresh token'],
  ])('by %s is refused for good, and the reason says what to do', async (_, before, more, reason) => {
    await before();
    const answer = await ask(credentials(more));
    expect(answer).toMatchObject({ kind: 'refused', reason: expect.stringContaining(reason) });
    expect(JSON.stringify(answer)).toContain('Connect the account again');
  });

  test.each(['invalid_client', 'unauthorized_client', 'invalid_scope', 'access_denied'])(
    'that the app has lost the right to (%s) is put off for long: a person mends the app, and the account was right',
    async (error) => {
      jest.spyOn(protocol, 'handle').mockResolvedValueOnce({ status: 401, json: { error } });
      const answer = await ask();
      expect(answer).toEqual({ kind: 'later', reason: expect.stringContaining('Mend the app'), afterMs: 1_800_000 });
      expect(await ask()).toMatchObject({ kind: 'refreshed' });
    },
  );

  test('whose answer is lost may have been made, and one that was not taken was not', async () => {
    server.order({ do: 'vanish', to: 'refresh' });
    expect(await ask()).toMatchObject({ kind: 'later', isLost: true });
    server.order({ do: 'throttle', to: 'refresh', afterMs: 60_000 });
    const throttled = await ask();
    expect(throttled).toMatchObject({ kind: 'later', afterMs: expect.any(Number) });
    expect(throttled).not.toHaveProperty('isLost');
    const away = credentials({ server: 'http://127.0.0.1:1' });
    expect(await ask(away)).toEqual({ kind: 'later', reason: expect.stringContaining('ECONNREFUSED') });
    server.order({ do: 'drop', to: 'refresh' });
    expect(await ask()).toMatchObject({ kind: 'later', isLost: true });
    expect(await ask()).toMatchObject({ kind: 'refused' });
  });

  test('quotes no token and no secret, whatever the server answers', async () => {
    server.order({ do: 'quote', to: 'refresh' });
    const answers = [await ask()];
    for (const body of [
      { access_token: `${TOKEN} with a blank`, refresh_token: 'next-refresh-token' },
      { token_type: 'bearer', refresh_token: 'next-refresh-token' },
    ]) {
      jest.spyOn(protocol, 'handle').mockResolvedValueOnce({ status: 200, json: body });
      answers.push(await ask());
    }
    const basic = Buffer.from(`confidential:${APP_SECRET}`).toString('base64');
    for (const status of [400, 500]) {
      const json = { access_token: 'fresh-and-unknown', refresh_token: 'next-refresh-token' };
      jest.spyOn(protocol, 'handle').mockResolvedValueOnce({ status, json });
      answers.push(await ask());
    }
    for (const answer of answers) {
      expect(answer.kind).toBe('later');
      for (const secret of [TOKEN, REFRESH, APP_SECRET, basic, 'next-refresh-token', 'fresh-and-unknown']) {
        expect(JSON.stringify(answer)).not.toContain(secret);
      }
    }
  });

  test('that may not start any more writes nothing', async () => {
    const channel = worker();
    expect(await channel.refresh?.ask('shop', credentials(), () => false, now)).toMatchObject({ kind: 'later' });
    expect(server.calls).toEqual([]);
  });
});

test('when credentials end is theirs to say: they are refreshed ten minutes before, where they can be', () => {
  const ends = '2026-12-31T12:00:00.000Z';
  const at = Date.parse(ends);
  expect(x.lifetimeOf?.(credentials({ expiresAt: ends }))).toEqual({ expiresAt: at, refreshAt: at - 600_000 });
  const bare = JSON.stringify({ token: TOKEN, expiresAt: ends });
  expect(x.lifetimeOf?.(bare)).toEqual({ expiresAt: at, refreshAt: null });
  expect(x.lifetimeOf?.(credentials())).toEqual({ expiresAt: null, refreshAt: null });
});

test('the worker that has refreshed a token sends with the next one at once', async () => {
  const channel = worker();
  await channel.warm(['shop']);
  expect(await send(channel, 'a')).toMatchObject({ kind: 'delivered' });
  const settle = jest.spyOn(refreshes, 'settle');
  refreshes.set('shop', 'x', { expiresAt: now() + 600_000, refreshAt: now() - 1 });
  const watching = watch(channel);
  await until('the token is refreshed', async () => (await settle.mock.results[0]?.value) === true);
  await watching.drain();
  expect(await send(channel, 'b')).toMatchObject({ kind: 'delivered' });
});

describe('a token that X refuses', () => {
  test('Credentials that can be refreshed are refreshed before their account is unusable, and messages go out with the next ones', async () => {
    const channel = worker();
    protocol.revoked.add(TOKEN);
    const outcomes = await Promise.all(['a', 'b', 'c'].map((text) => send(channel, text)));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ kind: 'unusable', reason: expect.stringContaining('are being refreshed') });
      expect(outcome).not.toHaveProperty('generation');
    }
    const asked = server.calls.length;
    expect(await send(channel, 'd')).toMatchObject({ kind: 'postponed' });
    expect(server.calls).toHaveLength(asked);
    watch(channel);
    await until('the token is refreshed', async () => stored()['token'] === `${TOKEN}-access-1`);
    await until('the worker knows it', async () => {
      const outcome = await send(channel, 'e');
      return outcome !== 'not_started' && outcome.kind === 'delivered';
    });
    expect(accounts.stateOf(SHOP)).toBe('usable');
    expect(protocol.oauth.refreshed).toBe(1);
  });

  test('because another worker has refreshed it just now suspends nothing, and asks for no other', async () => {
    const [first, second] = [worker(), worker()];
    await Promise.all([first.warm(['shop']), second.warm(['shop'])]);
    await refreshes.ask('x', 'shop', accounts.generationOf(SHOP));
    watch(first);
    await until('the token is refreshed', async () => stored()['token'] === `${TOKEN}-access-1`);
    const outcome = await send(second, 'a');
    expect(outcome).toMatchObject({
      kind: 'unusable',
      reason: expect.stringContaining('have been replaced meanwhile'),
    });
    expect(outcome).not.toHaveProperty('generation');
    expect(await send(second, 'a')).toMatchObject({ kind: 'delivered' });
    expect(accounts.stateOf(SHOP)).toBe('usable');
    expect(protocol.oauth.refreshed).toBe(1);
  });

  test('and whose refresh token X refuses too makes the account unusable, with the reason of the refresh', async () => {
    const channel = worker();
    protocol.revoked.add(TOKEN);
    protocol.oauth.spent.add(REFRESH);
    await send(channel, 'a');
    watch(channel);
    await until('the refusal is to be confirmed', async () => refreshes.of('shop', 'x')?.refusals === 1);
    expect(accounts.stateOf(SHOP)).toBe('usable');
    // The two minutes have passed.
    Object.assign(refreshes.of('shop', 'x') ?? {}, { refreshAt: now() });
    await until('the account is unusable', async () => accounts.stateOf(SHOP) === 'unusable');
    await until('the worker knows it', async () => {
      const outcome = await send(channel, 'a');
      return outcome !== 'not_started' && outcome.kind === 'unusable' && outcome.generation === 1;
    });
    expect(await send(channel, 'a')).toMatchObject({ reason: expect.stringContaining('the refresh token') });
    expect(server.calls.filter((call) => protocol.refreshes(call))).toHaveLength(2);
  });

  test('although it was refreshed for that reason is not refreshed for ever', async () => {
    protocol.revoked.add(TOKEN).add(`${TOKEN}-access-1`);
    const channel = worker();
    await send(channel, 'a');
    watch(channel);
    await until('the token is refreshed', async () => stored()['token'] === `${TOKEN}-access-1`);
    const other = worker();
    expect(await send(other, 'a')).toMatchObject({ kind: 'unusable', status: 401, afterMs: 60_000 });
    expect(protocol.oauth.refreshed).toBe(1);
  });

  test('without a refresh token counts as refused at once', async () => {
    accounts.say(SHOP, 'usable', [JSON.stringify({ token: TOKEN, server: server.url })]);
    protocol.revoked.add(TOKEN);
    expect(await send(worker(), 'a')).toMatchObject({ kind: 'unusable', afterMs: 60_000 });
  });

  test('while the database is away postpones its message', async () => {
    const channel = worker();
    await channel.warm(['shop']);
    jest.spyOn(refreshes, 'ask').mockRejectedValueOnce(new Error('away'));
    protocol.revoked.add(TOKEN);
    const outcome = await send(channel, 'a');
    expect(outcome).toMatchObject({
      kind: 'unusable',
      reason: expect.stringContaining('could not be asked for: away'),
    });
    expect(outcome).not.toHaveProperty('generation');
  });
});

test('a person who sets other credentials while X answers wins', async () => {
  const channel = worker();
  server.order({ do: 'slow', to: 'refresh', afterMs: 300 });
  await refreshes.ask('x', 'shop', 1);
  const settle = jest.spyOn(refreshes, 'settle');
  watch(channel);
  await until('X is asked', async () => server.calls.length === 1);
  const own = credentials({ token: 'token-of-a-person' });
  accounts.say(SHOP, 'usable', [own]);
  await until('the answer is dropped', async () => (await settle.mock.results[0]?.value) === false);
  expect(accounts.newest(SHOP)).toBe(own);
  const claimed: ClaimedRefresh | undefined = settle.mock.calls[0]?.[2];
  expect(claimed?.credentials).toBe(credentials());
  await until('it is told', async () => errors.length === 1);
  expect(errors[0]).not.toContain(TOKEN);
});
