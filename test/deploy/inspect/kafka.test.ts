import type { PartitionLag } from '../../../connectors/kafka/lag';
import { fromTheBeginning, queuedOf } from '../../../deploy/inspect/kafka';

const row = (component: string, committed: number | null, lag: number | null): PartitionLag => ({
  component,
  stream: component === 'due' ? 'schedule-changes' : `due.${component}`,
  partition: 0,
  owner: null,
  committed,
  low: 5,
  high: 12,
  lag,
});

test('where nothing is committed, everything waits for a bolt and nothing is known of a spout', () => {
  const rows = [row('webhook', null, null), row('webhook', 10, 2), row('due', null, 7), row('due', 11, 1)];
  expect(fromTheBeginning(rows).map(({ lag }) => lag)).toEqual([7, 2, null, 1]);
});

test('tuples that wait are counted by bolt, without the changes that spouts have not read', () => {
  expect(queuedOf([row('due', 0, 500), row('webhook', 10, 2), row('webhook', 9, 3), row('x', 12, 0)])).toEqual({
    webhook: 5,
    x: 0,
  });
});
