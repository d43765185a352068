import { reasonOf, UserError } from '../../../topology/core/errors';
import { showJson } from '../../../topology/core/json-text';
import type { MessageId } from '../../../topology/message';
import { cut } from '../sql/cut';
import { isDenied } from '../sql/failures';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import type { Author } from './author';

/** What somebody changed. Its values are shown to everybody who may look at the audit, so they hold no secret. */
export interface AuditEntry {
  /** `pause`, `messages redrive`: the words of the command line, whoever makes the change. */
  readonly verb: string;
  /** `webhook`, `message 42`, `release 7`. */
  readonly subject: string;
  readonly before?: unknown;
  readonly after?: unknown;
  /** `done` unless given. */
  readonly outcome?: string;
}

/** An entry as it was recorded. */
export interface AuditRow {
  readonly id: number;
  /** Epoch milliseconds by the database's clock. */
  readonly at: number;
  readonly who: string;
  readonly host: string;
  readonly verb: string;
  readonly subject: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly outcome: string;
}

export interface AuditFilter {
  /** Not longer ago than this, in milliseconds. */
  readonly sinceMs?: number;
  /** The verb, or its first words. */
  readonly verb?: string;
  readonly who?: string;
  /** Only what changed this message. */
  readonly message?: MessageId;
}

const MAX_VERB = 64;
const MAX_SUBJECT = 255;
const MAX_OUTCOME = 1_024;
/** Of a value before or after, as JSON. What is longer is left out, and the row says so. */
const MAX_VALUE_CHARACTERS = 32_768;
const ROWS_PER_PURGE_STEP = 1_000;
const INTO = 'INSERT INTO audit (at, who, host, verb, subject, value_before, value_after, outcome)';

/**
 * Adds one row. Called with the connection of a transaction, the row is there exactly if the change is.
 * @throws UserError saying what to do when the user of the connection may not write it
 */
export async function recordAudit(sql: Pick<Sql, 'run'>, author: Author, entry: AuditEntry): Promise<void> {
  const { verb, subject, before, after, outcome = 'done' } = entry;
  const texts = [
    author.who,
    author.host,
    cut(verb, MAX_VERB),
    cut(subject, MAX_SUBJECT),
    valueOf(before),
    valueOf(after),
    cut(outcome, MAX_OUTCOME),
  ];
  await explained(() => sql.run(`${INTO} VALUES (${NOW_MS}, ${texts.map(text).join(', ')})`));
}

/**
 * Makes sure that `recordAudit` will be allowed, and writes nothing.
 * @throws UserError as it does
 */
export async function mayRecordAudit(sql: Pick<Sql, 'run'>): Promise<void> {
  await explained(() => sql.run(`${INTO} SELECT 0, '', '', '', '', NULL, NULL, '' FROM DUAL WHERE FALSE`));
}

/** The newest entries, newest first. */
export async function readAudit(sql: Pick<Sql, 'rows'>, filter: AuditFilter, limit: number): Promise<AuditRow[]> {
  type Columns = [number, number, string, string, string, string, string | null, string | null, string];
  const { sinceMs, verb, who, message } = filter;
  const conditions = [
    sinceMs === undefined ? [] : `at >= ${NOW_MS} - ${integer(sinceMs)}`,
    verb === undefined
      ? []
      : `(verb=${text(verb)} OR LEFT(verb, CHAR_LENGTH(${text(verb)}) + 1)=CONCAT(${text(verb)}, ' '))`,
    who === undefined ? [] : `who=${text(who)}`,
    message === undefined
      ? []
      : `(subject=${text(`message ${message}`)} OR ${integer(message)} MEMBER OF (value_after->'$.ids'))`,
  ].flat();
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')} `;
  const rows = await sql.rows<Columns>(
    'SELECT id, at, who, host, verb, subject, CAST(value_before AS CHAR), CAST(value_after AS CHAR), outcome ' +
      `FROM audit ${where}ORDER BY at DESC, id DESC LIMIT ${integer(limit)}`,
  );
  return rows.map(([id, at, by, host, did, subject, before, after, outcome]) => ({
    id,
    at,
    who: by,
    host,
    verb: did,
    subject,
    before: before === null ? null : JSON.parse(before),
    after: after === null ? null : JSON.parse(after),
    outcome,
  }));
}

/**
 * Deletes rows older than `ageMs`, in small steps. Needs the workers' user, because who changes messages may not erase that.
 * @param report called after each step with the number deleted so far; what it throws ends it
 */
export async function purgeAudit(pool: Pool, ageMs: number, report: (deleted: number) => void): Promise<void> {
  for (let deleted = 0, more = true; more; ) {
    const beganAt = pool.clock.monotonic();
    const { affectedRows } = await pool.run(
      `DELETE FROM audit WHERE at < ${NOW_MS} - ${integer(ageMs)} ORDER BY at LIMIT ${integer(ROWS_PER_PURGE_STEP)}`,
    );
    deleted += affectedRows;
    more = affectedRows === ROWS_PER_PURGE_STEP;
    report(deleted);
    if (more) await pool.clock.sleep(pool.clock.monotonic() - beganAt);
  }
}

function valueOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const json = showJson(value, '');
  return json.length <= MAX_VALUE_CHARACTERS ? json : JSON.stringify({ leftOut: `${json.length} characters` });
}

async function explained(write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isDenied(error)) throw error;
    throw new UserError(`Changes are recorded in the table audit, and this one cannot be: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
