import { parsePayload } from '../../../topology/payloads/payloads';

const reason = (payload: object) => {
  const parsed = parsePayload('telegram', { chat: '@shop_news', ...payload });
  return parsed.ok ? 'ok' : parsed.reason;
};

test('a text is counted as Telegram counts it, and the error says how long it is', () => {
  expect(reason({ text: 'a'.repeat(4_096) })).toBe('ok');
  expect(reason({ text: 'a'.repeat(4_097) })).toBe(
    'payload.text: expected at most 4096 characters as Telegram counts them, got 4097',
  );
});

test.each([
  ['an emoji is two', '👍', 2, undefined],
  ['a tag without a parse mode is text', '<b>a</b>', 8, undefined],
  ['a tag is none', '<b>a</b>', 1, 'HTML'],
  ['nor is where a link goes', '<a href="https://example.com/?a=1&amp;b=2">a</a>', 1, 'HTML'],
  ['a reference is the character', '&lt;&#38;&#x1F4;', 3, 'HTML'],
  ['stars are none', '*a* __b__ ||c||', 5, 'MarkdownV2'],
  ['an escaped star is one', '\\*a\\*', 3, 'MarkdownV2'],
  ['a link is its text', '[ab](https://example.com/a\\)b)', 2, 'MarkdownV2'],
] as const)('%s', (_, text, length, parseMode) => {
  expect(reason({ text: text + 'a'.repeat(4_096 - length), parseMode })).toBe('ok');
  expect(reason({ text: text + 'a'.repeat(4_097 - length), parseMode })).toContain('got 4097');
});

test.each(['', '\\'])('of links that nothing closes no character is looked at twice, with "%s" at their end', (end) => {
  const text = `${'a'.repeat(4_097)}${'](\\)'.repeat(7_000)}${end}`;
  expect(reason({ text, parseMode: 'MarkdownV2' })).toContain('got 4097');
});

test.each(['@shop_news', '42', '-100123', '-1001234567890', '9007199254740991'])('the chat %s is one', (chat) => {
  expect(reason({ chat, text: 'a' })).toBe('ok');
});

test.each([
  [{}, /payload\.text/],
  [{ text: ' \n' }, /payload\.text: expected a text, got blanks/],
  [{ text: 'a', chat: 'shop_news' }, /payload\.chat: expected @name/],
  [{ text: 'a', chat: -100_123 }, /payload\.chat/],
  [{ text: 'a', chat: '9007199254740993' }, /payload\.chat: expected a number below 2\^53/],
  [{ text: 'a', parseMode: 'Markdown' }, /payload\.parseMode/],
  [{ text: 'a', replyTo: '-1' }, /payload\.replyTo: expected the number/],
  [{ text: 'a', topic: 'news' }, /payload\.topic: expected the number/],
  [{ text: 'a', silent: 'yes' }, /payload\.silent/],
  [{ text: 'a', allow_paid_broadcast: true }, /allow_paid_broadcast/],
])('%j is refused with the field', (payload, message) => {
  expect(reason(payload)).toMatch(message);
});
