import { errnoOf } from '../sql/failures';
import type { Sql } from '../sql/sql';

/** SELECT is denied: the user of another deployment's grants, or of a managed MySQL that shows nothing of its servers. */
const DENIED = 1142;

/** A server of the database's group, as the server that answers sees it. */
export interface MemberStatus {
  /** host:port */
  readonly place: string;
  /** MISSING: the group counts on it and it is not there. */
  readonly state: string;
  readonly role: string;
}

/** Every server that the group should have; none when MySQL runs in no group. @throws Unavailable */
export async function readMembers(sql: Pick<Sql, 'rows'>): Promise<MemberStatus[]> {
  let rows: [string, number, string, string][];
  try {
    rows = await sql.rows<[string, number, string, string]>(
      'SELECT member_host, member_port, member_state, member_role FROM performance_schema.replication_group_members',
    );
  } catch (error) {
    if (errnoOf(error) === DENIED) return [];
    throw error;
  }
  const [seeds] = await sql.rows<[string, string]>("SHOW GLOBAL VARIABLES LIKE 'group_replication_group_seeds'");
  return membersOf(
    rows.map(([host, port, state, role]) => ({ place: `${host}:${port}`, state, role })),
    seeds?.[1] ?? '',
  );
}

/** @param seeds host:port of every server that may belong to the group, separated by commas */
export function membersOf(seen: readonly MemberStatus[], seeds: string): MemberStatus[] {
  const members = seen.filter(({ state }) => state !== 'OFFLINE');
  if (members.length === 0) return [];
  const places = new Set(members.map(({ place }) => place));
  const expected = seeds.split(',').map((place) => place.trim());
  const missing = expected.filter((place) => place !== '' && !places.has(place));
  return [...members, ...missing.map((place) => ({ place, state: 'MISSING', role: '' }))];
}
