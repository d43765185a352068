import { filterOf, isByFilter, selectionText } from '../../../../../deploy/cli/verbs/messages/filter-options';
import { listCommand } from '../../../../../deploy/cli/verbs/messages/list';
import { redriveCommand } from '../../../../../deploy/cli/verbs/messages/redrive';
import { resolveCommand } from '../../../../../deploy/cli/verbs/messages/resolve';
import { resumeCommand } from '../../../../../deploy/cli/verbs/messages/resume';
import { Output } from '../../../../../deploy/console/output';
import { UserError } from '../../../../../topology/core/errors';
import { messageStates } from '../../../../../topology/message';

test.each([
  [['17'], undefined, {}, false],
  [[], 'k', { account: 'acme' }, false],
  [[], undefined, { account: 'acme' }, true],
  [[], undefined, { error: '503', dueFrom: '2027-01-01T00:00:00Z' }, true],
  [[], undefined, { state: 'failed' as const }, true],
  [[], undefined, { late: true as const }, true],
  [[], undefined, {}, false],
])('ids %p, key %p and options %p: by a filter is %p', (ids, key, options, expected) => {
  expect(isByFilter(ids, key, options, 'failed')).toBe(expected);
});

test.each([
  [['17'], undefined, { channel: 'webhook' }],
  [['17'], undefined, { account: 'acme' }],
  [['17'], undefined, { state: 'failed' as const }],
  [[], 'k', { account: 'acme', error: '503' }],
])('ids %p, key %p and options %p are refused: names and a filter', (ids, key, options) => {
  expect(() => isByFilter(ids, key, options, 'failed')).toThrow('Name the messages, or give a filter; not both.');
});

test.each(['failed', 'uncertain', 'suspended'] as const)(
  'a verb about %s messages says which verb is about those of another state, if one is',
  (actsOn) => {
    const verbs = { failed: 'redrive', uncertain: 'resolve', suspended: 'resume', late: 'resume' };
    for (const state of messageStates.filter((one) => one !== actsOn)) {
      const other = (verbs as Readonly<Record<string, string>>)[state];
      const refusal = `--state: \`downspout messages ${verbs[actsOn]}\` is about ${actsOn} messages, not about those that are ${state}.`;
      const advice = other === undefined ? '' : ` For ${state} ones there is \`downspout messages ${other}\`.`;
      expect(() => isByFilter([], undefined, { state }, actsOn)).toThrow(new UserError(refusal + advice));
    }
  },
);

test('a verb may be about messages of two states', () => {
  expect(isByFilter([], undefined, { state: 'late' }, 'suspended', 'late')).toBe(true);
  expect(() => isByFilter([], undefined, { state: 'failed' }, 'suspended', 'late')).toThrow(
    new UserError(
      '--state: `downspout messages resume` is about suspended or late messages, not about those that are failed. For failed ones there is `downspout messages redrive`.',
    ),
  );
});

const filters = ['--state', '--channel', '--account', '--due-from', '--due-until', '--error', '--late'];

test.each([
  ['list', listCommand],
  ['redrive', redriveCommand],
  ['resolve', resolveCommand],
  ['resume', resumeCommand],
])('messages %s has every filter', (_, command) => {
  const options = command().options.map(({ long }) => long);
  expect(options).toEqual(expect.arrayContaining(filters));
  expect(new Set(options).size).toBe(options.length);
});

test('a filter has only what was given', () => {
  expect(filterOf({ account: 'a', error: 'x' })).toEqual({ account: 'a', error: 'x' });
  expect(filterOf({ late: true })).toEqual({ isLate: true });
});

test('people see how many messages a filter selects, and which are the newest', () => {
  const message = { id: 7, channel: 'webhook', account: 'acme', dueAt: Date.UTC(2027, 0, 1), lastError: 'HTTP 503' };
  const text = selectionText({ count: 1_200, sample: [message as never] }, new Output());
  expect(text).toMatch(/^1,200 messages are selected/);
  expect(text).toContain('  7  webhook  acme  due 2027-01-01');
  expect(text).toContain('and 1,199 more');
  expect(selectionText({ count: 0, sample: [] }, new Output())).toBe('No message is selected.');
});
