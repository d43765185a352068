import { reasonOf, Unavailable } from '../../topology/core/errors';
import { KafkaJSError } from './kafkajs';

/** Names of errors that a programming mistake throws; kafkajs wraps them in errors of its own. */
const BUGS = new Set(['TypeError', 'RangeError', 'SyntaxError', 'ReferenceError']);

/** What a request needs to be allowed: an operation on the topic or group of this name. */
export interface Needs {
  readonly topic?: readonly [name: string, operation: 'DESCRIBE' | 'READ' | 'WRITE'];
  readonly group?: readonly [name: string, operation: 'DESCRIBE' | 'READ' | 'DELETE'];
}

/**
 * What kafkajs threw, as an instruction: Unavailable for everything that Kafka or the network caused. A right that is
 * missing may be given at any time, so it is waited for too.
 * @param needs what is named when Kafka denies it, because its own error names nothing
 */
export function instructionOf(error: unknown, needs: Needs = {}): unknown {
  if (!(error instanceof KafkaJSError)) return error;
  const denied = deniedText(error, needs);
  if (denied !== undefined) return new Unavailable(denied, { cause: error });
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (BUGS.has(cause.name)) return cause;
  }
  return new Unavailable(`Kafka: ${reasonOf(error)}`, { cause: error });
}

/**
 * The same for what only the client can have thrown. Some of its errors are plain ones ("Broker not connected", a server that
 * cannot prove in SCRAM that it knows the password), which from elsewhere would be bugs.
 */
export function clientInstructionOf(error: unknown, needs: Needs = {}): unknown {
  const instruction = instructionOf(error, needs);
  if (!(instruction instanceof Error) || instruction.name !== 'Error') return instruction;
  return new Unavailable(`Kafka: ${reasonOf(error)}`, { cause: error });
}

/** Kafka's authorizer refused it. */
export function isDenied(error: unknown): boolean {
  return typesOf(error).some((type) => type.endsWith('_AUTHORIZATION_FAILED'));
}

/** Why Kafka refuses to make or change a topic, as a person can act on it; undefined when it is not a refusal. */
export function refusalOf(error: unknown): string | undefined {
  const { errors } = Object(error) as { errors?: unknown };
  for (const one of Array.isArray(errors) ? (errors as unknown[]) : [error]) {
    if (isDenied(one)) return 'this user may not do it';
    if (typesOf(one).some((type) => REFUSALS.has(type))) return reasonOf(one);
  }
  return undefined;
}

function deniedText(error: unknown, needs: Needs): string | undefined {
  const types = typesOf(error);
  if (needs.group !== undefined && hasNoCoordinator(error)) {
    const [name, operation] = needs.group;
    return `Kafka names no coordinator of the group ${name}: either it is starting, or this user may not ${operation} it. \`downspout grants\` prints the ACLs of each role.`;
  }
  for (const resource of ['topic', 'group'] as const) {
    const need = needs[resource];
    if (need === undefined || !types.includes(`${resource.toUpperCase()}_AUTHORIZATION_FAILED`)) continue;
    const [name, operation] = need;
    return `Kafka does not allow this user ${operation} on the ${resource} ${name}. \`downspout grants\` prints the ACLs of each role.`;
  }
  return undefined;
}

/** The topic does not exist. */
export function isUnknownTopic(error: unknown): boolean {
  return typesOf(error).includes('UNKNOWN_TOPIC_OR_PARTITION');
}

/** What Kafka answers when a policy, or its size, does not admit a topic as it was asked for. */
const REFUSALS = new Set([
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
  'INVALID_PARTITIONS',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_REPLICA_ASSIGNMENT',
]);

const OF_REBALANCE = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID']);

/** The group has moved to another generation, or is about to. */
export function isOfRebalance(error: unknown): boolean {
  return typesOf(error).some((type) => OF_REBALANCE.has(type));
}

/** The broker that was asked does not look after the group any more. */
export function isOtherCoordinator(error: unknown): boolean {
  return typesOf(error).includes('NOT_COORDINATOR_FOR_GROUP');
}

/** The client says no more than this when Kafka denies it. */
function hasNoCoordinator(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (cause.name === 'KafkaJSGroupCoordinatorNotFound') return true;
  }
  return false;
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
