import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../deploy/stack/host/commands';
import type { Program } from '../../../deploy/stack/host/processes';
import { ConnectPart } from '../../../deploy/stack/parts/connect-part';
import { KafkaPart, kafkaJars } from '../../../deploy/stack/parts/kafka-part';
import { MySqlPart } from '../../../deploy/stack/parts/mysql-part';
import type { Part, PartContext } from '../../../deploy/stack/parts/part';
import { pemStores, STORE_PASSWORD } from './certificates';

export interface KafkaUser {
  readonly username: string;
  readonly password: string;
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
}

/** May do everything; the others may do what they are given. */
export const kafkaRoot: KafkaUser = { username: 'root', password: 'the password of "Kafka"', mechanism: 'plain' };
export const kafkaUsers: Readonly<Record<'worker' | 'operator' | 'cdc', KafkaUser>> = {
  worker: { username: 'downspout_worker', password: 'a-worker-password', mechanism: 'scram-sha-512' },
  operator: { username: 'downspout_operator', password: 'an-operator-password', mechanism: 'scram-sha-256' },
  cdc: { username: 'downspout_cdc', password: 'the-password-of-Debezium', mechanism: 'scram-sha-256' },
};
export const connectUser = { username: 'operator', password: 'the-password-of-Connect' };
/** Who Connect is to Kafka: its certificate says so. */
export const CONNECT_PRINCIPAL = 'User:CN=connect';
const PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
const SCRAM = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';

/**
 * MySQL, Kafka and, when it is its turn, Connect, with nothing in the clear. Kafka's HOST listener takes SASL over TLS from clients that have a
 * certificate; on its STACK listener the certificate alone says who somebody is. Who has no ACL may do nothing.
 */
export function secureParts(context: PartContext, withConnect: boolean): Part[] {
  const jars = kafkaJars(context);
  const parts = [secureMySql(context), secureKafka(context, jars)];
  return withConnect ? [...parts, secureConnect(context, jars)] : parts;
}

function secureMySql(context: PartContext): Part {
  const part = new MySqlPart(context, 'mysql');
  const { prepare } = part;
  return Object.assign(part, {
    prepare: async () => {
      const program = await prepare();
      return { ...program, args: [...program.args, '--require-secure-transport=ON'] };
    },
  });
}

function secureKafka(context: PartContext, jars: ReturnType<typeof kafkaJars>): Part {
  const { folder } = context;
  const part = new KafkaPart(context, jars);
  const { prepare } = part;
  return Object.assign(part, {
    prepare: async () => {
      const isNew = !existsSync(join(folder, 'kafka', 'data', 'meta.properties'));
      const program = await prepare();
      const login = `${PLAIN} username=${quoted(kafkaRoot.username)} password=${quoted(kafkaRoot.password)} user_${kafkaRoot.username}=${quoted(kafkaRoot.password)};`;
      const properties = join(folder, 'kafka', 'server.properties');
      rewrite(properties, {
        'listener.security.protocol.map': 'HOST:SASL_SSL,STACK:SSL,CONTROLLER:PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'listener.name.host.plain.sasl.jaas.config': login,
        'listener.name.host.scram-sha-256.sasl.jaas.config': SCRAM,
        'listener.name.host.scram-sha-512.sasl.jaas.config': SCRAM,
        'listener.name.host.ssl.client.auth': 'required',
        'listener.name.stack.ssl.client.auth': 'required',
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        // The broker itself: by its certificate, and in the clear where it is its own controller.
        'super.users': `User:${kafkaRoot.username};User:CN=server;User:ANONYMOUS`,
        ...pemStores(folder, 'server'),
      });
      rewrite(join(folder, 'kafka', 'log4j2.properties'), {
        'logger.authorizer.name': 'kafka.authorizer.logger',
        'logger.authorizer.level': 'info',
      });
      if (isNew) await formatWithUsers(context, program, properties);
      return program;
    },
  });
}

/** Users of SCRAM have to be there before the broker starts for the first time. */
async function formatWithUsers(context: PartContext, program: Program, properties: string): Promise<void> {
  rmSync(join(context.folder, 'kafka', 'data'), { recursive: true, force: true });
  const users = Object.values(kafkaUsers).flatMap(({ mechanism, username, password }) => [
    '--add-scram',
    `${mechanism.toUpperCase()}=[name=${username},password=${password}]`,
  ]);
  const [, after] = apart(program.args, '-cp');
  await run('java', [
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-cp',
    after[0] as string,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    context.clusterId,
    '-c',
    properties,
    ...users,
  ]);
}

function secureConnect(context: PartContext, jars: ReturnType<typeof kafkaJars>): Part {
  const { folder, ports } = context;
  const file = (name: string) => join(folder, name);
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
      const name = `basic-auth-${version}`;
      extension = await context.cache.obtain(name, async (into) => void (await fill(into)), onFetch);
    },
    prepare: async () => {
      const program = await prepare();
      const client = { 'security.protocol': 'SSL', ...pemStores(folder, 'connect') };
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
        'listeners.https.ssl.keystore.password': STORE_PASSWORD,
        'listeners.https.ssl.key.password': STORE_PASSWORD,
        'rest.extension.classes': 'org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension',
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
    ready: () => answersInTls(`https://127.0.0.1:${ports['connect']}/connectors`, file('ca.pem')),
  });
}

async function answersInTls(url: string, authority: string): Promise<boolean> {
  const user = `${connectUser.username}:${connectUser.password}`;
  const answer = await run('curl', ['--silent', '--fail', '--cacert', authority, '--user', user, url]).catch(
    () => null,
  );
  return answer !== null;
}

/** @returns the arguments up to the name, and those behind it */
function apart(args: readonly string[], name: string): [string[], string[]] {
  const at = args.indexOf(name) + 1;
  return [args.slice(0, at), args.slice(at)];
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '\\"')}"`;
}

/** Puts properties into a file, in the place of those of the same name. */
function rewrite(path: string, properties: Readonly<Record<string, string>>): void {
  const kept = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => !((line.split('=')[0] ?? '') in properties));
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}`);
  writeFileSync(path, `${[...kept, ...lines].join('\n')}\n`);
}
