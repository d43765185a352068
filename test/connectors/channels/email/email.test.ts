import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import MimeNode from 'nodemailer/lib/mime-node';
import { email } from '../../../../connectors/channels/email/email';
import { Network, type NetworkSettings } from '../../../../connectors/channels/http/network';
import { systemClock } from '../../../../topology/core/clock';
import { channelBattery } from '../channel-battery';
import { EmailWorld, emailWorld, TIMEOUT_MS } from './email-world';

channelBattery('email', emailWorld);

let world: EmailWorld;
let opened: EmailWorld[] = [];

async function start(network: Partial<NetworkSettings> = {}, clock = systemClock, timeoutMs?: number): Promise<void> {
  world = await EmailWorld.open(network, clock, timeoutMs);
  opened.push(world);
}

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

const KEY = 'downspout-0123456789abcdef-7-2';

describe('a mail', () => {
  test('goes out as it was written, and the receipt is what the server said', async () => {
    await start();
    const outcome = await world.send({
      to: ['Ann Ö. <ann@example.org>', 'bob@bücher.example'],
      cc: 'Müller, Jörg <c@example.org>',
      bcc: ['hidden@example.org', 'ann@example.org'],
      replyTo: 'Answers <answers@example.com>',
      subject: 'Grüße – 10 % off',
      text: '.\r\n.starts with a dot\n\n..\nline = end \n✓',
      html: '<p>Grüße</p>',
      headers: { 'List-Unsubscribe': '<https://example.com/u?a=1>', 'X-Campaign': 'spring' },
    });
    expect(outcome).toEqual({ kind: 'delivered', status: 250, receipt: '250 2.0.0 Ok: queued as 1' });
    const [mail] = world.server.posts();
    expect(mail).toMatchObject({
      from: 'shop@example.com',
      to: ['ann@example.org', 'bob@xn--bcher-kva.example', 'c@example.org', 'hidden@example.org'],
      bodies: {
        'text/plain': '.\r\n.starts with a dot\r\n\r\n..\r\nline = end \r\n✓',
        'text/html': '<p>Grüße</p>',
      },
      headers: {
        from: 'The Shop <shop@example.com>',
        to: expect.stringMatching(/^=\?UTF-8\?Q\?Ann.*<ann@example\.org>, bob@xn--bcher-kva\.example$/),
        cc: expect.stringMatching(/^=\?UTF-8\?\S+ <c@example\.org>$/),
        'reply-to': 'Answers <answers@example.com>',
        'list-unsubscribe': '<https://example.com/u?a=1>',
        'x-campaign': 'spring',
        date: 'Fri, 15 Jan 2027 08:00:00 +0000',
        'message-id': '<downspout-0123456789abcdef-1-1@example.com>',
      },
    });
    expect(JSON.stringify(mail?.headers)).not.toContain('hidden');
  });

  test('is a function of the row and of the sender alone: each attempt has the same bytes', async () => {
    await start();
    for (const inDoubt of [false, true]) {
      const attempt = { idempotencyKey: KEY, inDoubt, now: () => (inDoubt ? 1 : 2) };
      await world.send({ text: 'a', html: '<b>a</b>' }, attempt);
    }
    const taken = world.server.posts().map((mail) => JSON.stringify(mail));
    expect(taken).toHaveLength(2);
    expect(taken[0]).toBe(taken[1]);
    expect(taken[0]).toContain(`<${KEY}@example.com>`);
  });

  test('whose body has its own boundary keeps its two parts', async () => {
    await start();
    await world.send({ text: 'a', html: 'b' });
    const boundary = /boundary="(.*)"/.exec(world.server.posts()[0]?.headers['content-type'] ?? '')?.[1] as string;
    expect(boundary).toMatch(/^=_/);
    const text = `--${boundary}\r\nContent-Type: text/html\r\n\r\n<script>\r\n--${boundary}--`;
    expect(await world.send({ text, html: 'b' })).toMatchObject({ kind: 'delivered' });
    expect(world.server.posts()[1]?.bodies).toEqual({ 'text/plain': text, 'text/html': 'b' });
  });

  test.each([
    ['lines of letters', 'a line of sixty characters, which is what people write in mails\r\n', 'quoted-printable'],
    [
      'German',
      'Vielen Dank für Ihre Bestellung; wir schicken sie morgen, und sie kommt übermorgen an.\r\n',
      'quoted-printable',
    ],
    ['Greek', 'Καλημέρα κόσμε\r\n', 'base64'],
    ['empty lines', '\r\n', 'base64'],
    ['lines of dots', '.\r\n', 'base64'],
    ['signs that are escaped', '=', 'base64'],
  ])('as long as it may be, of %s, goes out whole, in what is cheap for it', async (_, line, encoding) => {
    await start();
    const times = Math.floor((256 * 1024 - 3) / Buffer.byteLength(line));
    const text = line.repeat(line.endsWith('\n') ? Math.min(times, 19_998) : times);
    expect(await world.send({ text: `${text}end` })).toMatchObject({ kind: 'delivered' });
    const [mail] = world.server.posts();
    expect(mail?.headers['content-transfer-encoding']).toBe(encoding);
    expect(mail?.bodies['text/plain'] === `${text}end`).toBe(true);
  });

  test('has the same line ends in each encoding, and further headers come last', async () => {
    await start();
    await world.send({ text: 'ü\nü\rü\r\nü', html: 'a\nb\rc\r\nd', headers: { 'X-A': 'a' }, subject: 'a ' });
    const [mail] = world.server.posts();
    expect(mail?.bodies).toEqual({ 'text/plain': 'ü\r\nü\r\nü\r\nü', 'text/html': 'a\r\nb\r\nc\r\nd' });
    const names = Object.keys(mail?.headers ?? {});
    for (const name of ['from', 'to', 'subject', 'message-id', 'date']) {
      expect(names.indexOf('x-a')).toBeGreaterThan(names.indexOf(name));
    }
  });

  test('is made when the server has taken its receivers, and not before', async () => {
    await start();
    const build = jest.spyOn(MimeNode.prototype, 'build');
    world.server.refusals.set('bob@example.org', '450 4.2.0 Mailbox busy');
    expect(await world.send({ to: ['ann@example.org', 'bob@example.org'], text: 'a' })).toMatchObject({
      kind: 'retry',
    });
    expect(await world.send({ text: 'a' }, {}, 'lost')).toMatchObject({ kind: 'retry' });
    expect(build).not.toHaveBeenCalled();
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
    expect(build).toHaveBeenCalledTimes(1);
  });

  test('that cannot be made is not sent', async () => {
    await start();
    jest.spyOn(MimeNode.prototype, 'build').mockRejectedValue(new Error('no memory') as never);
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'retry' });
    expect(world.server.posts()).toEqual([]);
  });
});

