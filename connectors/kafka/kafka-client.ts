import type { Kafka as Client, KafkaConfig, logLevel as LogLevel, SASLOptions } from 'kafkajs';
import type { KafkaSecurity } from '../../topology/settings/connections';
import { Kafka, logLevel } from './kafkajs';

/** A line about what the Kafka client does, for a log. */
type KafkaLog = (level: 'error' | 'warn' | 'info' | 'debug', text: string, details: object) => void;

export interface KafkaOptions {
  /** host:port of some brokers. */
  readonly brokers: readonly string[];
  /** Shown by Kafka as the owner of partitions. */
  readonly clientId: string;
  readonly log: KafkaLog;
  /** A connection without TLS and without authentication unless given. */
  readonly security?: KafkaSecurity;
  /** A call is given up after half a minute instead of some seconds. */
  readonly patient?: boolean;
}

const REQUEST_TIMEOUT_MS = 7_000;
const CONNECTION_TIMEOUT_MS = 3_000;

/** About three seconds in all. Given everywhere, because the client's own defaults depend on NODE_ENV. */
export const retry: NonNullable<KafkaConfig['retry']> = {
  initialRetryTime: 100,
  maxRetryTime: 2_000,
  factor: 0.2,
  multiplier: 2,
  retries: 5,
};

export const patientRetry: NonNullable<KafkaConfig['retry']> = { ...retry, maxRetryTime: 1_000, retries: 30 };

/** The ordinary life of a group: not worth a warning. */
const HARMLESS = /rebalanc|rejoin|generation id|not aware of this member|member id/i;

export function kafkaClient({ brokers, clientId, log, patient = false, security = {} }: KafkaOptions): Client {
  const { tls, sasl } = security;
  return new Kafka({
    ...(tls === undefined ? {} : { ssl: tls }),
    ...(sasl === undefined ? {} : { sasl: sasl as SASLOptions }),
    brokers: [...brokers],
    clientId,
    retry: patient ? patientRetry : retry,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    logLevel: logLevel.INFO,
    logCreator:
      () =>
      ({ level, log: { message, broker, groupId, topic, error } }) => {
        log(levelOf(level, `${message} ${String(error ?? '')}`), message, { broker, groupId, topic, error });
      },
  });
}

function levelOf(level: LogLevel, text: string): Parameters<KafkaLog>[0] {
  // What the client calls info (joined, paused, stopped) the worker logs in its own words.
  if (level >= logLevel.INFO || HARMLESS.test(text)) return 'debug';
  // The client calls everything an error that it will retry.
  return 'warn';
}
