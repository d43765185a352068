import { randomBytes } from 'node:crypto';
import { MySqlAccountRefreshes } from '../../../../connectors/mysql/secrets/account-refreshes';
import { SecretKey } from '../../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../../connectors/mysql/secrets/secret-store';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { Unavailable, UserError } from '../../../../topology/core/errors';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const key = SecretKey.from({ DOWNSPOUT_SECRET_KEY: randomBytes(32).toString('base64') });
const session = 'ab'.repeat(16);
const due = { expiresAt: systemClock.now() + 3_600_000, refreshAt: 1_000 };

let world: World;
let worker: Pool;
let admin: Pool;
let store: SecretStore;
let refreshes: MySqlAccountRefreshes;

beforeEach(async () => {
  world = await freshDatabase();
  const open = (name: 'WORKER_DATABASE_URL' | 'ADMIN_DATABASE_URL') =>
    Pool.open(required(world.environment, name), { clock: systemClock, size: 2 });
  [worker, admin] = [open('WORKER_DATABASE_URL'), open('ADMIN_DATABASE_URL')];
  store = new SecretStore(admin, key);
  refreshes = new MySqlAccountRefreshes(worker, key);
});
afterEach(async () => {
  await Promise.all([worker.close(), admin.close()]);
  await world.close();
});

const set = (account: string, refreshAt = due.refreshAt) =>
  store.set(account, 'x', 'secret', { replace: true, lifetime: { ...due, refreshAt } });
const nameOf = (n: number) => `shop-${String(n).padStart(2, '0')}`;
const claim = async (limit = 16) =>
  (await refreshes.claim('x', session, limit, 60_000, true)).map(({ account }) => account);

test('credentials that somebody holds are left, because the answer of an earlier refresh may be waiting for them', async () => {
  await set('held');
  await set('free');
  await admin.transaction(async (sql) => {
    await sql.rows("SELECT 1 FROM accounts WHERE account='held' AND channel='x' FOR UPDATE");
    expect(await claim()).toEqual(['free']);
  });
  expect(await claim()).toEqual(['held']);
});

test.each(['accounts', 'account_refreshes'])(
  'accounts that somebody holds in %s keep no other waiting, however many they are',
  async (table) => {
    const names = Array.from({ length: 80 }, (_, n) => nameOf(n));
    for (const [n, name] of names.entries()) await set(name, 1_000 + n);
    await admin.transaction(async (sql) => {
      await sql.rows(`SELECT 1 FROM ${table} FORCE INDEX (PRIMARY) WHERE account < '${nameOf(70)}' FOR UPDATE`);
      // Not for the last one alone.
      expect(await claim(1)).toEqual([nameOf(70)]);
      expect(await claim()).toEqual(names.slice(71));
      expect(await claim()).toEqual([]);
    });
    const claimed = [];
    for (let looks = 0; looks < 5; looks++) claimed.push(...(await claim()));
    expect(claimed).toEqual(names.slice(0, 70));
  },
);

test('whoever asks for a refresh waits for nobody who holds it', async () => {
  await set('shop');
  await admin.transaction(async (sql) => {
    await sql.rows("SELECT 1 FROM account_refreshes WHERE account='shop' AND channel='x' FOR UPDATE");
    const asked = refreshes.ask('x', 'shop', 1);
    await expect(asked).rejects.toThrow("another transaction holds the refresh of the account's credentials");
    await expect(asked).rejects.toBeInstanceOf(Unavailable);
    expect(await refreshes.ask('x', 'unknown', 0)).toEqual({ kind: 'asked' });
  });
  expect(await refreshes.ask('x', 'shop', 1)).toEqual({ kind: 'asked' });
});

test('a worker that may not write credentials claims none, because it would use up what it cannot replace', async () => {
  await set('shop');
  const { username } = new URL(required(world.environment, 'WORKER_DATABASE_URL'));
  await admin.run(`REVOKE UPDATE (secret) ON accounts FROM '${username}'@'%'`);
  await expect(claim()).rejects.toBeInstanceOf(UserError);
  const [row] = await admin.rows("SELECT claim, begun_at FROM account_refreshes WHERE account='shop'");
  expect(row).toEqual([null, null]);
});

test('three thousand accounts that cannot be opened keep none waiting for long, and are looked at again when all were', async () => {
  for (let from = 0; from < 3_000; from += 1_000) {
    const names = Array.from({ length: 1_000 }, (_, n) => `'closed-${String(from + n).padStart(4, '0')}', 'x'`);
    const secrets = names.map((name) => `(${name}, 0x00)`).join(',');
    const lifetimes = names.map((name) => `(${name}, 1000)`).join(',');
    await admin.run(`INSERT INTO accounts (account, channel, secret) VALUES ${secrets}`);
    await admin.run(`INSERT INTO account_refreshes (account, channel, refresh_at) VALUES ${lifetimes}`);
  }
  await set('open', 2_000);
  // 64 accounts of each of 16 pages.
  expect(await claim()).toEqual([]);
  expect(await claim()).toEqual([]);
  expect(await claim()).toEqual(['open']);
  await set('closed-0000');
  expect(await claim()).toEqual(['closed-0000']);
});

test('what cannot be claimed at once stands before the position still', async () => {
  for (let n = 0; n < 80; n++) await set(nameOf(n));
  const claimed = new Set<string>();
  for (let looks = 0; looks < 8; looks++) for (const account of await claim()) claimed.add(account);
  expect(claimed.size).toBe(80);
});