describe('what a server says', () => {
  test.each([
    ['550 5.1.1 No such user', 'rejected', 550],
    ['450 4.2.0 Mailbox busy', 'retry', 450],
    ['530 5.7.0 Must log in', 'unusable', 530],
  ])('"%s" to one of two receivers ends in %s, and nobody is sent the mail', async (reply, kind, status) => {
    await start();
    world.server.refusals.set('bob@example.org', reply);
    const mayStart = jest.fn(() => true);
    const outcome = await world.send({ to: ['ann@example.org', 'bob@example.org'], text: 'a' }, { mayStart });
    expect(outcome).toMatchObject({ kind, status });
    expect(mayStart).not.toHaveBeenCalled();
    expect(world.server.posts()).toEqual([]);
    expect(await world.send({ text: 'b' }, {}, 'shop')).toMatchObject({
      kind: kind === 'unusable' ? 'unusable' : 'delivered',
    });
  });

  test('to two receivers decides by what is for ever', async () => {
    await start();
    world.server.refusals.set('ann@example.org', '451 4.7.1 Greylisted');
    world.server.refusals.set('bob@example.org', '550 5.1.1 No such user');
    expect(await world.send({ to: ['ann@example.org', 'bob@example.org'], text: 'a' })).toEqual({
      kind: 'rejected',
      status: 550,
      reason:
        'The mail server does not take mail for a receiver, so nobody was sent it (bob@example.org: 550 5.1.1 No such user)',
    });
    expect(await world.send({ to: 'ann@example.org', text: 'a' })).toMatchObject({ kind: 'retry', afterMs: 300_000 });
  });

  test.each([
    ['fail', { kind: 'retry', status: 451 }],
    ['throttle', { kind: 'retry', status: 450 }],
    ['vanish', { kind: 'unknown' }],
    ['drop', { kind: 'unknown' }],
    ['hang', { kind: 'unknown', reason: expect.stringContaining(`within ${TIMEOUT_MS} ms`) }],
    ['error', { kind: 'unknown' }],
    ['babble', { kind: 'unknown' }],
    ['quote', { kind: 'rejected', status: 554 }],
  ] as const)('with "%s" at the final dot is %o', async (order, outcome) => {
    await start({}, systemClock, order === 'hang' ? TIMEOUT_MS : undefined);
    world.server.order({ do: order });
    expect(await world.send({ text: 'a' })).toMatchObject(outcome);
  });

  test('of a wrong password is not quoted, and makes the account unusable', async () => {
    await start();
    world.set('shop', { password: 'a-wrong-password' });
    const outcome = await world.send({ text: 'a' });
    expect(outcome).toEqual({
      kind: 'unusable',
      status: 535,
      afterMs: 60_000,
      reason:
        "The mail server does not take the account's user and password (535). Connect the account again. It may be a mistake of the provider's, so it is asked again",
    });
    expect(await world.send({ text: 'b' })).toMatchObject({ kind: 'unusable' });
  });

  test('of a login that is missing makes the account unusable', async () => {
    await start();
    world.set('shop', { user: undefined, password: undefined });
    expect(await world.send({ text: 'a' })).toMatchObject({
      kind: 'unusable',
      status: 530,
      reason: expect.stringContaining('wants a login, or encryption'),
    });
  });
});

