import { parsePayload } from '../../../topology/payloads/payloads';

const conversation = 'C0123456789';
const reason = (payload: object) => {
  const parsed = parsePayload('slack', payload);
  return parsed.ok ? 'ok' : parsed.reason;
};

test('a text that Slack would cut is refused, and the error says how long it is', () => {
  expect(reason({ conversation, text: 'a'.repeat(40_000) })).toBe('ok');
  expect(reason({ conversation, text: 'a'.repeat(40_001) })).toBe(
    'payload.text: expected at most 40000 characters as Slack counts them, got 40001',
  );
});

test.each([
  [{ conversation }, /payload\.text/],
  [{ conversation, text: ' \n' }, /payload\.text: expected a text, got blanks/],
  [{ text: 'a' }, /payload\.conversation/],
  [{ conversation: '#general', text: 'a' }, /payload\.conversation: expected the id/],
  // A message to a user goes to a conversation with an id of its own, and could not be looked for.
  [{ conversation: 'U0123456789', text: 'a' }, /payload\.conversation: expected the id/],
  [{ conversation, text: 'a', replyTo: '1503435956' }, /payload\.replyTo: expected the ts/],
  [{ conversation, text: 'a', unfurl: 'yes' }, /payload\.unfurl/],
  [{ conversation, text: 'a', blocks: [] }, /blocks/],
])('%j is refused with the field', (payload, message) => {
  expect(reason(payload)).toMatch(message);
});
