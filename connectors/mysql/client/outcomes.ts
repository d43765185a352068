import { UserError } from '../../../topology/core/errors';
import { shortJson } from '../../../topology/core/short-json';
import type { MessageId } from '../../../topology/message';
import { integer } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';

/** What became of a message, as its row says now. */
export interface MessageOutcome {
  readonly id: MessageId;
  readonly account: string;
  readonly channel: string;
  readonly dedupeKey: string | null;
  readonly state: 'delivered' | 'failed' | 'uncertain';
  /** Epoch milliseconds. */
  readonly dueAt: number;
  readonly deliveredAt: number | null;
  readonly receipt: string | null;
  readonly lastError: string | null;
  /** It failed because it was not sent in time. */
  readonly isLate: boolean;
}

export interface OutcomePage {
  readonly outcomes: readonly MessageOutcome[];
  /** Keep it, and give it as `since` for the next page: also when this page is empty. */
  readonly next: string;
  /** More may be ready now. */
  readonly more: boolean;
}

/** An INSERT takes less time from drawing its ids to writing its first row. */
const SETTLED_AFTER_SECONDS = 2;

/**
 * A page of outcomes, in the order of the ledger's ids. Every message that workers brought to an end appears at least once.
 *
 * A worker draws an id when it writes an attempt, and the id becomes visible when the transaction commits. Transactions may
 * commit in another order, and a worker may stop between the two for any time; a reader that went past such an id would
 * lose it. So the page first reads all ids, committed or not (READ UNCOMMITTED), then the committed ones, and ends before
 * the first id that is not committed. One case remains: an INSERT that has drawn its ids and has not written its first row
 * while a later INSERT has committed. Rows younger than two seconds are therefore left for the next page.
 *
 * In a crowd workers write that a message is delivered here first, and to its row later, under the same id. So what is delivered here
 * counts as delivered while its row is open.
 *
 * A canceled message has no attempt, so it is not here: the answer to the cancel says it.
 *
 * @param since `next` of the page before; from the beginning when it is not given
 */
export function outcomesSince(pool: Pool, since: string | undefined, limit: number): Promise<OutcomePage> {
  const after = since === undefined ? 0 : Number(since);
  if (!Number.isSafeInteger(after) || after < 0)
    throw new UserError(`since: expected the \`next\` of a page, got ${shortJson(since)}`);
  return pool.use(async (sql) => {
    const drawn = await drawnIds(sql, after, limit);
    const last = drawn.at(-1);
    if (last === undefined) return { outcomes: [], next: String(after), more: false };
    const committed = await read(sql, after, last);
    const firstOpen = drawn.find((id) => !committed.has(id)) ?? Number.POSITIVE_INFINITY;
    const ready = [...committed.entries()].filter(([id]) => id < firstOpen);
    const outcomes = new Map(ready.flatMap(([, outcome]) => (outcome === null ? [] : [[outcome.id, outcome]])));
    return {
      outcomes: [...outcomes.values()],
      next: String(ready.at(-1)?.[0] ?? after),
      more: drawn.length === limit && firstOpen === Number.POSITIVE_INFINITY,
    };
  });
}

/** The ids of attempts in order, up to the first that was written too recently. */
async function drawnIds(sql: Sql, after: number, limit: number): Promise<number[]> {
  await sql.run('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
  const rows = await sql.rows<[number, number]>(
    `SELECT id, recorded_at < NOW(6) - INTERVAL ${SETTLED_AFTER_SECONDS} SECOND FROM delivery_attempts ` +
      `WHERE id > ${integer(after)} ORDER BY id LIMIT ${integer(limit)}`,
  );
  const young = rows.findIndex(([, settled]) => settled !== 1);
  return (young === -1 ? rows : rows.slice(0, young)).map(([id]) => id);
}

/** As SQL. */
const IS_JOURNALED = "m.state IN ('scheduled','sending') AND a.settled='delivered'";

type Columns = readonly [
  attempt: number,
  settled: string,
  id: number | null,
  account: string,
  channel: string,
  dedupeKey: string | null,
  state: string,
  dueAt: number,
  deliveredAt: number | null,
  receipt: string | null,
  lastError: string | null,
  late: number,
];

/** Committed attempts by id, in order, with the outcome of those that brought a message to its end. */
async function read(sql: Sql, after: number, last: number): Promise<Map<number, MessageOutcome | null>> {
  const rows = await sql.rows<Columns>(
    'SELECT a.id, a.settled, m.id, m.account, m.channel, m.dedupe_key, m.state, m.due_at, ' +
      `IF(m.state='delivered', m.delivered_at, IF(${IS_JOURNALED}, a.finished_at, NULL)), ` +
      `IF(m.state='delivered', m.receipt, IF(${IS_JOURNALED}, a.receipt, NULL)), IF(${IS_JOURNALED}, NULL, m.last_error), ` +
      ' m.late_kind IS NOT NULL FROM delivery_attempts a LEFT JOIN scheduled_messages m ON m.id=a.message_id ' +
      `WHERE a.id > ${integer(after)} AND a.id <= ${integer(last)} ORDER BY a.id`,
  );
  return new Map(
    rows.map(
      ([attempt, settled, id, account, channel, dedupeKey, its, dueAt, deliveredAt, receipt, lastError, late]) => {
        const isOpen = its === 'sending' || its === 'scheduled';
        const state = isOpen && settled === 'delivered' ? 'delivered' : its;
        if (id === null || settled === 'scheduled' || settled === 'suspended' || settled === 'late' || !isEnd(state))
          return [attempt, null];
        const outcome = { id, account, channel, dedupeKey, state, dueAt, deliveredAt, receipt, lastError };
        return [attempt, { ...outcome, isLate: late === 1 }];
      },
    ),
  );
}

function isEnd(state: string): state is MessageOutcome['state'] {
  return state === 'delivered' || state === 'failed' || state === 'uncertain';
}