describe('the time of a mail', () => {
  let ahead = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead };
  beforeEach(() => {
    ahead = 0;
  });

  test('is over for the dot when half of it has passed, although nobody has looked yet', async () => {
    await start({}, { ...clock, after: () => ({ cancel: () => undefined }) }, TIMEOUT_MS);
    jest.spyOn(MimeNode.prototype, 'setContent').mockImplementation(function (this: MimeNode) {
      ahead = TIMEOUT_MS / 2;
      return this;
    });
    const mayStart = jest.fn(() => true);
    expect(await world.send({ text: 'a' }, { mayStart })).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining(`within ${TIMEOUT_MS / 2} ms`),
    });
    expect(mayStart).not.toHaveBeenCalled();
    expect(world.server.posts()).toEqual([]);
  });

  test('is one for the name, the connection and the rest', async () => {
    await start({}, clock, TIMEOUT_MS);
    const dial = jest.spyOn(Network.prototype, 'dial').mockReturnValue(new Promise(() => undefined));
    const late = { kind: 'retry', reason: expect.stringContaining(`no connection within ${TIMEOUT_MS / 2} ms`) };
    expect(await world.send({ text: 'a' })).toEqual({ ...late, unreachable: true });
    jest.spyOn(Network.prototype, 'prepare').mockImplementation(async () => {
      ahead = TIMEOUT_MS / 2;
      return 'reachable';
    });
    expect(await world.send({ text: 'a' })).toEqual(late);
    expect(dial).toHaveBeenCalledTimes(1);
  });
});

test('Only ports of mail servers are connected to', async () => {
  await start({ allowPrivateAddresses: false, allowNetworks: ['127.0.0.0/8'] });
  world.set('shop', { host: '127.0.0.1', port: '6379' });
  expect(await world.send({ text: 'a' })).toMatchObject({
    kind: 'postponed',
    reason: expect.stringContaining('expected 25, 465, 587'),
  });
});

