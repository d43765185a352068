import { parsePayload } from '../../../topology/payloads/payloads';

const reason = (payload: object) => {
  const parsed = parsePayload('discord', { channelId: '155101607195836416', ...payload });
  return parsed.ok ? 'ok' : parsed.reason;
};

test('a text is counted as Discord counts it, and the error says how long it is', () => {
  expect(reason({ text: 'a'.repeat(2_000) })).toBe('ok');
  expect(reason({ text: 'a'.repeat(2_001) })).toBe(
    'payload.text: expected at most 2000 characters as Discord counts them, got 2001',
  );
});

test.each([
  ['an emoji is one', '👍', 1],
  ['a family is seven', '👨‍👩‍👧‍👦', 7],
  ['an accent of its own is one', 'e\u0301', 2],
])('%s', (_, text, length) => {
  expect(reason({ text: text + 'a'.repeat(2_000 - length) })).toBe('ok');
  expect(reason({ text: text + 'a'.repeat(2_001 - length) })).toContain('got 2001');
});

test.each([
  [{}, /payload\.text/],
  [{ text: ' \n' }, /payload\.text: expected a text, got blanks/],
  [{ text: 'a', channelId: '#news' }, /payload\.channelId: expected the id/],
  [{ text: 'a', replyTo: '1' }, /payload\.replyTo: expected the id/],
  [{ text: 'a', mentions: ['here'] }, /payload\.mentions/],
  [{ text: 'a', mentions: ['users', 'users'] }, /payload\.mentions: expected each of them once/],
  [{ text: 'a', silent: 'yes' }, /payload\.silent/],
  [{ text: 'a', tts: true }, /tts/],
])('%j is refused with the field', (payload, message) => {
  expect(reason(payload)).toMatch(message);
});
