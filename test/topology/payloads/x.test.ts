import { parsePayload } from '../../../topology/payloads/payloads';
import { isTooDense, linksIn, tweetLength } from '../../../topology/payloads/tweet-text';

const reason = (payload: object) => {
  const parsed = parsePayload('x', payload);
  return parsed.ok ? 'ok' : parsed.reason;
};

test('a text is counted as X counts it, and the error says how long it is', () => {
  expect(reason({ text: 'a'.repeat(280) })).toBe('ok');
  expect(reason({ text: 'a'.repeat(281) })).toBe(
    'payload.text: expected at most 280 characters as X counts them, got 281',
  );
  expect(reason({ text: 'a'.repeat(281), limit: 300 })).toBe('ok');
  expect(reason({ text: 'word '.repeat(5_000), limit: 25_000 })).toBe('ok');
});

test.each([
  ['a URL has 23 characters, however long it is', `https://example.com/${'x'.repeat(300)}`, 23],
  ['so has a short one without https', 'a.de', 23],
  ['what ends the sentence is no part of it', '(see https://example.com/a).', 5 + 23 + 2],
  ['an address of mail is none', 'me@example.com', 14],
  ['a letter with its accents is one', 'cafe\u0301', 4],
  ['an ideograph is two', '漢字', 4],
  ['a family is two', '👨‍👩‍👧‍👦', 2],
  ['so is a flag', '🇩🇪', 2],
  ['punctuation of East Asia is two', '漢、字。', 8],
  ['an ellipsis is two', 'a…', 3],
])('%s', (_, text, length) => {
  expect(reason({ text: `${text} ${'a'.repeat(279 - length)}` })).toBe('ok');
  expect(reason({ text: `${text} ${'a'.repeat(280 - length)}` })).toContain('got 281');
});

test('punctuation that is left out while links are looked for moves no link', () => {
  const text = '見て、https://example.com/a。そして example.org！';
  expect(linksIn(text)).toEqual([
    { url: 'https://example.com/a', start: 3, end: 24 },
    { url: 'example.org', start: 29, end: 40 },
  ]);
  expect(tweetLength(text)).toBe(6 + 23 + 8 + 1 + 23 + 2);
});

test.each([
  ['a URL of 2,000 characters is looked into', `https://example.com/${'a.b'.repeat(660)}`, false],
  ['prose without spaces is too', '版本1.0发布了新功能，'.repeat(200), false],
  ['a word of many dots is not', 'a.b.'.repeat(1_000), true],
  ['nor are many shorter ones', `${'a.'.repeat(500)} `.repeat(20), true],
  ['nor is one long word of another script', `${'漢'.repeat(1_000)}.`, true],
])('%s', (_, text, isDense) => {
  expect(isTooDense(text)).toBe(isDense);
  expect(reason({ text, limit: 25_000 })).toMatch(isDense ? /payload\.text: expected shorter words/ : /^ok$/);
});

test.each([
  [{}, /payload\.text/],
  [{ text: ' \n' }, /payload\.text: expected a text, got blanks/],
  [{ text: 'a\ufeffb' }, /payload\.text: expected text without/],
  [{ text: 'a\ud83d' }, /payload\.text: expected text without/],
  [{ text: 'a', replyTo: 'https://x.com/i/status/1' }, /payload\.replyTo: expected the id/],
  [{ text: 'a', replySettings: 'everyone' }, /payload\.replySettings/],
  [{ text: 'a', limit: 25_001 }, /payload\.limit/],
  [{ text: 'a', media: Array.from({ length: 5 }, () => ({ url: 'https://a.test/' })) }, /payload\.media/],
  [{ text: 'a', media: [{ url: 'https://a.test/', alt: 'a'.repeat(1_001) }] }, /payload\.media\.0\.alt/],
  [{ text: 'a', poll: { options: ['a', 'b'] } }, /poll/],
])('%j is refused with the field', (payload, message) => {
  expect(reason(payload)).toMatch(message);
});
