import { littleText, plainText } from '../../../topology/payloads/little-text';
import { parsePayload } from '../../../topology/payloads/payloads';

const reason = (payload: object) => {
  const parsed = parsePayload('linkedin', payload);
  return parsed.ok ? 'ok' : parsed.reason;
};

test('a text is counted with the backslashes that it needs, and the error says how long it is', () => {
  expect(reason({ text: 'a'.repeat(3_000) })).toBe('ok');
  expect(reason({ text: `${'a'.repeat(2_998)}*` })).toBe('ok');
  expect(reason({ text: `${'a'.repeat(2_999)}*` })).toBe(
    'payload.text: expected at most 3000 characters as LinkedIn, with a backslash before each of \\|{}@[]()<>#*_~, counts them, got 3001',
  );
  expect(reason({ text: `${'a'.repeat(2_999)}*`, limit: 3_001 })).toBe('ok');
});

test.each([
  [
    'every reserved character gets a backslash',
    '\\ | { } @ [ ] ( ) < > # * _ ~',
    '\\\\ \\| \\{ \\} \\@ \\[ \\] \\( \\) \\< \\> \\# \\* \\_ \\~',
  ],
  ['a hashtag stays one', 'all #new and (#Über2) of it', 'all #new and \\(#Über2\\) of it'],
  ['a hashtag ends where its word does', '#a_b', '#a\\_b'],
  ['a # within a word is none', 'C# and a#b', 'C\\# and a\\#b'],
  ['a mention stays one', 'thanks @[Acme (EU)](x)', 'thanks \\@\\[Acme \\(EU\\)\\]\\(x\\)'],
  ['a mention names a URN', 'thanks @[Acme](urn:li:organization:12)!', 'thanks @[Acme](urn:li:organization:12)!'],
  [
    'the name of a mention gets its backslashes too',
    'by @[Acme | R&D_1 (EU)](urn:li:organization:12).',
    'by @[Acme \\| R&D\\_1 \\(EU\\)](urn:li:organization:12).',
  ],
  ['a name does not go beyond the next mention', '@[a @[b](urn:li:person:x_1)', '\\@\\[a @[b](urn:li:person:x_1)'],
  ['an address is none', 'me@example.com', 'me\\@example.com'],
])('%s', (_, text, little) => {
  expect(littleText(text)).toBe(little);
  expect(plainText(little)).toBe(text);
});

test('a mention whose name has its backslashes already is not given more, and one that stands for itself is', () => {
  const mention = '@[Acme \\[EU\\] \\(new\\)](urn:li:organization:12)';
  expect(littleText(mention)).toBe(mention);
  expect(plainText(mention)).toBe('@[Acme [EU] (new)](urn:li:organization:12)');
  expect(littleText('@[a\\b](urn:li:person:x)')).toBe('@[a\\\\b](urn:li:person:x)');
});

test.each(['@[', '@[a\\', '@[\\]', '#a(', '@[a](urn:li:person:'])(
  'a text of nothing but %j has no mention',
  (piece) => {
    const text = piece.repeat(40_000 / piece.length);
    expect(plainText(littleText(text))).toBe(text);
  },
);

test('a hashtag that LinkedIn shows as a template reads as it was written', () => {
  expect(plainText('all {hashtag|\\#|new} \\(yes\\)')).toBe('all #new (yes)');
});

test.each([
  [{}, /payload\.text/],
  [{ text: ' \n' }, /payload\.text: expected a text, got blanks/],
  [{ text: 'a', link: 'ftp://example.com', title: 'b' }, /payload\.link: expected an http or https URL/],
  [{ text: 'a', link: 'https://example.com' }, /payload\.title: expected the title of the link/],
  [{ text: 'a', title: 'b' }, /payload\.link: expected the link/],
  [{ text: 'a', visibility: 'friends' }, /payload\.visibility/],
  [{ text: 'a', author: 'urn:li:person:1' }, /author/],
])('%j is refused with the field', (payload, message) => {
  expect(reason(payload)).toMatch(message);
});
