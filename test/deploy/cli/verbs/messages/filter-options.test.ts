import { filterOf, isByFilter, selectionText } from '../../../../../deploy/cli/verbs/messages/filter-options';
import { Output } from '../../../../../deploy/console/output';

test.each([
  [['17'], undefined, {}, false],
  [[], 'k', { account: 'acme' }, false],
  [[], undefined, { account: 'acme' }, true],
  [[], undefined, { error: '503', dueFrom: '2027-01-01T00:00:00Z' }, true],
  [[], undefined, {}, false],
])('ids %p, key %p and options %p: by a filter is %p', (ids, key, options, expected) => {
  expect(isByFilter(ids, key, options)).toBe(expected);
});

test.each([
  [['17'], undefined, { channel: 'webhook' }],
  [['17'], undefined, { account: 'acme' }],
  [[], 'k', { account: 'acme', error: '503' }],
])('ids %p, key %p and options %p are refused: names and a filter', (ids, key, options) => {
  expect(() => isByFilter(ids, key, options)).toThrow('Name the messages, or give a filter; not both.');
});

test('a filter has only what was given', () => {
  expect(filterOf({ account: 'a', error: 'x' })).toEqual({ account: 'a', error: 'x' });
});

test('people see how many messages a filter selects, and which are the newest', () => {
  const message = { id: 7, channel: 'webhook', account: 'acme', dueAt: Date.UTC(2027, 0, 1), lastError: 'HTTP 503' };
  const text = selectionText({ count: 1_200, sample: [message as never] }, new Output());
  expect(text).toMatch(/^1,200 messages are selected/);
  expect(text).toContain('  7  webhook  acme  due 2027-01-01');
  expect(text).toContain('and 1,199 more');
  expect(selectionText({ count: 0, sample: [] }, new Output())).toBe('No message is selected.');
});
