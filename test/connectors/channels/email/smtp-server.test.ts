import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { SMTPServer } from 'smtp-server';
import { certificate } from '../http/certificate';
import { NameServer } from '../http/name-server';
import { EmailWorld, PASSWORD } from './email-world';

/** Another implementation of SMTP, with encryption. */
let names: NameServer;
let world: EmailWorld;
let server: SMTPServer;
let mails: string[];
let users: string[];

async function start(secure: boolean): Promise<void> {
  mails = [];
  users = [];
  names = await NameServer.start();
  names.names.set('secure.test', ['127.0.0.1']);
  world = await EmailWorld.open({ resolver: names.address });
  server = new SMTPServer({
    ...certificate,
    secure,
    onAuth({ username, password }, session, done) {
      if (username !== 'shop' || password !== PASSWORD || !session.secure) return done(new Error('no'));
      users.push(username);
      return done(null, { user: username });
    },
    onData(stream, _, done) {
      text(stream).then((mail) => {
        mails.push(mail);
        done(null, 'taken as 7');
      }, done);
    },
  });
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
}

const port = () => String((server.server.address() as AddressInfo).port);

afterEach(async () => {
  jest.restoreAllMocks();
  await world.close();
  await names.close();
  await new Promise<void>((resolve) => {
    server.close(resolve);
  });
});

function trustItself(): void {
  const { connect } = tls;
  jest
    .spyOn(tls, 'connect')
    .mockImplementation(((options: tls.ConnectionOptions, done: () => void) =>
      connect({ ...options, ca: certificate.cert }, done)) as typeof connect);
}

test.each([
  ['tls', true],
  ['starttls', false],
] as const)('a mail goes out with %s, to a server whose certificate is right', async (security, secure) => {
  await start(secure);
  trustItself();
  world.set('shop', { host: 'secure.test', port: port(), security });
  const mayStart = jest.fn(() => true);
  expect(await world.send({ text: 'a', html: 'b' }, { mayStart })).toEqual({
    kind: 'delivered',
    status: 250,
    receipt: expect.stringContaining('taken as 7'),
  });
  expect(mayStart).toHaveBeenCalledTimes(1);
  expect(users).toEqual(['shop']);
  expect(mails).toEqual([expect.stringContaining('Message-ID: <downspout-0123456789abcdef-1-1@example.com>')]);
  expect(await world.send({ text: 'b' }, { mayStart: () => false })).toBe('not_started');
  expect(mails).toHaveLength(1);
});

test.each([
  ['tls', true],
  ['starttls', false],
] as const)('with %s a server whose certificate nobody vouches for is told nothing', async (security, secure) => {
  await start(secure);
  world.set('shop', { host: 'secure.test', port: port(), security });
  expect(await world.send({ text: 'a' })).toMatchObject({
    kind: 'retry',
    reason: expect.stringContaining('self-signed'),
  });
  expect(users).toEqual([]);
  expect(mails).toEqual([]);
});

test('the address that is connected to is the one that was checked', async () => {
  await start(true);
  names.names.set('mail.test', ['10.0.0.1']);
  const guarded = await EmailWorld.open({ resolver: names.address, allowPrivateAddresses: false });
  try {
    guarded.set('shop', { host: 'mail.test', port: '465', security: 'tls' });
    expect(await guarded.send({ text: 'a' })).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('mail.test is a private address'),
    });
  } finally {
    await guarded.close();
  }
});
