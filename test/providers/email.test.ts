import { randomBytes } from 'node:crypto';
import tls from 'node:tls';
import { email } from '../../connectors/channels/email/email';
import { composed, draftOf, mailboxOf } from '../../connectors/channels/email/email-message';
import type { Payload } from '../../topology/payloads/payloads';
import { certificate } from '../connectors/channels/http/certificate';
import { NameServer } from '../connectors/channels/http/name-server';
import { image, MediaHost, PNG } from '../support/channels/media-host';
import { AnswerCutter } from './servers/answer-cutter';
import { Mailpit, type MailpitMail } from './servers/mailpit';
import { DUE, TriedChannel } from './tried-channel';

const PASSWORD = 'correct horse; battery=staple';
const FROM = 'The Shöp <shop@example.com>';
const TO = 'ann@example.org';
const KEY = 'downspout-0123456789abcdef-1-1';
/** The final dot with the end of the line before it. */
const DOT = /\r\n\.\r\n$/;

let opened: { stop(): Promise<void> }[] = [];
let mailpit: Mailpit;
let tried: TriedChannel;

async function start(options: Parameters<typeof Mailpit.start>[0] = {}): Promise<void> {
  mailpit = await Mailpit.start(options);
  tried = new TriedChannel(email);
  opened.push(mailpit, { stop: () => tried.close() });
  connect({});
}

/** What the account has. @param others than those of the server as it was started last */
function credentials(others: object): object {
  return { host: '127.0.0.1', port: String(mailpit.port), security: 'plain', from: FROM, ...others };
}

function connect(others: object): void {
  tried.set('shop', credentials(others));
}

const send = (payload: object, attempt: Parameters<TriedChannel['send']>[2] = {}) =>
  tried.send('shop', { to: TO, subject: 'Hello', ...payload }, attempt);

afterEach(async () => {
  jest.restoreAllMocks();
  for (const one of opened.toReversed()) await one.stop();
  opened = [];
});

const delivered = { kind: 'delivered', status: 250, receipt: expect.stringMatching(/^250 /) };

