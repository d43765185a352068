import { type LimitedCount, limitedCounts } from '../../connectors/mysql/operators/limited';
import { type MemberStatus, readMembers } from '../../connectors/mysql/operators/members';
import { Operations, type Pause } from '../../connectors/mysql/operators/operations';
import {
  listPlacements,
  listSupervisors,
  type PlacementRow,
  type SupervisorStatus,
} from '../../connectors/mysql/operators/placements';
import type { Figure } from '../../connectors/mysql/operators/quick-count';
import {
  type ChannelWaiting,
  type MinuteCount,
  type StateCount,
  Status,
} from '../../connectors/mysql/operators/status';
import { listWorkers, type WorkerStatus } from '../../connectors/mysql/operators/worker-status';
import { binlogFaults } from '../../connectors/mysql/schema/binlog-settings';
import { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { readerUrl } from '../../topology/settings/connections';
import type { Environment } from '../../topology/settings/environment';
import { type DeploymentReport, readDeploymentReport } from './deployment-report';
import type { RunningTopology } from './running-topology';

/** What the database says; times are epoch milliseconds by its clock. */
export interface DatabaseReport {
  readonly now: number;
  /** Exact, or marked as estimates. */
  readonly counts: readonly StateCount[];
  readonly waiting: readonly ChannelWaiting[];
  /** Channels on which something waits and that are not in `waiting`, because there are very many. */
  readonly otherChannels: Figure;
  /** What wakes in each minute of the next hour; null when that is too much to count in a moment. */
  readonly nextHour: readonly MinuteCount[] | null;
  readonly workers: readonly WorkerStatus[];
  readonly pauses: readonly Pause[];
  readonly limited: readonly LimitedCount[];
  /** Workers that are to run on the target local, and the hosts that run them. */
  readonly placements: readonly PlacementRow[];
  readonly supervisors: readonly SupervisorStatus[];
  readonly deployment: DeploymentReport;
  /** Settings of the binlog that CDC cannot work with, one line each. */
  readonly binlog: readonly string[];
  /** The servers of the database's group; none when it runs in none. */
  readonly members: readonly MemberStatus[];
}

/** A count that is given up after its time holds one; the others are not to stand behind it, or behind look-ups that wait for the disk. */
const STATUS_CONNECTIONS = 10;

/**
 * @param running which is read at the same time
 * @throws Unavailable when the database is away; UserError when the environment names none
 */
export async function readDatabase(
  environment: Environment,
  clock: Clock,
  running: Promise<RunningTopology>,
): Promise<DatabaseReport> {
  const pool = Pool.open(readerUrl(environment), { clock, size: STATUS_CONNECTIONS });
  try {
    // First alone: when the database is away, it is said once.
    const now = await new Status(pool).now();
    const topology = await running;
    const status = new Status(pool, sendersOf(topology));
    const reading = status.waiting();
    const [
      counts,
      waiting,
      otherChannels,
      nextHour,
      workers,
      pauses,
      limited,
      placements,
      supervisors,
      deployment,
      binlog,
      members,
    ] = await Promise.all([
      status.counts(reading),
      reading,
      status.otherChannels(),
      status.byMinute(60),
      listWorkers(pool),
      new Operations(pool).pauses(),
      limitedCounts(pool),
      listPlacements(pool),
      listSupervisors(pool),
      readDeploymentReport(pool, topology),
      binlogFaults(pool),
      readMembers(pool),
    ]);
    return {
      now,
      counts,
      waiting,
      otherChannels,
      nextHour,
      workers,
      pauses,
      limited,
      placements,
      supervisors,
      deployment,
      binlog,
      members,
    };
  } finally {
    await pool.close();
  }
}

/** The channels that the topology has a bolt for. */
export function sendersOf({ settings }: Pick<RunningTopology, 'settings'>): readonly string[] {
  return Object.keys(settings.bolts);
}
