import { workersWanted } from '../../../deploy/worker/deployment-health';
import { testSettings } from '../../support/stack/stack';

test('as many workers are wanted as were placed, whatever a spout that was left alone was started with', () => {
  const settings = testSettings('{ due: { replicas: 1 }, webhook: { replicas: 4 } }');
  expect(workersWanted(3, settings)).toBe(3);
  expect(workersWanted(0, settings)).toBe(5);
});
