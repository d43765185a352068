import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connectConnectionOf,
  historySecurityOf,
  kafkaSecurityOf,
  operatorUrl,
} from '../../../topology/settings/connections';
import { readEnvironment } from '../../../topology/settings/environment';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-connections-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const of = (variables: Readonly<Record<string, string>>) => readEnvironment({}, variables);
function file(name: string, text: string | Buffer): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const passwordIn = (bytes: Buffer) =>
  kafkaSecurityOf(
    of({
      KAFKA_SSL: 'true',
      KAFKA_SASL_MECHANISM: 'scram-sha-256',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD_FILE: file('encoded', bytes),
    }),
  ).sasl?.password;

describe('the connection to Kafka', () => {
  it('takes a password from a file as other programs write it, and none of which bytes are lost', () => {
    expect(passwordIn(Buffer.from('\ufeffgrün\r\n', 'utf16le'))).toBe('grün');
    expect(passwordIn(Buffer.from('\ufeffgrün\n'))).toBe('grün');
    expect(() => passwordIn(Buffer.from('gr\xfcn', 'latin1'))).toThrow(
      /^KAFKA_SASL_PASSWORD_FILE: line 1 has bytes that are not UTF-8/,
    );
  });

  it('is neither encrypted nor authenticated unless the environment says so', () => {
    expect(kafkaSecurityOf(of({}))).toEqual({});
    expect(kafkaSecurityOf(of({ KAFKA_SSL: 'true' }))).toEqual({ tls: {} });
  });

  it('takes certificates, keys and passwords from files', () => {
    const security = kafkaSecurityOf(
      of({
        KAFKA_SSL: 'true',
        KAFKA_SSL_CA_FILE: file('ca.pem', 'CA'),
        KAFKA_SSL_CERT_FILE: file('cert.pem', 'CERT'),
        KAFKA_SSL_KEY_FILE: file('key.pem', 'KEY'),
        KAFKA_SASL_MECHANISM: 'scram-sha-256',
        KAFKA_SASL_USERNAME: 'u',
        KAFKA_SASL_PASSWORD_FILE: file('password', 'hush\n'),
      }),
    );
    const sasl = { mechanism: 'scram-sha-256', username: 'u', password: 'hush' };
    expect(security).toEqual({ tls: { ca: 'CA', cert: 'CERT', key: 'KEY' }, sasl });
  });

  it.each([
    [{ KAFKA_SSL_CA_FILE: '/nowhere/ca.pem' }, /^KAFKA_SSL_CA_FILE: .*ENOENT.*must be able to read/],
    [{ KAFKA_SSL: 'true', KAFKA_SSL_CERT_FILE: '@a' }, /KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE belong together/],
    [{ KAFKA_SSL_CA_FILE: '@a' }, /KAFKA_SSL is not true, but/],
    [
      { KAFKA_SASL_USERNAME: 'u' },
      /KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD .* belong together/,
    ],
  ])('is refused when it is only half given: %j', (variables, reason) => {
    const path = file('a', 'x');
    const given = Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [name, value === '@a' ? path : value]),
    );
    expect(() => kafkaSecurityOf(of(given))).toThrow(reason);
  });

  it('is Debezium’s too, with a user of its own where one is named', () => {
    const shared = {
      KAFKA_SSL: 'true',
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_SASL_USERNAME: 'operator',
      KAFKA_SASL_PASSWORD: 'hush',
    };
    expect(historySecurityOf(of(shared))).toEqual(kafkaSecurityOf(of(shared)));
    const own = of({ ...shared, CONNECT_KAFKA_USERNAME: 'cdc', CONNECT_KAFKA_PASSWORD_REFERENCE: '${env:X}' });
    const sasl = { mechanism: 'scram-sha-512', username: 'cdc', password: '${env:X}' };
    expect(historySecurityOf(own)).toEqual({ tls: {}, sasl });
    expect(() => historySecurityOf(of({ ...shared, CONNECT_KAFKA_USERNAME: 'cdc' }))).toThrow(
      'CONNECT_KAFKA_USERNAME needs CONNECT_KAFKA_PASSWORD',
    );
  });

  it('is refused by the name of the variable, and its password is shown nowhere', () => {
    expect(() => of({ KAFKA_SASL_MECHANISM: 'md5' })).toThrow(/KAFKA_SASL_MECHANISM: .*"md5"/);
  });
});

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('the connection to Connect', () => {
  it('takes user and password from the URL or from variables, which count first', () => {
    const url = 'https://ann:p%40ss@connect:8083/base';
    expect(connectConnectionOf(of({ CONNECT_URL: url }))).toEqual({
      url: 'https://connect:8083/base',
      authorization: basic('ann:p@ss'),
    });
    const own = { CONNECT_USERNAME: 'bob', CONNECT_PASSWORD_FILE: file('p', 'q\n'), CONNECT_CA_FILE: file('c', 'CA') };
    expect(connectConnectionOf(of({ CONNECT_URL: url, ...own }))).toEqual({
      url: 'https://connect:8083/base',
      authorization: basic('bob:q'),
      ca: 'CA',
    });
  });

  it('may have a % in its credentials that begins no escape', () => {
    expect(connectConnectionOf(of({ CONNECT_URL: 'http://100%:100%off@connect:8083' }))).toMatchObject({
      authorization: basic('100%:100%off'),
    });
  });

  it.each(['http://connect:8083/?ssl=true', 'http://connect:8083/#hush', 'http://u:12?hush@connect:8083'])(
    'is refused with what would be dropped, or put before our paths: %s',
    (url) => {
      expect(() => of({ CONNECT_URL: url })).toThrow(
        /^CONNECT_URL: expected a URL without \? and #, and without @ in its path: TLS is https/,
      );
      expect(() => of({ CONNECT_URL: url })).not.toThrow('hush');
    },
  );

  it('need not be there', () => {
    expect(connectConnectionOf(of({}))).toBeUndefined();
    expect(connectConnectionOf(of({ CONNECT_URL: 'http://connect:8083' }))).toEqual({ url: 'http://connect:8083/' });
  });
});

test('operators are the workers’ user unless they have their own', () => {
  const [worker, own] = ['mysql://w:x@db/d', 'mysql://o:x@db/d'];
  expect(operatorUrl(of({ WORKER_DATABASE_URL: worker }))).toBe(worker);
  expect(operatorUrl(of({ WORKER_DATABASE_URL: worker, OPERATOR_DATABASE_URL: own }))).toBe(own);
  expect(() => operatorUrl(of({}))).toThrow('WORKER_DATABASE_URL is not set');
});
