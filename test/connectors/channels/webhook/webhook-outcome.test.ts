import { retryAfter } from '../../../../connectors/channels/webhook/webhook-outcome';

test('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1);
  expect(retryAfter('120', now)).toBe(120_000);
  expect(retryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000);
  expect(retryAfter('Wed, 31 Dec 2025 23:00:00 GMT', now)).toBe(0);
  for (const bad of ['', 'soon', '-1', '1.5', '2026-01-01', 'Thu, nonsense'])
    expect(retryAfter(bad, now)).toBeUndefined();
});
