import { Redaction } from '../../../../connectors/channels/http/redaction';

const shown = (text: string, headers: Record<string, string>, most = 100) =>
  new Redaction(Object.entries(headers).flat()).shown(text, most);

test('words of credentials are left out at each place', () => {
  const headers = {
    authorization: 'Bearer s3cr3t-token',
    cookie: 'id=abcdefgh; theme=dark-mode',
    'x-shop': 'Basic bXk6c2VjcmV0',
  };
  const text = 'no s3cr3t-token! s3cr3t-token, {"cookie":"id=abcdefgh"} bXk6c2VjcmV0';
  expect(shown(text, headers)).toBe('no …! …, {"cookie":"id=…"} …');
});

test('what is short or no credential is shown', () => {
  const headers = { 'content-type': 'application/json', 'x-request-id': '550e8400-e29b', 'x-token': 'short' };
  expect(shown('application/json 550e8400-e29b short', headers)).toBe('application/json 550e8400-e29b short');
});

test('a word that the answer breaks off is left out as far as it goes', () => {
  expect(shown('token s3cr3t-t', { authorization: 's3cr3t-token' })).toBe('token …');
});

test('the longest of words that begin alike is left out, and everything that begins like many of them', () => {
  expect(shown('prefix-one-two prefix-one', { cookie: 'prefix-one prefix-one-two' })).toBe('… …');
  const many = Array.from({ length: 20 }, (_, n) => `prefix-${n}`).join(' ');
  expect(shown('prefix-7 prefix-anything else', { cookie: many })).toBe('… … else');
});

test.each([
  ['JSON', (word: string) => JSON.stringify(word).slice(1, -1)],
  ['JSON of PHP', (word: string) => JSON.stringify(word).slice(1, -1).replaceAll('/', '\\/')],
  ['URLs', (word: string) => encodeURIComponent(word)],
  ['URLs in small letters', (word: string) => encodeURIComponent(word).toLowerCase()],
])('a credential is left out as %s has it, and as it is', (_, spell) => {
  for (const secret of ['/+a/b"c"d&e-f', 'abcdef/g+h"i\\j&klm', 'aaaaaaaa=;,bbbb', 'hush hush, hush']) {
    const quoted = `no ${spell(secret)} ${secret} else`;
    expect(new Redaction([], [secret]).shown(quoted, 1_000)).toBe('no … … else');
  }
});

test('a credential that is spelled in a way of its own is left out to its end', () => {
  const html = 'abcdef&#43;ghi&amp;jkl';
  expect(shown(`"${html}" ${html}`, { authorization: 'abcdef+ghi&jkl' })).toBe('"…" …');
});

test('the result is cut by characters, not within one', () => {
  expect(shown('🎈'.repeat(200), { cookie: 'something' }, 3)).toBe('🎈🎈🎈');
});

/** Characters that were looked at: one a comparison, and the whole text of every search. */
const workOf = (headers: Record<string, string>, text: string) => {
  const single = jest.spyOn(String.prototype, 'charCodeAt');
  const searches = (['includes', 'indexOf', 'search', 'replaceAll', 'split'] as const).map((name) =>
    jest.spyOn(String.prototype, name as 'search'),
  );
  shown(text, headers);
  const searched = searches.flatMap(({ mock }) => mock.contexts.map((searchedText) => String(searchedText).length));
  const work = searched.reduce((sum, length) => sum + length, single.mock.calls.length);
  for (const spy of [single, ...searches]) spy.mockRestore();
  return work;
};

describe('the work does not grow with what a tenant writes into headers and answers:', () => {
  const body = 16 * 1024;
  test.each([
    ['one word, again and again', 'qqqqqx '.repeat(2_000), 'q'.repeat(body)],
    ['words that begin alike', Array.from({ length: 2_000 }, (_, n) => `qqqqqq${n}`).join(' '), 'q'.repeat(body)],
    ['few long words that are nearly there', `${'q'.repeat(5_000)}x ${'q'.repeat(5_000)}y`, 'q'.repeat(body)],
  ])('%s', (_, header, text) => {
    // Two comparisons for each character of the answer and each of the words that may begin there.
    expect(workOf({ 'x-token': header }, text)).toBeLessThan(body * 2 * 9);
  });
});
