import type { TableFigure } from './table';
import { keepsBound } from './table-report';

const figure: TableFigure = { name: 'status', ms: [900, 1_000], mostMs: 1_000, note: '' };

test('a figure keeps its bound when it does so every time', () => {
  expect(keepsBound(figure)).toBe(true);
  expect(keepsBound({ ...figure, ms: [900, 1_001] })).toBe(false);
});

test('a verb that fails does not keep its bound, however quick it is', () => {
  expect(keepsBound({ ...figure, note: 'exit code 1' })).toBe(false);
});

test('a figure without a bound is only shown', () => {
  expect(keepsBound({ ...figure, mostMs: null, ms: [1e6] })).toBe(true);
});
