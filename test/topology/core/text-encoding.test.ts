import { decodePem, decodeText } from '../../../topology/core/text-encoding';

const text = '{"text":"Grüße 😀"}\r\n';
const swapped = (given: string) => Buffer.from(given, 'utf16le').swap16();

test.each([
  ['UTF-8', Buffer.from(text)],
  ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`)],
  ['UTF-16 with a mark, as PowerShell writes it', Buffer.from(`\ufeff${text}`, 'utf16le')],
  ['UTF-16 without a mark', Buffer.from(text, 'utf16le')],
  ['UTF-16 with a mark, big end first', swapped(`\ufeff${text}`)],
  ['UTF-16 without a mark, big end first', swapped(text)],
])('a file in %s is read', (_, bytes) => {
  expect(decodeText(bytes)).toBe(text);
});

test('an empty file is an empty text', () => {
  expect(decodeText(Buffer.alloc(0))).toBe('');
});

test.each([
  ['windows-1252', Buffer.from('one\ntwo\ncaf\xe9\nfour', 'latin1'), 'line 3 has bytes that are not UTF-8'],
  ['a cut character', Buffer.from('one\r\n€').subarray(0, -1), 'line 2 has bytes that are not UTF-8'],
  ['bytes that were lost before', Buffer.from('caf\ufffd'), 'line 1 has bytes that are not UTF-8'],
  [
    'half a character of UTF-16',
    Buffer.from('\ufeffone\rtwo \ud83d!', 'utf16le'),
    'line 2 has bytes that are not UTF-16',
  ],
  ['UTF-32', Buffer.from('fffe00006100000062000000', 'hex'), 'it is in UTF-32: save it in UTF-8'],
  ['UTF-32, big end first', Buffer.from('0000feff0000006100000062', 'hex'), 'it is in UTF-32: save it in UTF-8'],
  ['zero bytes', Buffer.from('a\0\0b'), 'it is no text: it has zero bytes'],
])('%s is refused, and nothing of it is said', (_, bytes, reason) => {
  expect(() => decodeText(bytes)).toThrow(reason);
  expect(() => decodeText(bytes)).not.toThrow('caf');
});

test('comments in another encoding beside a certificate do no harm', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  expect(decodePem(Buffer.from(`# caf\xe9\n${pem}`, 'latin1'))).toMatch(new RegExp(`\n${pem}$`));
  expect(decodePem(Buffer.from(`\ufeff${pem}`, 'utf16le'))).toBe(pem);
  expect(() => decodePem(Buffer.from('30820000', 'hex'))).toThrow('it is no text');
});
