import { NEEDS_PERSON } from '../schema/doubt';
import { LATE } from '../schema/late-rows';
import { isAccessDenied, isOutOfTime } from '../sql/failures';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';

/** Of a deployment, as far as the database knows. */
export interface DeploymentCounts {
  /** Sessions whose lease holds. */
  readonly workersAlive: number;
  /** Sessions that ended without leaving, within the last ten minutes. */
  readonly workersLost: number;
  /** Workers that are to run on the target local, by the placements; 0 when nothing was deployed there. */
  readonly placed: number;
  /** Placements whose worker dies again and again. */
  readonly crashLooping: number;
  /** Servers of the replication group that are online; undefined where there is none, or we may not ask. */
  readonly databaseMembers: number | undefined;
  /**
   * By channel: how long ago the oldest row woke that waits and is not paused, milliseconds, or undefined when too many paused
   * rows stand before it; rows that are uncertain, suspended while their account is unusable, or late and waiting for a person; accounts that are unusable; and
   * accounts whose credentials are not refreshed as they should be, with how long until the first of these end, undefined where none
   * do. Of these the ones that are unusable or disabled are left out: nobody refreshes them.
   */
  readonly channels: ReadonlyMap<string, ChannelCounts>;
}

interface ChannelCounts {
  readonly overdueMs: number | undefined;
  readonly uncertain: number;
  readonly suspended: number;
  readonly unusable: number;
  readonly lateWaiting: number;
  readonly limited: number;
  readonly refreshesFailing: number;
  readonly credentialsEndMs: number | undefined;
}

const LOST_WITHIN_MS = 600_000;
const TIMEOUT_MS = 1_000;
/** Looked up row by row: otherwise MySQL makes a table of all that is paused for each of the 256 shards (1 s for 3,000 accounts, now 0.1 s). */
const EACH_ROW = '/*+ NO_SEMIJOIN() SUBQUERY(INTOEXISTS) */';
/** More rows are not counted, because for an alert they are as many. */
const MAX_COUNTED = 10_000;
const shards = Array.from({ length: 256 }, (_, shard) => shard);

/**
 * Reads a deployment's figures by indexes alone: a look-up for each shard and channel, and at most ten thousand rows of the
 * index of rows that need a person, of that of suspended ones, and of that of late ones.
 * @throws Unavailable
 */
export async function deploymentCounts(pool: Pool, channels: readonly string[]): Promise<DeploymentCounts> {
  const databaseMembers = await members(pool);
  return pool.use(async (sql) => {
    const [counts] = await sql.rows<[number, number, number, number]>(
      'SELECT ' +
        `(SELECT COUNT(*) FROM workers WHERE dead=0 AND lease_until >= ${NOW_MS}), ` +
        '(SELECT COUNT(*) FROM workers WHERE left_at IS NULL ' +
        `AND lease_until < ${NOW_MS} AND lease_until > ${NOW_MS} - ${LOST_WITHIN_MS}), ` +
        "(SELECT COUNT(*) FROM placements WHERE observed->>'$.state' = 'crash_looping'), " +
        '(SELECT COUNT(*) FROM placements)',
    );
    const [workersAlive, workersLost, crashLooping, placed] = counts as [number, number, number, number];
    const ofChannels = new Map<string, ChannelCounts>();
    for (const channel of channels) {
      ofChannels.set(channel, {
        overdueMs: await overdueMs(sql, channel),
        uncertain: await uncertain(sql, channel),
        suspended: await suspended(sql, channel),
        unusable: await unusableAccounts(sql, channel),
        lateWaiting: await lateWaiting(sql, channel),
        limited: await limitedAccounts(sql, channel),
        ...(await lifetimes(sql, channel)),
      });
    }
    return { workersAlive, workersLost, crashLooping, placed, databaseMembers, channels: ofChannels };
  });
}

/** Paused rows are left out, because somebody wants them to wait, and so are those of accounts at a limit. The statement is as long for any number of paused accounts. */
async function overdueMs(sql: Sql, channel: string): Promise<number | undefined> {
  const now = `(until_at IS NULL OR until_at > ${NOW_MS})`;
  const pauses = await sql.rows<[channel: string, account: string]>(
    `SELECT channel, MIN(account) FROM pauses WHERE channel IN (${text(channel)},'') AND ${now} GROUP BY channel`,
  );
  const limited = await sql.rows<[account: string]>(
    `SELECT account FROM account_limits FORCE INDEX (by_gate) WHERE gate_until > ${NOW_MS} AND channel=${text(channel)} ORDER BY account LIMIT 1`,
  );
  if ([...pauses.map(([, account]) => account), ...limited.map(([account]) => account)].includes('')) return 0;
  const others = pauses.map(
    ([paused]) =>
      `AND NOT EXISTS (SELECT ${EACH_ROW} 1 FROM pauses WHERE channel=${text(paused)} AND account=m.account AND ${now}) `,
  );
  if (limited.length > 0) {
    const its = `channel=${text(channel)} AND account=m.account AND gate_until > ${NOW_MS}`;
    others.push(`AND NOT EXISTS (SELECT ${EACH_ROW} 1 FROM account_limits WHERE ${its}) `);
  }
  const oldest = shards.map(
    (shard) =>
      '(SELECT wake_at FROM scheduled_messages m FORCE INDEX (open_by_wake) ' +
      `WHERE open=1 AND m.channel=${text(channel)} AND shard=${integer(shard)} AND wake_at <= ${NOW_MS} ${others.join('')}ORDER BY wake_at LIMIT 1)`,
  );
  try {
    const [row] = await sql.rows<[number | null]>(
      `SELECT /*+ MAX_EXECUTION_TIME(${TIMEOUT_MS}) */ ${NOW_MS} - MIN(wake_at) FROM (${oldest.join(' UNION ALL ')}) oldest`,
    );
    return Math.max(0, row?.[0] ?? 0);
  } catch (error) {
    if (isOutOfTime(error)) return undefined;
    throw error;
  }
}

