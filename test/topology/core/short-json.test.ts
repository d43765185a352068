import { shortJson } from '../../../topology/core/short-json';

test.each<[unknown, string]>([
  ['a"b', '"a\\"b"'],
  [12.5, '12.5'],
  [2n ** 64n, '18446744073709551616'],
  [null, 'null'],
  [undefined, 'undefined'],
  [() => 1, 'function'],
  [{ a: [1, { b: 'c' }], d: [], e: {}, f: undefined }, '{"a":[1,{"b":"c"}],"d":[],"e":{}}'],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  [{ toJSON: 1 }, '{"toJSON":1}'],
])('%p is shown as %s', (value, text) => {
  expect(shortJson(value)).toBe(text);
});

test('of anything longer the beginning is shown, with dots', () => {
  expect(shortJson('x'.repeat(10_000_000))).toBe(`"${'x'.repeat(79)}…`);
  expect(shortJson([1, 2, 3], 3)).toBe('[1,…');
  expect(shortJson(2n ** 1_000_000n)).toBe('an integer of more than 256 bits');
});

test('what is nested deep, in itself or without an end is shown too', () => {
  let deep: unknown = 1;
  for (let level = 0; level < 50_000; level++) deep = [deep];
  expect(shortJson(deep)).toBe(`${'['.repeat(80)}…`);
  const circle: Record<string, unknown> = {};
  circle['a'] = circle;
  expect(shortJson(circle, 10)).toBe('{"a":{"a":…');
  const endless = { toJSON: () => endless };
  expect(shortJson(endless)).toBe('…');
});

test('what is not shown is not looked at', () => {
  let looks = 0;
  const list = new Proxy(
    Array.from({ length: 100_000 }, () => 1),
    {
      get: (target, name, self) => {
        looks++;
        return Reflect.get(target, name, self);
      },
    },
  );
  expect(shortJson(list)).toBe(`[${'1,'.repeat(39)}1…`);
  expect(looks).toBeLessThan(200);
});
