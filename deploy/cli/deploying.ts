import { type Author, thisAuthor } from '../../connectors/mysql/audit/author';
import { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import type { NewRelease, Release } from '../../connectors/mysql/operators/releases';
import { readRollView } from '../../connectors/mysql/operators/roll-view';
import { Pool, type PoolOptions } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { reasonOf, UserError } from '../../topology/core/errors';
import { packageVersion } from '../../topology/settings/package';
import { deployTables } from '../release/deploy-tables';
import { type Deployed, Deployer } from '../release/deployer';
import { EngineDeployer, type EngineDeployerOptions } from '../release/engine-deployer';
import { guardOf } from '../release/guard';
import { watchRoll } from '../release/local-roll';
import { LocalWorkers } from '../release/local-workers';
import { Preparation, type PreparationOptions } from '../release/preparation';
import { prepareForLock } from '../release/prepare-database';
import type { RolloutResult } from '../release/rollout';
import type { Engine, Guard } from '../targets/engine';
import { ensureOwnSupervisor, type OwnSupervisorOptions } from '../targets/local/own-supervisor';
import { ownProgram } from '../targets/local/program';
import { audited, type Change } from './audited';
import { databaseUrl } from './database';
import { interruptible } from './interrupt';
import type { VerbContext } from './verb';

/** What a verb that deploys works with, under the lock. */
export interface Deploying {
  readonly deployer: Deployer;
  /** For the targets whose workers another engine runs. */
  readonly engineDeployer: (engine: Engine) => EngineDeployer;
  readonly workers: LocalWorkers;
  /** Aborts when the command is to end. */
  readonly signal: AbortSignal;
  /** For what is changed outside of the database. */
  readonly guard: Guard;
  readonly lock: DeployLock;
  /** Of the user who deploys. */
  readonly pool: Pool;
  /** Who and where we are. */
  readonly by: Author;
  /** What the audit says of the change; `work` fills in what it learns. */
  readonly change: Change;
}

export interface DeployingOptions extends Partial<OwnSupervisorOptions> {
  /** The verb, with what it is about: `restart webhook`. Others are told who ask meanwhile, and the audit says it. */
  readonly verb: string;
  readonly subject: string;
}

const connections: PoolOptions = { clock: systemClock, size: 4, timeoutMs: 30_000, lockWaitSeconds: 10 };

/**
 * Runs `work` with the right to deploy. SIGINT and SIGTERM let it stop in good order; a second one ends the process at once.
 * @throws UserError when somebody else deploys; Interrupted when a signal comes before the right was taken
 */
export function withDeployer(
  context: VerbContext,
  options: DeployingOptions,
  work: (deploying: Deploying) => Promise<void>,
): Promise<void> {
  const { verb, subject } = options;
  return audited(
    context,
    { verb, subject },
    (change) => interruptible(context.output, ({ signal }) => underLock(context, options, change, signal, work)),
    { as: 'OPERATOR_DATABASE_URL' },
  );
}

/**
 * Makes the schema and the users without which nobody could take the right to deploy, and records it.
 * @throws UserError when somebody else deploys; Interrupted when a signal came
 */
export async function prepareLock(context: VerbContext): Promise<void> {
  const { environment } = context.settings;
  if (environment.ADMIN_DATABASE_URL === undefined) return;
  const by = { ...thisAuthor(environment.DOWNSPOUT_WHO), doing: 'deploy' };
  const report = (text: string) => context.output.note(text);
  await audited(
    context,
    { verb: 'migrate', subject: 'schema and users' },
    (change) =>
      interruptible(context.output, async ({ signal, check }) => {
        const take = (pool: Pool) => DeployLock.take(pool, systemClock, by, report, signal);
        // Where nothing was to be made there is nothing to record.
        change.recorded = !(await prepareForLock(environment, take));
        check();
      }),
    { as: 'ADMIN_DATABASE_URL', makesTable: true },
  );
}

async function underLock(
  { settings, output }: VerbContext,
  { verb, subject, state, supervises = true, mayBeFirst = false }: DeployingOptions,
  change: Change,
  signal: AbortSignal,
  work: (deploying: Deploying) => Promise<void>,
): Promise<void> {
  const { environment } = settings;
  const pool = Pool.open(databaseUrl(environment, 'OPERATOR_DATABASE_URL'), connections);
  const by = thisAuthor(environment.DOWNSPOUT_WHO);
  const doing = `${verb} ${subject}`.trim();
  const report = (text: string) => output.note(text);
  const othersLive = async () => (await readRollView(pool)).supervisors.length;
  try {
    const lock = await DeployLock.take(pool, systemClock, { ...by, doing }, report, signal);
    try {
      const common = { clock: systemClock, signal, report };
      const workers = new LocalWorkers({ ...common, pool, lock });
      const tables = deployTables(pool, lock);
      const preparation = (restartTogether: PreparationOptions['restartTogether']) =>
        new Preparation({
          ...common,
          environment,
          pool,
          lock,
          signal: AbortSignal.any([signal, lock.lost]),
          restartTogether,
        });
      const judge: EngineDeployerOptions['judge'] = (judged, channels) =>
        watchRoll(pool, systemClock, judged, channels);
      const engineDeployer = (engine: Engine) =>
        new EngineDeployer({ ...common, engine, tables, preparation, lock, judge });
      const deployer = new Deployer({
        ...common,
        tables,
        preparation: preparation((component) => workers.restartTogether(component)),
        lock,
        workers,
        ensureSupervisor: async () => {
          const own = await ensureOwnSupervisor({ state, supervises, mayBeFirst }, othersLive);
          if (own?.isNew === true) output.note(`supervisor: runs on this host (process ${own.pid})`);
        },
      });
      await work({ deployer, engineDeployer, workers, signal, guard: guardOf(lock, common), lock, pool, by, change });
    } finally {
      // A lock that is not freed runs out by itself, and what was done is done.
      await lock
        .free()
        .catch((error: unknown) => report(`The right to deploy ends in some seconds: ${reasonOf(error)}`));
    }
  } finally {
    await pool.close();
  }
}

/** A release of this package on a target whose workers run an image. */
export function imageRelease(
  specification: unknown,
  target: Exclude<Release['target'], 'local'>,
  image: string,
  environment: string,
  by: Deploying['by'],
): NewRelease {
  const reason = 'deploy';
  return { specification, packageVersion: packageVersion(), image, program: null, target, environment, reason, ...by };
}

/** A release of this package on the target `local`. */
export function ownRelease(
  specification: unknown,
  environment: string,
  reason: string,
  by: Deploying['by'],
): NewRelease {
  return {
    specification,
    packageVersion: packageVersion(),
    image: null,
    program: ownProgram(),
    target: 'local',
    environment,
    reason,
    ...by,
  };
}

/** An earlier release again: its specification, and its version or image. */
export function sameRelease(
  release: Release,
  environment: string | null,
  reason: string,
  by: Deploying['by'],
): NewRelease {
  const { specification, packageVersion: version, image, program, target } = release;
  return { specification, packageVersion: version, image, program, target, environment, reason, ...by };
}

const DEACTIVATED = 'Everything is deactivated, and nothing is sent until `downspout activate`.';

/**
 * Prints what came of it, says it to the audit, and sets the exit code.
 * @param before what was live
 * @throws Interrupted when a signal ended it
 */
export function tellDeployed(
  { output }: VerbContext,
  { change, signal }: Deploying,
  before: Release | null,
  deployed: Deployed,
  remarks: readonly string[] = [],
): void {
  const { outcome, release, running, reason, isDeactivated, leftOver } = deployed;
  change.subject = `release ${release}`;
  change.before = before === null ? null : { release: before.number };
  change.after = { release: running };
  if (reason !== null) change.outcome = `${outcome}: ${reason}`;
  const all = [...remarks, ...(isDeactivated ? [DEACTIVATED] : []), ...leftOver];
  output.data({ ...deployed, remarks: all }, () => [textOf(deployed), ...all].join('\n'));
  if (outcome === 'live' || outcome === 'unchanged') return;
  process.exitCode = 1;
  if (outcome === 'interrupted') signal.throwIfAborted();
}

/**
 * Prints what came of a roll that deploys nothing, says it to the audit, and sets the exit code.
 * @throws Interrupted when a signal ended it
 */
export function tellRolled(
  { output }: VerbContext,
  { change, signal }: Pick<Deploying, 'change' | 'signal'>,
  result: RolloutResult,
  data: object,
  text: string,
): void {
  output.data({ ...result, ...data }, () => text);
  if (result.result === 'done') return;
  process.exitCode = 1;
  change.outcome = 'reason' in result ? `failed: ${result.reason}` : 'interrupted';
  if (result.result === 'interrupted') signal.throwIfAborted();
}

function textOf({ outcome, release, running, reason }: Deployed): string {
  const still = running === null ? 'Nothing runs' : `Release ${running} runs`;
  switch (outcome) {
    case 'live':
      return `Release ${release} is live.`;
    case 'unchanged':
      return `Release ${release} is live already, and every worker runs.`;
    case 'interrupted':
      return `Release ${release} was interrupted: ${reason}.`;
    case 'failed':
      return `Release ${release} failed: ${reason}\n${still}.`;
    default:
      return `Release ${release} was rolled back: ${reason}\n${still}.`;
  }
}

/** @throws UserError when nothing is live */
export function requiredLive(live: Release | null): Release {
  if (live !== null) return live;
  throw new UserError('No release is live. `downspout deploy` deploys what topology.yaml says.');
}
