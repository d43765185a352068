import { createHash, randomBytes } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import MimeNode from 'nodemailer/lib/mime-node';
import type { AttemptContext } from '../../../../bolts/channel';
import { emailCredentials } from '../../../../connectors/channels/email/email-credentials';
import { SmtpCaller } from '../../../../connectors/channels/email/smtp-caller';
import { readyOf } from '../../../../connectors/channels/provider/provider-accounts';
import { systemClock } from '../../../../topology/core/clock';
import { parsePayload } from '../../../../topology/payloads/payloads';
import { image, MediaHost, MP4, PNG } from '../../../support/channels/media-host';
import { EmailWorld } from './email-world';

const PDF = Buffer.from('%PDF-1.7 and no more of it');
const CSV = Buffer.from('a;b\r\n.\r\n..\r\n');
const MIB = 1024 ** 2;

type Read = typeof MimeNode.prototype.createReadStream;

let world: EmailWorld;
let host: MediaHost;
let folder: string;
let opened: EmailWorld[] = [];

async function start(clock = systemClock, timeoutMs?: number): Promise<void> {
  world = await EmailWorld.open({}, clock, timeoutMs, folder);
  opened.push(world);
}

beforeEach(async () => {
  [host, folder] = await Promise.all([MediaHost.start(), mkdtemp(join(tmpdir(), 'attachments-'))]);
  host.on('/a.pdf', image(PDF, 'application/pdf'));
  host.on('/a.csv', image(CSV, 'text/csv; charset=utf-8'));
  host.on('/film', image(MP4, 'video/mp4'));
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
  await Promise.all([host.close(), rm(folder, { recursive: true })]);
});

const kept = (bytes: Buffer, name: string, type: string) => ({
  name,
  type,
  bytes: bytes.length,
  hash: createHash('sha256').update(bytes).digest('hex'),
});
const files = (length: number) => Array.from({ length }, () => ({ file: 'a' }));
const send = (media: readonly object[], attempt: Partial<AttemptContext> = {}, others: object = {}) =>
  world.send({ text: 'a', media, ...others }, attempt);
const attached = () => world.server.posts().map(({ attachments }) => attachments);

