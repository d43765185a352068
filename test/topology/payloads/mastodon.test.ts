import { parsePayload } from '../../../topology/payloads/payloads';

const reason = (payload: object) => {
  const parsed = parsePayload('mastodon', payload);
  return parsed.ok ? 'ok' : parsed.reason;
};

test('a text is counted as the server counts it, and the error says how long it is', () => {
  expect(reason({ text: 'a'.repeat(500) })).toBe('ok');
  expect(reason({ text: 'a'.repeat(501) })).toBe(
    'payload.text: expected at most 500 characters as Mastodon counts them, got 501',
  );
  expect(reason({ text: 'a'.repeat(501), limit: 600 })).toBe('ok');
});

test.each([
  ['a URL has 23 characters, however long it is', `https://example.com/${'x'.repeat(300)}`, 23],
  ['so has a short one', 'http://a.de', 23],
  ['what ends the sentence is no part of it', '(see https://example.com/a).', 5 + 23 + 2],
  ['a bracket that a URL opens is its own', '(see https://example.com/a_(b)).', 5 + 23 + 2],
  ['a scheme without more is none', 'https://... yes', 15],
  ['two URLs are two', 'https://a.test/1 https://b.test/2', 47],
  ['of a mention the user counts', '@someone@a-very-long-domain.example', 8],
  ['a local mention is what it is', '@someone', 8],
  ['an address is no mention', 'me@example.com', 14],
  ['a letter with its accents is one', 'cafe\u0301', 4],
  ['a family is one', '👨‍👩‍👧‍👦', 1],
  ['an ideograph is one', '漢字', 2],
])('%s', (_, text, length) => {
  expect(reason({ text: `${text} ${'a'.repeat(499 - length)}` })).toBe('ok');
  expect(reason({ text: `${text} ${'a'.repeat(500 - length)}` })).toContain('got 501');
});

test('the spoiler counts as it is written', () => {
  const spoiler = `https://example.com/${'x'.repeat(80)}`;
  expect(reason({ text: 'a'.repeat(400), spoiler })).toBe('ok');
  expect(reason({ text: 'a'.repeat(401), spoiler })).toContain('with the spoiler counts them, got 501');
});

test.each([
  [{}, /payload\.text/],
  [{ text: ' \n' }, /payload\.text: expected a text, got blanks/],
  [{ text: 'a', replyTo: '../x' }, /payload\.replyTo: expected the id/],
  [{ text: 'a', visibility: 'friends' }, /payload\.visibility/],
  [{ text: 'a', language: 'english' }, /payload\.language: expected a language/],
  [{ text: 'a', scheduled_at: '2027-01-01' }, /scheduled_at/],
])('%j is refused with the field', (payload, message) => {
  expect(reason(payload)).toMatch(message);
});
