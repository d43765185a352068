import { drainLimitMs } from '../../../deploy/worker/drain-limit';
import { MAX_REFRESH_MS } from '../../../topology/message';
import { parseTopologySettings } from '../../../topology/settings/topology-settings';

test('draining may take as long as the longest request of the bolts that run, what they claim ahead, and two seconds', () => {
  const settings = parseTopologySettings(
    'components: { webhook: { timeout: 30s }, x: { timeout: 60s, claimAheadMax: 0s } }',
    't.yaml',
  );
  expect(drainLimitMs(['webhook'], settings)).toBe(2_000 + 30_000 + 2_000);
  expect(drainLimitMs(['due', 'webhook', 'x'], settings)).toBe(60_000 + 2_000);
  expect(drainLimitMs(['due'], settings)).toBe(10_000);
});

test('a refresh that has begun, and what is not known of a claim, end in time, whatever the time-out of messages is', () => {
  const settings = parseTopologySettings(
    'components: { webhook: { timeout: 1s }, x: { timeout: 1s }, threads: { timeout: 10s }, pager: { timeout: 1s } }',
    't.yaml',
  );
  // The answer to a claim is given up after 10 s, it may take effect for 15 s from then on, and is looked for each second.
  const unsureMs = 10_000 + 15_000 + 1_000;
  for (const channel of ['webhook', 'x', 'threads']) expect(drainLimitMs([channel], settings)).toBe(unsureMs + 2_000);
  expect(drainLimitMs(['pager'], settings)).toBe(MAX_REFRESH_MS + 2_000);
});
