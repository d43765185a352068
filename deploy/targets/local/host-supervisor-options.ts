import type { Supervision } from '../../../connectors/mysql/operators/supervision';
import type { Clock } from '../../../topology/core/clock';
import type { Log } from '../../../topology/runtime/log';
import type { Readiness } from '../../../topology/runtime/status-server';
import type { HostState } from './host-state';
import type { ProcessMaker } from './host-workers';
import type { ReleaseBook } from './release-book';

/** What the supervisor of a host works with. */
export interface HostSupervisorOptions {
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly state: HostState;
  readonly supervision: Supervision;
  readonly releases: ReleaseBook;
  /** What a worker says of itself; null when it does not answer. */
  readonly readiness: (statusUrl: string) => Promise<Readiness | null>;
  readonly maker: ProcessMaker;
  readonly logFolder: string;
  /** What workers find in their environment beside what this process has. */
  readonly settings: Readonly<Record<string, string>>;
  /** The address at which workers serve their status; their own default unless given. */
  readonly statusHost?: string | undefined;
  /** Called after each look with where the workers serve their status. May throw, for want of room on the disk for example. */
  readonly onWorkers?: (urls: readonly string[]) => void;
}
