import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AclEntry, AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import { kafkaClient, retry } from '../../../connectors/kafka/kafka-client';
import { Pool } from '../../../connectors/mysql/sql/pool';
import type { Acl } from '../../../deploy/provisioning/kafka-rights';
import { run } from '../../../deploy/stack/host/commands';
import { NativeStack } from '../../../deploy/stack/native-stack';
import { systemClock } from '../../../topology/core/clock';
import { kafkaSecurityOf } from '../../../topology/settings/connections';
import { readEnvironment, required } from '../../../topology/settings/environment';
import { packageRoot } from '../../../topology/settings/package';
import { testStackVariables } from '../../support/stack/shared-stack';
import { makeCertificates, STORE_PASSWORD } from './certificates';
import { connectUser, type KafkaUser, kafkaRoot, kafkaUsers, secureParts } from './secure-parts';

const folder = join(packageRoot(), '.downspout', 'secure');
const file = (name: string) => join(folder, name);

type Settings = Readonly<Record<string, string>>;

/** A stack in which nothing listens in the clear, and nobody may do anything but the two roots until they have given rights. */
export class SecureStack {
  /** What the environment of each says. Only root has a user in MySQL at first. */
  readonly root: Settings;
  readonly admin: Settings;
  readonly operator: Settings;
  readonly worker: Settings;
  /** Of somebody whose certificate alone says who that is to Kafka. */
  readonly certified: Settings;

  private constructor(
    private readonly given: Settings,
    brokersOfCertified: string,
  ) {
    const { KAFKA_BROKERS = '', DOWNSPOUT_SECRET_KEY_FILE = '', CDC_PASSWORD_REFERENCE = '' } = given;
    const app = { DATABASE_URL: this.database('DATABASE_URL') };
    const kafka = {
      KAFKA_BROKERS,
      KAFKA_SSL: 'true',
      KAFKA_SSL_CA_FILE: file('ca.pem'),
      KAFKA_SSL_CERT_FILE: file('client.pem'),
      KAFKA_SSL_KEY_FILE: file('client.key'),
    };
    const common = {
      ...kafka,
      DOWNSPOUT_SECRET_KEY_FILE,
      CONNECT_URL: (given['CONNECT_URL'] as string).replace('http:', 'https:'),
      CONNECT_CA_FILE: file('ca.pem'),
      CONNECT_USERNAME: connectUser.username,
      CONNECT_PASSWORD: connectUser.password,
    };
    const capture = {
      CDC_DATABASE_URL: `${given['CDC_DATABASE_URL']}?ssl-mode=VERIFY_CA`,
      CDC_PASSWORD_REFERENCE,
      CDC_SSL_TRUSTSTORE: file('mysql.p12'),
      CDC_SSL_TRUSTSTORE_PASSWORD: STORE_PASSWORD,
      CONNECT_KAFKA_USERNAME: kafkaUsers.cdc.username,
      CONNECT_KAFKA_PASSWORD: kafkaUsers.cdc.password,
    };
    const users = {
      WORKER_DATABASE_URL: this.database('WORKER_DATABASE_URL'),
      OPERATOR_DATABASE_URL: this.database('WORKER_DATABASE_URL', 'downspout_operator'),
    };
    this.root = { ...common, ...app, ...sasl(kafkaRoot), ADMIN_DATABASE_URL: this.database('ADMIN_DATABASE_URL') };
    this.admin = {
      ...app,
      ...users,
      ...capture,
      ADMIN_DATABASE_URL: this.database('WORKER_DATABASE_URL', 'downspout_admin'),
    };
    this.operator = { ...common, ...app, ...users, ...capture, ...sasl(kafkaUsers.operator) };
    this.worker = { ...common, ...sasl(kafkaUsers.worker), WORKER_DATABASE_URL: users.WORKER_DATABASE_URL };
    this.certified = { ...app, ...kafka, KAFKA_BROKERS: brokersOfCertified };
  }