test('what another server than one of mail says is not quoted', async () => {
  await start();
  const other = createServer((socket) => socket.end('-ERR the-banner of something else\r\n'));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  world.set('shop', { port: String((other.address() as AddressInfo).port) });
  const outcome = await world.send({ text: 'a' });
  other.close();
  expect(outcome).toMatchObject({ kind: 'retry' });
  expect(JSON.stringify(outcome)).not.toContain('the-banner');
});

test('The final dot is the one write that makes a mail visible', async () => {
  await start();
  expect(await world.send({ text: 'a' }, { mayStart: () => false })).toBe('not_started');
  expect(world.server.posts()).toEqual([]);
});

test('A mail goes to all of its receivers or to none', async () => {
  await start();
  world.server.refusals.set('bob@example.org', '550 5.1.1 No such user');
  await world.send({ to: ['ann@example.org', 'bob@example.org'], text: 'a' });
  expect(world.server.posts()).toEqual([]);
  await world.send({ to: ['ann@example.org', 'eve@example.org'], text: 'a' });
  expect(world.server.posts()).toMatchObject([{ to: ['ann@example.org', 'eve@example.org'] }]);
});

test('Without encryption nothing is said to a server that is to be spoken to with it', async () => {
  await start();
  // The server offers neither.
  for (const security of ['starttls', 'tls']) {
    world.set(security, { security });
    const outcome = await world.send({ text: 'a' }, {}, security);
    expect(outcome).toMatchObject({ kind: 'retry', reason: expect.stringMatching(/TLS|SSL/) });
  }
  expect(world.server.said).not.toContain('AUTH');
  expect(world.server.said).not.toContain('MAIL');
});

test('Private addresses are refused, unless they are allowed', async () => {
  await start({ allowPrivateAddresses: false });
  for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost']) {
    world.set(host, { host, security: 'tls', port: '465' });
    const mayStart = jest.fn(() => true);
    expect(await world.send({ text: 'a' }, { mayStart }, host)).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('private address'),
    });
    expect(mayStart).not.toHaveBeenCalled();
  }
});

test('A mail and a password travel in clear only where the operator allows it', async () => {
  await start();
  world.set('far', { host: 'mail.example.com' });
  expect(await world.send({ text: 'a' }, {}, 'far')).toMatchObject({
    kind: 'postponed',
    reason: expect.stringContaining('EMAIL_ALLOW_PLAIN'),
  });
});

describe('credentials', () => {
  test('can be tried without a mail', async () => {
    await start();
    expect(await world.whoAmI()).toEqual({ kind: 'ok', name: 'shop@example.com as shop at 127.0.0.1' });
    // So `accounts rotate` takes another host, or another user, for somebody else.
    expect(await world.whoAmI({ host: 'localhost' })).toEqual({
      kind: 'ok',
      name: 'shop@example.com as shop at localhost',
    });
    expect(await world.whoAmI({ password: 'another-password' })).toMatchObject({
      kind: 'no',
      reason: expect.stringContaining('535'),
    });
    expect(await world.whoAmI({ port: '1' })).toMatchObject({ kind: 'no' });
    expect(world.server.posts()).toEqual([]);
  });

  test.each([
    [{ host: 'smtp.example.com/x' }],
    [{ host: 'user@smtp.example.com' }],
    [{ host: 'smtp.example.com:25' }],
    [{ host: 'smtp%2eexample.com' }],
    [{ host: '' }],
    [{ port: '65536' }],
    [{ security: 'none' }],
    [{ from: 'shop@example.com\r\nBcc: x@example.org' }],
    [{ user: 'a\0b' }],
    [{ password: 'a\r\nb' }],
    [{ user: undefined }],
  ])('%j are refused', async (others) => {
    await start();
    expect(email.credentials.safeParse(world.credentials(others)).success).toBe(false);
    expect(email.credentials.safeParse(world.credentials()).success).toBe(true);
  });
});
