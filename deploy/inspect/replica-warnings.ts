import type { KafkaCopies } from '../../connectors/kafka/kafka-admin';
import type { MemberStatus } from '../../connectors/mysql/operators/members';
import { formatCount } from '../console/units';

/** Who of the database's group does what; null when MySQL runs in no group. */
export function membersText(members: readonly MemberStatus[]): string | null {
  if (members.length === 0) return null;
  const others = members.filter(({ role, state }) => role !== 'PRIMARY' || state !== 'ONLINE');
  const primary = members.find(({ role, state }) => role === 'PRIMARY' && state === 'ONLINE');
  const rest = others.map(({ place, state }) => (state === 'ONLINE' ? place : `${place} (${state})`)).join(', ');
  return `primary ${primary?.place ?? 'unknown'}; beside it ${rest === '' ? 'nobody' : rest}`;
}

/** What somebody should do something about although everything still works: one more may not fail. */
export function replicaWarnings(members: readonly MemberStatus[], copies: KafkaCopies | null): string[] {
  const away = members.filter(({ state }) => state !== 'ONLINE');
  return [
    ...away.map(
      ({ place, state }) =>
        `The MySQL server ${place} is ${state} in its group of ${members.length}. One that was started joins by itself; otherwise see its log, or run \`downspout up\` for the local stack.`,
    ),
    ...(copies === null || copies.short === 0
      ? []
      : [
          `${formatCount(copies.short)} of ${formatCount(copies.partitions)} partitions in Kafka have fewer copies than they should: a broker is missing or behind (${copies.brokers} answer).`,
        ]),
  ];
}
