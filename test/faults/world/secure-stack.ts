import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../deploy/stack/host/commands';
import { NativeStack } from '../../../deploy/stack/native-stack';
import { ConnectPart } from '../../../deploy/stack/parts/connect-part';
import { KafkaPart, kafkaJars } from '../../../deploy/stack/parts/kafka-part';
import { MySqlPart } from '../../../deploy/stack/parts/mysql-part';
import type { Part, PartContext } from '../../../deploy/stack/parts/part';
import { systemClock } from '../../../topology/core/clock';
import { packageRoot } from '../../../topology/settings/package';
import { testStackVariables } from '../../support/stack/shared-stack';

const folder = join(packageRoot(), '.downspout', 'secure');
const file = (name: string) => join(folder, name);

export const kafkaUser = { username: 'downspout', password: 'the password of "Kafka"' };
export const connectUser = { username: 'operator', password: 'the-password-of-Connect' };
const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required';

/**
 * A stack in which nothing listens in the clear: Kafka takes SASL over TLS, Connect
 * takes a user and a password over TLS. Its own authority signed all certificates.
 */
export class SecureStack {
  private constructor(
    private readonly stack: NativeStack,
    /** What the environment of workers and verbs says. */
    readonly settings: Readonly<Record<string, string>>,
  ) {}

  static async start(): Promise<SecureStack> {
    mkdirSync(folder, { recursive: true });
    await certificates();
    const stack = new NativeStack({ folder, clock: systemClock, variables: testStackVariables(), parts: partsOf });
    await stack.down(true, () => undefined);
    const settings = await stack.up(() => undefined);
    const cdc = new URL(settings['CDC_DATABASE_URL'] as string);
    writeFileSync(file('connect/cdc.properties'), `password=${decodeURIComponent(cdc.password)}\n`);
    cdc.searchParams.set('ssl-mode', 'REQUIRED');
    return new SecureStack(stack, {
      ...settings,
      CDC_DATABASE_URL: cdc.href,
      CDC_PASSWORD_REFERENCE: `\${file:${file('connect/cdc.properties')}:password}`,
      KAFKA_SSL: 'true',
      KAFKA_SSL_CA_FILE: file('ca.pem'),
      KAFKA_SSL_CERT_FILE: file('client.pem'),
      KAFKA_SSL_KEY_FILE: file('client.key'),
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: kafkaUser.username,
      KAFKA_SASL_PASSWORD: kafkaUser.password,
      CONNECT_URL: (settings['CONNECT_URL'] as string).replace('http:', 'https:'),
      CONNECT_CA_FILE: file('ca.pem'),
      CONNECT_USERNAME: connectUser.username,
      CONNECT_PASSWORD: connectUser.password,
    });
  }

  async stop(): Promise<void> {
    await this.stack.down(false, () => undefined);
  }
}

