import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readRelease } from '../../../connectors/mysql/operators/releases';
import { MySqlSupervision } from '../../../connectors/mysql/operators/supervision';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import { createLog } from '../../../topology/runtime/log';
import { listenForEnd } from '../../../topology/runtime/signals';
import { operatorUrl } from '../../../topology/settings/connections';
import type { Environment } from '../../../topology/settings/environment';
import { packageVersion } from '../../../topology/settings/package';
import { withLock } from '../../stack/host/lock';
import { HostState, runningSupervisor } from './host-state';
import { HostSupervisor } from './host-supervisor';
import { watchVersion } from './program';
import { askReadiness } from './readiness';
import { ReleaseBook } from './release-book';
import { scrapeTargets } from './scrape-targets';
import { WorkerProcess } from './worker-process';

/** One that looks and one that claims. */
const CONNECTIONS = 2;
/** Longer than a look takes: a database that hangs must not cost the lease of one that answers again. */
const STATEMENT_TIMEOUT_MS = 3_000;

export interface SupervisorProcessOptions {
  /** What it remembers, and the logs of its workers. */
  readonly folder: string;
  readonly environment: Environment;
  /** The local stack's folder, whose Prometheus is told of the workers; null where there is none. */
  readonly stackFolder: string | null;
  /** Leaves the workers running at the end. */
  readonly releaseWorkers: boolean;
  /** Where its workers serve their status; on this host alone unless given. */
  readonly statusHost?: string | undefined;
  /** Log lines for a person instead of JSON. */
  readonly pretty: boolean;
}

/**
 * Supervises this host until SIGTERM, SIGINT or SIGHUP. After that a second SIGTERM or SIGINT ends the process at once.
 * @throws UserError when a supervisor runs in this folder already, or the settings are wrong
 */
export async function runSupervisor(options: SupervisorProcessOptions): Promise<void> {
  const { folder, environment, releaseWorkers } = options;
  const clock = systemClock;
  const log = createLog({ level: environment.LOG_LEVEL, pretty: options.pretty });
  const ending = new AbortController();
  const onSignal = (signal: string) => {
    log.info({ signal }, 'stopping');
    ending.abort();
  };
  const pool = Pool.open(operatorUrl(environment), {
    clock,
    size: CONNECTIONS,
    timeoutMs: STATEMENT_TIMEOUT_MS,
  });
  const watching = watchVersion(clock, ending.signal, (text) => log.warn(text));
  try {
    const state = await takeFolder(folder);
    const supervisor = new HostSupervisor({
      host: hostname(),
      pid: process.pid,
      version: packageVersion(),
      clock,
      log,
      state,
      supervision: new MySqlSupervision(pool),
      releases: new ReleaseBook((number) => readRelease(pool, number)),
      readiness: askReadiness,
      maker: {
        start: (launch) => WorkerProcess.start(launch, clock),
        adopt: (record) => WorkerProcess.adopt(record, clock),
      },
      logFolder: logFolderOf(folder),
      // A worker talks to receivers all day, and needs none of these.
      settings: { OPERATOR_DATABASE_URL: '', ADMIN_DATABASE_URL: '' },
      statusHost: options.statusHost,
      onWorkers: scrapeTargets({ stateFolder: folder, supervisor: state.id, stackFolder: options.stackFolder }),
    });
    listenForEnd('once', onSignal);
    await supervisor.run(ending.signal, releaseWorkers);
  } finally {
    ending.abort();
    await watching;
    await pool.close();
  }
}

/** Where the logs of a state folder's workers are. */
export function logFolderOf(folder: string): string {
  return join(folder, 'logs');
}

/** @throws UserError when a supervisor that lives has it */
async function takeFolder(folder: string): Promise<HostState> {
  mkdirSync(folder, { recursive: true });
  return withLock(
    join(folder, 'supervisor.lock'),
    systemClock,
    () => undefined,
    async () => {
      const other = runningSupervisor(folder);
      if (other !== null && other.pid !== process.pid) {
        throw new UserError(
          `A supervisor runs in ${folder} already (process ${other.pid}). \`downspout supervisor --stop\` ends it and its workers.`,
        );
      }
      const state = new HostState(folder, hostname());
      state.write(state.survivors);
      return state;
    },
  );
}
