import { UserError } from '../../../topology/core/errors';
import { readEnvironment, required } from '../../../topology/settings/environment';
import { parseTopologySettings, readTopologyFile } from '../../../topology/settings/topology-settings';

describe('readEnvironment', () => {
  it('takes the environment first and the fallback for what is missing', () => {
    const environment = readEnvironment(
      { KAFKA_BROKERS: 'localhost:1', CONNECT_URL: 'http://localhost:2' },
      { KAFKA_BROKERS: 'a:9092,b:9092', CONNECT_URL: '' },
    );
    expect(environment.KAFKA_BROKERS).toEqual(['a:9092', 'b:9092']);
    expect(environment.CONNECT_URL).toBe('http://localhost:2');
    expect(environment.WEBHOOK_ALLOW_PRIVATE_ADDRESSES).toBe(false);
  });

  it('names the variable and the value that is wrong', () => {
    expect(() => readEnvironment({}, { KAFKA_BROKERS: 'nowhere' })).toThrow(
      /KAFKA_BROKERS: expected host:port.*"nowhere"/,
    );
    expect(() => readEnvironment({}, { LOG_LEVEL: 'loud' })).toThrow(UserError);
  });

  it('takes names and addresses of brokers', () => {
    const brokers = 'kafka_a.internal-1:9092,10.0.0.1:65535,[fd00::1]:1';
    for (const name of ['KAFKA_BROKERS', 'CONNECT_KAFKA_BROKERS'] as const) {
      expect(String(readEnvironment({}, { [name]: brokers })[name])).toBe(brokers);
      expect(String(readEnvironment({}, { [name]: ' a:1 , b:2 ' })[name])).toBe('a:1,b:2');
    }
  });

  it.each([
    'SASL_SSL://a:9092',
    'kafka://a:9092',
    'a:9092?ssl=true',
    'a:9092/',
    'a:9092,kafka://b:9092',
    'me:hush@a:9092',
    'a:0',
    'a:65536',
    'fd00::1:9092',
    'a',
    'a:9092,',
  ])('refuses what it would otherwise connect to in the clear, or never: %s', (brokers) => {
    for (const name of ['KAFKA_BROKERS', 'CONNECT_KAFKA_BROKERS']) {
      const read = () => readEnvironment({}, { [name]: brokers });
      expect(read).toThrow(UserError);
      expect(read).toThrow(/expected host:port\[,host:port\] and nothing else: TLS is KAFKA_SSL=true/);
      expect(read).not.toThrow('hush');
    }
  });

  it('refuses a path of CONNECT_URL that may be the end of a password, and does not print it', () => {
    const environment = { CONNECT_URL: 'http://joe:1/hush@connect:8083' };
    expect(() => readEnvironment({}, environment)).toThrow(
      /CONNECT_URL: expected a URL without \? and #, and without @ in its path/,
    );
    expect(() => readEnvironment({}, environment)).not.toThrow('hush');
    expect(readEnvironment({}, { CONNECT_URL: 'http://joe:hush@connect:8083/at' }).CONNECT_URL).toContain('/at');
  });

  it('does not print what may hold a secret', () => {
    expect(() => readEnvironment({}, { DATABASE_URL: 'hunter2' })).toThrow(/DATABASE_URL/);
    expect(() => readEnvironment({}, { DATABASE_URL: 'hunter2' })).not.toThrow(/hunter2/);
  });

  it('takes networks by commas, and proxies in capital and small letters', () => {
    const environment = readEnvironment(
      {},
      {
        WEBHOOK_DENY_NETWORKS: '10.0.0.0/8, fd00::/8',
        HTTP_PROXY: 'http://a:1',
        http_proxy: 'http://b:1',
        no_proxy: 'c',
      },
    );
    expect(environment.WEBHOOK_DENY_NETWORKS).toEqual(['10.0.0.0/8', 'fd00::/8']);
    expect(environment).toMatchObject({ HTTP_PROXY: 'http://b:1', NO_PROXY: 'c' });
    expect(environment.HTTPS_PROXY).toBeUndefined();
  });

  it('takes a resolver as an address with or without a port', () => {
    for (const address of ['127.0.0.1:5353', '10.0.0.2', '[::1]:53']) {
      expect(readEnvironment({}, { DOWNSPOUT_RESOLVER: address }).DOWNSPOUT_RESOLVER).toBe(address);
    }
    expect(() => readEnvironment({}, { DOWNSPOUT_RESOLVER: 'dns.local' })).toThrow(/DOWNSPOUT_RESOLVER: .*"dns.local"/);
  });

  it('says how to get a setting that is missing', () => {
    expect(() => required(readEnvironment({}, {}), 'DATABASE_URL')).toThrow(
      /DATABASE_URL is not set. Run `downspout up`/,
    );
  });
});

