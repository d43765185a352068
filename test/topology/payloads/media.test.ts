import { parsePayload } from '../../../topology/payloads/payloads';

const reason = (media: unknown) => {
  const parsed = parsePayload('mastodon', { text: 'a', media });
  return parsed.ok ? 'ok' : parsed.reason;
};

test('an image comes from a URL or a file, with what it shows', () => {
  expect(reason([{ url: 'https://example.com/cup.png?size=2', alt: 'a cup' }, { file: 'shop/2026/cup 1.png' }])).toBe(
    'ok',
  );
  expect(reason(undefined)).toBe('ok');
  expect(reason(null)).toBe('ok');
});

const FILES = [
  '/etc/passwd',
  '../a.png',
  'a/../b.png',
  './a.png',
  'a//b.png',
  'a/',
  '.hidden/a.png',
  'a\\b.png',
  'a\u0000.png',
  '',
];

const refused: readonly (readonly [media: unknown, where: string])[] = [
  [[], 'payload.media'],
  [Array.from({ length: 5 }, () => ({ file: 'a.png' })), 'payload.media'],
  [[{}], 'payload.media.0: expected either url or file'],
  [[{ url: 'https://a.test/', file: 'a.png' }], 'payload.media.0: expected either url or file'],
  [[{ url: 'file:///etc/passwd' }], 'payload.media.0.url: expected an http or https URL'],
  [[{ url: 'https://user:pass@a.test/' }], 'payload.media.0.url: credentials in a URL are not allowed'],
  [[{ url: `https://a.test/${'a'.repeat(2_048)}` }], 'payload.media.0.url'],
  [[{ file: 'a.png', alt: '' }], 'payload.media.0.alt'],
  [[{ file: 'a.png', alt: 'a'.repeat(1_501) }], 'payload.media.0.alt'],
  [[{ file: 'a.png', title: 'a' }], 'payload.media.0'],
  ...FILES.map((file) => [[{ file }], 'payload.media.0.file'] as const),
];

test.each(refused)('%j is refused', (media, where) => {
  expect(reason(media)).toContain(where);
});
