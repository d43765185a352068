import { Readable } from 'node:stream';
import { readFields } from '../../../deploy/console/secret-input';

const password = [{ name: 'password', prompt: 'Password', isSecret: true }];
const both = [{ name: 'user', prompt: 'User', isSecret: false }, ...password];
const piped = (bytes: Buffer) => Readable.from([bytes.subarray(0, 5), bytes.subarray(5)]) as NodeJS.ReadStream;

test.each([
  ['UTF-8', Buffer.from('grün 😀\n')],
  ['UTF-8 with a mark', Buffer.from('\ufeffgrün 😀\r\n')],
  ['UTF-16, as PowerShell writes files', Buffer.from('\ufeffgrün 😀\r\n', 'utf16le')],
])('a secret that is piped in may be in %s', async (_, bytes) => {
  expect(await readFields(password, 'acme', piped(bytes))).toBe('grün 😀');
});

test('a secret in another encoding is refused, not kept with other characters, and not shown', async () => {
  for (const fields of [password, both]) {
    const reading = () => readFields(fields, 'acme', piped(Buffer.from('gr\xfcn', 'latin1')));
    await expect(reading()).rejects.toThrow(/^standard input: line 1 has bytes that are not UTF-8; save .* UTF-8$/);
  }
});