const webhookOf = (text: string) =>
  parseTopologySettings(`components: { webhook: ${text} }`, 't.yaml').bolts['webhook'];

describe('topology settings', () => {
  it('reads the file that comes with the package', () => {
    // Providers are away for hours: a message is tried for a day, in the end once an hour.
    const patience = { giveUpAfterMs: 24 * 60 * 60 * 1_000, backOffMaxMs: 60 * 60 * 1_000 };
    expect(readTopologyFile().settings.bolts['webhook']).toMatchObject({ replicas: 2, partitions: 8, ...patience });
  });

  it('fills in defaults', () => {
    const settings = parseTopologySettings('components: { webhook: { replicas: 3 } }', 't.yaml');
    expect(settings.spout.leadMs).toBe(2_000);
    expect(settings.bolts['webhook']).toMatchObject({ replicas: 3, concurrency: 256 });
    const { giveUpAfterMs, backOffMaxMs } = readTopologyFile().settings.bolts['webhook'] ?? {};
    expect(settings.bolts['webhook']).toMatchObject({ giveUpAfterMs, backOffMaxMs });
  });

  it('takes times and sizes with their unit, and bare numbers as milliseconds and bytes', () => {
    expect(webhookOf('{ timeout: 1.5s, backOff: 250ms, backOffMax: 2h, maxHeldBytes: 64MiB }')).toMatchObject({
      timeoutMs: 1_500,
      backOffMs: 250,
      backOffMaxMs: 2 * 60 * 60 * 1_000,
      maxHeldBytes: 64 * 1_024 * 1_024,
    });
    expect(webhookOf('{ timeout: 1500, maxHeldBytes: 1000 }')).toMatchObject({ timeoutMs: 1_500, maxHeldBytes: 1_000 });
  });

  it('takes a component for any channel', () => {
    const { spout, bolts } = parseTopologySettings('components: { webhook: {}, second: { perOrigin: 3 } }', 't.yaml');
    expect(bolts['second']).toMatchObject({ perOrigin: 3, concurrency: 256 });
    expect(spout).not.toHaveProperty('concurrency');
  });

  it("takes the version of a provider's API, which YAML may read as a number", () => {
    for (const version of ['202611', '"202611"']) {
      expect(webhookOf(`{ apiVersion: ${version} }`)).toMatchObject({ apiVersion: '202611' });
    }
    expect(webhookOf('{}')?.apiVersion).toBeUndefined();
    expect(() => webhookOf('{ apiVersion: "1 or 2" }')).toThrow('expected a version, such as 202605');
  });

  it('takes how topics are kept, which are left to the brokers unless it is given', () => {
    const { topics } = parseTopologySettings(
      'components: {}\ntopics: { replicationFactor: 3, minInsyncReplicas: 2 }',
      't.yaml',
    );
    expect(topics).toEqual({ replicationFactor: 3, minInsyncReplicas: 2 });
    expect(parseTopologySettings('components: {}', 't.yaml').topics).toEqual({});
  });
});
