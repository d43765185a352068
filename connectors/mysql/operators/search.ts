import type { Clock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import { shortJson } from '../../../topology/core/short-json';
import { type MessageId, type MessageState, messageStates } from '../../../topology/message';
import { checkAccount, checkText, checkTime, type Time } from '../client/input';
import { NEEDS_PERSON } from '../schema/doubt';
import { LATE, SKIPPED } from '../schema/late-rows';
import { integer, list, text } from '../sql/literals';
import type { Sql } from '../sql/sql';
import { channelsIn } from './channel-names';

/** Which messages are wanted; all conditions must hold. */
export interface MessageFilter {
  readonly account?: string;
  readonly channel?: string;
  readonly state?: MessageState;
  readonly dueFrom?: Time;
  /** Not included. */
  readonly dueUntil?: Time;
  /** A part of the last error. */
  readonly error?: string;
  /** Only messages that are late, or failed because they were not sent in time; false: only others. */
  readonly isLate?: boolean;
}

/** A message as a search saw it. */
export interface SeenVersion {
  readonly id: MessageId;
  readonly version: number;
}

/** Messages of one step of a search, newest first. */
interface Found {
  readonly seen: readonly SeenVersion[];
  readonly searchedTo: MessageId | null;
}

/** Messages of one page, newest first. */
interface Page {
  readonly ids: readonly MessageId[];
  /** All messages with this id or a greater one have been looked at; null: all messages there are. */
  readonly searchedTo: MessageId | null;
}

/** A step of this many rows takes some 10 ms, and holds no lock; ten times as long where each of them comes from the disk. */
const ROWS_PER_STEP = 10_000;
/** Of the first step, because most pages are full after it. Each step looks at so many times the rows of the one before. */
const FIRST_STEP_ROWS = 200;
const STEP_GROWS = 4;
/** Channels that are looked into one by one; with more of them all messages are searched. */
const MAX_CHANNELS = 100;
/** An account with more messages than this, or more suspended ones, are searched by id like everything else. */
const MAX_IDS = 5_000;

/**
 * Looks through the messages from the newest to the oldest, step by step, so that its caller decides after each step whether
 * to continue: no statement reads more than some thousand rows, however large the table is.
 *
 * Five indexes narrow the search: messages that need a person, few that are suspended or late, those of an account with few messages, and the ids.
 *
 * @param before only messages older than this one
 * @throws UserError naming the field of the filter that is wrong
 */
export async function* search(sql: Sql, filter: MessageFilter, before?: MessageId): AsyncGenerator<Found> {
  const condition = conditionOf(filter);
  const next = await stepper(sql, filter);
  let rows = FIRST_STEP_ROWS;
  for (let from = before ?? Number.MAX_SAFE_INTEGER; ; ) {
    const step = await next(from, rows);
    const seen = step.where === null ? [] : await matching(sql, `${step.where} AND ${condition}`);
    yield { seen, searchedTo: step.to };
    if (step.to === null) return;
    from = step.to;
    rows = Math.min(ROWS_PER_STEP, rows * STEP_GROWS);
  }
}

/** The newest messages before one, up to a number, and how far that is. */
export async function searchPage(
  sql: Sql,
  filter: MessageFilter,
  page: { readonly before?: MessageId; readonly limit: number; readonly budgetMs: number; readonly clock: Clock },
): Promise<Page> {
  const ids: MessageId[] = [];
  const endAt = page.clock.monotonic() + page.budgetMs;
  for await (const found of search(sql, filter, page.before)) {
    ids.push(...found.seen.map(({ id }) => id));
    if (ids.length >= page.limit) {
      const some = ids.slice(0, page.limit);
      const last = some.at(-1) as MessageId;
      return { ids: some, searchedTo: found.searchedTo === null && some.length === ids.length ? null : last };
    }
    if (found.searchedTo === null || page.clock.monotonic() >= endAt) return { ids, searchedTo: found.searchedTo };
  }
  return { ids, searchedTo: null };
}

/** Rows to look at next, as SQL, and the id down to which that reaches. */
interface Step {
  readonly where: string | null;
  readonly to: MessageId | null;
}

type Stepper = (before: MessageId, most: number) => Promise<Step>;

async function stepper(sql: Sql, filter: MessageFilter): Promise<Stepper> {
  const needsPerson = filter.state === undefined ? undefined : NEEDS_PERSON[filter.state];
  if (needsPerson !== undefined) {
    const all = () => channelsIn(sql, 'needs_person', `needs_person=${needsPerson}`, MAX_CHANNELS);
    const { names, more } = filter.channel === undefined ? await all() : { names: [filter.channel], more: false };
    if (!more) return (before, most) => stepOfIds(most, () => idsOfPerson(sql, needsPerson, names, before, most));
  }
  for (const rows of fewRows(filter)) {
    const ids = await idsOf(sql, rows);
    if (ids.length <= MAX_IDS) {
      return (before, most) => stepOfIds(most, async () => ids.filter((one) => one < before).slice(0, most));
    }
  }
  return (before, most) => stepOfRange(sql, before, most);
}

async function stepOfIds(most: number, first: () => Promise<readonly MessageId[]>): Promise<Step> {
  const ids = await first();
  const to = ids.length < most ? null : (ids.at(-1) ?? null);
  return { where: ids.length === 0 ? null : `id IN ${list(ids, integer)}`, to };
}

async function stepOfRange(sql: Sql, before: MessageId, most: number): Promise<Step> {
  const [row] = await sql.rows<[number]>(
    `SELECT id FROM scheduled_messages FORCE INDEX (PRIMARY) WHERE id < ${integer(before)} ORDER BY id DESC LIMIT 1 OFFSET ${most - 1}`,
  );
  const to = row?.[0] ?? null;
  return { where: `id < ${integer(before)}${to === null ? '' : ` AND id >= ${integer(to)}`}`, to };
}

/** In descending order. The index has the ids of each channel in their order, and of all of them only together. */
async function idsOfPerson(
  sql: Sql,
  needsPerson: number,
  channels: readonly string[],
  before: MessageId,
  most: number,
): Promise<MessageId[]> {
  if (channels.length === 0) return [];
  const ofChannel = (channel: string) =>
    `(SELECT id FROM scheduled_messages FORCE INDEX (needs_person) WHERE needs_person=${needsPerson} ` +
    `AND channel=${text(channel)} AND id < ${integer(before)} ORDER BY id DESC LIMIT ${most})`;
  const rows = await sql.rows<[number]>(channels.map(ofChannel).join(' UNION ALL '));
  return rows
    .map(([id]) => id)
    .toSorted((a, b) => b - a)
    .slice(0, most);
}

/** Rows that an index has together, though not in the order of their ids. */
interface Together {
  readonly index: 'dedupe' | 'suspended_by_due' | 'late_by_due';
  /** One lookup each: of `IN` for a column that is mostly NULL the optimizer makes a scan of the whole index. */
  readonly where: readonly string[];
}

/** What of the filter may select few rows. */
function fewRows({ state, isLate, channel, account }: MessageFilter): Together[] {
  const ofAccount = account === undefined ? '' : `account=${text(checkAccount(account))}`;
  const ofChannel = channel === undefined ? '' : ` AND channel=${text(checkText('channel', channel, 32))}`;
  const of = `${ofChannel}${ofAccount === '' ? '' : ` AND ${ofAccount}`}`;
  const late = state === 'late' ? [LATE] : isLate === true ? [LATE, SKIPPED] : [];
  return [
    ...(state === 'suspended' ? [{ index: 'suspended_by_due' as const, where: [`suspended=1${of}`] }] : []),
    ...(late.length === 0 ? [] : [{ index: 'late_by_due' as const, where: late.map((kind) => `${kind}${of}`) }]),
    ...(ofAccount === '' ? [] : [{ index: 'dedupe' as const, where: [ofAccount] }]),
  ];
}

/** In descending order; one more than MAX_IDS when there are too many. */
async function idsOf(sql: Sql, { index, where }: Together): Promise<MessageId[]> {
  const each = where.map(
    (one) => `(SELECT id FROM scheduled_messages FORCE INDEX (${index}) WHERE ${one} LIMIT ${MAX_IDS + 1})`,
  );
  const rows = await sql.rows<[number]>(`${each.join(' UNION ALL ')} LIMIT ${MAX_IDS + 1}`);
  return rows.map(([id]) => id).toSorted((a, b) => b - a);
}

async function matching(sql: Sql, condition: string): Promise<SeenVersion[]> {
  const rows = await sql.rows<[number, number]>(
    `SELECT id, version FROM scheduled_messages FORCE INDEX (PRIMARY) WHERE ${condition} ORDER BY id DESC`,
  );
  return rows.map(([id, version]) => ({ id, version }));
}

/** As SQL. @throws UserError naming the field of the filter that is wrong */
export function conditionOf({ account, channel, state, dueFrom, dueUntil, error, isLate }: MessageFilter): string {
  if (state !== undefined && !messageStates.includes(state)) {
    throw new UserError(`state: expected one of ${messageStates.join(', ')}, got ${shortJson(state)}`);
  }
  const conditions = [
    ...(account === undefined ? [] : [`account=${text(checkAccount(account))}`]),
    ...(channel === undefined ? [] : [`channel=${text(checkText('channel', channel, 32))}`]),
    ...(state === undefined ? [] : [`state=${text(state)}`]),
    ...(dueFrom === undefined ? [] : [`due_at >= ${integer(checkTime('dueFrom', dueFrom))}`]),
    ...(dueUntil === undefined ? [] : [`due_at < ${integer(checkTime('dueUntil', dueUntil))}`]),
    ...(isLate === undefined ? [] : [`late_kind IS ${isLate ? 'NOT ' : ''}NULL`]),
    ...(error === undefined ? [] : [`LOCATE(${text(checkText('error', error, 1_024))}, last_error) > 0`]),
  ];
  return conditions.length === 0 ? 'TRUE' : conditions.join(' AND ');
}
