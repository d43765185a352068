import { randomBytes } from 'node:crypto';
import { Lifetimes } from '../../../../connectors/mysql/secrets/lifetimes';
import { SecretKey } from '../../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../../connectors/mysql/secrets/secret-store';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const DAY_MS = 86_400_000;
const key = SecretKey.from({ DOWNSPOUT_SECRET_KEY: randomBytes(32).toString('base64') });

let world: World;
let app: Pool;
let store: SecretStore;
let lifetimes: Lifetimes;

beforeAll(async () => {
  world = await freshDatabase();
  app = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 1 });
  [store, lifetimes] = [new SecretStore(app, key), new Lifetimes(app)];
});
afterAll(async () => {
  await app.close();
  await world.close();
});

const set = (account: string, inDays: number | null, refreshAt: number | null = null) => {
  const expiresAt = inDays === null ? null : systemClock.now() + inDays * DAY_MS;
  return store.set(account, 'x', 'secret', { replace: true, lifetime: { expiresAt, refreshAt } });
};
const namesWithin = async (days?: number) =>
  (await lifetimes.list(days === undefined ? undefined : days * DAY_MS)).map(({ account }) => account);

test('what ends soon is listed, the first first, and what is set next takes its place', async () => {
  await set('later', 30);
  await set('soon', 3, 1_000);
  await set('ended', -1);
  await set('never', null);
  expect(await namesWithin(7)).toEqual(['ended', 'soon']);
  expect(await namesWithin()).toEqual(['ended', 'soon', 'later']);
  expect(await lifetimes.of({ account: 'soon', channel: 'x' })).toEqual({
    account: 'soon',
    channel: 'x',
    expiresAt: expect.any(Number),
    refreshAt: 1_000,
    state: 'usable',
    refreshedAt: null,
    failures: 0,
    error: null,
    isRefused: false,
  });
  await set('soon', 60);
  expect(await namesWithin(7)).toEqual(['ended']);
  await set('ended', null);
  await store.remove('later', 'x');
  expect(await namesWithin()).toEqual(['soon']);
  expect(await lifetimes.of({ account: 'ended', channel: 'x' })).toBeUndefined();
});
