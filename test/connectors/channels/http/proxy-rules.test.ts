import { ProxyRules } from '../../../../connectors/channels/http/proxy-rules';
import { UserError } from '../../../../topology/core/errors';

const proxies = { https: 'http://secure.proxy:3128', http: 'http://plain.proxy:3128' };
const through = (no: string, origin: string) => new ProxyRules({ ...proxies, no }).proxyFor(origin)?.hostname;

test('each scheme has its proxy, and without one requests go directly', () => {
  expect(through('', 'https://example.com')).toBe('secure.proxy');
  expect(through('', 'http://example.com:8080')).toBe('plain.proxy');
  expect(new ProxyRules({ https: proxies.https }).proxyFor('http://example.com')).toBeUndefined();
  expect(new ProxyRules({}).proxyFor('https://example.com')).toBeUndefined();
});

test('a proxy may be named without its scheme', () => {
  expect(new ProxyRules({ http: 'plain.proxy:3128' }).proxyFor('http://example.com')?.host).toBe('plain.proxy:3128');
});

test.each(['http://127.0.0.1', 'http://127.9.9.9:80', 'http://localhost:1', 'https://app.localhost', 'http://[::1]'])(
  '%s is this machine, and never asked of a proxy',
  (origin) => {
    expect(through('', origin)).toBeUndefined();
  },
);

test.each([
  ['*', 'https://example.com'],
  ['example.com', 'https://example.com'],
  ['example.com', 'https://api.example.com'],
  ['.example.com', 'https://api.example.com'],
  ['*.example.com', 'https://api.example.com'],
  [' other.test , EXAMPLE.com ', 'https://example.com'],
  ['example.com:8443', 'https://example.com:8443'],
  ['example.com:443', 'https://example.com'],
  ['10.0.0.0/8', 'http://10.1.2.3'],
  ['10.1.2.3', 'http://10.1.2.3:8080'],
  ['fd00::/8', 'http://[fd00::1]'],
  ['localhost 10.0.0.0/8', 'http://10.1.2.3'],
  ['a.test\tb.test,\nc.test', 'http://b.test'],
  ['10.1.2.3:8080', 'http://10.1.2.3:8080'],
  ['10.0.0.0/8:443', 'https://10.1.2.3'],
  ['[fd00::1]', 'http://[fd00::1]'],
  ['[FD00::1]:8080', 'http://[fd00::1]:8080'],
  ['[fd00::]/8', 'http://[fd00::1]'],
  ['fd00:0:0::1', 'http://[fd00::1]'],
  ['EXAMPLE.com.', 'http://example.com'],
  ['example.com.:443', 'https://example.com.'],
  ['10.1.2.3.', 'http://10.1.2.3'],
  ['10.*', 'http://10.1.2.3'],
  ['*example.com', 'http://api.example.com'],
  ['http://example.com/', 'https://example.com'],
  ['bücher.test', 'https://bücher.test'],
])('NO_PROXY=%s excepts %s', (no, origin) => {
  expect(through(no, origin)).toBeUndefined();
});

test.each([
  ['example.com', 'https://notexample.com'],
  ['api.example.com', 'https://example.com'],
  ['example.com:8443', 'https://example.com'],
  ['10.0.0.0/8', 'http://11.0.0.1'],
  ['10.0.0.0/99', 'http://10.0.0.1'],
  ['10.0.0.0/8', 'http://10.example.com'],
  [',,', 'https://example.com'],
  ['10.1.2.3:8080', 'http://10.1.2.3'],
  ['[fd00::1]:8080', 'http://[fd00::1]'],
  ['10.*', 'http://10.example.com'],
  ['10.*', 'http://110.1.2.3'],
  ['.', 'https://example.com'],
  ['[', 'https://example.com'],
  ['(a+)+', 'https://aaaa'],
])('NO_PROXY=%s does not except %s', (no, origin) => {
  expect(through(no, origin)).toBeDefined();
});

test.each([
  'socks5://user:hush@proxy:1080',
  'http://',
  'not a proxy',
  'http://proxy:3128/?password=hush',
  // A # in a password ends what comes before it.
  'http://user:12#hush@proxy:3128',
])('%s is refused and not shown', (https) => {
  const make = () => new ProxyRules({ https });
  expect(make).toThrow(UserError);
  expect(make).toThrow(/^HTTPS_PROXY: expected http:\/\/host:port/);
  expect(make).not.toThrow(/hush/);
});
