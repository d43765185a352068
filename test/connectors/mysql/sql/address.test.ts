import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addressOf } from '../../../../connectors/mysql/sql/address';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { UserError } from '../../../../topology/core/errors';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

describe('the URL', () => {
  const url = 'mysql://us%40er:s%2Fecret@db.test:3307/shop';
  let folder: string;
  let file: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'downspout-tls-'));
    file = join(folder, 'ca file.pem');
    writeFileSync(file, 'PEM');
    writeFileSync(join(folder, 'certificate.der'), Buffer.from('30820000', 'hex'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('without parameters means no TLS', () => {
    expect(addressOf(url)).toEqual({
      host: 'db.test',
      port: 3307,
      user: 'us@er',
      password: 's/ecret',
      database: 'shop',
    });
    expect(addressOf(`${url}?ssl-mode=DISABLED`)).toEqual(addressOf(url));
  });

  test.each([
    ['ssl-mode=REQUIRED', { rejectUnauthorized: false, verifyIdentity: false }],
    ['ssl-mode=VERIFY_CA&ssl-ca=FILE', { rejectUnauthorized: true, verifyIdentity: false, ca: 'PEM' }],
    ['ssl-ca=FILE', { rejectUnauthorized: true, verifyIdentity: false, ca: 'PEM' }],
    ['ssl-mode=VERIFY_IDENTITY', { rejectUnauthorized: true, verifyIdentity: true }],
    [
      'ssl-mode=REQUIRED&ssl-cert=FILE&ssl-key=FILE',
      { rejectUnauthorized: false, verifyIdentity: false, cert: 'PEM', key: 'PEM' },
    ],
  ])('%s', (parameters, expected) => {
    const { ssl } = addressOf(`${url}?${parameters.replaceAll('FILE', encodeURIComponent(file))}`);
    expect(ssl).toEqual({ ...expected, minVersion: 'TLSv1.2' });
  });

  test.each([
    [
      'sslmode=require',
      'The database URL has the parameter "sslmode": expected ssl-mode, ssl-ca, ssl-cert, ssl-key, each once at most; in a user or password write %23',
    ],
    ['ssl-mode=REQUIRED&ssl-mode=DISABLED', 'The database URL has the parameter "ssl-mode"'],
    ['charset=latin1', 'The database URL has the parameter "charset"'],
    ['ssl-mode=required', 'ssl-mode: expected DISABLED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY, got "required".'],
    ['ssl-ca=/nowhere/ca.pem', /^ssl-ca: .*ENOENT/],
    ['ssl-ca=DER', /^ssl-ca: it is no text/],
    ['ssl-cert=FILE', 'ssl-cert and ssl-key belong together'],
    ['ssl-mode=DISABLED&ssl-ca=FILE', 'ssl-mode=DISABLED and files for TLS exclude each other'],
  ])('%s is refused', (parameters, message) => {
    const files = parameters
      .replaceAll('FILE', encodeURIComponent(file))
      .replaceAll('DER', encodeURIComponent(join(folder, 'certificate.der')));
    const given = `${url}?${files}`;
    expect(() => addressOf(given)).toThrow(message);
    expect(() => addressOf(given)).not.toThrow('s/ecret');
  });

  test('credentials are taken as they are meant: a % that begins no escape stands for itself', () => {
    for (const [written, user, password] of [
      ['u%40x:p%ZZ', 'u@x', 'p%ZZ'],
      ['100%:100%off%', '100%', '100%off%'],
      // Of escapes that are no UTF-8 nobody knows what they mean.
      ['u:%C3%BC%E9', 'u', '%C3%BC%E9'],
      ['u:%C3%BC-%E9', 'u', 'ü-%E9'],
    ]) {
      expect(addressOf(`mysql://${written}@db/shop`)).toMatchObject({ user, password });
    }
  });

  test.each([
    ['mysql://u:hush@db/shop#ssl-mode=REQUIRED', 'has a #'],
    ['mysql://u:12#hush@db/shop', 'has a #'],
    ['mysql://u:12/ab?hush@db/shop', 'The database URL has the parameter: expected'],
    ['mysql://u:12/ab?hush=1@db/shop', 'The database URL has the parameter: expected'],
    ['mysql://u:hush@db1,db2/shop', 'must name one host'],
    ['mysql://u:hush@db/shop;ssl-mode=REQUIRED', 'must look like'],
    ['jdbc:mysql://u:hush@db/shop', 'must look like'],
    ['mysql://u:hush@db:port/shop', 'is not a URL'],
    ['mysql://u:hush@db/a%ZZ', 'must look like'],
  ])('%s is refused in words that help, without what may be a password', (given, message) => {
    expect(() => addressOf(given)).toThrow(UserError);
    expect(() => addressOf(given)).toThrow(message);
    expect(() => addressOf(given)).not.toThrow('hush');
  });

  test('an address has no name that a certificate could be compared with', () => {
    for (const host of ['127.0.0.1', '[::1]']) {
      expect(() => addressOf(`mysql://u:p@${host}/db?ssl-mode=VERIFY_IDENTITY`)).toThrow('is an address');
    }
  });
});

