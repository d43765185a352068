import { jsonIn } from '../../../../connectors/channels/http/json-answer';

const read = (text: string) => jsonIn(Buffer.from(text));
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const wide = (values: number) => `[${Array.from({ length: values }, () => '0').join()}]`;

test('an answer is read whole, whatever its texts have in them', () => {
  const value = { a: [1, null, true, { b: '[[[{{{,,,"\\' }], ü: '🎈', '\\': '"' };
  expect(read(JSON.stringify(value))).toEqual(value);
  expect(read(JSON.stringify('['.repeat(1_000)))).toBe('['.repeat(1_000));
  expect(read(JSON.stringify(`\\"${','.repeat(200_000)}`))).toHaveLength(200_002);
  expect(read(nested(100))).toBeInstanceOf(Array);
  expect(read(wide(50_000))).toHaveLength(50_000);
});

test.each([
  ['nested deeper than any', nested(101)],
  ['objects in one another', `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`],
  ['lists that are not closed', '['.repeat(1_000_000)],
  ['more values than any', wide(100_001)],
  ['lists of lists', `[${'[],'.repeat(60_000)}[]]`],
  ['a text without an end, then more', `"${'\\"'.repeat(10)}`],
  ['no JSON', '<html>'],
  ['nothing', ''],
])('%s is no answer', (_, text) => {
  expect(read(text)).toBeUndefined();
});

test('what is too much is not even parsed', () => {
  const parse = jest.spyOn(JSON, 'parse');
  read(wide(100_001));
  read(nested(101));
  expect(parse).not.toHaveBeenCalled();
  parse.mockRestore();
});
