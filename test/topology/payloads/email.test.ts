import { parsePayload } from '../../../topology/payloads/payloads';

const base = { to: 'ann@example.com', subject: 'a', text: 'a' };
const parse = (others: object) => parsePayload('email', { ...base, ...others });

test.each([
  [{}],
  [{ to: ['Ann <ann@example.com>', '"Doe, Jane" <jane+x@sub.example.co.uk>'] }],
  [{ to: "o'hara!#$%&'*+/=?^_`{|}~@example.com" }],
  [{ to: 'bob@bücher.example' }],
  [{ to: 'Zoë 👩‍👩‍👧 <zoe@example.com>' }],
  [{ text: undefined, html: '<p>' }],
  [{ text: 'a\r\n\tb' }],
  [{ text: '\r\n'.repeat(19_998) }],
  [{ subject: 'Is 1 + 1 =? 2?  Yes (=2)' }],
  [{ text: 'a'.repeat(128 * 1024), html: 'é'.repeat(64 * 1024) }],
  [{ headers: { 'X-A': '1', 'list-unsubscribe': '<mailto:a@example.com>' } }],
])('%j is a mail', (others) => {
  expect(parse(others)).toMatchObject({ ok: true });
});

test.each([
  'ann',
  '@example.com',
  'ann@',
  'ann@localhost',
  'ann@example',
  'ann@127.0.0.1',
  'ann@0x7f.1',
  'ann@[127.0.0.1]',
  'ann@exa%6dple.com',
  'ann@example.com/x',
  'ann@example.com:25',
  'ann@user@example.com',
  'ann..b@example.com',
  '.ann@example.com',
  '"ann b"@example.com',
  'änn@example.com',
  'ann@example.com\r\nBcc: eve@example.com',
  'ann@example.com\nDATA',
  'ann\0@example.com',
  'ann@example.com, eve@example.com',
  'ann@example.com> SIZE=1',
  'Ann <ann@example.com> <eve@example.com>',
  'Ann\r\nX: y <ann@example.com>',
  'Ann\u2028 <ann@example.com>',
  'Ann \u202egpj <ann@example.com>',
  'Ann\ud800 <ann@example.com>',
  '=?utf-8?Q?=E2=80=AEgpj?= <ann@example.com>',
  `Ann${' '.repeat(100)}From <ann@example.com>`,
  'Ann" <eve@example.com>, "b <ann@example.com>',
  'friends: ann@example.com;',
  `${'a'.repeat(65)}@example.com`,
  `a@${'b'.repeat(64)}.com`,
  `a@${'b.'.repeat(130)}com`,
  `${'n'.repeat(201)} <ann@example.com>`,
  'x'.repeat(1_000_000),
])('the address %j is refused, wherever it stands', (address) => {
  for (const others of [{ to: address }, { to: ['b@example.com', address] }, { cc: address }, { bcc: [address] }]) {
    expect(parse(others)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/^payload\.(to|cc|bcc).*: expected/),
    });
  }
  expect(parse({ replyTo: address })).toMatchObject({ ok: false });
});

test.each([
  ['subject', { subject: 'a\nb' }],
  ['subject', { subject: 'a\u0085b' }],
  ['subject', { subject: 'a'.repeat(501) }],
  ['text', { text: 'a\0' }],
  ['text', { text: 'a'.repeat(256 * 1024 + 1) }],
  ['text', { text: 'a'.repeat(128 * 1024), html: 'é'.repeat(64 * 1024 + 1) }],
  ['text', { text: '\n'.repeat(20_000) }],
  ['text', { text: '\n'.repeat(10_000), html: '\r\n'.repeat(10_000) }],
  ['html', { text: undefined, html: 'é'.repeat(128 * 1024 + 1) }],
  ['subject', { subject: 'a =?utf-8?Q?=E2=80=AEtxt=0D=0ABcc:_x?=' }],
  ['subject', { subject: '=?UTF-8?b?4oCu?=' }],
  ['subject', { subject: `a${' '.repeat(300)}From: ceo@example.com` }],
  ['headers.X-A', { headers: { 'X-A': `a${' '.repeat(300)}From: ceo@example.com` } }],
  ['headers.X-A', { headers: { 'X-A': 'a ' } }],
  ['headers.X-A', { headers: { 'X-A': '=?utf-8?Q?a=0D=0ABcc:_x?=' } }],
  ['text', { text: undefined }],
  ['headers.Bcc', { headers: { Bcc: 'a@example.com' } }],
  ['headers.From', { headers: { From: 'a@example.com' } }],
  ['headers.Content-Type', { headers: { 'Content-Type': 'text/html' } }],
  ['headers.X-A: b', { headers: { 'X-A: b': 'c' } }],
  ['headers.X-A', { headers: { 'X-A': 'b\r\nBcc: c@example.com' } }],
  ['headers.X-A', { headers: { 'X-A': 'ü' } }],
  ['headers', { headers: { 'X-A': '1', 'x-a': '2' } }],
  [
    'headers: expected at most 20',
    { headers: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`X-${n}`, '1'])) },
  ],
  ['to', { to: [] }],
  [
    'to',
    {
      to: Array.from({ length: 30 }, (_, n) => `a${n}@example.com`),
      cc: Array.from({ length: 21 }, (_, n) => `b${n}@example.com`),
    },
  ],
])('a wrong %s is named', (field, others) => {
  expect(parse(others)).toMatchObject({ ok: false, reason: expect.stringContaining(`payload.${field}`) });
});
