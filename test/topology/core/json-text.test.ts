import { UserError } from '../../../topology/core/errors';
import { hasMoreValues, memberOf, parseJson, readJson, showJson, writeJson } from '../../../topology/core/json-text';

describe('parseJson', () => {
  it.each([
    ['1524831183200260097', 1524831183200260097n],
    ['-9223372036854775808', -(2n ** 63n)],
    ['18446744073709551615', 2n ** 64n - 1n],
    ['9007199254740991', 9007199254740991],
    // 16 digits are the fewest that a number may lose.
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['9999999999999999', 9999999999999999n],
    ['999999999999999e5', 99999999999999900000n],
    // However an integer is written, a bigint says that no digit was lost.
    ['1e16', 10n ** 16n],
    ['-1E+16', -(10n ** 16n)],
    ['10000000000000000.0', 10n ** 16n],
    ['123456789012e9', 123456789012n * 10n ** 9n],
    ['9007199254740993.0', 9007199254740993n],
    ['9007199254740993e1', 90071992547409930n],
    ['184467440737095516.15e2', 2n ** 64n - 1n],
    ['1e20', 10n ** 20n],
    ['100000000000000000000', 10n ** 20n],
    ['999999999999999900000', 999999999999999900000n],
    ['1e21', 1e21],
    ['1e15', 1e15],
    ['9007199254740991e0', 9007199254740991],
    ['1e-7', 1e-7],
    ['0.30000000000000004', 0.30000000000000004],
    ['1234567890123456.0', 1234567890123456],
    ['1.10000000000000000000', 1.1],
    ['1e100', 1e100],
    ['5e-324', 5e-324],
    ['-0.000000000000000001', -1e-18],
    ['"18446744073709551616"', '18446744073709551616'],
  ])('%s is kept exactly', (text, value) => {
    expect(parseJson(text)).toBe(value);
    expect(parseJson(`{"a": [${text} , 1]}`)).toEqual({ a: [value, 1] });
  });

  it.each([
    '18446744073709551616',
    '-9223372036854775809',
    '3.14159265358979323846',
    '0.1234567890123456789',
    '1e400',
    '1e-400',
    '9007199254740993.5',
    '9007199254740993E10',
    '123456789012345678901',
    '18446744073709551.617e3',
  ])('%s is refused, because it cannot be kept', (text) => {
    expect(() => parseJson(`{"a":${text}}`)).toThrow(UserError);
    expect(() => parseJson(`{"a":${text}}`)).toThrow(`${text}: this number cannot be kept exactly`);
    expect(() => readJson(`{"a":${text}}`)).not.toThrow();
  });

  it.each(['1e16', '1e20', '10000000000000000.0', '999999999999999900000', '[1e3,-2.5e17]'])(
    'gives of %s what can be written again, and is worth the same there',
    (text) => {
      const written = writeJson(parseJson(text), 'payload');
      expect(JSON.parse(written)).toEqual(JSON.parse(text));
      expect(writeJson(readJson(written), 'payload')).toBe(written);
    },
  );

  it('reads everything else as JSON.parse does', () => {
    const texts = [
      '{"":{"__proto__":[1,{"b":null}],"é\\n\\"{[":"\\u00e9\\\\"},"big":12345678901234567, "x" : [ ] , "y":{ }}',
      '[true,false,null,"12345678901234567890",[],{},[[[]]],-1.5e-7]',
      ' "12345678901234567890" ',
      '{"a":12345678901234567,"a":2}',
    ];
    for (const text of texts) {
      const exact = parseJson(text);
      const asNumbers = JSON.stringify(exact, (_, value: unknown) =>
        typeof value === 'bigint' ? Number(value) : value,
      );
      expect(asNumbers).toBe(JSON.stringify(JSON.parse(text)));
    }
    expect(() => parseJson('{"a":12345678901234567890')).toThrow(SyntaxError);
  });

  it.each<[unknown, string]>([
    [{ toJSON: 1, id: 2 ** 53 }, 'payload.id: 9007199254740992 is beyond 2^53'],
    [
      { a: { toJSON: 'x' }, b: [{ toJSON: null, id: Number.POSITIVE_INFINITY }] },
      'payload.b[0].id: Infinity is no number',
    ],
    [{ at: { toJSON: () => ({ id: 2 ** 53 }) } }, 'payload.at.id: 9007199254740992 is beyond 2^53'],
  ])('checks what stands beside a member toJSON, and what such a function gives: %p', (value, message) => {
    expect(() => writeJson(value, 'payload')).toThrow(message);
  });

  it('writes what has a member toJSON', () => {
    expect(writeJson({ toJSON: 1, id: 2n ** 60n }, 'payload')).toBe('{"toJSON":1,"id":1152921504606846976}');
    expect(writeJson({ at: new Date(0), big: { toJSON: () => 2n ** 60n } }, 'payload')).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","big":1152921504606846976}',
    );
  });

  // Half a minute and more, if each zero were looked at from each one before it.
  it('looks once at each digit of a number that has as many as a payload may', () => {
    const zeros = '0'.repeat(1_000_000);
    expect(() => parseJson(`[1${zeros}1]`)).toThrow(/: this number cannot be kept exactly/);
    expect(() => parseJson(`[0.1${zeros}1]`)).toThrow(/: this number cannot be kept exactly/);
    expect(parseJson(`[0.1${zeros}]`)).toEqual([0.1]);
    expect(() => writeJson({ id: 10n ** 30_000n + 1n }, 'payload')).toThrow(/has more than 64 bits/);
  });

  it('shows the beginning only of the path to what it refuses', () => {
    const wrong = { ['a'.repeat(100_000)]: Number.NaN };
    expect(() => writeJson(wrong, 'payload')).toThrow(/^payload\.a{72}: NaN is no number of JSON$/);
  });

  it('refuses what is nested deeper than MySQL takes', () => {
    expect(parseJson(`${'['.repeat(100)}12345678901234567${']'.repeat(100)}`)).toBeDefined();
    expect(() => parseJson(`${'['.repeat(101)}12345678901234567${']'.repeat(101)}`)).toThrow(
      /nested deeper than 100 levels/,
    );
  });
});