describe('a mail', () => {
  test('is read by the server as it was written', async () => {
    await start();
    const written = {
      to: ['Ann Ö. <ann@example.org>', 'bob@bücher.example'],
      cc: '"Müller, Jörg" <joerg@example.org>',
      bcc: ['hidden@example.org', 'ann@example.org'],
      replyTo: 'Answers <answers@example.com>',
      subject:
        'Grüße – 10 % off 👋🏽 with a subject that is longer than any line of a header should ever be, and longer',
      text: '.\r\n.starts with a dot\r\n\r\n..\r\nline = end \r\n✓\r\n\r\n.\r\nFrom the end',
      html: '<p title="a=b">Grüße</p>\r\n.\r\n<p>👋🏽</p>',
      headers: { 'List-Unsubscribe': '<https://example.com/u?a=1>', 'X-Campaign': 'spring' },
    };
    expect(await send(written)).toEqual(delivered);
    const [mail, ...others] = await mailpit.mails();
    expect(others).toEqual([]);
    expect(mail).toMatchObject({
      MessageID: `${KEY}@example.com`,
      From: { Name: 'The Shöp', Address: 'shop@example.com' },
      To: [
        { Name: 'Ann Ö.', Address: 'ann@example.org' },
        { Name: '', Address: 'bob@xn--bcher-kva.example' },
      ],
      Cc: [{ Name: 'Müller, Jörg', Address: 'joerg@example.org' }],
      Bcc: [{ Name: '', Address: 'hidden@example.org' }],
      ReplyTo: [{ Name: 'Answers', Address: 'answers@example.com' }],
      Subject: written.subject,
      Text: written.text,
      HTML: written.html,
      Attachments: [],
    });
    expect(Date.parse((mail as { Date: string }).Date)).toBe(DUE);
  });

  test('is kept byte for byte as it was composed', async () => {
    await start();
    const mails: Payload<'email'>[] = [
      { to: TO, subject: 'plain', text: 'a\nb\r\n.\r\n..c' },
      { to: TO, subject: 'HTML', html: `<p>${'long line '.repeat(2_000)}</p>` },
      { to: TO, subject: 'Ελληνικά', text: 'Καλημέρα κόσμε\r\n'.repeat(4_000), html: '<b>Καλημέρα</b>' },
      { to: TO, subject: 'dots', text: '.\r\n'.repeat(9_000) },
      { to: TO, subject: 'empty lines', text: '\r\n'.repeat(19_000), headers: { 'X-A': 'a'.repeat(800) } },
    ];
    for (const [n, mail] of mails.entries()) {
      expect(await send(mail, { idempotencyKey: `key-${n}` })).toEqual(delivered);
    }
    const kept = await mailpit.raw();
    for (const [n, mail] of mails.entries()) {
      const wanted = await composed(draftOf(mail), mailboxOf(FROM), `key-${n}`, DUE);
      // The server writes headers of its own before those of the mail.
      const isKept = kept.some((one) => one.subarray(-wanted.length).equals(wanted));
      expect([mail.subject, isKept]).toEqual([mail.subject, true]);
    }
    const texts = (await mailpit.mails()).map(({ Text }) => Text);
    expect(texts).toContain('Καλημέρα κόσμε\r\n'.repeat(4_000));
    expect(texts).toContain('.\r\n'.repeat(9_000));
  });

  test('has its attachments byte for byte, under their names', async () => {
    await start();
    const host = await MediaHost.start();
    opened.push({ stop: () => host.close() });
    const large = randomBytes(5 * 1024 ** 2);
    host.on('/large', image(large, 'application/x-tar'));
    const media = [
      { url: host.url(), name: "Tasse – 'blau'.png" },
      { url: host.url('/large'), name: `${'发票'.repeat(20)}.tar` },
      { url: host.url() },
    ];
    const bodies = { text: 'Grüße', html: '<p>Grüße</p>' };
    expect(await send({ ...bodies, media })).toEqual(delivered);
    const [mail] = await mailpit.mails();
    expect(mail).toMatchObject({
      Text: bodies.text,
      HTML: bodies.html,
      Attachments: [
        { FileName: "Tasse – 'blau'.png", ContentType: 'image/png' },
        { FileName: `${'发票'.repeat(20)}.tar`, ContentType: 'application/octet-stream' },
        { FileName: 'image-3.png', ContentType: 'image/png' },
      ],
    });
    const parts = (mail as MailpitMail).Attachments.map(({ PartID }) =>
      mailpit.attachment(mail as MailpitMail, PartID),
    );
    expect((await Promise.all(parts)).map((bytes, n) => bytes.equals([PNG, large, PNG][n] as Buffer))).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('has no headers but those that are meant, whatever its texts are', async () => {
    await start();
    const odd = [
      'a: b',
      'Bcc: evil@example.org',
      '"; <a@example.org>',
      "'); --",
      '%0d%0aBcc: a@example.org',
      '\\r\\nBcc: a',
    ];
    for (const [n, subject] of odd.entries()) {
      const sent = await send(
        { subject, text: `Bcc: a@example.org\r\n\r\n${subject}` },
        { idempotencyKey: `key-${n}` },
      );
      expect(sent).toEqual(delivered);
    }
    const mails = await mailpit.mails();
    expect(mails.map(({ Subject }) => Subject).toSorted()).toEqual(odd.toSorted());
    for (const { To, Cc, Bcc } of mails) expect([To.length, Cc, Bcc]).toEqual([1, [], []]);
    for (const headers of await mailpit.headers()) {
      expect(Object.keys(headers)).not.toContain('Bcc');
      for (const name of ['From', 'To', 'Subject', 'Message-Id', 'Date']) expect(headers[name]).toHaveLength(1);
    }
  });

  test.each([
    ['subject', { subject: 'a\r\nBcc: evil@example.org' }],
    ['subject, encoded', { subject: '=?utf-8?q?a=0D=0ABcc:_evil@example.org?=' }],
    ['name', { to: 'Ann\r\nBcc: evil@example.org <ann@example.org>' }],
    ['address', { to: 'ann@example.org>\r\nRCPT TO:<evil@example.org' }],
    ['copy', { cc: 'ann@example.org\nBcc: evil@example.org' }],
    ['header', { headers: { 'X-A': 'a\r\nBcc: evil@example.org' } }],
    ['name of a header', { headers: { 'X-A: a\r\nBcc': 'evil@example.org' } }],
    ['header of its own', { headers: { Bcc: 'evil@example.org' } }],
  ])('with another header in its %s is refused, and the server hears nothing of it', async (_, payload) => {
    await start();
    expect(() => send({ text: 'a', ...payload })).toThrow('payload.');
    expect(await mailpit.mails()).toEqual([]);
  });
});

describe('the Message-ID', () => {
  test('is one over all attempts of a message, and the bytes are the same', async () => {
    await start();
    for (const inDoubt of [false, true, true]) {
      expect(await send({ text: 'a', html: '<b>a</b>' }, { inDoubt })).toEqual(delivered);
    }
    const mails = await mailpit.mails();
    expect(mails.map(({ MessageID }) => MessageID)).toEqual([0, 1, 2].map(() => `${KEY}@example.com`));
    const bodies = (await mailpit.raw()).map((raw) => raw.subarray(raw.indexOf('From: ')).toString());
    expect(new Set(bodies).size).toBe(1);
  });

  test('lets a server that knows it drop the repeat', async () => {
    await start({ dropsRepeats: true });
    for (const inDoubt of [false, true]) expect(await send({ text: 'a' }, { inDoubt })).toEqual(delivered);
    expect(await send({ text: 'b' }, { idempotencyKey: 'another' })).toEqual(delivered);
    expect((await mailpit.mails()).map(({ MessageID }) => MessageID).toSorted()).toEqual([
      'another@example.com',
      `${KEY}@example.com`,
    ]);
  });

  test('is that of the mail which the server took and whose answer was lost', async () => {
    await start();
    const network = await AnswerCutter.start(mailpit.port, /^MAIL FROM/);
    opened.push({ stop: () => network.close() });
    connect({ port: String(network.port) });
    network.cutAnswerTo(DOT);
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'unknown' });
    expect([network.cuts, network.sent.length]).toEqual([1, 1]);
    expect((await mailpit.mails()).map(({ MessageID }) => MessageID)).toEqual([`${KEY}@example.com`]);
  });
});

