import { workersWanted } from '../../../deploy/worker/deployment-health';
import { testSettings } from '../../support/stack/stack';

const live = (webhooks: number) => ({ components: { due: { replicas: 1 }, webhook: { replicas: webhooks } } });
const own = testSettings('{ due: { replicas: 1 }, webhook: { replicas: 4 } }');

test('as many workers are wanted as were placed, whatever a spout that was left alone was started with', () => {
  expect(workersWanted(3, live(6), own)).toBe(3);
  expect(workersWanted(0, undefined, own)).toBe(5);
});

test('where an engine places them, as many are wanted as the release that is live says', () => {
  expect(workersWanted(0, live(2), own)).toBe(3);
  expect(workersWanted(0, live(6), own)).toBe(7);
  // A later version may say what this one does not understand.
  expect(workersWanted(0, { components: { webhook: { replicas: 'many' } } }, own)).toBe(5);
});
