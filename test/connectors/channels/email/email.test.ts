import { email } from '../../../../connectors/channels/email/email';
import type { NetworkSettings } from '../../../../connectors/channels/http/network';
import { systemClock } from '../../../../topology/core/clock';
import { channelBattery } from '../channel-battery';
import { EmailWorld, emailWorld } from './email-world';

channelBattery('email', emailWorld);

let world: EmailWorld;
let opened: EmailWorld[] = [];

async function start(network: Partial<NetworkSettings> = {}, clock = systemClock): Promise<void> {
  world = await EmailWorld.open(network, clock);
  opened.push(world);
}

afterEach(async () => {
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

  test('of a megabyte goes out whole', async () => {
    await start();
    const text = 'a line of sixty characters, which is what people write in mails\r\n'.repeat(6_000);
    expect(await world.send({ text })).toMatchObject({ kind: 'delivered' });
    expect(world.server.posts()[0]?.bodies['text/plain']).toHaveLength(text.length - 2);
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
    ['hang', { kind: 'unknown', reason: expect.stringContaining('within 2000 ms') }],
    ['error', { kind: 'unknown' }],
    ['babble', { kind: 'unknown' }],
    ['quote', { kind: 'rejected', status: 554 }],
  ] as const)('with "%s" at the final dot is %o', async (order, outcome) => {
    await start();
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
      reason: "The mail server does not take the account's user and password (535). Connect the account again",
    });
    expect(await world.send({ text: 'b' })).toMatchObject({ kind: 'unusable' });
  });

  test('of a login that is missing makes the account unusable', async () => {
    await start();
    world.set('shop', { user: undefined, password: undefined });
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'unusable', status: 530 });
  });
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
    world.set(host, { host, security: 'tls' });
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
    kind: 'unusable',
    reason: expect.stringContaining('EMAIL_ALLOW_PLAIN'),
  });
});

describe('credentials', () => {
  test('can be tried without a mail', async () => {
    await start();
    expect(await world.whoAmI()).toEqual({ kind: 'ok', name: 'shop@example.com' });
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
