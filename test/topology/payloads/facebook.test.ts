import { parsePayload } from '../../../topology/payloads/payloads';

const reason = (payload: object) => {
  const parsed = parsePayload('facebook', payload);
  return parsed.ok ? 'ok' : parsed.reason;
};

test('a text that is too long is refused, and the error says how long it is; `limit` allows more', () => {
  expect(reason({ text: 'a'.repeat(63_206) })).toBe('ok');
  expect(reason({ text: 'a'.repeat(63_207) })).toBe(
    'payload.text: expected at most 63206 characters as Facebook counts them, got 63207',
  );
  expect(reason({ text: 'a'.repeat(63_207), limit: 63_207 })).toBe('ok');
  expect(reason({ text: 'four', limit: 3 })).toMatch(/at most 3 characters .* got 4$/);
});

const photo = { url: 'https://example.com/cup.png', alt: 'a cup' };

test.each([
  [{}, /payload\.text/],
  [{ text: ' \n' }, /payload\.text: expected a text, got blanks/],
  [{ text: 'a\ud800' }, /payload\.text: expected text without halves of characters/],
  [{ text: 'thanks @[4:x]' }, /payload\.text: expected no @\[…\]/],
  [{ text: 'a', link: 'ftp://example.com' }, /payload\.link: expected an http or https URL/],
  [{ text: 'a', link: 'https://example.com', media: [photo] }, /payload\.media: expected either media or a link/],
  [{ text: 'a', media: Array.from({ length: 11 }, () => photo) }, /payload\.media/],
  [{ text: 'a', media: [{ ...photo, alt: 'a'.repeat(1_001) }] }, /payload\.media\.0\.alt/],
  [{ text: 'a', page: '1' }, /page/],
])('%j is refused with the field', (payload, message) => {
  expect(reason(payload)).toMatch(message);
});

test('a link, or ten photos, are taken', () => {
  expect(reason({ text: 'a', link: 'https://example.com' })).toBe('ok');
  expect(reason({ text: 'a', media: Array.from({ length: 10 }, () => photo) })).toBe('ok');
});
