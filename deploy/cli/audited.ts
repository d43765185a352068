import { type AuditEntry, mayRecordAudit, recordAudit } from '../../connectors/mysql/audit/audit';
import { thisAuthor } from '../../connectors/mysql/audit/author';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { reasonOf, Unavailable, UserError } from '../../topology/core/errors';
import { type Environment, readEnvironment } from '../../topology/settings/environment';
import { type DatabaseUrl, databaseUrl } from './database';
import { Interrupted, whole } from './interrupt';
import type { VerbContext } from './verb';

/** What a verb changes. The work fills in what it learns; nothing here is a secret. */
export interface Change {
  readonly verb: string;
  subject: string;
  before?: unknown;
  after?: unknown;
  /** Why it was not done, or not as a whole; `done` unless set. */
  outcome?: string;
  /** True: the row was written together with the change itself, and another one would say nothing more. */
  recorded?: boolean;
}

export interface AuditedOptions {
  /** Whose connection writes the row; the application's unless given. */
  readonly as?: DatabaseUrl;
  /** The change makes the table itself, so nothing can be said of it before. */
  readonly makesTable?: boolean;
}

/** Records what was done with the local stack itself. Its database comes and goes with it, so a row that cannot be written is no failure. */
export async function recordOfStack(environment: Environment, verb: string): Promise<void> {
  // Its settings say where it is; in whose name somebody works is not theirs.
  const { DOWNSPOUT_WHO } = readEnvironment();
  await tryToRecord({ ...environment, DOWNSPOUT_WHO }, { verb, subject: 'local stack' });
}

/** Records what was done with processes of this host, which must be possible without the database too: then it is told. */
export async function recordOfHost({ settings, output }: VerbContext, entry: AuditEntry): Promise<void> {
  const why = await tryToRecord(settings.environment, entry);
  if (why !== null) output.note(`This is not in the audit: ${why}`);
}

/** @returns why there is no row; null when there is one, or no database to write it to */
async function tryToRecord(environment: Environment, entry: AuditEntry): Promise<string | null> {
  const { DATABASE_URL, OPERATOR_DATABASE_URL, WORKER_DATABASE_URL, DOWNSPOUT_WHO } = environment;
  const url = DATABASE_URL ?? OPERATOR_DATABASE_URL ?? WORKER_DATABASE_URL;
  if (url === undefined) return null;
  const pool = Pool.open(url, { clock: systemClock, size: 1 });
  try {
    await recordAudit(pool, thisAuthor(DOWNSPOUT_WHO), entry);
    return null;
  } catch (error) {
    if (error instanceof Unavailable || error instanceof UserError) return reasonOf(error);
    throw error;
  } finally {
    await pool.close();
  }
}

/**
 * Does what a verb changes, and leaves an audit row: who, from where, what, before, after, and how it ended. A dry run leaves
 * none.
 *
 * 1. *Nothing is changed that cannot be recorded*: the right to write the row is checked first.
 * 2. *What failed is recorded too*, as far as the database answers; the verb's own error is the one that is reported.
 *
 * @throws what `work` throws; UserError or Unavailable when the row cannot be written
 */
export async function audited<T>(
  context: VerbContext,
  change: Change,
  work: (change: Change) => Promise<T>,
  { as = 'DATABASE_URL', makesTable = false }: AuditedOptions = {},
): Promise<T> {
  if (context.dryRun) return work(change);
  const { environment } = context.settings;
  const author = thisAuthor(environment.DOWNSPOUT_WHO);
  const pool = Pool.open(databaseUrl(environment, as), { clock: systemClock, size: 1 });
  const record = () => {
    if (change.recorded === true) return Promise.resolve();
    const { verb, subject, before, after, outcome } = change;
    const entry: AuditEntry = { verb, subject, before, after, ...(outcome === undefined ? {} : { outcome }) };
    return recordAudit(pool, author, entry);
  };
  try {
    if (!makesTable) await mayRecordAudit(pool);
    return await whole(context.output, async () => {
      let answer: T;
      try {
        answer = await work(change);
      } catch (error) {
        change.outcome = error instanceof Interrupted ? `interrupted by ${error.signal}` : `failed: ${reasonOf(error)}`;
        change.recorded = false;
        await record().catch((reason: unknown) => context.output.note(`This is not in the audit: ${reasonOf(reason)}`));
        throw error;
      }
      await record().catch((error: unknown) => {
        throw new UserError(`The change was made, but it is not in the audit. ${reasonOf(error)}`, { cause: error });
      });
      return answer;
    });
  } finally {
    await pool.close();
  }
}
