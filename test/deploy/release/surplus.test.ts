import { placementName } from '../../../connectors/mysql/operators/placements';
import { surplus } from '../../../deploy/release/surplus';
import { placement } from './placements';

const on = (supervisor: string | null, ...names: readonly string[]) =>
  names.map((name) => placement(name.split('-')[0] as string, Number(name.split('-')[1]), { supervisor }));

test('what a host has beyond its share moves, of the component that it has most of', () => {
  const all = [...on('a', 'due-1', 'webhook-1', 'webhook-2', 'webhook-3'), ...on('b')];
  expect(surplus(all, 2).map(placementName)).toEqual(['webhook-3', 'webhook-2']);
});

test('nothing moves where the workers are spread evenly, or nobody has them', () => {
  expect(surplus([...on('a', 'due-1', 'webhook-1'), ...on('b', 'due-2')], 2)).toEqual([]);
  expect(surplus(on(null, 'due-1', 'due-2', 'due-3'), 2)).toEqual([]);
});
