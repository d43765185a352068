import { turnOf } from '../../../deploy/targets/roll-order';
import { testSettings } from '../../support/stack/stack';

/** The components in the order in which they are replaced, those of one turn together. */
function order(from: string, to: string, isBack = false): string[][] {
  const [before, wanted] = [testSettings(from), testSettings(to)];
  const names = ['due', ...Object.keys(wanted.bolts)];
  const direction = { wanted, running: () => [before], isBack };
  return [0, 1, 2].map((turn) => names.filter((name) => turnOf(name, direction) === turn));
}

test('bolts come before the spout, and going back it comes before them', () => {
  const [from, to] = ['{ webhook: {}, x: {} }', '{ webhook: { timeout: 1min }, x: { perAccount: 3 } }'];
  expect(order(from, to)).toEqual([['webhook', 'x'], ['due'], []]);
  expect(order(to, from, true)).toEqual([[], ['due'], ['webhook', 'x']]);
});

test('a bolt whose time-out rises comes after the spout, and one whose time-out falls before it', () => {
  const from = '{ x: { timeout: 10s }, facebook: { timeout: 1min }, webhook: { timeout: 10s } }';
  const to = '{ x: { timeout: 2min }, facebook: { timeout: 10s }, webhook: { timeout: 2min } }';
  expect(order(from, to)).toEqual([['facebook', 'webhook'], ['due'], ['x']]);
  expect(order(to, from)).toEqual([['x', 'webhook'], ['due'], ['facebook']]);
  expect(order(to, from, true)).toEqual([['x'], ['due'], ['facebook', 'webhook']]);
});

test('spouts whose settings cannot be read may know a shorter time-out', () => {
  const wanted = testSettings('{ x: {}, webhook: {} }');
  const turns = ['due', 'x', 'webhook'].map((name) => turnOf(name, { wanted, running: () => [null], isBack: false }));
  expect(turns).toEqual([1, 2, 0]);
});

test('what is wanted and cannot be read changes no order', () => {
  const turns = ['due', 'x'].map((name) => turnOf(name, { wanted: null, running: () => [], isBack: false }));
  expect(turns).toEqual([1, 0]);
});