describe('attachments', () => {
  test('go out behind the bodies as they are, in their order, of whatever type', async () => {
    await start();
    await writeFile(join(folder, 'cup.png'), PNG);
    const media = [
      { url: host.url('/a.pdf'), name: 'Rechnung März – 1.pdf' },
      { file: 'cup.png' },
      { url: host.url('/a.csv') },
      { url: host.url('/film') },
    ];
    expect(await send(media, {}, { text: 'Grüße', html: '<p>Grüße</p>' })).toMatchObject({ kind: 'delivered' });
    const [mail] = world.server.posts();
    expect(mail?.headers['content-type']).toMatch(/^multipart\/mixed/);
    expect(mail?.bodies).toEqual({ 'text/plain': 'Grüße', 'text/html': '<p>Grüße</p>' });
    expect(mail?.attachments).toEqual([
      kept(PDF, 'Rechnung März – 1.pdf', 'application/pdf'),
      kept(PNG, 'image-2.png', 'image/png'),
      kept(CSV, 'file-3.bin', 'application/octet-stream'),
      kept(MP4, 'video-4.mp4', 'video/mp4'),
    ]);
  });

  test('go out with one body as well', async () => {
    await start();
    expect(await send([{ url: host.url() }])).toMatchObject({ kind: 'delivered' });
    expect(world.server.posts()).toMatchObject([
      { bodies: { 'text/plain': 'a' }, attachments: [kept(PNG, 'image-1.png', 'image/png')] },
    ]);
  });

  test('leave all headers of a mail where they are without attachments', async () => {
    await start();
    const others = {
      html: '<p>a</p>',
      to: 'Ann <ann@example.org>',
      cc: ['Bob <bob@example.org>'],
      replyTo: 'help@example.org',
      headers: { 'X-A': 'b' },
    };
    expect(await send([{ url: host.url('/a.pdf') }], {}, others)).toMatchObject({ kind: 'delivered' });
    expect(await world.send({ text: 'a', ...others })).toMatchObject({ kind: 'delivered' });
    const [attaching, plain] = world.server
      .posts()
      .map(({ headers }) =>
        Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('content-'))),
      );
    expect(attaching).toEqual(plain);
    expect(attaching).toMatchObject({ cc: 'Bob <bob@example.org>', 'reply-to': 'help@example.org' });
  });

  test('of several megabytes are the same in each attempt', async () => {
    await start();
    const bytes = randomBytes(3 * MIB + 1);
    await writeFile(join(folder, 'large'), bytes);
    for (const times of [1, 2]) {
      expect(await send([{ file: 'large', name: 'large.bin' }])).toMatchObject({ kind: 'delivered' });
      expect(attached()).toHaveLength(times);
    }
    expect(attached()[0]).toEqual([kept(bytes, 'large.bin', 'application/octet-stream')]);
    const [one, other] = world.server.posts().map((mail) => JSON.stringify(mail));
    expect(other).toBe(one);
  });

  test.each([
    'a',
    'invoice 1.pdf',
    "it's (1), a; b=c%20.pdf",
    "utf-8''%0d%0aX-A= b.pdf",
    `${'a'.repeat(96)}.pdf`,
    `${'发'.repeat(96)}.pdf`,
    '👩‍👩‍👧 März.pdf',
    '--=_downspout.pdf',
  ])('are called %j, and nothing besides', async (name) => {
    await start();
    expect(await send([{ url: host.url('/a.pdf'), name }])).toMatchObject({ kind: 'delivered' });
    expect(attached()).toEqual([[kept(PDF, name, 'application/pdf')]]);
  });

  test.each([
    'a\r\nBcc: b@example.org',
    'a\nb',
    'a\0',
    'a\u0085b',
    'a\u2028b',
    'a\u202efdp.exe',
    'a\ud800',
    '=?utf-8?q?a?=',
    `a${' '.repeat(16)}b`,
    '../a',
    'a/b',
    'a\\b',
    'C:a',
    'a"b',
    '.hidden',
    'a.',
    ' a',
    'a ',
    '',
    'a'.repeat(101),
  ])('are not called %j', (name) => {
    const payload = { to: 'ann@example.org', subject: 'a', text: 'a', media: [{ file: 'a', name }] };
    expect(parsePayload('email', payload)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('payload.media.0.name'),
    });
  });

  test('are ten at most, and nothing is said of what they show', () => {
    const mail = { to: 'ann@example.org', subject: 'a', text: 'a' };
    expect(parsePayload('email', { ...mail, media: files(10) })).toMatchObject({ ok: true });
    for (const media of [files(11), [{ file: 'a', alt: 'b' }], [{ file: '../a' }]]) {
      expect(parsePayload('email', { ...mail, media })).toMatchObject({
        ok: false,
        reason: expect.stringContaining('payload.media'),
      });
    }
  });
});

