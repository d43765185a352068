import { jsonOrText } from '../../../../../deploy/cli/verbs/messages/typed-fields';
import { UserError } from '../../../../../topology/core/errors';

describe('jsonOrText', () => {
  it.each([
    ["{'a':1}", "JSON in single quotes (')"],
    [`{'it\\'s': ["x", 'a "b"'], 'c': 'd'}`, "JSON in single quotes (')"],
    ['{"a":1,}', 'JSON with a comma that nothing follows'],
    ['[1,\n2,\n]', 'JSON with a comma that nothing follows'],
    ['{"a":NaN}', 'JSON with NaN, which is no value of JSON'],
    ['[-Infinity]', 'JSON with -Infinity, which is no value of JSON'],
    ['{"a": None, "b": [True]}', 'JSON with None, which is no value of JSON'],
    ['{"a":"one\ntwo"}', 'JSON with a line break or tab inside of a text'],
    ['{"a":"\u007f\u0085", "b":"one\ttwo"}', 'JSON with a line break or tab inside of a text'],
    ['\u00a0{"a":1}', 'JSON with a blank that JSON does not know (U+00A0)'],
    ['{"a":\u00a01}', 'JSON with a blank that JSON does not know (U+00A0)'],
    ['{"a":1}\u2028', 'JSON with a blank that JSON does not know (U+2028)'],
    ['\ufeff{"a":1,}', 'JSON with a comma that nothing follows'],
    ['{“a”: 1}', 'JSON in typographic quotes'],
    ['{\\"a\\": 1}', 'JSON with its quotes written as \\"'],
  ])('refuses %j, which was meant as JSON', (text, reason) => {
    expect(() => jsonOrText(text)).toThrow(UserError);
    expect(() => jsonOrText(text)).toThrow(reason);
    expect(() => jsonOrText(text)).toThrow('If it is meant as a text, give it as a JSON string, in double quotes');
    expect(jsonOrText(JSON.stringify(text))).toBe(text);
  });

  it.each([
    '',
    'hello',
    "it's {'a':1}",
    '{name}, hello',
    "[don't]",
    '[see C:\\"x\\"]',
    '{"a":1} and more',
    '{"a":1,,}',
    '{a:1}',
    '{"a',
    '[None of these]',
    '[[[[',
    'NaN',
    "'a'",
    '\u00a042',
  ])('takes %j as a text, byte for byte', (text) => {
    expect(jsonOrText(text)).toBe(text);
  });

  it.each([
    ['\ufeff{"a":1}', { a: 1 }],
    ['\ufeff42', 42],
    ['{"a":"it\'s, \\n] NaN ,}"}', { a: "it's, \n] NaN ,}" }],
    ['{"a":"\u00a0“x”\u007f\u0085"}', { a: '\u00a0“x”\u007f\u0085' }],
  ])('takes %j as JSON', (text, value) => {
    expect(jsonOrText(text)).toEqual(value);
  });

  it.each(['"\',\\', '\'",\\', ',  ', 'None ', '\u00a0', '[', '\\"'])(
    'looks through a long text once that only begins as JSON does: %j again and again',
    (part) => {
      const text = `{${part.repeat(250_000)}`;
      expect(jsonOrText(text)).toBe(text);
    },
  );
});
