import { AccountSecrets } from '../../../connectors/channels/account-secrets';
import { channels } from '../../../connectors/channels/channel-kinds';
import { AttemptsUnderWay, type Bounded } from '../../../connectors/channels/http/attempts-under-way';
import { OriginPools } from '../../../connectors/channels/http/origin-pools';
import { connector, isPublic } from '../../../connectors/channels/http/public-addresses';
import { retryAfter } from '../../../connectors/channels/webhook/webhook-outcome';
import { signingKey } from '../../../connectors/channels/webhook/webhook-signature';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { parseTopologySettings } from '../../../topology/settings/topology-settings';
import { ManualClock } from '../../support/manual-clock';

const attempt = (deadline: number) => ({ deadline, expire: jest.fn() }) satisfies Bounded;

const build = (yaml: string) =>
  channels(parseTopologySettings(yaml, 'topology.yaml'), {
    clock: new ManualClock(),
    allowPrivateAddresses: false,
    secretsOf: async () => new Map(),
  });

describe('account secrets', () => {
  test('both answers are believed for a short time, and asked for together', async () => {
    const clock = new ManualClock();
    const asked: string[][] = [];
    const secrets = new AccountSecrets(
      async (accounts) => {
        asked.push([...accounts]);
        return new Map([['a', `secret ${asked.length}`]]);
      },
      (secret) => secret,
      clock,
    );
    await secrets.load(['a', 'b', 'a']);
    await secrets.load(['a', 'b']);
    expect(asked).toEqual([['a', 'b']]);
    expect(secrets.get('a')).toMatchObject({ value: 'secret 1' });
    expect(secrets.get('b')).toMatchObject({ value: undefined });
    expect(secrets.get('c')).toBeUndefined();
    await clock.advance(30_001);
    await secrets.load(['b', 'a']);
    expect(asked).toEqual([
      ['a', 'b'],
      ['b', 'a'],
    ]);
    expect(secrets.get('a')).toMatchObject({ value: 'secret 2' });
  });

  test('one secret that cannot be opened holds up its own account only', async () => {
    const asked: string[][] = [];
    const secrets = new AccountSecrets(
      async (accounts) => {
        asked.push([...accounts]);
        if (accounts.includes('bad')) throw new Unavailable('bad cannot be read');
        return new Map();
      },
      (secret) => secret,
      new ManualClock(),
    );
    const together = secrets.load(['a', 'bad']);
    const alone = Promise.all([secrets.ensure('a'), secrets.ensure('a')]);
    await expect(together).rejects.toThrow('bad cannot be read');
    expect(await alone).toMatchObject([{ value: undefined }, { value: undefined }]);
    await expect(secrets.ensure('bad')).rejects.toThrow(Unavailable);
    expect(asked).toEqual([['a', 'bad'], ['a'], ['bad']]);
  });

  test('an old answer counts while no newer one can be had', async () => {
    const clock = new ManualClock();
    let away = false;
    const secrets = new AccountSecrets(
      async () => {
        if (away) throw new Unavailable('away');
        return new Map([['a', 'secret']]);
      },
      (secret) => secret,
      clock,
    );
    await secrets.load(['a']);
    away = true;
    await clock.advance(60_000);
    await expect(secrets.load(['a'])).rejects.toThrow(Unavailable);
    expect(secrets.get('a')).toMatchObject({ value: 'secret' });
  });
});

describe('attempts under way', () => {
  test('expire within a sweep after their deadline, which may come nearer', async () => {
    const clock = new ManualClock();
    const underWay = new AttemptsUnderWay(clock, 10_000);
    const [late, nearer, done] = [attempt(10_000), attempt(10_000), attempt(10_000)];
    for (const one of [late, nearer, done]) underWay.add(one);
    underWay.remove(done);
    await clock.advance(4_000);
    nearer.deadline = 5_000;
    await clock.advance(1_100);
    expect(nearer.expire).toHaveBeenCalledTimes(1);
    expect(late.expire).not.toHaveBeenCalled();
    await clock.advance(5_000);
    expect(late.expire).toHaveBeenCalledTimes(1);
    expect(done.expire).not.toHaveBeenCalled();
    expect(clock.timers).toBe(0);
  });

  test('leave no timer behind', async () => {
    const clock = new ManualClock();
    const underWay = new AttemptsUnderWay(clock, 1_000);
    underWay.add(attempt(1_000));
    expect(clock.timers).toBe(1);
    underWay.close();
    expect(clock.timers).toBe(0);
  });
});

test('pools are kept for a bounded number of origins, the last used ones', async () => {
  const pools = new OriginPools(1, connector(1_000, true), 2);
  const a = pools.get('http://a.test');
  const b = pools.get('http://b.test');
  expect(pools.get('http://a.test')).toBe(a);
  pools.get('http://c.test');
  expect(pools.size).toBe(2);
  expect(b.closed).toBe(true);
  expect(pools.get('http://a.test')).toBe(a);
  await pools.destroy();
});

test('public addresses', () => {
  for (const address of ['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8']) expect(isPublic(address)).toBe(true);
  for (const address of ['198.18.0.1', '224.0.0.1', '240.0.0.1', '2002:7f00:1::', '2001:db8::1', 'fec0::1']) {
    expect(isPublic(address)).toBe(false);
  }
});

test('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1);
  expect(retryAfter('120', now)).toBe(120_000);
  expect(retryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000);
  expect(retryAfter('Wed, 31 Dec 2025 23:00:00 GMT', now)).toBe(0);
  for (const bad of ['', 'soon', '-1', '1.5', '2026-01-01', 'Thu, nonsense'])
    expect(retryAfter(bad, now)).toBeUndefined();
});

test('secrets are base64, with or without their prefix', () => {
  expect(signingKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')?.export()).toHaveLength(24);
  expect(signingKey('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toBeDefined();
  for (const bad of ['', 'whsec_', 'whsec_ä', 'no secret']) expect(signingKey(bad)).toBeUndefined();
});

test('only the channels that the topology names are built', async () => {
  expect([...build('components: {due: {}}').keys()]).toEqual([]);
  const built = build('components: {due: {}, webhook: {timeout: 1234}}');
  expect([...built.keys()]).toEqual(['webhook']);
  expect(built.get('webhook')).toMatchObject({ name: 'webhook', class: 'idempotent', acceptedWithin: 1_234 });
  await built.get('webhook')?.close();
});

test('a component that is no channel is named, with the channels that there are', () => {
  const message = 'topology.yaml: components.webhok: expected due or one of the channels webhook';
  expect(() => build('components: {webhok: {}, webhook: {}}')).toThrow(new UserError(message));
});