describe('a mail whose attachments', () => {
  test.each([
    ['are not there', 404, { kind: 'rejected' }],
    ['are away', 503, { kind: 'retry' }],
  ])('%s says nothing to its server', async (_, status, outcome) => {
    await start();
    host.on('/it', (response) => response.writeHead(status).end());
    const mayStart = jest.fn(() => true);
    const ended = await send([{ url: host.url() }, { url: host.url('/it') }], { mayStart });
    expect(ended).toMatchObject({ ...outcome, reason: expect.stringContaining(`HTTP ${status}`) });
    expect([world.server.said, mayStart.mock.calls]).toEqual(['', []]);
  });

  test('are larger together than mails are is rejected', async () => {
    await start();
    await writeFile(join(folder, 'half'), Buffer.alloc(10 * MIB));
    expect(await send([{ file: 'half' }, { file: 'half' }])).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('larger than 18874368 bytes together'),
    });
    expect(world.server.said).toBe('');
  });

  test('are larger than the server says that it takes is rejected before any of it is sent', async () => {
    await start();
    await writeFile(join(folder, 'large'), Buffer.alloc(8 * MIB));
    expect(await send([{ file: 'large' }])).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('larger than the mail server takes'),
    });
    expect(world.server.said).not.toContain('MAIL');
  });

  test('go along says how large it is, and one without them does not', async () => {
    await start();
    await writeFile(join(folder, 'a'), randomBytes(MIB));
    expect(await world.send({ text: 'a' })).toMatchObject({ kind: 'delivered' });
    expect(world.server.said).not.toContain('SIZE=');
    expect(await send([{ file: 'a' }], {}, { html: '<p>ü</p>'.repeat(1_000) })).toMatchObject({ kind: 'delivered' });
    const size = Number(/SIZE=(\d+)/.exec(world.server.said)?.[1]);
    expect(size).toBeGreaterThan((MIB / 57) * 78);
    expect(size).toBeLessThan(1.5 * MIB);
  });

  test('cannot be read to their end is not sent, and tried again', async () => {
    await start();
    const path = join(folder, 'shrinks');
    await writeFile(path, randomBytes(MIB));
    // When the server is told of the receiver the file is open, and nothing of it is read.
    jest.spyOn(world.server.refusals, 'get').mockImplementation(() => {
      truncateSync(path, 1_000);
      return undefined;
    });
    const mayStart = jest.fn(() => true);
    expect(await send([{ file: 'shrinks' }], { mayStart })).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('the file has become shorter'),
    });
    expect(mayStart).not.toHaveBeenCalled();
    expect(world.server.posts()).toEqual([]);
  });

  test('may not start is not seen', async () => {
    await start();
    const mayStart = jest.fn(() => false);
    expect(await send([{ url: host.url() }], { mayStart })).toBe('not_started');
    expect(mayStart).toHaveBeenCalledTimes(1);
    expect(world.server.posts()).toEqual([]);
  });

  test('take long has the time for them besides', async () => {
    let ahead = 0;
    const timeoutMs = 20_000;
    await start({ ...systemClock, monotonic: () => systemClock.monotonic() + ahead }, timeoutMs);
    // At 128 bytes in a millisecond: as long as the rest of the mail.
    await writeFile(join(folder, 'slow'), Buffer.alloc(128 * timeoutMs));
    const read = Object.getOwnPropertyDescriptor(MimeNode.prototype, 'createReadStream')?.value as Read;
    jest.spyOn(MimeNode.prototype, 'createReadStream').mockImplementation(function (this: MimeNode) {
      ahead = 1.1 * timeoutMs;
      return read.call(this);
    });
    expect(await send([{ file: 'slow' }])).toMatchObject({ kind: 'delivered' });
  });
});

test('no piece of a mail is taken for the final dot', async () => {
  await start();
  const caller = new SmtpCaller({
    timeoutMs: 20_000,
    clock: systemClock,
    network: { allowPrivateAddresses: true },
  });
  const compose = inPieces(['a', '.\r\n', '\r\n', '.\r\n', '\n.\r\n', 'b', '\r\n.\r\n', '.']);
  const mail = { from: 'a@example.com', to: ['ann@example.org'], attachedBytes: 0, compose };
  const mayStart = jest.fn(() => true);
  const ready = readyOf('email', emailCredentials, JSON.stringify(world.credentials()));
  expect(await caller.call('shop', ready, mail, mayStart)).toMatchObject({ kind: 'delivered' });
  caller.close();
  expect(mayStart).toHaveBeenCalledTimes(1);
  expect(world.server.posts()).toMatchObject([{ bodies: { 'text/plain': 'a.\r\n\r\n.\r\n\r\n.\r\nb\r\n.\r\n.' } }]);
});

/** A mail whose body comes in these pieces. */
function inPieces(pieces: readonly string[]): () => AsyncGenerator<Buffer> {
  const head = new MimeNode('text/plain; charset=utf-8');
  head.setHeader({ From: 'a@example.com', To: 'ann@example.org', Subject: 'a' });
  head.setHeader('Content-Transfer-Encoding', 'quoted-printable');
  return async function* () {
    yield Buffer.from(`${head.buildHeaders()}\r\n\r\n`);
    for (const piece of pieces) yield Buffer.from(piece);
  };
}
