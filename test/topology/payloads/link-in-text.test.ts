import { linkOf } from '../../../topology/payloads/link-in-text';

const PAGE = 'https://en.wikipedia.org/wiki/Mercury_(planet)';

test.each([
  ['a bracket that was opened within it', PAGE, PAGE],
  ['also before the end of a sentence', `${PAGE}.`, PAGE],
  ['and no bracket around all of it', `${PAGE}),`, PAGE],
  ['several, one in the other', 'https://a.test/x[(1)]{y}!', 'https://a.test/x[(1)]{y}'],
  ['no bracket that was opened before it', 'https://a.test/x)', 'https://a.test/x'],
  ['none that is opened and not closed', 'https://a.test/x_(', 'https://a.test/x_'],
  ['none whose partner stands behind it', 'https://a.test/x)(', 'https://a.test/x'],
  ['no mark at its end', "https://a.test/x?y=1.';", 'https://a.test/x?y=1'],
  ['a slash at its end', 'http://a.test/', 'http://a.test/'],
  ['what follows the scheme', 'HTTPS://A', 'HTTPS://A'],
])('a link has %s', (_, address, link) => {
  expect(linkOf(address)).toBe(link);
});

test.each(['https://', 'https://...', 'http://)(.', ''])('%j is no link', (address) => {
  expect(linkOf(address)).toBe('');
});

test.each(['(', ')', '()', ').', '[(', '}{'])('a link is found before nothing but %j', (piece) => {
  const [link, end] = [linkOf(`https://a.test/x${piece.repeat(100_000)}`), piece === '()' ? piece : ''];
  expect(link).toBe(`https://a.test/x${end.repeat(100_000)}`);
});