describe('a server with certificates of its own', () => {
  let world: World;
  let admin: Pool;
  let base: URL;
  let folder: string;

  beforeAll(async () => {
    world = await freshDatabase();
    base = new URL(required(world.environment, 'ADMIN_DATABASE_URL'));
    admin = Pool.open(base.href, { clock: systemClock, size: 1 });
    [[folder] = ['']] = await admin.rows<[string]>('SELECT @@datadir');
    for (const [user, needs] of [
      ['tls', 'SSL'],
      ['x509', 'X509'],
    ]) {
      await admin.run(`CREATE USER IF NOT EXISTS 'downspout_${user}'@'%' IDENTIFIED BY 'secret' REQUIRE ${needs}`);
      await admin.run(`GRANT SELECT ON *.* TO 'downspout_${user}'@'%'`);
    }
  });
  afterAll(async () => {
    await admin.run("DROP USER IF EXISTS 'downspout_tls'@'%', 'downspout_x509'@'%'");
    await admin.close();
    await world.close();
  });

  const cipherAs = async (user: string, parameters: string, host = base.hostname) => {
    const url = `mysql://downspout_${user}:secret@${host}:${base.port}${base.pathname}?${parameters.replaceAll('DATA', folder)}`;
    const pool = Pool.open(url, { clock: systemClock, size: 1 });
    try {
      const [row] = await pool.rows<[string, string]>("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
      return row?.[1];
    } finally {
      await pool.close();
    }
  };

  test.each(['ssl-mode=REQUIRED', 'ssl-mode=VERIFY_CA&ssl-ca=DATA/ca.pem', 'ssl-ca=DATA/ca.pem'])(
    'a user who must use TLS comes in with %s',
    async (parameters) => {
      expect(await cipherAs('tls', parameters)).toMatch(/AES|CHACHA/);
    },
  );

  test('a user who must use TLS and does not is told what to do', async () => {
    await expect(cipherAs('tls', '')).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(/add ssl-mode=REQUIRED/),
    });
  });

  test('a certificate of another authority, or of another name, ends the connection before the password is sent', async () => {
    const refused = { name: 'Unavailable', message: expect.stringMatching(/certificate|altnames/i) };
    await expect(cipherAs('tls', 'ssl-mode=VERIFY_CA')).rejects.toMatchObject(refused);
    await expect(cipherAs('tls', 'ssl-mode=VERIFY_IDENTITY&ssl-ca=DATA/ca.pem', 'localhost')).rejects.toMatchObject(
      refused,
    );
  });

  test('a user who must show a certificate comes in with it only', async () => {
    const own = 'ssl-cert=DATA/client-cert.pem&ssl-key=DATA/client-key.pem';
    expect(await cipherAs('x509', `ssl-mode=REQUIRED&${own}`)).toMatch(/AES|CHACHA/);
    await expect(cipherAs('x509', 'ssl-mode=REQUIRED')).rejects.toMatchObject({ name: 'UserError' });
  });
});
