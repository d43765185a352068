import { createCipheriv, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretKey } from '../../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../../connectors/mysql/secrets/secret-store';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { Unavailable } from '../../../../topology/core/errors';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

const keyFrom = (environment: Parameters<typeof SecretKey.from>[0]) => SecretKey.from(environment) as SecretKey;
const newKey = () => keyFrom({ DOWNSPOUT_SECRET_KEY: randomBytes(32).toString('base64') });

describe('the key', () => {
  const owner = { account: 'a', channel: 'webhook' };

  test('opens what it sealed, for the same owner only', () => {
    const key = newKey();
    const sealed = key.seal(owner, ['whsec_ä🦆', 'two']);
    expect(key.open(owner, sealed)).toEqual(['whsec_ä🦆', 'two']);
    expect(key.open({ ...owner, account: 'b' }, sealed)).toBeNull();
    expect(key.open({ account: 'a,webhook', channel: '' }, sealed)).toBeNull();
    expect(newKey().open(owner, sealed)).toBeNull();
    expect(key.seal(owner, ['whsec_ä🦆', 'two'])).not.toEqual(sealed);
  });

  test('refuses what was changed or cut', () => {
    const key = newKey();
    const sealed = key.seal(owner, ['secret']);
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
    expect(fromFile?.open(owner, (fromText as SecretKey).seal(owner, ['x']))).toEqual(['x']);
    expect(SecretKey.from({})).toBeNull();
    writeFileSync(file, Buffer.from(`\ufeff${text}\r\n`, 'utf16le'));
    const fromUtf16 = SecretKey.from({ DOWNSPOUT_SECRET_KEY_FILE: file });
    expect(fromUtf16?.open(owner, (fromText as SecretKey).seal(owner, ['x']))).toEqual(['x']);
    writeFileSync(file, Buffer.from(`${text}\n\xa0`, 'latin1'));
    expect(() => SecretKey.from({ DOWNSPOUT_SECRET_KEY_FILE: file })).toThrow(/^DOWNSPOUT_SECRET_KEY_FILE: line 2 has/);
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

test('the previous key opens what it sealed, and needs a current one beside it', () => {
  const owner = { account: 'a', channel: 'webhook' };
  const [text, previousText] = [1, 2].map(() => randomBytes(32).toString('base64')) as [string, string];
  const previous = keyFrom({ DOWNSPOUT_SECRET_KEY: previousText });
  const both = keyFrom({ DOWNSPOUT_SECRET_KEY: text, DOWNSPOUT_SECRET_KEY_PREVIOUS: previousText });
  const sealed = previous.seal(owner, ['x']);
  expect(both.open(owner, sealed)).toEqual(['x']);
  expect([both.isCurrent(sealed), both.isCurrent(both.seal(owner, ['x']))]).toEqual([false, true]);
  expect(previous.open(owner, both.seal(owner, ['x']))).toBeNull();
  expect(() => SecretKey.from({ DOWNSPOUT_SECRET_KEY_PREVIOUS: text })).toThrow(/Set both, or neither/);
  expect(() => SecretKey.from({ DOWNSPOUT_SECRET_KEY: text, DOWNSPOUT_SECRET_KEY_PREVIOUS: 'hush' })).toThrow(
    /^DOWNSPOUT_SECRET_KEY_PREVIOUS: expected 32 bytes/,
  );
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

  beforeEach(() => app.run('DELETE FROM accounts'));

  test('are set, listed without their secrets, read by workers, and removed', async () => {
    const key = newKey();
    const accounts = new SecretStore(app, key);
    await accounts.set('Shop', 'webhook', 'one');
    await accounts.set('shop', 'webhook', 'two');
    expect(await accounts.list()).toEqual([
      { account: 'Shop', channel: 'webhook', updatedAt: expect.any(Number), secrets: 1 },
      { account: 'shop', channel: 'webhook', updatedAt: expect.any(Number), secrets: 1 },
    ]);
    const secrets = await new SecretStore(worker, key).secretsOf('webhook', ['shop', 'Shop', 'none']);
    expect(secrets).toEqual(
      new Map([
        ['Shop', ['one']],
        ['shop', ['two']],
      ]),
    );
    const stored = await app.rows<[Buffer]>('SELECT secret FROM accounts');
    expect(stored.some(([sealed]) => sealed.includes('two'))).toBe(false);
    expect(await accounts.remove('shop', 'webhook')).toBe(true);
    expect(await accounts.remove('shop', 'webhook')).toBe(false);
    expect(await accounts.secretsOf('webhook', ['shop'])).toEqual(new Map());
    expect(await accounts.secretsOf('webhook', [])).toEqual(new Map());
  });

  describe('two secrets of an account are valid at most:', () => {
    test('a new one goes before the one that it replaces, until that is retired', async () => {
      const accounts = new SecretStore(app, newKey());
      const valid = async () => (await accounts.secretsOf('webhook', ['a'])).get('a');
      expect(await accounts.set('a', 'webhook', 'one')).toBe(1);
      expect(await accounts.set('a', 'webhook', 'one')).toBe(1);
      expect(await accounts.set('a', 'webhook', 'two')).toBe(2);
      expect(await valid()).toEqual(['two', 'one']);
      expect(await accounts.set('a', 'webhook', 'three')).toBe(2);
      expect(await valid()).toEqual(['three', 'two']);
      expect(await accounts.list()).toMatchObject([{ account: 'a', secrets: 2 }]);
      expect(await accounts.retire('a', 'webhook')).toBe(1);
      expect(await accounts.retire('a', 'webhook')).toBe(0);
      expect(await valid()).toEqual(['three']);
      expect(await accounts.set('a', 'webhook', 'four', { replace: true })).toBe(1);
      expect(await valid()).toEqual(['four']);
    });

    test('of two people who set one at the same time, both are kept', async () => {
      const accounts = new SecretStore(app, newKey());
      await accounts.set('a', 'webhook', 'zero');
      await Promise.all(['one', 'two'].map((secret) => accounts.set('a', 'webhook', secret)));
      const valid = (await accounts.secretsOf('webhook', ['a'])).get('a') as readonly string[];
      expect(new Set(valid)).toEqual(new Set(['one', 'two']));
    });

    test('an account that has none, or whose secrets cannot be opened, has none to retire', async () => {
      await expect(new SecretStore(app, newKey()).retire('a', 'webhook')).rejects.toThrow(
        '"a" has no secret for webhook',
      );
      await new SecretStore(app, newKey()).set('a', 'webhook', 'x');
      await expect(new SecretStore(app, newKey()).retire('a', 'webhook')).rejects.toThrow('cannot be opened');
    });
  });

  describe('a secret that cannot be opened is an answer for its account only:', () => {
    test('with another key, without one, or when rows were swapped', async () => {
      const key = newKey();
      const accounts = new SecretStore(app, key);
      await accounts.set('one', 'webhook', 'x');
      for (const other of [newKey(), null]) {
        const answers = await new SecretStore(worker, other).secretsOf('webhook', ['one', 'none']);
        expect(answers.get('one')).toMatchObject({
          name: 'Unavailable',
          message: expect.stringMatching(/account "one" cannot be read: .*DOWNSPOUT_SECRET_KEY/),
        });
        expect(answers.has('none')).toBe(false);
        expect(await new SecretStore(app, other).list()).toMatchObject([{ account: 'one', secrets: null }]);
      }
      await app.run(
        "INSERT INTO accounts (account, channel, secret) SELECT 'two', channel, secret FROM accounts WHERE account='one'",
      );
      const answers = await new SecretStore(worker, key).secretsOf('webhook', ['one', 'two']);
      expect(answers.get('one')).toEqual(['x']);
      expect(answers.get('two')).toBeInstanceOf(Unavailable);
    });

    test('and a new one replaces it', async () => {
      await new SecretStore(app, newKey()).set('one', 'webhook', 'lost');
      const accounts = new SecretStore(app, newKey());
      expect(await accounts.set('one', 'webhook', 'new')).toBe(1);
      expect((await accounts.secretsOf('webhook', ['one'])).get('one')).toEqual(['new']);
    });
  });

  test('rekeying seals everything with the current key, and names what opens with neither', async () => {
    const [text, previousText] = [1, 2].map(() => randomBytes(32).toString('base64')) as [string, string];
    const previous = new SecretStore(app, keyFrom({ DOWNSPOUT_SECRET_KEY: previousText }));
    const both = new SecretStore(
      app,
      keyFrom({ DOWNSPOUT_SECRET_KEY: text, DOWNSPOUT_SECRET_KEY_PREVIOUS: previousText }),
    );
    const current = new SecretStore(app, keyFrom({ DOWNSPOUT_SECRET_KEY: text }));
    await new SecretStore(app, newKey()).set('lost', 'webhook', 'x');
    await previous.set('old', 'webhook', 'one');
    await previous.set('old', 'webhook', 'two');
    const withoutId = sealedWithoutId(Buffer.from(previousText, 'base64'), ['oldest', 'webhook'], 'zero');
    await app.run(
      `INSERT INTO accounts (account, channel, secret) VALUES ('oldest', 'webhook', 0x${withoutId.toString('hex')})`,
    );
    await both.set('new', 'webhook', 'three');
    const all = ['lost', 'old', 'oldest', 'new'];
    const before = await both.secretsOf('webhook', all);
    expect(before.get('old')).toEqual(['two', 'one']);
    expect(before.get('oldest')).toEqual(['zero']);
    expect((await current.secretsOf('webhook', all)).get('old')).toBeInstanceOf(Unavailable);
    const unreadable = [{ account: 'lost', channel: 'webhook' }];
    expect(await both.rekey()).toEqual({ rekeyed: 2, current: 1, unreadable });
    expect(await both.rekey()).toEqual({ rekeyed: 0, current: 3, unreadable });
    const after = await current.secretsOf('webhook', all);
    expect(after.get('lost')).toBeInstanceOf(Unavailable);
    expect(['new', 'old', 'oldest'].map((account) => after.get(account))).toEqual([
      ['three'],
      ['two', 'one'],
      ['zero'],
    ]);
  });

  test('refuse a secret that does not fit, and one that could not be encrypted', async () => {
    const accounts = new SecretStore(app, newKey());
    await expect(accounts.set('a', 'webhook', '')).rejects.toThrow('secret: expected 1 to 4096 bytes, got 0');
    await expect(accounts.set('a', 'webhook', 'ä'.repeat(2_049))).rejects.toThrow('got 4098');
    await expect(accounts.set('a', 'x'.repeat(33), 'x')).rejects.toThrow(
      'channel: expected 1 to 32 characters, got 33',
    );
    await expect(new SecretStore(app, null).set('a', 'webhook', 'x')).rejects.toThrow('set DOWNSPOUT_SECRET_KEY');
    await expect(accounts.set('a', 'webhook', 'a\0b')).rejects.toThrow('a byte of it is zero');
    // Two of the longest fit the column, whatever they consist of.
    for (const letter of ['"', '\\']) await accounts.set('a', 'webhook', letter.repeat(4_096));
  });
});

/** As secrets were sealed before their key had an id. */
function sealedWithoutId(key: Buffer, owner: readonly [string, string], secret: string): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(JSON.stringify(owner)));
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.of(1), nonce, cipher.getAuthTag(), sealed]);
}