  /** Starts MySQL and Kafka. */
  static async start(): Promise<SecureStack> {
    mkdirSync(folder, { recursive: true });
    await makeCertificates(folder, ['server', 'client', 'connect']);
    const stack = native(false);
    await stack.down(true, () => undefined);
    const settings = await stack.up(() => undefined);
    const truststore = ['-keystore', file('mysql.p12'), '-storetype', 'PKCS12', '-storepass', STORE_PASSWORD];
    const authority = ['-alias', `mysql-${systemClock.now()}`, '-file', file('mysql/data/ca.pem')];
    await run('keytool', ['-importcert', '-noprompt', ...authority, ...truststore]);
    const { ports } = JSON.parse(readFileSync(file('stack.json'), 'utf8')) as { ports: Record<string, number> };
    return new SecureStack(settings, `127.0.0.1:${ports['kafkaStack']}`);
  }

  /** Starts Connect, which must have its rights by now. */
  async startConnect(): Promise<void> {
    await native(true).up(() => undefined);
  }

  async stop(): Promise<void> {
    await native(true).down(false, () => undefined);
  }

  /** A connection of a user to MySQL, in TLS and with the server's certificate checked. */
  database(name: string, user?: string): string {
    const url = new URL(this.given[name] as string);
    if (user !== undefined) url.username = user;
    url.searchParams.set('ssl-mode', 'VERIFY_CA');
    url.searchParams.set('ssl-ca', file('mysql/data/ca.pem'));
    return url.href;
  }

  /** The same with a certificate of the client. */
  databaseByCertificate(name: string): string {
    const url = new URL(this.database(name));
    url.searchParams.set('ssl-cert', file('mysql/data/client-cert.pem'));
    url.searchParams.set('ssl-key', file('mysql/data/client-key.pem'));
    return url.href;
  }

  /** The administrator of MySQL. The database is none that need exist. */
  async sql(...statements: readonly string[]): Promise<void> {
    const url = new URL(this.root['ADMIN_DATABASE_URL'] as string);
    const pool = Pool.open(Object.assign(url, { pathname: '/mysql' }).href, { clock: systemClock, size: 1 });
    try {
      for (const statement of statements) await pool.run(statement);
    } finally {
      await pool.close();
    }
  }

  /** Gives ACLs, as the administrator of Kafka. */
  async allow(principal: string, acls: readonly Acl[]): Promise<void> {
    await this.kafka((admin) => admin.createAcls({ acl: acls.flatMap((acl) => entriesOf(principal, acl)) }));
  }

  /** Takes them away. */
  async forbid(principal: string, acl: Acl): Promise<void> {
    await this.kafka((admin) => admin.deleteAcls({ filters: entriesOf(principal, acl) }));
  }

  /** What Kafka's authorizer has refused so far, one line each. */
  denied(): string[] {
    return readFileSync(file('logs/kafka.log'), 'utf8')
      .split('\n')
      .filter((line) => / is Denied operation/i.test(line));
  }

  private async kafka(work: (admin: ReturnType<ReturnType<typeof kafkaClient>['admin']>) => Promise<unknown>) {
    const environment = readEnvironment(this.root, {});
    const admin = kafkaClient({
      brokers: required(environment, 'KAFKA_BROKERS'),
      clientId: 'root',
      log: () => undefined,
      security: kafkaSecurityOf(environment),
    }).admin({ retry });
    await admin.connect();
    try {
      await work(admin);
    } finally {
      await admin.disconnect();
    }
  }
}

function native(withConnect: boolean): NativeStack {
  return new NativeStack({
    folder,
    clock: systemClock,
    variables: testStackVariables(),
    parts: (context) => secureParts(context, withConnect),
  });
}

function sasl({ mechanism, username, password }: KafkaUser): Settings {
  return { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password };
}

function entriesOf(principal: string, { resource, name, prefixed, operations }: Acl): AclEntry[] {
  return operations.map((operation) => ({
    principal,
    host: '*',
    resourceType: resource === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
    resourceName: name,
    resourcePatternType: prefixed === true ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
    operation: AclOperationTypes[operation as keyof typeof AclOperationTypes],
    permissionType: AclPermissionTypes.ALLOW,
  }));
}
