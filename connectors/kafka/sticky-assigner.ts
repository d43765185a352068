import type { PartitionAssigner } from 'kafkajs';
import { AssignerProtocol } from './kafkajs';

/** What a member reports when it joins. */
export interface Owned {
  readonly partitions: readonly number[];
  /** When they were assigned to it, epoch milliseconds: of two members that report a partition the later one keeps it. */
  readonly since: number;
}

interface Member {
  readonly id: string;
  readonly owned: Owned;
}

const NAME = 'downspout-sticky';
const VERSION = 1;
const NOTHING: Owned = { partitions: [], since: 0 };

/**
 * Spreads partitions evenly and lets each member keep as many of its own as evenness allows, so that members can go on using
 * what they have in memory for them (KIP-54, for one topic).
 */
export function assignSticky(members: readonly Member[], partitions: readonly number[]): Map<string, number[]> {
  const owned = ownedBy(members, partitions);
  // Members that own most come first: they get the larger shares.
  const ranked = members
    .map(({ id }) => ({ id, kept: owned.get(id) ?? [] }))
    .toSorted((a, b) => b.kept.length - a.kept.length || (a.id < b.id ? -1 : 1));
  const least = Math.floor(partitions.length / members.length);
  const larger = partitions.length % members.length;
  const shares = ranked.map(({ id, kept }, index) => {
    const quota = least + (index < larger ? 1 : 0);
    return { id, quota, share: kept.slice(0, quota) };
  });
  const given = new Set(shares.flatMap(({ share }) => share));
  const free = partitions.filter((partition) => !given.has(partition));
  for (const { quota, share } of shares) share.push(...free.splice(0, quota - share.length));
  return new Map(shares.map(({ id, share }) => [id, share.toSorted((a, b) => a - b)]));
}

function ownedBy(members: readonly Member[], partitions: readonly number[]): Map<string, number[]> {
  const existing = new Set(partitions);
  const owners = new Map<number, Member>();
  for (const member of members) {
    for (const partition of member.owned.partitions) {
      const rival = owners.get(partition);
      if (existing.has(partition) && (rival === undefined || rival.owned.since < member.owned.since)) {
        owners.set(partition, member);
      }
    }
  }
  const owned = new Map<string, number[]>();
  for (const [partition, { id }] of owners) owned.set(id, [...(owned.get(id) ?? []), partition]);
  return owned;
}

/** @param owned what this member owns now; asked at every join */
export function stickyAssigner(owned: () => Owned): PartitionAssigner {
  return ({ cluster }) => ({
    name: NAME,
    version: VERSION,
    protocol: ({ topics }) => ({
      name: NAME,
      metadata: AssignerProtocol.MemberMetadata.encode({
        version: VERSION,
        topics,
        userData: Buffer.from(JSON.stringify(owned())),
      }),
    }),
    async assign({ members, topics }) {
      const known = members.map(({ memberId, memberMetadata }) => ({ id: memberId, owned: ownedOf(memberMetadata) }));
      const byTopic = topics.map((topic) => {
        const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId);
        return [
          topic,
          assignSticky(
            known,
            partitions.toSorted((a, b) => a - b),
          ),
        ] as const;
      });
      return known.map(({ id }) => ({
        memberId: id,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: VERSION,
          assignment: Object.fromEntries(byTopic.map(([topic, shares]) => [topic, shares.get(id) ?? []])),
          userData: Buffer.alloc(0),
        }),
      }));
    },
  });
}

function ownedOf(metadata: Buffer): Owned {
  try {
    const { userData } = AssignerProtocol.MemberMetadata.decode(metadata) ?? {};
    const { partitions, since } = JSON.parse(String(userData)) as Partial<Owned>;
    if (!Array.isArray(partitions) || typeof since !== 'number') return NOTHING;
    return { partitions: partitions.filter((partition) => Number.isInteger(partition)), since };
  } catch {
    return NOTHING;
  }
}