describe('what the server says', () => {
  test.each([
    ['Sender', 451, { kind: 'retry', status: 451 }],
    ['Sender', 550, { kind: 'rejected', status: 550 }],
    ['Recipient', 450, { kind: 'retry', status: 450 }],
    ['Recipient', 553, { kind: 'rejected', status: 553 }],
  ] as const)('to the %s, %d, is understood, and no mail is there', async (stage, code, outcome) => {
    await start();
    await mailpit.fail({ [stage]: code });
    const mayStart = jest.fn(() => true);
    expect(await send({ text: 'a' }, { mayStart })).toMatchObject(outcome);
    expect(mayStart).not.toHaveBeenCalled();
    await mailpit.fail({});
    expect(await mailpit.mails()).toEqual([]);
    expect(await send({ text: 'a' })).toEqual(delivered);
  });
});

describe('a login', () => {
  const users = { shop: PASSWORD };
  const login = { user: 'shop', password: PASSWORD };

  test('that is right lets the mail go, and is told in clear to this machine only', async () => {
    await start({ users });
    connect(login);
    expect(await send({ text: 'a' })).toEqual(delivered);
    expect(await mailpit.mails()).toHaveLength(1);
    expect(await tried.whoAmI(credentials(login))).toEqual({
      kind: 'ok',
      name: 'shop@example.com as shop at 127.0.0.1',
    });
  });

  test.each([
    ['wrong', { user: 'shop', password: 'a-wrong-password' }],
    ['missing', {}],
  ])('that is %s makes the account unusable, and no mail is there', async (_, given) => {
    await start({ users });
    connect(given);
    const outcome = await send({ text: 'a' });
    expect(outcome).toMatchObject({ kind: 'unusable', reason: expect.stringContaining('Connect the account again') });
    expect(JSON.stringify(outcome)).not.toContain('a-wrong-password');
    expect(await mailpit.mails()).toEqual([]);
  });

  test.each([
    [454, { kind: 'retry', status: 454 }],
    [535, { kind: 'unusable', status: 535 }],
  ])('that the server answers with %d is understood', async (code, outcome) => {
    await start({ users });
    connect(login);
    await mailpit.fail({ Authentication: code });
    expect(await send({ text: 'a' })).toMatchObject(outcome);
    expect(await mailpit.mails()).toEqual([]);
  });
});

/** As if an authority that this machine trusts had signed the certificate. */
function trustItself(): void {
  const { connect: original } = tls;
  jest
    .spyOn(tls, 'connect')
    .mockImplementation(((options: tls.ConnectionOptions, done: () => void) =>
      original({ ...options, ca: certificate.cert }, done)) as typeof tls.connect);
}

describe('encryption', () => {
  const login = { user: 'shop', password: PASSWORD };

  async function startEncrypted(requires: 'starttls' | 'tls'): Promise<void> {
    await start({ certificate, requires, users: { shop: PASSWORD } });
    const names = await NameServer.start();
    names.names.set('secure.test', ['127.0.0.1']);
    await tried.close();
    tried = new TriedChannel(email, { resolver: names.address });
    opened.push({ stop: () => names.close() });
  }

  test.each(['starttls', 'tls'] as const)('with %s the login and the mail are taken', async (security) => {
    await startEncrypted(security);
    trustItself();
    connect({ host: 'secure.test', security, ...login });
    expect(await send({ text: 'encrypted' })).toEqual(delivered);
    expect((await mailpit.mails()).map(({ Text }) => Text.trim())).toEqual(['encrypted']);
  });

  test.each(['starttls', 'tls'] as const)(
    'with %s a server whose certificate nobody vouches for is told nothing',
    async (security) => {
      await startEncrypted(security);
      connect({ host: 'secure.test', security, ...login });
      expect(await send({ text: 'a' })).toMatchObject({
        kind: 'retry',
        reason: expect.stringContaining('self-signed'),
      });
      expect(await mailpit.mails()).toEqual([]);
    },
  );

  test('that a server asks for and the account does not use: no mail goes', async () => {
    await startEncrypted('starttls');
    connect({ security: 'plain', ...login });
    expect(await send({ text: 'a' })).toMatchObject({
      kind: 'unusable',
      status: 530,
      reason: expect.stringContaining('wants a login, or encryption'),
    });
    expect(await mailpit.mails()).toEqual([]);
  });

  test('that the account asks for and a server does not have: no mail goes', async () => {
    await start({ users: { shop: PASSWORD } });
    connect({ security: 'starttls', ...login });
    expect(await send({ text: 'a' })).toMatchObject({ kind: 'retry' });
    expect(await mailpit.mails()).toEqual([]);
  });
});