async function uncertain(sql: Sql, channel: string): Promise<number> {
  const [row] = await sql.rows<[number]>(
    'SELECT COUNT(*) FROM (SELECT 1 FROM scheduled_messages FORCE INDEX (needs_person) ' +
      `WHERE needs_person=${NEEDS_PERSON.uncertain} AND channel=${text(channel)} LIMIT ${MAX_COUNTED}) counted`,
  );
  return row?.[0] ?? 0;
}

/** What a person has kept back, or suspended by hand, needs nobody: only what waits for an account that is unusable is counted. */
async function suspended(sql: Sql, channel: string): Promise<number> {
  const unusable =
    'SELECT account, channel FROM account_states FORCE INDEX (by_state) ' +
    `WHERE state='unusable' AND channel=${text(channel)} LIMIT ${MAX_COUNTED}`;
  const [row] = await sql.rows<[number]>(
    `SELECT COUNT(*) FROM (SELECT 1 FROM (${unusable}) a STRAIGHT_JOIN scheduled_messages m FORCE INDEX (suspended_by_due) ` +
      `ON m.suspended=1 AND m.channel=a.channel AND m.account=a.account LIMIT ${MAX_COUNTED}) counted`,
  );
  return row?.[0] ?? 0;
}

/** The whole channel counts as one of its accounts. */
async function limitedAccounts(sql: Sql, channel: string): Promise<number> {
  const [row] = await sql.rows<[number]>(
    'SELECT COUNT(*) FROM (SELECT 1 FROM account_limits FORCE INDEX (by_gate) ' +
      `WHERE gate_until > ${NOW_MS} AND channel=${text(channel)} LIMIT ${MAX_COUNTED}) counted`,
  );
  return row?.[0] ?? 0;
}

/** What was skipped waits for nobody: it is counted as it fails. */
async function lateWaiting(sql: Sql, channel: string): Promise<number> {
  const [row] = await sql.rows<[number]>(
    'SELECT COUNT(*) FROM (SELECT 1 FROM scheduled_messages FORCE INDEX (late_by_due) ' +
      `WHERE ${LATE} AND channel=${text(channel)} LIMIT ${MAX_COUNTED}) counted`,
  );
  return row?.[0] ?? 0;
}

async function unusableAccounts(sql: Sql, channel: string): Promise<number> {
  const [row] = await sql.rows<[number]>(
    'SELECT COUNT(*) FROM (SELECT 1 FROM account_states FORCE INDEX (by_state) ' +
      `WHERE state='unusable' AND channel=${text(channel)} LIMIT ${MAX_COUNTED}) counted`,
  );
  return row?.[0] ?? 0;
}

/** Of those that nothing refreshes, or whose refresh fails: a token of two hours that is refreshed in time ends all the time. */
async function lifetimes(
  sql: Sql,
  channel: string,
): Promise<Pick<ChannelCounts, 'refreshesFailing' | 'credentialsEndMs'>> {
  const inUse =
    'LEFT JOIN account_states s ON s.account=r.account AND s.channel=r.channel ' +
    `WHERE r.channel=${text(channel)} AND COALESCE(s.state, 'usable') IN ('usable','resuming')`;
  const [row] = await sql.rows<[number, number | null]>(
    'SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM account_refreshes r FORCE INDEX (by_failures) ' +
      `${inUse} AND r.failures > 0 LIMIT ${MAX_COUNTED}) counted), ` +
      '(SELECT r.ends_at FROM account_refreshes r FORCE INDEX (by_end) ' +
      `${inUse} AND r.ends_at IS NOT NULL ORDER BY r.ends_at LIMIT 1) - ${NOW_MS}`,
  );
  return { refreshesFailing: row?.[0] ?? 0, credentialsEndMs: row?.[1] ?? undefined };
}

/** A user that got its rights before this was asked may not ask it. */
async function members(pool: Pool): Promise<number | undefined> {
  try {
    const [row] = await pool.rows<[number]>(
      "SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE member_state = 'ONLINE'",
    );
    const online = row?.[0] ?? 0;
    return online === 0 ? undefined : online;
  } catch (error) {
    if (isAccessDenied(error)) return undefined;
    throw error;
  }
}