function partsOf(context: PartContext): Part[] {
  const jars = kafkaJars(context);
  return [new MySqlPart(context, 'mysql'), secureKafka(context), secureConnect(context)];

  function secureKafka({ ports }: PartContext): Part {
    const part = new KafkaPart(context, jars);
    const { prepare } = part;
    return Object.assign(part, {
      prepare: async () => {
        const program = await prepare();
        const properties = file('kafka/server.properties');
        const jaas = `${PLAIN} username=${quoted(kafkaUser.username)} password=${quoted(kafkaUser.password)} user_${kafkaUser.username}=${quoted(kafkaUser.password)};`;
        const own = {
          'listener.security.protocol.map': 'HOST:SASL_SSL,STACK:SASL_SSL,CONTROLLER:PLAINTEXT',
          'sasl.enabled.mechanisms': 'PLAIN',
          'sasl.mechanism.inter.broker.protocol': 'PLAIN',
          'listener.name.host.plain.sasl.jaas.config': jaas,
          'listener.name.stack.plain.sasl.jaas.config': jaas,
          ...pemStores('server'),
        };
        rewrite(properties, own);
        return { ...program, configuration: `${program.configuration}${String(ports['kafka'])}` };
      },
    });
  }

  function secureConnect({ ports }: PartContext): Part {
    const part = new ConnectPart(context, jars);
    const { fetch, prepare } = part;
    let extension = '';
    return Object.assign(part, {
      fetch: async (onFetch: () => void) => {
        await fetch(onFetch);
        const { version } = await jars(onFetch);
        const artifact = `org.apache.kafka:connect-basic-auth-extension:${version}`;
        const fill = (into: string) =>
          run('mvn', [
            '--quiet',
            '--batch-mode',
            'dependency:copy',
            `-Dartifact=${artifact}`,
            `-DoutputDirectory=${into}`,
          ]);
        extension = await context.cache.obtain(
          `basic-auth-${version}`,
          async (into) => void (await fill(into)),
          onFetch,
        );
      },
      prepare: async () => {
        const program = await prepare();
        const client = {
          'security.protocol': 'SASL_SSL',
          'sasl.mechanism': 'PLAIN',
          'sasl.jaas.config': `${PLAIN} username=${quoted(kafkaUser.username)} password=${quoted(kafkaUser.password)};`,
          ...pemStores('client'),
        };
        rewrite(file('connect/worker.properties'), {
          ...Object.fromEntries(
            ['', 'producer.', 'consumer.', 'admin.'].flatMap((prefix) =>
              Object.entries(client).map(([name, value]) => [`${prefix}${name}`, value]),
            ),
          ),
          listeners: `https://127.0.0.1:${ports['connect']}`,
          'rest.advertised.listener': 'https',
          'listeners.https.ssl.keystore.location': file('server.p12'),
          'listeners.https.ssl.keystore.type': 'PKCS12',
          'listeners.https.ssl.keystore.password': 'changeit',
          'listeners.https.ssl.key.password': 'changeit',
          'rest.extension.classes': 'org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension',
          'config.providers': 'file',
          'config.providers.file.class': 'org.apache.kafka.common.config.provider.FileConfigProvider',
        });
        writeFileSync(file('connect/users.properties'), `${connectUser.username}=${connectUser.password}\n`);
        const module = 'org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule';
        writeFileSync(
          file('connect/login.conf'),
          `KafkaConnect { ${module} required file="${file('connect/users.properties')}"; };\n`,
        );
        const [before, after] = apart(program.args, '-cp');
        const args = [
          `-Djava.security.auth.login.config=${file('connect/login.conf')}`,
          ...before,
          `${after[0]}:${join(extension, '*')}`,
        ];
        return { ...program, args: [...args, ...after.slice(1)] };
      },
      ready: () => answersInTls(`https://127.0.0.1:${ports['connect']}/connectors`),
    });
  }
}

/** @returns the arguments up to the name, and those behind it */
function apart(args: readonly string[], name: string): [string[], string[]] {
  const at = args.indexOf(name) + 1;
  return [args.slice(0, at), args.slice(at)];
}

async function answersInTls(url: string): Promise<boolean> {
  const authorization = `${connectUser.username}:${connectUser.password}`;
  const answer = await run('curl', [
    '--silent',
    '--fail',
    '--cacert',
    file('ca.pem'),
    '--user',
    authorization,
    url,
  ]).catch(() => null);
  return answer !== null;
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '\\"')}"`;
}

function pemStores(name: string): Record<string, string> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': file(`${name}-store.pem`),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': file('ca.pem'),
  };
}

/** Puts properties into a file, in the place of those of the same name. */
function rewrite(path: string, properties: Readonly<Record<string, string>>): void {
  const kept = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => !((line.split('=')[0] ?? '') in properties));
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}`);
  writeFileSync(path, `${[...kept, ...lines].join('\n')}\n`);
}

function openssl(...args: string[]): Promise<string> {
  return run('openssl', args, { cwd: folder });
}

/** An authority, and what it signed: one certificate for the servers, one for the clients. */
async function certificates(): Promise<void> {
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  await openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  for (const name of ['server', 'client']) {
    writeFileSync(file(`${name}.ext`), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    await openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`];
    await openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.pem`);
    writeFileSync(
      file(`${name}-store.pem`),
      readFileSync(file(`${name}.key`), 'utf8') + readFileSync(file(`${name}.pem`), 'utf8'),
    );
  }
  const store = ['-in', 'server.pem', '-inkey', 'server.key', '-out', 'server.p12', '-passout', 'pass:changeit'];
  await openssl('pkcs12', '-export', ...store);
}
