import { drainLimitMs } from '../../../deploy/worker/drain-limit';
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
