import { withoutCredentials } from '../../../../../deploy/cli/verbs/messages/show';

test('credentials in headers are not shown on a screen; everything else is', () => {
  const headers = { Authorization: 'Bearer abc', 'X-Api-Key': 'abc', 'X-Any': 'Basic abc', 'X-Tag': 'spring' };
  const payload = { url: 'https://x.test', headers, body: { token: 'of the body' } };
  const hidden = '(hidden; --json shows it)';
  expect(withoutCredentials(payload)).toEqual({
    ...payload,
    headers: { Authorization: hidden, 'X-Api-Key': hidden, 'X-Any': hidden, 'X-Tag': 'spring' },
  });
  expect(withoutCredentials({ url: 'https://x.test' })).toEqual({ url: 'https://x.test' });
  expect(withoutCredentials(null)).toBeNull();
});
