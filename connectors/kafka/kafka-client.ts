import type { Kafka as Client, KafkaConfig, logLevel as LogLevel } from 'kafkajs';
import { Kafka, logLevel } from './kafkajs';

/** A line about what the Kafka client does, for a log. */
type KafkaLog = (level: 'error' | 'warn' | 'info' | 'debug', text: string, details: object) => void;

export interface KafkaOptions {
  /** host:port of some brokers. */
  readonly brokers: readonly string[];
  /** Shown by Kafka as the owner of partitions. */
  readonly clientId: string;
  readonly log: KafkaLog;
  /** Half a minute until a call is given up, instead of some seconds. */
  readonly patient?: boolean;
}

/** Milliseconds until a request is given up; a connection is given up sooner. */
const REQUEST_TIMEOUT = 7_000;
const CONNECTION_TIMEOUT = 3_000;

/** Always given: the client's own defaults depend on NODE_ENV. About three seconds in all. */
export const retry: NonNullable<KafkaConfig['retry']> = {
  initialRetryTime: 100,
  maxRetryTime: 2_000,
  factor: 0.2,
  multiplier: 2,
  retries: 5,
};

export const patientRetry: NonNullable<KafkaConfig['retry']> = { ...retry, maxRetryTime: 1_000, retries: 30 };

/** Ordinary life of a group: not even worth a warning. */
const HARMLESS = /rebalanc|rejoin|generation id|not aware of this member|member id/i;

export function kafkaClient({ brokers, clientId, log, patient = false }: KafkaOptions): Client {
  return new Kafka({
    brokers: [...brokers],
    clientId,
    retry: patient ? patientRetry : retry,
    requestTimeout: REQUEST_TIMEOUT,
    connectionTimeout: CONNECTION_TIMEOUT,
    logLevel: logLevel.INFO,
    logCreator:
      () =>
      ({ level, log: { message, broker, groupId, topic, error } }) => {
        log(levelOf(level, `${message} ${String(error ?? '')}`), message, { broker, groupId, topic, error });
      },
  });
}

function levelOf(level: LogLevel, text: string): Parameters<KafkaLog>[0] {
  // What the client calls info (joined, paused, stopped) is told by the worker in its own words.
  if (level >= logLevel.INFO || HARMLESS.test(text)) return 'debug';
  // It calls everything that it will try again an error.
  return 'warn';
}
