import { reasonOf, Unavailable } from '../../topology/core/errors';
import { KafkaJSError } from './kafkajs';

/** Names of errors that a programming mistake throws; kafkajs wraps them in errors of its own. */
const BUGS = new Set(['TypeError', 'RangeError', 'SyntaxError', 'ReferenceError']);

/** What kafkajs threw, as an instruction: Unavailable for everything that Kafka or the network caused. */
export function instructionOf(error: unknown): unknown {
  if (!(error instanceof KafkaJSError)) return error;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (BUGS.has(cause.name)) return cause;
  }
  return new Unavailable(`Kafka: ${reasonOf(error)}`, { cause: error });
}

/** The topic does not exist. */
export function isUnknownTopic(error: unknown): boolean {
  return typesOf(error).includes('UNKNOWN_TOPIC_OR_PARTITION');
}

const OF_REBALANCE = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID']);

/** The group has moved to another generation, or is about to. */
export function isOfRebalance(error: unknown): boolean {
  return typesOf(error).some((type) => OF_REBALANCE.has(type));
}

/** The broker that was asked does not look after the group any more. */
export function isOtherCoordinator(error: unknown): boolean {
  return typesOf(error).includes('NOT_COORDINATOR_FOR_GROUP');
}

/** Kafka's names of what went wrong, the outermost first. */
function typesOf(error: unknown): string[] {
  const types: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { type } = cause as { type?: unknown };
    if (typeof type === 'string') types.push(type);
  }
  return types;
}
