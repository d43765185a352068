import { parseRequest } from '../../../../connectors/channels/webhook/webhook-request';
import { BadRecord } from '../../../../topology/core/errors';
import { showJson } from '../../../../topology/core/json-text';

const parse = (payload: unknown) => parseRequest('shop', JSON.stringify(payload));
const valid = { url: 'https://example.com/hook', body: {} };

test('a payload becomes a request', () => {
  expect(parse({ url: 'https://Example.com:443/a%20b?c=d#e', headers: { 'X-A': '1' }, body: [1] })).toEqual({
    account: 'shop',
    origin: 'https://example.com',
    hostname: 'example.com',
    path: '/a%20b?c=d',
    method: 'POST',
    headers: ['x-a', '1', 'content-type', 'application/json', 'user-agent', 'downspout'],
    body: Buffer.from('[1]'),
  });
});

test('a payload without a body becomes a request without one', () => {
  const { body, headers } = parse({ url: 'https://example.com/' });
  expect(body).toHaveLength(0);
  expect(headers).toEqual(['user-agent', 'downspout']);
});

test.each([
  'Host',
  'content-length',
  'Transfer-Encoding',
  'connection',
  'Keep-Alive',
  'Upgrade',
  'expect',
  'Proxy-Authorization',
  'webhook-id',
  'Webhook-Signature',
  'webhook-anything',
  'Idempotency-Key',
])('the header %s cannot be given', (name) => {
  const attempt = () => parse({ ...valid, headers: { [name]: 'x' } });
  expect(attempt).toThrow(BadRecord);
  expect(attempt).toThrow(`payload.headers.${name}`);
});

const bodyOf = (body: string) => String(parseRequest('shop', `{"url": "https://example.com", "body": ${body}}`).body);

test.each([
  [
    'integers of 64 bits',
    '{"in_reply_to": 1790000000000000123, "order": 18446744073709551615, "least": -9223372036854775808}',
  ],
  ['doubles as they are written', '{"price": 10.0, "rate": 1.10, "tiny": 5e-324, "large": 1e300}'],
  ['the order of keys, and what looks like an end', '{"b": "}],\\"", "a": [{"body": 1}], "é": "\\u00e9"}'],
  ['blanks and escapes within strings', '{"a b": " \\" : , \\\\", "tab\\t": ["  ", "\\\\\\" "]}'],
  ['null', 'null'],
  ['a number', '12345678901234567890'],
])('a body that is given as JSON leaves as MySQL writes it, without blanks between tokens: %s', (_, body) => {
  const left = bodyOf(body);
  // None of these strings has such a blank within it.
  expect(left).toBe(body.replaceAll('": ', '":').replaceAll(', "', ',"'));
  expect(JSON.parse(left)).toEqual(JSON.parse(body));
});

test('an object that JSON.stringify wrote arrives as it wrote it', () => {
  const given = { text: 'new', list: [1, null, true, { deep: ' "quoted", and: more ' }], path: 'C:\\' };
  const kept = showJson(given, '\n');
  expect(bodyOf(kept)).toBe(JSON.stringify(given));
});

test('a body that is given as a text leaves byte for byte, JSON or not, without a type of its own', () => {
  const signed = '{"user_points": 70, "id": 5, "max": 1.0, "tags": ["é", "\\u00e9"]}';
  const { body, headers } = parse({ url: 'https://example.com', body: signed });
  expect(body.toString()).toBe(signed);
  expect(headers).toEqual(['user-agent', 'downspout']);
});

function typesOf(payload: object): readonly (string | undefined)[] {
  const { headers } = parse({ url: 'https://example.com', ...payload });
  return headers.filter((_, at) => headers[at - 1] === 'content-type');
}

test('what is JSON says so, unless the payload says otherwise', () => {
  expect(typesOf({ body: null })).toEqual(['application/json']);
  expect(typesOf({ body: 1, headers: { 'Content-Type': 'application/cloudevents+json' } })).toEqual([
    'application/cloudevents+json',
  ]);
  expect(typesOf({ body: 'text' })).toEqual([]);
  expect(typesOf({})).toEqual([]);
});

test('a method or headers that are null are not given', () => {
  expect(parse({ ...valid, method: null, headers: null })).toMatchObject({ method: 'POST' });
});

test('a payload that is too large as MySQL writes it is a bad record', () => {
  const largest = JSON.stringify({ ...valid, body: Array.from({ length: 524_250 }, () => 1) });
  const asMySqlWritesIt = largest.replaceAll(',', ', ').replaceAll('":', '": ');
  expect(largest.length).toBeLessThanOrEqual(1024 ** 2);
  expect(parseRequest('shop', asMySqlWritesIt).origin).toBe('https://example.com');
  expect(() => parseRequest('shop', asMySqlWritesIt + ' '.repeat(1000))).toThrow(
    new BadRecord('payload: expected at most 1572864 bytes, got 1573795'),
  );
});

test('a payload of very many or very long fields is refused before it is read', () => {
  const read = jest.spyOn(JSON, 'parse');
  const many = JSON.stringify({
    ...valid,
    ...Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`f${n}`, 1])),
  });
  const long = JSON.stringify({ ...valid, headers: { 'x-long': 'v'.repeat(100_000) } });
  for (const text of [many, long]) {
    expect(() => parseRequest('shop', text)).toThrow(
      /^payload: expected at most 65536 characters beside the body, got \d+$/,
    );
  }
  expect(read).not.toHaveBeenCalled();
  read.mockRestore();
  expect(parseRequest('shop', JSON.stringify({ ...valid, body: 'x'.repeat(100_000) })).body).toHaveLength(100_000);
});

test.each([
  ['not JSON', '{', 'payload: not JSON'],
  ['no url', JSON.stringify({ body: 1 }), 'payload.url'],
  ['another scheme', JSON.stringify({ url: 'ftp://example.com', body: 1 }), 'payload.url'],
  ['credentials', JSON.stringify({ url: 'https://a:b@example.com', body: 1 }), 'credentials'],
  ['a header that breaks out', JSON.stringify({ ...valid, headers: { a: 'b\r\nc: d' } }), 'payload.headers.a'],
  ['a method that is none', JSON.stringify({ ...valid, method: 'CONNECT' }), 'payload.method'],
])('%s is a bad record that names its field', (_, text, field) => {
  expect(() => parseRequest('shop', text)).toThrow(BadRecord);
  expect(() => parseRequest('shop', text)).toThrow(field);
});
