import type { LifetimeEntry } from '../../../../../connectors/mysql/secrets/lifetimes';
import { endOf, refreshOf } from '../../../../../deploy/cli/verbs/accounts/expiring';
import { systemClock } from '../../../../../topology/core/clock';

const HOUR_MS = 3_600_000;
const ends = Date.parse('2020-01-01T12:00:00Z');
const entry: LifetimeEntry = {
  account: 'shop',
  channel: 'x',
  expiresAt: ends,
  refreshAt: null,
  refreshedAt: null,
  state: 'usable',
  failures: 0,
  error: null,
  isRefused: false,
};
/** By the machine's clock, and far enough from the full hour. */
const soon = () => systemClock.now() + 3 * HOUR_MS - 30_000;

test('when credentials end is said as an instant, and from now on with its unit', () => {
  expect(endOf(entry)).toMatch(/^2020-01-01T12:00:00\.000Z \([\d,]+ d( \d+ h)? ago\)$/);
  expect(endOf({ expiresAt: soon() })).toMatch(/ \(in 2 h 59 min\)$/);
  expect(endOf({ expiresAt: null })).toBe('not known');
});

test.each<[string, Partial<LifetimeEntry>, RegExp]>([
  ['nothing to refresh them by', {}, /^no: connect the account again$/],
  ['a refresh to come', { refreshAt: soon() }, /^in 2 h 59 min$/],
  ['refreshes that fail', { refreshAt: soon(), failures: 3, error: 'busy' }, /^in 2 h 59 min, after 3 in vain: busy$/],
  ['a refusal for good', { refreshAt: soon(), isRefused: true, error: 'revoked' }, /^no: revoked$/],
  ['an account that is disabled', { refreshAt: 0, state: 'disabled' }, /^not while the account is disabled$/],
])('what becomes of credentials with %s', (_, more, expected) => {
  expect(refreshOf({ ...entry, ...more })).toMatch(expected);
});
