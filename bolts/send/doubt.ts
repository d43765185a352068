import type { ChannelClass } from '../../topology/message';
import type { Channel } from '../channel';
import type { HeldRow } from '../held-row';

type Promises = Pick<Channel, 'class' | 'keyLifetimeMs' | 'acceptedWithin' | 'lookup'>;

/**
 * Whether a row in doubt may be sent again while its earlier request may still be accepted. A key that lives for a time is looked
 * up by the provider and written only afterwards, so of two requests that overlap both would be accepted.
 */
export function sendsAgainAtOnce(channel: Pick<Promises, 'class' | 'keyLifetimeMs'>): boolean {
  return channel.class === 'idempotent' && channel.keyLifetimeMs === undefined;
}

/**
 * The class that counts for a row. While a key lives, the provider de-duplicates; then it must be asked, or else a person. A
 * row that a person wants sent again counts as one whose key has ended, because the decision may come while an earlier request
 * is still under way.
 * @param now epoch milliseconds, not earlier than the database's clock
 */
export function classFor(
  channel: Promises,
  { inDoubt, decided, doubtSince }: Pick<HeldRow, 'inDoubt' | 'decided' | 'doubtSince'>,
  now: number,
): ChannelClass {
  const { class: own, keyLifetimeMs, acceptedWithin, lookup } = channel;
  if (own !== 'idempotent' || keyLifetimeMs === undefined || !inDoubt) return own;
  // A request that starts now may take so long to be accepted.
  const isAlive = doubtSince !== null && now + acceptedWithin < doubtSince + keyLifetimeMs;
  if (isAlive && !decided) return own;
  return lookup === undefined ? 'blind' : 'lookup';
}
