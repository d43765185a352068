import { doesItsShare } from '../../../../deploy/targets/local/readiness';

const said = (reasons: readonly string[], owned: readonly number[]) => ({
  session: 's',
  release: 7,
  reasons,
  partitions: { webhook: owned },
});

test.each([
  ['it owns partitions', said([], [3]), [{ webhook: 8 }], true],
  ['it waits for something', said(['webhook waits: Kafka'], [3]), [{ webhook: 8 }], false],
  ['another one still owns what it will get', said([], []), [{ webhook: 8 }, {}], false],
  ['there are more workers than partitions', said([], []), [{ webhook: 1 }, { webhook: 1 }, {}], true],
  ['nobody owns anything yet', said([], []), [{}, { due: 8 }], false],
])('whether a worker does its share, when %s', (_, readiness, owned, does) => {
  expect(doesItsShare(readiness, 'webhook', owned)).toBe(does);
});
