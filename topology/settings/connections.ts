import { readFileSync } from 'node:fs';
import { reasonOf, UserError } from '../core/errors';
import { decodePem, decodeText } from '../core/text-encoding';
import { type Environment, required } from './environment';
import { percentDecoded } from './url-parts';

/** How a connection to Kafka is secured. Certificates and keys are PEM texts. */
export interface KafkaSecurity {
  /** Over TLS when given. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
}

/** Where Kafka Connect is, and how it is asked. */
export interface ConnectConnection {
  /** Without user and password. */
  readonly url: string;
  /** The header of that name. */
  readonly authorization?: string;
  /** The certificate of whoever signed Connect's, as PEM text. */
  readonly ca?: string;
}

type Names = keyof Environment;

/** @throws UserError naming the variable and what to do */
export function kafkaSecurityOf(environment: Environment): KafkaSecurity {
  const ca = fileOf(environment, 'KAFKA_SSL_CA_FILE');
  const cert = fileOf(environment, 'KAFKA_SSL_CERT_FILE');
  const key = fileOf(environment, 'KAFKA_SSL_KEY_FILE');
  const { KAFKA_SSL: isTls, KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username } = environment;
  if (!isTls && (ca ?? cert ?? key) !== undefined) {
    throw new UserError(
      'KAFKA_SSL is not true, but a KAFKA_SSL_…_FILE is set. Set KAFKA_SSL=true, or remove the files.',
    );
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new UserError('KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE belong together. Set both, or none.');
  }
  const password = secretOf(environment, 'KAFKA_SASL_PASSWORD', 'KAFKA_SASL_PASSWORD_FILE');
  if ((mechanism ?? username ?? password) === undefined) return isTls ? { tls: defined({ ca, cert, key }) } : {};
  if (mechanism === undefined || username === undefined || password === undefined) {
    throw new UserError(
      'KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD (or KAFKA_SASL_PASSWORD_FILE) belong together. Set all three.',
    );
  }
  const sasl = { mechanism, username, password };
  return isTls ? { tls: defined({ ca, cert, key }), sasl } : { sasl };
}

/**
 * Of Debezium's own connection to Kafka: that of the workers and verbs, with a user of its own where one is named.
 * @throws UserError naming the variable and what to do
 */
export function historySecurityOf(environment: Environment): KafkaSecurity {
  const security = kafkaSecurityOf(environment);
  const { CONNECT_KAFKA_USERNAME: username } = environment;
  if (username === undefined) return security;
  const password =
    secretOf(environment, 'CONNECT_KAFKA_PASSWORD', 'CONNECT_KAFKA_PASSWORD_FILE') ??
    environment.CONNECT_KAFKA_PASSWORD_REFERENCE;
  if (security.sasl === undefined || password === undefined) {
    throw new UserError(
      'CONNECT_KAFKA_USERNAME needs CONNECT_KAFKA_PASSWORD, CONNECT_KAFKA_PASSWORD_FILE or CONNECT_KAFKA_PASSWORD_REFERENCE, and KAFKA_SASL_MECHANISM.',
    );
  }
  return { ...security, sasl: { ...security.sasl, username, password } };
}

/** Of whoever deploys and decides. @throws UserError when the workers' URL, which it is by default, is missing too */
export function operatorUrl(environment: Environment): string {
  return environment.OPERATOR_DATABASE_URL ?? required(environment, 'WORKER_DATABASE_URL');
}

/** Of whoever looks: the application's, or the operators' where only that is set. @throws UserError when neither is */
export function readerUrl(environment: Environment): string {
  const { DATABASE_URL: app, OPERATOR_DATABASE_URL: operator, WORKER_DATABASE_URL: worker } = environment;
  return app ?? operator ?? worker ?? required(environment, 'DATABASE_URL');
}

/** @returns undefined when CONNECT_URL is not set. @throws UserError naming the variable and what to do */
export function connectConnectionOf(environment: Environment): ConnectConnection | undefined {
  if (environment.CONNECT_URL === undefined) return undefined;
  const url = new URL(environment.CONNECT_URL);
  const username = environment.CONNECT_USERNAME ?? percentDecoded(url.username);
  const password = secretOf(environment, 'CONNECT_PASSWORD', 'CONNECT_PASSWORD_FILE') ?? percentDecoded(url.password);
  url.username = url.password = '';
  const ca = fileOf(environment, 'CONNECT_CA_FILE');
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return { url: url.href, ...(username === '' ? {} : { authorization }), ...defined({ ca }) };
}

function secretOf(environment: Environment, name: Names, file: Names): string | undefined {
  const value = environment[name];
  return typeof value === 'string' ? value : fileOf(environment, file, decodeText)?.trim();
}

function fileOf(environment: Environment, name: Names, decode = decodePem): string | undefined {
  const path = environment[name];
  if (typeof path !== 'string') return undefined;
  try {
    return decode(readFileSync(path));
  } catch (error) {
    throw new UserError(`${name}: ${reasonOf(error)}. It names a file that this process must be able to read.`);
  }
}

function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
