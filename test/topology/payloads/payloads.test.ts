import { type ChannelName, parsePayload, payloadFields, payloads } from '../../../topology/payloads/payloads';

const reason = (value: unknown) => {
  const result = parsePayload('webhook', value);
  return result.ok ? 'ok' : result.reason;
};

describe('the webhook payload', () => {
  it('takes a URL and any body', () => {
    expect(reason({ url: 'https://example.com/hook', body: { text: 'hi 🚀' } })).toBe('ok');
    expect(reason({ url: 'http://127.0.0.1:1/x', method: 'PUT', headers: { 'X-Tag': 'a' }, body: 'text' })).toBe('ok');
  });

  it.each([
    [{ body: 1 }, /payload\.url/],
    [{ url: 'ftp://example.com', body: 1 }, /payload\.url: expected an http or https URL/],
    [{ url: 'https://u:p@example.com', body: 1 }, /payload\.url: credentials/],
    [{ url: 'https://example.com', method: 'TRACE', body: 1 }, /payload\.method/],
    [{ url: 'https://example.com', headers: { 'a b': 'x' }, body: 1 }, /payload\.headers/],
    [{ url: 'https://example.com', headers: { a: 'x\r\ny' }, body: 1 }, /payload\.headers\.a/],
    [{ url: 'https://example.com', body: 1, extra: 1 }, /extra/],
    ['text', /payload: /],
    [null, /payload: /],
  ])('refuses %j and names the field', (value, message) => {
    expect(reason(value)).toMatch(message);
  });
});

const named = (count: number, value: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-${String(n).padStart(3, '0')}`, value]));
test.each(['a,b.test', "a'b.test", 'a(b).test', 'a~b.test', 'a=b;c.test', 'a$b.test'])(
  'a host that no resolver can be asked for is refused: %s',
  (host) => {
    expect(reason({ url: `https://${host}/` })).toBe(
      'payload.url: expected a host of letters, digits, hyphens and underscores',
    );
  },
);

test.each(['a_b.test', 'xn--e1afmkfd.test', 'пример.рф', '[2001:db8::1]:8443', '203.0.113.7', 'a-b.test.'])(
  'a host is taken: %s',
  (host) => {
    expect(reason({ url: `https://${host}/` })).toBe('ok');
  },
);

const headers = (value: unknown) => reason({ url: 'https://example.com', headers: value });

describe('headers', () => {
  it('are at most 64, and 16 KiB together', () => {
    expect(headers(named(64, 'v'))).toBe('ok');
    expect(headers(named(65, 'v'))).toMatch(/^payload\.headers: expected at most 64 headers/);
    expect(headers({ a: 'v'.repeat(16 * 1024 - 1) })).toBe('ok');
    expect(headers({ a: 'v'.repeat(16 * 1024) })).toMatch(/^payload\.headers: expected at most .* 16384 bytes/);
  });

  it('or a method that are null are not given', () => {
    expect(reason({ url: 'https://example.com', headers: null, method: null, body: null })).toBe('ok');
  });

  it('that Downspout sets itself, or that are given twice, are refused', () => {
    expect(headers({ 'Webhook-Id': 'mine' })).toBe(
      'payload.headers.Webhook-Id: this header is set by Downspout and cannot be given',
    );
    expect(headers({ 'Proxy-Authorization': 'Basic x' })).toMatch(
      /^payload\.headers\.Proxy-Authorization: this header/,
    );
    expect(headers({ 'a b': 'x' })).toBe('payload.headers.a b: not a header name');
    expect(headers(JSON.parse('{"a":"x","__proto__":"y"}'))).toBe('payload.headers: __proto__: not a name');
    expect(headers({ 'X-Tag': 'a', 'x-tag': 'b' })).toMatch(/^payload\.headers: a header is given twice/);
  });

  it('that are no object of texts are named', () => {
    expect(headers({ a: 1 })).toMatch(/^payload\.headers\.a: /);
    expect(headers('a: b')).toMatch(/^payload\.headers: /);
    expect(headers(null)).toBe('ok');
  });

  it('and other fields that are wrong in great number make one short line', () => {
    const wrong = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`field${n}`, 1]));
    expect(reason({ url: 'https://example.com', ...wrong }).length).toBeLessThanOrEqual(501);
  });
});

describe('the fields of a payload', () => {
  it('are those of the schema, and say how a command line takes them', () => {
    const webhook = payloadFields(payloads.webhook);
    expect(webhook.map(({ name, option, takes, required }) => [name, option, takes, required])).toEqual([
      ['url', 'url', 'text', true],
      ['method', 'method', 'text', false],
      ['headers', 'header', 'entry', false],
      ['body', 'body', 'json', false],
    ]);
  });

  it.each(Object.keys(payloads) as ChannelName[])('of %s are all described', (channel) => {
    const described = payloadFields(payloads[channel]);
    expect(described.map(({ name }) => name)).toEqual(Object.keys(payloads[channel].shape));
    for (const { description, placeholder } of described) expect([description, placeholder]).not.toContain('');
  });
});

test.each([
  ['telegram', 'text', { chat: '@shop', text: '](', parseMode: 'MarkdownV2' }],
  ['mastodon', 'text', { text: '@a' }],
  ['mastodon', 'spoiler', { text: 'a', spoiler: '👍' }],
  ['discord', 'text', { channelId: '155101607195836416', text: '👍' }],
  ['linkedin', 'text', { text: '#a' }],
  ['bluesky', 'text', { text: '#a' }],
  ['x', 'text', { text: '#a' }],
  ['facebook', 'text', { text: 'a' }],
  ['email', 'subject', { to: 'ann@example.com', subject: 'a', text: 'a' }],
  ['threads', 'text', { text: '👍' }],
  ['slack', 'text', { conversation: 'C0123456789', text: 'a' }],
] as const)('a payload of %s whose %s is longer than any is not counted', (channel, field, payload) => {
  const { [field]: short = '' }: { [Field in typeof field]?: string } = payload;
  const { issues = [] } = payloads[channel].safeParse({ ...payload, [field]: short.repeat(500_000) }).error ?? {};
  expect(issues).toEqual([expect.objectContaining({ code: 'too_big', path: [field] })]);
});
