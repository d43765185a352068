import { clientInstructionOf, instructionOf, isDenied, refusalOf } from '../../../connectors/kafka/failures';
import { KafkaJSError } from '../../../connectors/kafka/kafkajs';
import { Unavailable, UserError } from '../../../topology/core/errors';

const needs = { topic: ['due.webhook', 'WRITE'], group: ['downspout.webhook', 'READ'] } as const;

/** As the client throws it: what Kafka answered, wrapped in what the client made of it. */
function thrown(type: string, name = 'KafkaJSProtocolError'): Error {
  const answered = Object.assign(new KafkaJSError('Not authorized'), { type, name });
  return Object.assign(new KafkaJSError('retries exceeded'), { cause: answered });
}

/** As the client throws what Kafka answered for single topics. */
function gathered(error: Error): Error {
  return Object.assign(new Error('Topic creation errors'), { errors: [error] });
}

test.each([
  ['TOPIC_AUTHORIZATION_FAILED', 'Kafka does not allow this user WRITE on the topic due.webhook.'],
  ['GROUP_AUTHORIZATION_FAILED', 'Kafka does not allow this user READ on the group downspout.webhook.'],
])('a right that is missing is named, and waited for: %s', (type, text) => {
  const instruction = instructionOf(thrown(type), needs);
  expect(instruction).toBeInstanceOf(Unavailable);
  expect(String(instruction)).toContain(text);
});

test('a group whose coordinator nobody names may be one that we may not see', () => {
  const instruction = instructionOf(thrown('', 'KafkaJSGroupCoordinatorNotFound'), needs);
  expect(String(instruction)).toContain('may not READ it');
});

test('of a right that no request named, Kafka’s own words are left', () => {
  expect(String(instructionOf(thrown('TOPIC_AUTHORIZATION_FAILED')))).toContain('Kafka: retries exceeded');
});

test('a refusal to make a topic is told from a Kafka that is away', () => {
  expect(refusalOf(gathered(thrown('TOPIC_AUTHORIZATION_FAILED')))).toBe('this user may not do it');
  expect(refusalOf(gathered(thrown('POLICY_VIOLATION')))).toBeDefined();
  expect(refusalOf(gathered(thrown('NOT_CONTROLLER')))).toBeUndefined();
  expect(isDenied(thrown('CLUSTER_AUTHORIZATION_FAILED'))).toBe(true);
});

test.each(['Broker not connected', 'Invalid server signature in server final message'])(
  'a plain error of the client is Kafka being away: %s',
  (text) => {
    expect(clientInstructionOf(new Error(text))).toBeInstanceOf(Unavailable);
    // From elsewhere it is one of ours.
    expect(instructionOf(new Error(text))).not.toBeInstanceOf(Unavailable);
  },
);

test.each([new TypeError('x is undefined'), new UserError('set KAFKA_SSL'), new Unavailable('later')])(
  'bugs and instructions stay as they are, also when the client passes them on: %s',
  (error) => {
    expect(clientInstructionOf(error)).toBe(error);
  },
);
