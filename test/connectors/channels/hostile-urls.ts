/**
 * What becomes of a URL that leads where nobody outside may go: refused when the message is `scheduled`, `rejected` when it is to
 * be sent, or tried again for a while (`retry`) because the resolver may be mistaken.
 */
type Fate = 'scheduled' | 'rejected' | 'retry';

/** What the name server of the test says; all other names do not exist. */
export const hostileNames = {
  'inside.test': ['10.1.2.3'],
  'metadata.test': ['169.254.169.254'],
  'several.test': ['10.0.0.1', '192.168.0.1', '127.0.0.1'],
  'alias.test': { cname: 'inside.test' },
  'alias-of-alias.test': { cname: 'alias.test' },
  'zero.test': ['0.0.0.0'],
  'nowhere.test': [],
  // A proxy reaches it; nothing else here may.
  'good.test': ['8.8.8.8'],
} as const;

/** Of IPv4, in every notation that a URL takes. */
const numbers = [
  '127.0.0.1',
  '127.255.255.254',
  '2130706433',
  '017700000001',
  '0x7f000001',
  '0177.0.0.1',
  '0x7f.0.0.1',
  '0x7F.1',
  '127.1',
  '127.0.1',
  '127.0.0.0x1',
  '127.0.0.1.',
  // Azure's host, which every virtual machine there can reach.
  '168.63.129.16',
  '0',
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '0300.0250.0.1',
  '100.64.0.1',
  '100.100.100.200',
  '169.254.169.254',
  '169.254.170.2',
  '2852039166',
  '0xa9fea9fe',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
];

const written = [
  '１２７.0.0.1',
  '127。0。0。1',
  '127．0．0．1',
  '①②⑦.⓪.⓪.①',
  '%31%32%37.0.0.1',
  '127%2e0%2e0%2e1',
  '127.0\n.0.1',
  '127.0.0.1\t',
  '127.0.0.1\r\n',
  '/127.0.0.1',
  '127.0.0.1#@good.test',
  '127.0.0.1?@good.test',
  '127.0.0.1\\@good.test',
  '127.0.0.1:22',
  '127.0.0.1:65535',
];

const sixes = [
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::FFFF:a9fe:a9fe]',
  '[::127.0.0.1]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b::a9fe:a9fe]',
  '[64:ff9b::8.8.8.8]',
  '[64:ff9b:1::10.0.0.1]',
  '[2002:7f00:1::]',
  '[2002:808:808::]',
  '[2001:0:808:808::80ff:fffe]',
  '[fe80::1]',
  '[febf::1]',
  '[fec0::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fd20:ce::254]',
  '[ff02::1]',
  '[ff0e::1]',
  '[100::1]',
  '[2001:db8::1]',
  '[3fff::1]',
  '[2001:2::1]',
  '[2001:10::1]',
  '[2001:20::1]',
  '[5f00::1]',
  '[::ffff:168.63.129.16]',
  // Outside 2000::/3, where nothing is given out.
  '[4000::1]',
  '[a000::1]',
  '[1::1]',
];

const ownNames = [
  'localhost',
  'LOCALHOST',
  'localhost.',
  'app.localhost',
  'local%68ost',
  'ⓛocalhost',
  'localhost:6379',
];

const resolved = Object.keys(hostileNames).filter((name) => name !== 'good.test');

/** What is no URL that a worker could ask for. */
const never = [
  'http://a@127.0.0.1/',
  'http://a:b@127.0.0.1/',
  'http://:b@127.0.0.1/',
  'http://good.test@127.0.0.1/',
  'http://127.0.0.1:0/',
  'http://127.0.0.1:65536/',
  'http://127.0.0.1:-1/',
  'http://256.0.0.1/',
  'http://4294967296/',
  'http://127.0.0.1%00.test/',
  'http://127.0.0.1../',
  'http://./',
  'http://a..test/',
  'http://',
  'http://?',
  'http://#',
  'http://[::1',
  'http://[::1].test/',
  'http://[fe80::1%25eth0]/',
  'http://[fe80::1%eth0]/',
  'http://[::ffff:127.0.0.256]/',
  'http://exa mple/',
  `http://${'a'.repeat(64)}.test/`,
  `http://${'a.'.repeat(130)}test/`,
  '//127.0.0.1/',
  'http:127.0.0.1/',
  'http:/127.0.0.1/',
  'http:\\\\127.0.0.1/',
  'ht\ntp://127.0.0.1/',
  '\u0000http://127.0.0.1/',
  'http://127.0.0.1\u0000',
  'http://127.0.0.1/\u0000',
  'http://127.0.0.1/\u0085',
  'file:///etc/passwd',
  'FILE:///etc/passwd',
  'gopher://127.0.0.1:6379/_INFO',
  'ftp://127.0.0.1/',
  'dict://127.0.0.1:11211/stats',
  'data:image/png;base64,AAAA',
  'javascript:alert(1)',
  'unix:/var/run/docker.sock',
  'http+unix://%2Fvar%2Frun%2Fdocker.sock/',
  'ws://127.0.0.1/',
];

const at = (hosts: readonly string[], fate: Fate) => hosts.map((host) => [`http://${host}/`, fate] as const);

export const hostileUrls: readonly (readonly [url: string, fate: Fate])[] = [
  ...at([...numbers, ...written, ...sixes, ...ownNames], 'rejected'),
  ['HTTP://127.0.0.1/', 'rejected'],
  ['hTtPs://LocalHost/', 'rejected'],
  ['https://169.254.169.254/latest/meta-data/', 'rejected'],
  ...at(resolved, 'retry'),
  ['http://INSIDE.test./', 'retry'],
  // The address that a reader sees is a part of the path.
  ['http://nowhere.test\\@127.0.0.1/', 'retry'],
  ...never.map((url) => [url, 'scheduled'] as const),
];