describe('writeJson', () => {
  it('writes bigints as integers, and the rest as JSON.stringify does', () => {
    const rest = {
      a: [1, 'é"\n', undefined, null, { b: undefined, c: new Date(0) }],
      __proto__: { d: 1 },
      '': {},
      e: [],
    };
    expect(writeJson(rest, 'payload')).toBe(JSON.stringify(rest));
    expect(writeJson({ ...rest, n: 2n ** 64n - 1n }, 'payload')).toBe(
      `${JSON.stringify(rest).slice(0, -1)},"n":18446744073709551615}`,
    );
  });

  it.each<[unknown, string]>([
    [{ id: 2 ** 53 }, 'payload.id: 9007199254740992 is beyond 2^53'],
    [{ list: [0, { id: -1524831183200260000 }] }, 'payload.list[1].id: -1524831183200260000 is beyond 2^53'],
    [{ id: 2n ** 64n }, 'payload.id: 18446744073709551616 has more than 64 bits'],
    [{ id: Number.NaN }, 'payload.id: NaN is no number of JSON'],
    [{ id: Number.POSITIVE_INFINITY }, 'payload.id: Infinity is no number of JSON'],
    [{ at: new Date(Number.NaN) }, 'payload.at: a date that is none is no value of JSON'],
    [{ body: new Map([[1, 2]]) }, 'payload.body: an object of the class Map is no value of JSON'],
    [{ body: [new Set([1])] }, 'payload.body[0]: an object of the class Set is no value of JSON'],
    [{ body: Buffer.from('hello') }, 'payload.body: an object of the class Uint8Array is no value of JSON'],
    [{ body: new URLSearchParams('a=1') }, 'payload.body: an object of the class URLSearchParams is no value of JSON'],
    [{ body: Promise.resolve(1) }, 'payload.body: an object of the class Promise is no value of JSON'],
    [{ n: Object(2n ** 60n) }, 'payload.n: an object of the class BigInt is no value of JSON'],
    [{ n: Object(Number.NaN) }, 'payload.n: an object of the class Number is no value of JSON'],
    [{ s: Object('text') }, 'payload.s: an object of the class String is no value of JSON'],
    [{ body: () => 1 }, 'payload.body: a function is no value of JSON'],
    [{ body: Symbol('a') }, 'payload.body: a symbol is no value of JSON'],
  ])('refuses %p: %s', (value, message) => {
    expect(() => writeJson(value, 'payload')).toThrow(UserError);
    expect(() => writeJson(value, 'payload')).toThrow(message);
  });

  it('refuses what is nested deeper than MySQL takes, however deep', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 50_000; level++) deep = [deep];
    expect(() => writeJson(deep, 'payload')).toThrow(/nested deeper than 100 levels/);
  });

  it('is undone by readJson', () => {
    const value = { a: 2n ** 63n, b: [1.5, { c: -(2n ** 60n) }], d: 1e300 };
    expect(readJson(writeJson(value, 'payload'))).toEqual(value);
    expect(readJson(showJson(value))).toEqual(value);
    expect(showJson({ a: [1, { b: 'c' }], d: [], e: {} })).toBe(
      JSON.stringify({ a: [1, { b: 'c' }], d: [], e: {} }, null, 2),
    );
  });
});

function cut(text: string, name: string): string | undefined {
  const span = memberOf(text, name, 100);
  return span === undefined ? undefined : text.slice(span.from, span.to);
}

describe('memberOf', () => {
  it.each([
    ['{"a": 1, "body": {"x": [1.0, "}"], "y": "\\"]"} , "z": 2}', '{"x": [1.0, "}"], "y": "\\"]"}'],
    ['{"body":12345678901234567890}', '12345678901234567890'],
    ['{ "body" : "te\\\\\\"xt\\\\" }', '"te\\\\\\"xt\\\\"'],
    ['{"a":{"body":1},"b":["body",2]}', undefined],
    ['{"body":1,"body":[2]}', '[2]'],
    ['{"b\\u006fdy": null}', 'null'],
    ['{"body":[]}', '[]'],
    ['{}', undefined],
    ['{', undefined],
    ['"body"', undefined],
    ['{"body":"', '"'],
    ['{"body":[[', '[['],
  ])('of %s', (text, expected) => {
    expect(cut(text, 'body')).toBe(expected);
  });
});

test('memberOf looks at a number of members, whatever there are', () => {
  const many = `{${Array.from({ length: 50 }, (_, n) => `"k${n}":${n}`).join(',')},"body":1}`;
  expect(memberOf(many, 'body', 51)).toBeDefined();
  expect(memberOf(many, 'body', 50)).toBeUndefined();
});

test.each<[string, number]>([
  ['1', 0],
  ['"[{,"', 0],
  ['[]', 1],
  ['[[], {}, "a,\\",[", 1]', 6],
  ['{"a,": [1, 2], "b{": {"c": null}}', 5],
  [`[${Array.from({ length: 1_000 }, () => '[]').join(',')}]`, 2_000],
  [`{${Array.from({ length: 1_000 }, (_, n) => `"${n}": ""`).join(', ')}}`, 1_000],
])('hasMoreValues counts arrays, objects and their members, outside of texts: %#', (text, count) => {
  expect([hasMoreValues(text, count - 1), hasMoreValues(text, count)]).toEqual([true, false]);
});
