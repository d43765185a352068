import { parsePayload } from '../../../topology/payloads/payloads';

const reason = (payload: object) => {
  const parsed = parsePayload('threads', payload);
  return parsed.ok ? 'ok' : parsed.reason;
};

const counted = (count: number) =>
  `payload.text: expected at most 500 characters as Threads, an emoji by its bytes, counts them, got ${count}`;

test.each([
  ['letters', 'ä', 1],
  ['signs of the text', '©', 1],
  ['Chinese', '漢', 1],
  ['a thumb', '👍', 4],
  ['a heart', '❤️', 6],
  ['a family', '👨‍👩‍👧', 18],
  ['a flag', '🇩🇪', 8],
])('%s: %s counts %i', (_, text, count) => {
  expect(reason({ text: 'a'.repeat(500 - count) + text })).toBe('ok');
  expect(reason({ text: 'a'.repeat(501 - count) + text })).toBe(counted(501));
});

test('a post has a text or images, and a link below a text alone', () => {
  const media = [{ url: 'https://images.example/cup.jpg' }];
  const link = 'https://example.com/a';
  expect(reason({ media })).toBe('ok');
  expect(reason({})).toBe('payload.text: expected a text, or media');
  expect(reason({ text: 'a', link })).toBe('ok');
  expect(reason({ text: 'a', link, media })).toContain('payload.media: expected either media or a link');
  expect(reason({ text: 'a', media: Array.from({ length: 20 }, () => media[0]) })).toBe('ok');
  expect(reason({ text: 'a', media: Array.from({ length: 21 }, () => media[0]) })).toContain('payload.media');
});

test.each([
  [{ text: 'a', replyTo: 'https://www.threads.com/@a/post/b' }, 'payload.replyTo'],
  [{ text: 'a', replies: 'nobody' }, 'payload.replies'],
  [{ text: 'a', link: 'ftp://example.com' }, 'payload.link'],
])('%j is refused', (payload, field) => {
  expect(reason(payload)).toContain(field);
});
