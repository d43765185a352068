import { UserError } from '../../../topology/core/errors';
import { cut } from '../sql/cut';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Sql } from '../sql/sql';

type ReleaseTarget = 'local' | 'compose' | 'kubernetes';
/** `live` is what runs now. `failed`: the release before it went on; `rolled_back`: it ran, and was taken back. */
export type ReleaseOutcome = 'deploying' | 'live' | 'superseded' | 'failed' | 'rolled_back';

/** What is to be deployed, by whom. */
export interface NewRelease {
  /** The merged topology file as data, units kept. */
  readonly specification: unknown;
  readonly packageVersion: string;
  readonly image: string | null;
  /** Of the target `local`: the program that its workers run, where a host has it. */
  readonly program: string | null;
  readonly target: ReleaseTarget;
  /** Whose overrides the specification has; empty: topology.yaml alone; null: not known, of a release from before this was kept. */
  readonly environment: string | null;
  /** `deploy`, `rollback to 3`, `scale webhook=6`. */
  readonly reason: string;
  readonly who: string;
  readonly host: string;
}

export interface Release extends NewRelease {
  readonly number: number;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly outcome: ReleaseOutcome;
  /** When the outcome became what it is, epoch milliseconds; null while it is deployed. */
  readonly endedAt: number | null;
  readonly detail: string | null;
}

const MAX_TEXT_CHARACTERS = 255;
const MAX_DETAIL_CHARACTERS = 1_024;

type Row = [
  number: number,
  specification: string,
  packageVersion: string,
  image: string | null,
  program: string | null,
  target: ReleaseTarget,
  reason: string,
  who: string,
  host: string,
  createdAt: number,
  outcome: ReleaseOutcome,
  endedAt: number | null,
  detail: string | null,
  environment?: string | null,
];

/** Writes a release that is about to be deployed. @returns its number */
export async function beginRelease(sql: Sql, release: NewRelease): Promise<number> {
  const { insertId } = await sql.run(
    'INSERT INTO releases (specification, package_version, image, program, target, environment, reason, who, host, created_at) VALUES ' +
      `(${text(JSON.stringify(release.specification))}, ${text(release.packageVersion)}, ${text(release.image)}, ` +
      `${text(release.program)}, ${text(release.target)}, ${text(release.environment)}, ${text(cut(release.reason, MAX_TEXT_CHARACTERS))}, ` +
      `${text(cut(release.who, MAX_TEXT_CHARACTERS))}, ${text(cut(release.host, MAX_TEXT_CHARACTERS))}, ${NOW_MS})`,
  );
  return insertId;
}

/**
 * Writes what became of a release, as often as it likes: one that has become live does not fail any more. A release that becomes
 * live takes the place of every other one that was: call it in a transaction, so that there is no moment with two or none.
 */
export async function finishRelease(
  sql: Sql,
  number: number,
  outcome: Exclude<ReleaseOutcome, 'deploying'>,
  detail: string | null = null,
): Promise<void> {
  if (outcome === 'live') {
    await sql.run(
      `UPDATE releases SET outcome='superseded', ended_at=${NOW_MS} WHERE outcome='live' AND number <> ${integer(number)}`,
    );
  }
  await sql.run(
    `UPDATE releases SET outcome=${text(outcome)}, ended_at=${NOW_MS}, ` +
      `detail=${text(detail === null ? null : cut(detail, MAX_DETAIL_CHARACTERS))} WHERE number=${integer(number)} ` +
      `AND outcome ${outcome === 'superseded' ? "= 'live'" : "= 'deploying'"}`,
  );
}

/** The release that runs, or null before the first one is live. */
export async function currentRelease(sql: Sql): Promise<Release | null> {
  const [release] = await select(sql, "WHERE outcome='live' ORDER BY number DESC LIMIT 1");
  return release ?? null;
}

/** Releases whose deployment has not ended: one is under way, or its command was interrupted. Oldest first. */
export function unfinishedReleases(sql: Sql): Promise<Release[]> {
  return select(sql, "WHERE outcome='deploying' ORDER BY number");
}

export async function findRelease(sql: Sql, number: number): Promise<Release | null> {
  const [release] = await select(sql, `WHERE number=${integer(number)}`);
  return release ?? null;
}

/** @throws UserError when there is no such release, naming those that there are */
export async function readRelease(sql: Sql, number: number): Promise<Release> {
  const release = await findRelease(sql, number);
  if (release !== null) return release;
  const [[least, most] = [null, null]] = await sql.rows<[number | null, number | null]>(
    'SELECT MIN(number), MAX(number) FROM releases',
  );
  const there = least === null ? 'Nothing was deployed yet' : `There are ${least} to ${most}`;
  throw new UserError(`There is no release ${number}. ${there}; \`downspout history\` lists them.`);
}

/** Newest first. */
export function listReleases(sql: Sql, limit: number): Promise<Release[]> {
  return select(sql, `ORDER BY number DESC LIMIT ${integer(limit)}`);
}

/** Every column that there is, in the order in which migrations have added them: `deploy` looks at what runs before it adds any. */
async function select(sql: Sql, which: string): Promise<Release[]> {
  const rows = await sql.rows<Row>(`SELECT * FROM releases ${which}`);
  return rows.map(
    ([
      number,
      specification,
      packageVersion,
      image,
      program,
      target,
      reason,
      who,
      host,
      createdAt,
      outcome,
      endedAt,
      detail,
      environment = null,
    ]) => ({
      number,
      specification: JSON.parse(specification) as unknown,
      packageVersion,
      image,
      program,
      target,
      reason,
      who,
      host,
      createdAt,
      outcome,
      endedAt,
      detail,
      environment,
    }),
  );
}
