import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretKey } from '../../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../../connectors/mysql/secrets/secret-store';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const newKey = () => SecretKey.from({ DOWNSPOUT_SECRET_KEY: randomBytes(32).toString('base64') }) as SecretKey;

describe('the key', () => {
  const owner = { account: 'a', channel: 'webhook' };

  test('opens what it sealed, for the same owner only', () => {
    const key = newKey();
    const sealed = key.seal(owner, 'whsec_ä🦆');
    expect(key.open(owner, sealed)).toBe('whsec_ä🦆');
    expect(key.open({ ...owner, account: 'b' }, sealed)).toBeNull();
    expect(key.open({ account: 'a,webhook', channel: '' }, sealed)).toBeNull();
    expect(newKey().open(owner, sealed)).toBeNull();
    expect(key.seal(owner, 'whsec_ä🦆')).not.toEqual(sealed);
  });

  test('refuses what was changed or cut', () => {
    const key = newKey();
    const sealed = key.seal(owner, 'secret');
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8((changed[at] as number) ^ 1, at);
      expect(key.open(owner, changed)).toBeNull();
      expect(key.open(owner, sealed.subarray(0, at))).toBeNull();
    }
  });

  test('comes from the environment or a file; a wrong one is named, not shown', () => {
    const folder = mkdtempSync(join(tmpdir(), 'downspout-key-'));
    const file = join(folder, 'key');
    const text = randomBytes(32).toString('base64');
    writeFileSync(file, `${text}\n`);
    const [fromFile, fromText] = [
      SecretKey.from({ DOWNSPOUT_SECRET_KEY_FILE: file }),
      SecretKey.from({ DOWNSPOUT_SECRET_KEY: text }),
    ];
    expect(fromFile?.open(owner, (fromText as SecretKey).seal(owner, 'x'))).toBe('x');
    expect(SecretKey.from({})).toBeNull();
    writeFileSync(file, 'short');
    expect(() => SecretKey.from({ DOWNSPOUT_SECRET_KEY_FILE: file })).toThrow(/DOWNSPOUT_SECRET_KEY_FILE .*32 bytes/);
    rmSync(folder, { recursive: true });
    expect(() => SecretKey.from({ DOWNSPOUT_SECRET_KEY_FILE: file })).toThrow(/^DOWNSPOUT_SECRET_KEY_FILE: .*ENOENT/);
    for (const wrong of ['hunter2', `${text}!`, randomBytes(31).toString('base64')]) {
      expect(() => SecretKey.from({ DOWNSPOUT_SECRET_KEY: wrong })).toThrow(/^DOWNSPOUT_SECRET_KEY: expected 32 bytes/);
      expect(() => SecretKey.from({ DOWNSPOUT_SECRET_KEY: wrong })).not.toThrow(wrong);
    }
    expect(JSON.stringify(fromText)).toBe('{}');
  });
});

describe('accounts', () => {
  let world: World;
  let app: Pool;
  let worker: Pool;

  beforeAll(async () => {
    world = await freshDatabase();
    app = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 2 });
    worker = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 2 });
  });
  afterAll(async () => {
    await Promise.all([app.close(), worker.close()]);
    await world.close();
  });

  test('are set, listed without their secrets, read by workers, and removed', async () => {
    const key = newKey();
    const accounts = new SecretStore(app, key);
    await accounts.set('Shop', 'webhook', 'one');
    await accounts.set('shop', 'webhook', 'two');
    await accounts.set('shop', 'webhook', 'three');
    expect(await accounts.list()).toEqual([
      { account: 'Shop', channel: 'webhook', updatedAt: expect.any(Number) },
      { account: 'shop', channel: 'webhook', updatedAt: expect.any(Number) },
    ]);
    const secrets = await new SecretStore(worker, key).secretsOf('webhook', ['shop', 'Shop', 'none']);
    expect(secrets).toEqual(
      new Map([
        ['Shop', 'one'],
        ['shop', 'three'],
      ]),
    );
    const stored = await app.rows<[Buffer]>('SELECT secret FROM accounts');
    expect(stored.some(([sealed]) => sealed.includes('three'))).toBe(false);
    expect(await accounts.remove('shop', 'webhook')).toBe(true);
    expect(await accounts.remove('shop', 'webhook')).toBe(false);
    expect(await accounts.secretsOf('webhook', ['shop'])).toEqual(new Map());
    expect(await accounts.secretsOf('webhook', [])).toEqual(new Map());
  });

  test('with another key, without one, or when rows were swapped, nothing is sent without a signature', async () => {
    const key = newKey();
    await new SecretStore(app, key).set('one', 'webhook', 'x');
    for (const other of [newKey(), null]) {
      await expect(new SecretStore(worker, other).secretsOf('webhook', ['one'])).rejects.toMatchObject({
        name: 'Unavailable',
        message: expect.stringMatching(/account "one" cannot be read: DOWNSPOUT_SECRET_KEY/),
      });
    }
    await app.run(
      "INSERT INTO accounts (account, channel, secret) SELECT 'two', channel, secret FROM accounts WHERE account='one'",
    );
    await expect(new SecretStore(worker, key).secretsOf('webhook', ['two'])).rejects.toMatchObject({
      name: 'Unavailable',
    });
  });

  test('refuse a secret that does not fit, and one that could not be encrypted', async () => {
    const accounts = new SecretStore(app, newKey());
    await expect(accounts.set('a', 'webhook', '')).rejects.toThrow('secret: expected 1 to 900 bytes, got 0');
    await expect(accounts.set('a', 'webhook', 'ä'.repeat(451))).rejects.toThrow('got 902');
    await expect(accounts.set('a', 'pigeon', 'x')).rejects.toThrow('channel: expected one of webhook');
    await expect(new SecretStore(app, null).set('a', 'webhook', 'x')).rejects.toThrow('set DOWNSPOUT_SECRET_KEY');
    await accounts.set('a', 'webhook', 'x'.repeat(900));
  });
});
