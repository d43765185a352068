import { membersOf } from '../../../connectors/mysql/operators/members';
import { membersText, replicaWarnings } from '../../../deploy/inspect/replica-warnings';

const primary = { place: 'a:1', state: 'ONLINE', role: 'PRIMARY' };
const secondary = { place: 'b:1', state: 'ONLINE', role: 'SECONDARY' };
const whole = { brokers: 3, partitions: 12, short: 0 };

test('a server in no group has no members, whatever it could join', () => {
  expect(membersOf([{ place: 'a:1', state: 'OFFLINE', role: '' }], 'a:1,b:1,c:1')).toEqual([]);
  expect(membersOf([], '')).toEqual([]);
  expect(membersText([])).toBeNull();
});

test('a member that was expelled is missed by name', () => {
  const members = membersOf([primary, secondary], 'a:1, b:1, c:1');
  expect(members).toEqual([primary, secondary, { place: 'c:1', state: 'MISSING', role: '' }]);
  expect(membersText(members)).toBe('primary a:1; beside it b:1, c:1 (MISSING)');
  expect(replicaWarnings(members, whole)).toEqual([
    expect.stringMatching(/^The MySQL server c:1 is MISSING in its group of 3\./),
  ]);
});

test('nothing is said of a whole group, nor of a Kafka that does not answer', () => {
  expect(replicaWarnings([primary, secondary], whole)).toEqual([]);
  expect(replicaWarnings([], null)).toEqual([]);
});

test('partitions without all their copies are counted', () => {
  expect(replicaWarnings([], { brokers: 2, partitions: 12, short: 8 })).toEqual([
    '8 of 12 partitions in Kafka have fewer copies than they should: a broker is missing or behind (2 answer).',
  ]);
});
